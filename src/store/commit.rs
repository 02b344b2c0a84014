//! One batch of drafts in one transaction: the rows, the events that refer to them, and the head of the log.

use super::{
    Draft, Intent, StoreError, delete, edit,
    patience::{self, caught, within},
    post::{self, Posting},
};
use crate::protocol::{Committed, Origin, Timestamp, UserId, delete::DeleteMessage, edit::EditMessage};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, TransactionOptions, TransactionTrait};

/// Why a batch was not committed, as far as is known.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was stored, and nothing will be.
    NotStored(StoreError),
    /// The COMMIT was not answered, or with a failure that does not tell whether it took place: this is what it brings if so.
    InDoubt(Committed, StoreError),
}

/// Commits all of `drafts`, or none. What it returns is on disk.
pub(super) async fn commit(db: &DatabaseConnection, drafts: &[Draft], now: Timestamp) -> Result<Committed, Failure> {
    let patience = patience::of_lane(db);
    let prepared = within(patience, caught(Box::pin(prepare(db, drafts, now)))).await;
    let (tx, committed) = prepared.map_err(Failure::NotStored)?;
    match within(patience, tx.commit()).await {
        Ok(()) => Ok(committed),
        // A constraint that is checked at the end.
        Err(error) if error.is_the_rows_fault() => Err(Failure::NotStored(error)),
        // Nothing was changed, and what the answers say was read.
        Err(_) if committed.events.is_empty() => Ok(committed),
        Err(error) => Err(Failure::InDoubt(committed, error)),
    }
}

/// Everything but the COMMIT: where it fails or is dropped, the transaction is rolled back.
async fn prepare(
    db: &DatabaseConnection,
    drafts: &[Draft],
    now: Timestamp,
) -> Result<(DatabaseTransaction, Committed), StoreError> {
    let tx = begin(db).await?;
    let mut committed = Committed::default();
    for step in plan(drafts) {
        committed.append(match step {
            Step::Posts(postings) => post::post(&tx, &postings, now).await?,
            Step::Edit(origin, by, edit) => edit::edit(&tx, origin, by, edit, now).await?,
            Step::Delete(origin, by, delete) => delete::delete(&tx, origin, by, delete, now).await?,
        });
    }
    Ok((tx, committed))
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
pub(super) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, StoreError> {
    let sqlite_transaction_mode = match db.get_database_backend() {
        DbBackend::Sqlite => Some(SqliteTransactionMode::Immediate),
        _ => None,
    };
    let options = TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() };
    Ok(db.begin_with_options(options).await?)
}
