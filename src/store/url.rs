//! `DATABASE_URL`: which of the two databases, and how to write it into a log without its password.

use sea_orm::sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use std::{fmt, path::PathBuf, str::FromStr};

/// A database that Natter can use.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of the embedded SQLite, created where there is none.
    Sqlite {
        /// The address as it was given.
        url: String,
        /// The file.
        path: PathBuf,
    },
    /// A PostgreSQL server, version 13 or later.
    Postgres {
        /// The address as it was given.
        url: String,
    },
}

/// What an address must look like.
const ALLOWED: &str =
    "sqlite://PATH (for instance sqlite://data/natter.db?mode=rwc) or postgres://USER:PASSWORD@HOST:PORT/DATABASE";

impl FromStr for DatabaseUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return postgres(text);
        }
        if !text.starts_with("sqlite:") {
            return Err(ALLOWED);
        }
        if text.contains(":memory:") || text.contains("mode=memory") {
            return Err("a file: an in-memory database would lose every message with the process");
        }
        // The driver's own reading, so that the lock lies beside the very file that it opens.
        let options = SqliteConnectOptions::from_str(text).map_err(|_| ALLOWED)?;
        let path = options.get_filename().to_path_buf();
        if path.as_os_str().is_empty() {
            return Err(ALLOWED);
        }
        Ok(Self::Sqlite { url: text.to_owned(), path })
    }
}

/// Parameters that Prisma puts into an address for itself.
const PRISMAS_OWN: [&str; 7] =
    ["schema", "connection_limit", "pool_timeout", "connect_timeout", "socket_timeout", "pgbouncer", "sslaccept"];

/// An address that the driver understands, without what only Prisma does.
fn postgres(text: &str) -> Result<DatabaseUrl, &'static str> {
    let (base, query) = text.split_once('?').unwrap_or((text, ""));
    let mut parameters = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("schema", schema)) if schema != "public" => {
                return Err("an address without schema=…; for a schema other than public add options=-csearch_path%3DSCHEMA");
            }
            Some((name, _)) if PRISMAS_OWN.contains(&name) => {}
            _ => parameters.push(parameter),
        }
    }
    let separator = if parameters.is_empty() { "" } else { "?" };
    let url = format!("{base}{separator}{}", parameters.join("&"));
    let options = PgConnectOptions::from_str(&url).map_err(|_| ALLOWED)?;
    if options.get_host().is_empty() {
        return Err(ALLOWED);
    }
    Ok(DatabaseUrl::Postgres { url })
}

impl DatabaseUrl {
    /// Whether it is another process's, which may come up later.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        match self {
            Self::Sqlite { .. } => false,
            Self::Postgres { .. } => true,
        }
    }

    /// The address as the driver wants it, password included.
    #[must_use]
    pub(super) fn secret(&self) -> &str {
        match self {
            Self::Sqlite { url, .. } | Self::Postgres { url } => url,
        }
    }
}

impl fmt::Display for DatabaseUrl {
    /// Where the database is, without anything that might be secret: put together from what was understood, not cut out of what was
    /// given.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { url, .. } => f.write_str(url),
            Self::Postgres { url } => match PgConnectOptions::from_str(url) {
                Ok(options) => write!(
                    f,
                    "postgres://{}:***@{}:{}/{}",
                    options.get_username(),
                    options.get_host(),
                    options.get_port(),
                    options.get_database().unwrap_or_default()
                ),
                Err(_) => f.write_str("postgres://***"),
            },
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::DatabaseUrl;

    #[test]
    fn no_form_of_an_address_shows_its_password() {
        for address in [
            "postgres://me:hunter2@db.example/app",
            "postgresql://me:hunter2@db.example:5433/app?sslmode=require",
            "postgres://me:hun%2Fter2@db.example/app",
            "postgres://db.example/app?user=me&password=hunter2",
            "postgres://me:hunter2@db.example/app?schema=public&connection_limit=5",
        ] {
            let shown = address.parse::<DatabaseUrl>().expect(address).to_string();
            assert!(shown.starts_with("postgres://me:***@db.example:"), "{shown}");
            assert!(!shown.contains("ter2"), "{shown}");
        }
    }

    #[test]
    fn an_address_that_can_never_work_is_refused() {
        for address in [
            "",
            "mysql://x",
            "file:./dev.db",
            "sqlite://",
            "sqlite::memory:",
            "sqlite://x?mode=memory",
            "postgres://me@db.example:99999/app",
            "postgres://me:pa/ss@db.example/app",
            "postgres://me@db.example/app?schema=chat",
        ] {
            assert!(address.parse::<DatabaseUrl>().is_err(), "{address}");
        }
    }
}
