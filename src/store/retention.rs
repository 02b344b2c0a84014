//! The log is cut off at its old end: in small steps, between two batches, and never with a hole. Messages stay.

use super::{
    StoreError,
    log::head,
    patience::{self, within},
};
use crate::protocol::{Seq, Timestamp};
use entity::events;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long the log is kept. What is `None` keeps everything; where both are given, an event goes as soon as either lets it go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Days that an event stays.
    pub days: Option<i64>,
    /// Events that stay: the last ones.
    pub events: Option<i64>,
}

impl Retention {
    /// The last event that the count lets go, and the age in milliseconds since 1970 before which an event is too old.
    fn limits(self, head: Seq, now: Timestamp) -> (Seq, i64) {
        let last = self.events.map_or(Seq(0), |events| Seq(head.0 - events));
        (last, self.days.map_or(i64::MIN, |days| now.unix_ms() - days * DAY_MS))
    }
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Events that one step removes at most: what a draft may have to wait for. As many events may be committed before it looks again.
const STEP: u64 = 1_000;

/// Between two steps the lane has this long for the drafts alone.
const PAUSE: Duration = Duration::from_millis(25);

/// How often it looks where little is written.
const INTERVAL: Duration = Duration::from_mins(1);

/// Cuts the log off. The lane calls it, because SQLite has one writer.
#[derive(Debug)]
pub(super) struct Pruner {
    retention: Retention,
    /// Up to here nothing is left: on PostgreSQL, a search from 0 would pass over what is not vacuumed yet.
    cut: Seq,
    /// When to look next.
    next: Instant,
    /// Events that were committed since it looked.
    unseen: u64,
    /// Events removed since the log last said so.
    removed: u64,
}

impl Pruner {
    /// Looks at once, and then from time to time.
    pub(super) fn new(retention: Retention) -> Self {
        Self { retention, cut: Seq(0), next: Instant::now(), unseen: 0, removed: 0 }
    }

    /// Resolves when it is time for a step; never, where everything is kept.
    pub(super) async fn due(&self) {
        if self.retention == Retention::default() {
            return std::future::pending().await;
        }
        sleep_until(self.next).await;
    }

    /// So many events were committed.
    pub(super) fn saw(&mut self, committed: usize) {
        self.unseen = self.unseen.saturating_add(committed as u64);
        if self.unseen >= STEP {
            self.next = self.next.min(Instant::now() + PAUSE);
        }
    }

    /// Removes the oldest events, if they are due: one small transaction.
    pub(super) async fn step(&mut self, db: &DatabaseConnection, now: Timestamp) -> Result<(), StoreError> {
        self.next = Instant::now() + INTERVAL;
        self.unseen = 0;
        let removed = within(patience::of_lane(db), self.remove(db, now)).await?;
        self.removed += removed;
        if removed == STEP {
            self.next = Instant::now() + PAUSE;
        } else if self.removed > 0 {
            let gone = if self.removed == 1 { "event is" } else { "events are" };
            log::info!("the event log was pruned: {} {gone} gone, it begins after seq {}", self.removed, self.cut);
            self.removed = 0;
        }
        Ok(())
    }

    async fn remove(&mut self, db: &DatabaseConnection, now: Timestamp) -> Result<u64, StoreError> {
        let (last_by_count, oldest) = self.retention.limits(head(db).await?.seq, now);
        let rows: Vec<(Seq, i64)> = events::Entity::find()
            .select_only()
            .columns([events::Column::Seq, events::Column::CreatedAt])
            .filter(events::Column::Seq.gt(self.cut))
            .order_by_asc(events::Column::Seq)
            .limit(STEP)
            .into_tuple()
            .all(db)
            .await?;
        // Where the clock was set back, what stands behind a younger event waits for it: the log has no hole.
        let due = rows.iter().take_while(|(seq, at)| *seq <= last_by_count || *at < oldest).last();
        let Some((last, _)) = due.copied() else { return Ok(0) };
        let oldest_events = events::Column::Seq.between(Seq(self.cut.0 + 1), last);
        let removed = events::Entity::delete_many().filter(oldest_events).exec(db).await?.rows_affected;
        self.cut = last;
        Ok(removed)
    }
}
