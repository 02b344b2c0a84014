//! What can go wrong with the database, told apart by what there is to do about it.

use crate::protocol::Seq;
use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server has this SQLite file.
    #[error("another natter already serves the database {0}: stop it, or give this one a DATABASE_URL of its own")]
    InUse(String),
    /// A server has this SQLite file, and what was asked for is done without one.
    #[error("a running natter serves the database {0}: stop it first (Ctrl-C, or SIGTERM), then try again")]
    Served(String),
    /// The file holds something else.
    #[error("{path} is no SQLite database, or is damaged: move it away, or give natter a DATABASE_URL of its own")]
    NotADatabase {
        /// The file.
        path: String,
    },
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
    #[error("{}", cause(.0))]
    Database(DbErr),
    /// It said nothing for too long.
    #[error("the database did not answer in time")]
    TimedOut,
    /// It answers, but the last batch did not get through, and nothing was written since: its disk is full, say, or a table is locked.
    #[error("the database takes no writes")]
    TakesNoWrites,
    /// A SQLite file was removed, or another one put in its place.
    #[error("{0} was removed or replaced while it was served: what is written from now on is lost when the server stops")]
    FileGone(String),
    /// The ids that a client can read are used up.
    #[error("{table} has no id left: the last one is {last}")]
    NoIdLeft {
        /// The table.
        table: &'static str,
        /// Its highest id, written by the application.
        last: i64,
    },
    /// A trigger or rule of the application kept a row from being inserted.
    #[error("the database left a row out: a trigger or rule of the application skips it")]
    Skipped,
    /// Our own code failed; the panic's message stands in the log.
    #[error("a panic")]
    Panicked,
    /// A conversation's members were not read before they were asked for: our own fault.
    #[error("the members of a conversation were not loaded")]
    NotLoaded,
}

/// Why nothing more can be published: it would not follow what was published.
#[derive(Debug, thiserror::Error)]
pub enum BrokenLog {
    /// The database was restored, or has failed over to a replica that lacked something.
    #[error(
        "the event log went back from {from} to {to} while it was served: it was given a new log_id, so that clients begin anew"
    )]
    WentBack {
        /// The last event that was published.
        from: Seq,
        /// Where the log stands now.
        to: Seq,
    },
    /// Another log stands in its place.
    #[error("the database holds another event log than the one that was served")]
    Replaced,
    /// Events between two others are not there.
    #[error("the event log has a hole after {after}")]
    Hole {
        /// The last event before it.
        after: Seq,
    },
    /// What another server has written can't be read.
    #[error("the event log does not follow what was published, and can't be read: {source}")]
    Unreadable {
        /// What the database said.
        source: StoreError,
    },
}

/// PostgreSQL's classes of errors that are no row's fault: the connection, what is done with it or what it remembers (08, 0A, 25, 26, 28,
/// 3D), a transaction that another one got in the way of (40, 55), the server's resources, its operators and its disk (53, 57, 58, XX).
const NO_ROWS_FAULT: [&str; 12] = ["08", "0A", "25", "26", "28", "3D", "40", "53", "55", "57", "58", "XX"];

/// Not as the error's source, which would tell the same again, with all that the layers in between put in front of it.
impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

/// PostgreSQL's code for a database that is not there.
const NO_DATABASE: &str = "3D000";

/// What the database said, or what is wrong with the way to it, without the names of the layers that it came through.
fn cause(error: &DbErr) -> String {
    match error {
        DbErr::Migration(text)
        | DbErr::Custom(text)
        | DbErr::RecordNotFound(text)
        | DbErr::Conn(RuntimeErr::Internal(text))
        | DbErr::Exec(RuntimeErr::Internal(text))
        | DbErr::Query(RuntimeErr::Internal(text)) => text.clone(),
        other => match sqlx(other) {
            Some(SqlxError::Database(said)) => match said.code().as_deref() {
                Some(NO_DATABASE) => format!("{}: create it (createdb), or correct database.url", said.message()),
                _ => said.message().to_owned(),
            },
            Some(SqlxError::Io(error)) => error.to_string(),
            Some(error) => error.to_string(),
            None => other.to_string(),
        },
    }
}

impl StoreError {
    /// Whether it is SQLite's word for a file that holds something else.
    pub(super) fn is_of_another_format(&self) -> bool {
        const NOTADB: &str = "26";
        match self {
            Self::Database(error) => {
                matches!(sqlx(error), Some(SqlxError::Database(said)) if said.code().as_deref() == Some(NOTADB))
            }
            Self::TimedOut
            | Self::TakesNoWrites
            | Self::FileGone(_)
            | Self::Skipped
            | Self::NoIdLeft { .. }
            | Self::Panicked
            | Self::NotLoaded => false,
        }
    }

    /// Whether the database, or our own code, took offence at this very row, so that others would pass.
    pub(super) fn is_the_rows_fault(&self) -> bool {
        match self {
            Self::Panicked
            | Self::NotLoaded
            | Self::Skipped
            | Self::NoIdLeft { .. }
            | Self::Database(DbErr::Type(_) | DbErr::TryIntoErr { .. }) => true,
            Self::TimedOut | Self::TakesNoWrites | Self::FileGone(_) => false,
            Self::Database(error) => sqlx(error).is_some_and(is_a_rows_fault),
        }
    }
}

fn is_a_rows_fault(error: &SqlxError) -> bool {
    match error {
        SqlxError::Database(error) => error.code().is_some_and(|code| match code.parse::<u32>() {
            // SQLite's ERROR (a trigger that fails, say), TOOBIG, CONSTRAINT and MISMATCH. An extended code has them in the low byte.
            Ok(sqlite) if code.len() < 5 => matches!(sqlite & 0xff, 1 | 18 | 19 | 20),
            _ => !NO_ROWS_FAULT.iter().any(|class| code.starts_with(class)),
        }),
        // A stored row that can't be read.
        SqlxError::ColumnDecode { .. } | SqlxError::Decode(_) | SqlxError::Encode(_) => true,
        _ => false,
    }
}

fn sqlx(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}
