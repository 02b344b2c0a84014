//! One batch of drafts in one transaction: the rows, the events that refer to them, and the head of the log.

use super::{
    Draft, Intent, StoreError,
    connection::{Connection, Next},
    delete, edit,
    lane::Pieces,
    member,
    memberships::{Known, Memberships, View},
    patience::{caught, within},
    post::{self, Posting},
};
use crate::protocol::{
    Caller, Committed, Origin, Principal, Timestamp, delete::DeleteMessage, edit::EditMessage, member::SetMember,
};
use sea_orm::DatabaseTransaction;

/// Why a batch was not committed, as far as is known.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was stored, and nothing will be.
    NotStored(StoreError),
    /// The COMMIT was not answered, or with a failure that does not tell whether it took place: this is what it brings if so.
    InDoubt(Committed, StoreError),
}

/// Commits all of `drafts`, or none. What it returns is on disk, and `memberships` are what they are after it. Where it fails, they
/// are what they were before: whoever learns that it was committed after all has them forgotten. What comes `next` is asked for at the
/// end.
pub(super) async fn commit(
    connection: &mut Connection,
    memberships: &mut Memberships,
    drafts: &[Draft],
    now: Timestamp,
    next: impl FnOnce() -> Next,
) -> Result<Committed, Failure> {
    let patience = connection.patience();
    let prepared = within(patience, caught(Box::pin(prepare(connection, memberships, drafts, now)))).await;
    let (tx, committed, known) = prepared.map_err(Failure::NotStored)?;
    match within(patience, connection.commit(tx, next())).await {
        Ok(()) => {
            memberships.keep(known);
            Ok(committed)
        }
        // A constraint that is checked at the end.
        Err(error) if error.is_the_rows_fault() => Err(Failure::NotStored(error)),
        // Nothing was changed, and what the answers say was read.
        Err(_) if committed.events.is_empty() => Ok(committed),
        Err(error) => Err(Failure::InDoubt(committed, error)),
    }
}

/// Everything but the COMMIT: where it fails or is dropped, the transaction is rolled back.
async fn prepare(
    connection: &mut Connection,
    memberships: &Memberships,
    drafts: &[Draft],
    now: Timestamp,
) -> Result<(DatabaseTransaction, Committed, Known), StoreError> {
    let tx = connection.begin().await?;
    let mut view = memberships.view();
    let mut committed = Committed::default();
    for step in plan(drafts) {
        committed.append(carry_out(&tx, &mut view, step, now).await?);
    }
    Ok((tx, committed, view.into_own()))
}

async fn carry_out(
    tx: &DatabaseTransaction,
    view: &mut View<'_>,
    step: Step<'_>,
    now: Timestamp,
) -> Result<Committed, StoreError> {
    match step {
        Step::Posts(postings) => post::post(tx, view, &postings, now).await,
        Step::Edit(origin, by, edit) => edit::edit(tx, view, origin, by, edit, now).await,
        Step::Delete(origin, by, delete) => delete::delete(tx, view, origin, by, delete, now).await,
        Step::SetMember(origin, by, set) => member::set(tx, view, origin, by, set, now).await,
    }
}

/// What is done at once within a transaction.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// New messages that came one after the other: one statement a table.
    Posts(Vec<Posting<'a>>),
    Edit(&'a Origin, Caller, &'a EditMessage),
    Delete(&'a Origin, Caller, &'a DeleteMessage),
    SetMember(&'a Origin, Principal, &'a SetMember),
}

/// Cuts drafts into steps, in the order of their arrival.
pub(super) fn plan(drafts: &[Draft]) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for Draft { origin, intent, .. } in drafts {
        match (intent, steps.last_mut()) {
            (Intent::Post(by, message), Some(Step::Posts(postings))) => postings.push(Posting { origin, by: *by, message }),
            (Intent::Post(by, message), _) => steps.push(Step::Posts(vec![Posting { origin, by: *by, message }])),
            (Intent::Edit(by, edit), _) => steps.push(Step::Edit(origin, *by, edit)),
            (Intent::Delete(by, delete), _) => steps.push(Step::Delete(origin, *by, delete)),
            (Intent::SetMember(by, set), _) => steps.push(Step::SetMember(origin, *by, set)),
        }
    }
    steps
}

/// In how many steps these drafts are carried out, cut into transactions of so many bytes: the planning alone, for the benches.
#[must_use]
pub fn count_steps(drafts: &[Draft], batch_bytes: usize) -> usize {
    let mut pieces = Pieces::of(drafts, batch_bytes);
    std::iter::from_fn(|| pieces.next()).map(|piece| plan(piece).len()).sum()
}
