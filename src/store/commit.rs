//! One batch of drafts in one transaction: the rows, the events that refer to them, and the head of the log.

use super::{
    Draft, Intent, StoreError, delete, edit,
    post::{self, Posting},
};
use crate::protocol::{Committed, Origin, Timestamp, UserId, delete::DeleteMessage, edit::EditMessage};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, TransactionOptions, TransactionTrait};

/// Commits all of `drafts`, or none. What it returns is on disk.
pub(super) async fn commit(db: &DatabaseConnection, drafts: &[Draft], now: Timestamp) -> Result<Committed, StoreError> {
    let tx = begin(db).await?;
    let mut committed = Committed::default();
    for step in plan(drafts) {
        committed.append(match step {
            Step::Posts(postings) => post::post(&tx, &postings, now).await?,
            Step::Edit(origin, by, edit) => edit::edit(&tx, origin, by, edit, now).await?,
            Step::Delete(origin, by, delete) => delete::delete(&tx, origin, by, delete, now).await?,
        });
    }
    tx.commit().await?;
    Ok(committed)
}

/// What is done at once within a transaction.
#[derive(Debug)]
enum Step<'a> {
    /// New messages that came one after the other: one statement a table.
    Posts(Vec<Posting<'a>>),
    Edit(&'a Origin, UserId, &'a EditMessage),
    Delete(&'a Origin, UserId, &'a DeleteMessage),
}

/// Cuts drafts into steps, in the order of their arrival.
fn plan(drafts: &[Draft]) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for Draft { origin, intent } in drafts {
        match (intent, steps.last_mut()) {
            (Intent::Post(message), Some(Step::Posts(postings))) => postings.push(Posting { origin, message }),
            (Intent::Post(message), _) => steps.push(Step::Posts(vec![Posting { origin, message }])),
            (Intent::Edit(by, edit), _) => steps.push(Step::Edit(origin, *by, edit)),
            (Intent::Delete(by, delete), _) => steps.push(Step::Delete(origin, *by, delete)),
        }
    }
    steps
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
