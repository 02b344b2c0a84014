//! The database is away, or did not say how a COMMIT ended: asking until it answers.

use super::{StoreError, commit::begin, log::contains, patience::within};
use crate::protocol::Event;
use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use std::time::Duration;
use tokio::time::sleep;

/// A first wait between two tries; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// As long as this, at most, the database has been back before it is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Resolves when the database answers, with a new connection: the old one may hang for as long as the network lets it. Tells whether
/// `last`, the last event of a commit in doubt, came into the log. After that it can't come any more.
pub(super) async fn ended(options: &ConnectOptions, patience: Duration, last: Option<&Event>) -> (DatabaseConnection, bool) {
    let mut wait = FIRST_WAIT;
    loop {
        match within(patience, ask(options, last)).await {
            Ok(answer) => return answer,
            Err(error) => log::debug!("the database is still away: {error}"),
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn ask(options: &ConnectOptions, last: Option<&Event>) -> Result<(DatabaseConnection, bool), StoreError> {
    let db = Database::connect(options.clone()).await?;
    let tx = begin(&db).await?;
    let is_in_log = match last {
        Some(event) => contains(&tx, event).await?,
        None => false,
    };
    tx.rollback().await?;
    Ok((db, is_in_log))
}
