//! One batch of drafts in one transaction: the rows, the events that refer to them, and the head of the log.

use super::{Draft, Intent, StoreError, post};
use crate::protocol::{Committed, Timestamp};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, TransactionOptions, TransactionTrait};

/// Commits all of `drafts`, or none. What it returns is on disk.
pub(super) async fn commit(db: &DatabaseConnection, drafts: &[Draft], now: Timestamp) -> Result<Committed, StoreError> {
    let tx = begin(db).await?;
    let posts: Vec<post::Posting<'_>> = drafts
        .iter()
        .map(|draft| match &draft.intent {
            Intent::Post(message) => post::Posting { origin: &draft.origin, message },
        })
        .collect();
    let committed = post::post(&tx, &posts, now).await?;
    tx.commit().await?;
    Ok(committed)
}

/// A plain BEGIN on SQLite would be deferred, and fail at once where it turns into a write while another process writes.
async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, StoreError> {
    let sqlite_transaction_mode = match db.get_database_backend() {
        DbBackend::Sqlite => Some(SqliteTransactionMode::Immediate),
        _ => None,
    };
    let options = TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() };
    Ok(db.begin_with_options(options).await?)
}
