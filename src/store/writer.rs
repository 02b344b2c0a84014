//! The one ordered lane through which everything is written. While one batch commits, the next gathers: one commit's latency
//! when idle, large batches under load, and no timer.

use super::{
    Draft,
    commit::{Failure, commit},
    outage, patience,
};
use crate::{
    clock::Clock,
    metrics,
    protocol::{Answer, Committed, Event, Refusal},
};
use futures_util::FutureExt;
use sea_orm::{ConnectOptions, DatabaseConnection};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::sync::mpsc;

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueBounds {
    /// Drafts that may wait; one more is refused.
    pub drafts: usize,
    /// Bytes that the waiting drafts may hold; more is refused.
    pub bytes: usize,
    /// Drafts that one transaction takes at most.
    pub batch: usize,
    /// Bytes that the drafts of one transaction hold at most, unless one alone holds more. Its events reach each session as one
    /// piece, so this stays well below what may wait for a session.
    pub batch_bytes: usize,
}

/// The way into the lane. Its queue is bounded in drafts and in bytes; when it is full, a draft is refused with `unavailable`.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<Draft>,
    waiting_bytes: Arc<AtomicUsize>,
    max_bytes: usize,
}

impl Writer {
    /// Puts a draft into the queue. What was put in first is committed first.
    ///
    /// # Errors
    /// Where the queue is full or closed: the draft comes back with the refusal for its sender.
    pub fn submit(&self, draft: Draft) -> Result<(), Answer> {
        let refuse = |draft: Draft, why| Err(Answer { to: draft.origin, outcome: Err(Refusal::unavailable(why)) });
        let weight = draft.weight();
        if self.waiting_bytes.load(Ordering::Relaxed) + weight > self.max_bytes {
            return refuse(draft, BUSY);
        }
        self.waiting_bytes.fetch_add(weight, Ordering::Relaxed);
        self.queue.try_send(draft).or_else(|error| {
            self.waiting_bytes.fetch_sub(weight, Ordering::Relaxed);
            match error {
                mpsc::error::TrySendError::Full(draft) => refuse(draft, BUSY),
                mpsc::error::TrySendError::Closed(draft) => refuse(draft, "the server is going away: nothing was stored"),
            }
        })
    }

    /// What waits now: drafts, and their bytes.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        (self.queue.max_capacity() - self.queue.capacity(), self.waiting_bytes.load(Ordering::Relaxed))
    }
}

const BUSY: &str = "the server is busy: nothing was stored, try again";
const AWAY: &str = "the database is away: nothing was stored, try again";
const NOT_STORED: &str = "the database did not take it: nothing was stored, try again";

/// The lane itself: the other end of the queue, and the only one who writes.
#[derive(Debug)]
pub struct Lane {
    db: DatabaseConnection,
    /// How to get another connection once this one is broken.
    options: ConnectOptions,
    queue: mpsc::Receiver<Draft>,
    waiting_bytes: Arc<AtomicUsize>,
    batch: usize,
    batch_bytes: usize,
    clock: Clock,
}

impl Lane {
    /// A lane to `db`, which `options` connect to, and the way into it.
    pub(super) fn open(db: DatabaseConnection, options: ConnectOptions, bounds: QueueBounds, clock: Clock) -> (Writer, Self) {
        let (sender, queue) = mpsc::channel(bounds.drafts);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let writer = Writer { queue: sender, waiting_bytes: Arc::clone(&waiting_bytes), max_bytes: bounds.bytes };
        (writer, Self { db, options, queue, waiting_bytes, batch: bounds.batch, batch_bytes: bounds.batch_bytes, clock })
    }

