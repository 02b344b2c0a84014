//! What can go wrong with the database, told apart by what there is to do about it.

use sea_orm::{DbErr, RuntimeErr, SqlxError, sqlx::error::ErrorKind};

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server has this SQLite file.
    #[error("another natter already serves the database {0}: stop it, or give this one a DATABASE_URL of its own")]
    InUse(String),
    /// The folder or the lock file can't be made.
    #[error("can't create {path}: {source}")]
    Folder {
        /// What was to be made.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database does not answer; trying again may help.
    #[error("the database {url} can't be reached: {source}")]
    Unreachable {
        /// The address, without its password.
        url: String,
        /// What the driver said.
        source: StoreError,
    },
    /// The schema could not be brought up to date.
    #[error("the database's schema can't be migrated: {0}")]
    Migration(StoreError),
}

/// Why something was not read or stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What the database or the way to it said.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// It said nothing for too long.
    #[error("the database did not answer in time")]
    TimedOut,
    /// Our own code failed; the panic's message stands in the log.
    #[error("a panic")]
    Panicked,
    /// A conversation's members were not read before they were asked for: our own fault.
    #[error("the members of a conversation were not loaded")]
    NotLoaded,
}

impl StoreError {
    /// Whether it is this row's own fault (a constraint, a value that the database can't hold, one that our code trips over), so
    /// that others would pass.
    pub(super) fn is_the_rows_fault(&self) -> bool {
        matches!(self, Self::Panicked | Self::NotLoaded) || self.is_a_constraints()
    }

    fn is_a_constraints(&self) -> bool {
        let Some(SqlxError::Database(error)) = self.sqlx() else { return false };
        match error.kind() {
            ErrorKind::UniqueViolation
            | ErrorKind::ForeignKeyViolation
            | ErrorKind::NotNullViolation
            | ErrorKind::CheckViolation
            | ErrorKind::ExclusionViolation => true,
            // PostgreSQL's classes 22 (data exception), 23 (integrity) and P0 (raised by a trigger); SQLite's SQLITE_CONSTRAINT,
            // whose extended codes have 19 in the low byte, and SQLITE_TOOBIG (18).
            _ => error.code().is_some_and(|code| match code.parse::<u32>() {
                Ok(sqlite) if code.len() < 5 => matches!(sqlite & 0xff, 18 | 19),
                _ => ["22", "23", "P0"].iter().any(|class| code.starts_with(class)),
            }),
        }
    }

    fn sqlx(&self) -> Option<&SqlxError> {
        match self {
            Self::Database(
                DbErr::Conn(RuntimeErr::SqlxError(error))
                | DbErr::Exec(RuntimeErr::SqlxError(error))
                | DbErr::Query(RuntimeErr::SqlxError(error)),
            ) => Some(error),
            Self::Database(_) | Self::TimedOut | Self::Panicked | Self::NotLoaded => None,
        }
    }
}
