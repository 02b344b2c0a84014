//! What is published follows what was published, without a hole and never backwards, whatever became of the database meanwhile.

use super::{BrokenLog, Head, StoreError, log::rename, memberships::Memberships, missed, patience};
use crate::protocol::{Committed, Seq};
use sea_orm::DatabaseConnection;

/// Events that are read at once.
const PAGE: u64 = 256;

/// Publishes what stands in the log between `head` and `next`: another server has put it there.
pub(super) async fn close_gap<F: Future<Output = ()>>(
    db: &DatabaseConnection,
    memberships: &mut Memberships,
    head: &mut Head,
    next: Seq,
    publish: &impl Fn(Committed) -> F,
) -> Result<(), BrokenLog> {
    check(db, *head, Head { seq: Seq(next.0 - 1), ..*head }).await?;
    // It may have changed who belongs where, too.
    memberships.forget();
    while head.seq.0 + 1 < next.0 {
        log::warn!("events {} to {} are not this server's: they are read from the log", head.seq.0 + 1, next.0 - 1);
        let missing = u64::try_from(next.0 - 1 - head.seq.0).unwrap_or(PAGE);
        let page = missed::of_everyone(db, memberships, head.seq, missing.min(PAGE));
        let page = patience::within(patience::of_lane(db), page).await;
        let page = page.map_err(|source: StoreError| BrokenLog::Unreadable { source })?;
        let (events, reaches) = page.ok_or(BrokenLog::Hole { after: head.seq })?;
        head.seq = reaches;
        publish(Committed { events, ..Committed::default() }).await;
    }
    Ok(())
}

/// Whether the log that was `found` is the one that was published up to `head`. One that went back gets another name, so that whoever
/// comes back is told to begin anew.
pub(super) async fn check(db: &DatabaseConnection, head: Head, found: Head) -> Result<(), BrokenLog> {
    if found.log_id != head.log_id {
        return Err(BrokenLog::Replaced);
    }
    if found.seq < head.seq {
        let renamed = rename(db).await;
        return Err(match renamed {
            Ok(_) => BrokenLog::WentBack { from: head.seq, to: found.seq },
            Err(source) => BrokenLog::Unreadable { source },
        });
    }
    Ok(())
}