    /// Commits what comes in, in order, and has each commit published before the next: while the sessions take one batch, the
    /// next gathers, and a slow fan-out makes larger batches, then a full queue, then refusals. Once `stop` resolves, nothing more
    /// comes in, and it ends when the queue is empty.
    pub async fn run<F: Future<Output = ()>>(mut self, publish: impl Fn(Committed) -> F, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop.fuse());
        let mut drafts = Vec::new();
        loop {
            let count = tokio::select! {
                count = self.queue.recv_many(&mut drafts, self.batch) => count,
                () = &mut stop => {
                    self.queue.close();
                    continue;
                }
            };
            if count == 0 {
                return self.close().await;
            }
            self.waiting_bytes.fetch_sub(drafts.iter().map(Draft::weight).sum(), Ordering::Relaxed);
            for batch in by_weight(&drafts, self.batch_bytes) {
                self.store(batch, &publish).await;
            }
            drafts.clear();
        }
    }

    async fn close(&self) {
        if let Err(error) = self.db.close_by_ref().await {
            log::warn!("the writing connection was not closed in good order: {error}");
        }
    }

    /// All drafts in one transaction; where one row is at fault, each in its own, so that it fails alone.
    async fn store<F: Future<Output = ()>>(&mut self, drafts: &[Draft], publish: &impl Fn(Committed) -> F) {
        let began = Instant::now();
        match commit(&self.db, drafts, self.clock.now()).await {
            Ok(committed) => {
                metrics::committed(&committed, drafts.len(), began.elapsed());
                publish(committed).await;
            }
            Err(Failure::NotStored(error)) if error.is_the_rows_fault() && drafts.len() > 1 => {
                for draft in drafts {
                    Box::pin(self.store(std::slice::from_ref(draft), publish)).await;
                }
            }
            Err(Failure::NotStored(error)) if error.is_the_rows_fault() => {
                log::error!(cause = "not_stored"; "a change was not stored: {error}");
                publish(refused(drafts, &Refusal::internal())).await;
            }
            Err(Failure::NotStored(error)) => {
                log::error!("{} changes were not stored: {error}", drafts.len());
                publish(refused(drafts, &Refusal::unavailable(NOT_STORED))).await;
                self.outlast(None, publish).await;
            }
            Err(Failure::InDoubt(committed, error)) => {
                log::error!("whether {} changes are stored is not known yet: {error}", drafts.len());
                let is_stored = self.outlast(committed.events.last(), publish).await;
                log::info!("the changes in doubt are {}", if is_stored { "stored" } else { "not stored" });
                if is_stored {
                    metrics::committed(&committed, drafts.len(), began.elapsed());
                    publish(committed).await;
                } else {
                    publish(refused(drafts, &Refusal::unavailable(NOT_STORED))).await;
                }
            }
        }
    }

    /// Waits until the database answers and, where a commit is in doubt, tells whether its `last` event is in the log. What comes in
    /// meanwhile is refused with `unavailable`: nothing is committed before that is known, or the order would have a hole.
    async fn outlast<F: Future<Output = ()>>(&mut self, last: Option<&Event>, publish: &impl Fn(Committed) -> F) -> bool {
        let options = self.options.clone();
        let mut ended = std::pin::pin!(outage::ended(&options, patience::of_lane(&self.db), last));
        let mut late = Vec::new();
        let (db, is_in_log) = loop {
            let count = tokio::select! {
                biased;
                answer = &mut ended => break answer,
                count = self.queue.recv_many(&mut late, self.batch) => count,
            };
            if count == 0 {
                break ended.await;
            }
            self.waiting_bytes.fetch_sub(late.iter().map(Draft::weight).sum(), Ordering::Relaxed);
            publish(refused(&late, &Refusal::unavailable(AWAY))).await;
            late.clear();
        };
        self.db = db;
        is_in_log
    }
}

/// `drafts` in order, cut so that no piece weighs more than `bound`, unless it is one draft.
fn by_weight(mut drafts: &[Draft], bound: usize) -> impl Iterator<Item = &[Draft]> {
    std::iter::from_fn(move || {
        let mut weight = 0;
        let fits = |draft: &&Draft| {
            weight += draft.weight();
            weight <= bound
        };
        let count = drafts.iter().take_while(fits).count().max(1);
        let (piece, rest) = drafts.split_at_checked(count)?;
        drafts = rest;
        Some(piece)
    })
}

/// An `ERROR` for each, whether or not it named its request.
fn refused(drafts: &[Draft], refusal: &Refusal) -> Committed {
    let answer = |draft: &Draft| Answer { to: draft.origin.clone(), outcome: Err(refusal.clone()) };
    Committed { events: Vec::new(), answers: drafts.iter().map(answer).collect() }
}
