//! `DATABASE_URL`: which of the two databases, and how to write it into a log without its password.

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
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
            return Ok(Self::Postgres { url: text.to_owned() });
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
    /// The address with its password masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.secret();
        let password = url
            .split_once("://")
            .and_then(|(_, rest)| rest.split(['/', '?']).next())
            .and_then(|authority| authority.rsplit_once('@'))
            .and_then(|(user_info, _)| user_info.split_once(':'))
            .map(|(_, password)| password);
        match password {
            Some(password) if !password.is_empty() => f.write_str(&url.replacen(&format!(":{password}@"), ":***@", 1)),
            _ => f.write_str(url),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}
