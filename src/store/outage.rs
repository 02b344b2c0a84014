//! The database is away, takes no writes, or did not say how a COMMIT ended: asking until it does.

use super::{
    Head, StoreError,
    log::{contains, head, touch},
    patience::{self, within},
    transaction::begin,
};
use crate::protocol::Event;
use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use std::time::Duration;
use tokio::time::sleep;

/// A first wait between two tries; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// As long as this, at most, the database has been back before it is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Resolves when the database takes writes, with a new connection, and where its log stands: the `old` one may hang for as long as the
/// network lets it, and is closed meanwhile. Where `outages` followed one another without a commit between, the first try waits, too.
pub(super) async fn ended(options: &ConnectOptions, old: &DatabaseConnection, outages: u32) -> (DatabaseConnection, Head) {
    let goodbye = within(patience::OF_A_GOODBYE, old.close_by_ref());
    let (answer, closed) = tokio::join!(answer(options, patience::of_lane(old), outages), goodbye);
    if let Err(error) = closed {
        log::debug!("the broken connection was not closed in good order: {error}");
    }
    answer
}

async fn answer(options: &ConnectOptions, patience: Duration, outages: u32) -> (DatabaseConnection, Head) {
    let mut wait = FIRST_WAIT;
    if outages > 0 {
        wait = (FIRST_WAIT * 2_u32.saturating_pow(outages.min(8))).min(LONGEST_WAIT);
        sleep(wait).await;
    }
    loop {
        match within(patience, ask(options)).await {
            Ok(answer) => return answer,
            Err(error) => log::debug!("the database is still away: {error}"),
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn ask(options: &ConnectOptions) -> Result<(DatabaseConnection, Head), StoreError> {
    let db = Database::connect(options.clone()).await?;
    match try_to_write(&db).await {
        Ok(head) => Ok((db, head)),
        Err(error) => {
            db.close().await?;
            Err(error)
        }
    }
}

/// A full disk, or a table that is locked, lets everything pass but what is written.
async fn try_to_write(db: &DatabaseConnection) -> Result<Head, StoreError> {
    let tx = begin(db).await?;
    touch(&tx).await?;
    let head = head(&tx).await?;
    tx.commit().await?;
    Ok(head)
}

/// Whether `last`, the last event of a commit in doubt, came into the log. After that it can't come any more.
pub(super) async fn is_stored(db: &DatabaseConnection, last: Option<&Event>) -> Result<bool, StoreError> {
    let Some(last) = last else { return Ok(false) };
    let ask = async {
        let tx = begin(db).await?;
        let is_stored = contains(&tx, last).await?;
        tx.rollback().await?;
        Ok::<bool, StoreError>(is_stored)
    };
    within(patience::of_lane(db), ask).await
}
