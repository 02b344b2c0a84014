//! The one ordered lane through which everything is written. While one batch commits, the next gathers: one commit's latency
//! when idle, large batches under load, and no timer that a message waits for.

use super::{
    BrokenLog, Draft, Head, StoreError,
    commit::{Failure, commit},
    connection::{Connection, Next},
    memberships::Memberships,
    outage,
    retention::{Pruner, Retention},
    seam,
    writer::{Queue, QueueBounds, Writer},
};
use crate::{
    clock::Clock,
    metrics,
    protocol::{Answer, Committed, Refusal},
};
use futures_util::FutureExt;
use sea_orm::{ConnectOptions, DatabaseConnection};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

const AWAY: &str = "the database is away: nothing was stored, try again";
const NOT_STORED: &str = "the database did not take it: nothing was stored, try again";

/// Fewer drafts than these are one batch: half of them would cost the server's disk as much.
const WORTH_HALVING: usize = 128;

/// The lane itself: the other end of the queue, and the only one who writes.
#[derive(Debug)]
pub struct Lane {
    connection: Connection,
    /// How to get another one once it is broken.
    options: ConnectOptions,
    /// Up to where the log is published.
    head: Head,
    /// Set while it waits for the database; `/readyz` tells.
    is_held_up: Arc<AtomicBool>,
    /// What is committed and not handed out yet: the next commit goes on beside it. None is left where anything else is done.
    unpublished: Option<Committed>,
    /// Outages since the last commit.
    outages: u32,
    queue: Queue,
    batch: usize,
    batch_bytes: usize,
    pruner: Pruner,
    clock: Clock,
    /// Who belongs to which conversation: nobody else changes that.
    memberships: Memberships,
}

/// What a lane is given beside its bounds and its clock.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) db: DatabaseConnection,
    pub(super) options: ConnectOptions,
    pub(super) head: Head,
    pub(super) is_held_up: Arc<AtomicBool>,
}

impl Lane {
    /// A lane to a database, and the way into it.
    pub(super) fn open(
        access: Access,
        bounds: QueueBounds,
        retention: Retention,
        memberships: Memberships,
        clock: Clock,
    ) -> (Writer, Self) {
        let (writer, queue) = Writer::open(bounds);
        let Access { db, options, head, is_held_up } = access;
        let QueueBounds { batch, batch_bytes, .. } = bounds;
        let pruner = Pruner::new(retention);
        let connection = Connection::new(db);
        (
            writer,
            Self {
                connection,
                options,
                head,
                is_held_up,
                unpublished: None,
                outages: 0,
                queue,
                batch,
                batch_bytes,
                pruner,
                clock,
                memberships,
            },
        )
    }

    /// Commits what comes in, in order, and publishes it in order: while the sessions take one batch, the next gathers, or is written if
    /// the database is another process, and a slow fan-out makes larger batches, then a full queue, then refusals. Once `stop` resolves,
    /// nothing more comes in, and it ends when the queue is empty.
    ///
    /// # Errors
    /// Where what it would publish does not follow what was published: the sessions must begin anew.
    pub async fn run<F: Future<Output = ()>>(
        mut self,
        publish: impl Fn(Committed) -> F,
        stop: impl Future<Output = ()>,
    ) -> Result<(), BrokenLog> {
        let outcome = self.carry(&publish, stop).await;
        self.connection.close().await;
        outcome
    }

    async fn carry<F: Future<Output = ()>>(
        &mut self,
        publish: &impl Fn(Committed) -> F,
        stop: impl Future<Output = ()>,
    ) -> Result<(), BrokenLog> {
        let mut stop = std::pin::pin!(stop.fuse());
        let mut drafts = Vec::new();
        loop {
            let most = self.most();
            let count = tokio::select! {
                count = self.queue.take(&mut drafts, most) => count,
                // Neither goes first: the log is pruned under load, too, and the drafts wait for one small step.
                () = self.pruner.due() => {
                    self.prune(publish).await?;
                    continue;
                }
                () = self.connection.checkpoint_due() => {
                    if self.queue.is_empty() {
                        self.connection.checkpoint().await;
                    }
                    continue;
                }
                () = &mut stop => {
                    self.queue.close();
                    continue;
                }
            };
            if count == 0 {
                self.hand_out(publish).await;
                return Ok(());
            }
            self.store(&drafts, publish).await?;
            drafts.clear();
        }
    }

    /// How many drafts the next batch has at most. A database server takes half of what is under way (what waits, and the events that are
    /// being handed out), so that it has the other half to write while the first is handed out, and answered by who waited for it. When
    /// nothing is under way, it is [`WORTH_HALVING`]: what comes meanwhile is the next batch's.
    fn most(&self) -> usize {
        if !self.connection.is_to_a_server() {
            return self.batch;
        }
        let unpublished = self.unpublished.as_ref().map_or(0, |committed| committed.events.len());
        self.queue.len().midpoint(unpublished).max(WORTH_HALVING).min(self.batch)
    }

    /// Stores drafts in order, each piece in one transaction.
    async fn store<F: Future<Output = ()>>(
        &mut self,
        drafts: &[Draft],
        publish: &impl Fn(Committed) -> F,
    ) -> Result<(), BrokenLog> {
        let mut pieces = Pieces::of(drafts, self.batch_bytes);
        while let Some(piece) = pieces.next() {
            let began = Instant::now();
            let Self { connection, memberships, clock, queue, unpublished, .. } = self;
            let committing = commit(connection, memberships, piece, clock.now(), || what_comes_next(queue, &pieces))
                .map(|outcome| (outcome, began.elapsed()));
            let ((outcome, took), ()) = tokio::join!(committing, hand_out(unpublished.take(), publish));
            match outcome {
                Ok(committed) => {
                    metrics::committed(&committed, piece.len(), took);
                    let next = what_comes_next(&self.queue, &pieces);
                    self.publish(committed, next, publish).await?;
                }
                Err(Failure::NotStored(error)) if error.is_the_rows_fault() => bisect(piece, &error, &mut pieces, publish).await,
                Err(Failure::NotStored(error)) => self.refuse(piece, &error, pieces.rest(), publish).await?,
                Err(Failure::InDoubt(committed, error)) => {
                    self.settle_doubt(piece, committed, &error, pieces.rest(), publish).await?;
                }
            }
        }
        Ok(())
    }

    /// Hands out a commit, and before it what another has put into the log. A database server writes what comes `next` beside it.
    async fn publish<F: Future<Output = ()>>(
        &mut self,
        committed: Committed,
        next: Next,
        publish: &impl Fn(Committed) -> F,
    ) -> Result<(), BrokenLog> {
        if let (Some(first), Some(last)) = (committed.events.first(), committed.events.last()) {
            let (first, last) = (first.event.seq, last.event.seq);
            if first.0 != self.head.seq.0 + 1 {
                let db = self.connection.without_transaction().await;
                seam::close_gap(db, &mut self.memberships, &mut self.head, first, publish).await?;
            }
            self.head.seq = last;
        }
        self.outages = 0;
        self.pruner.saw(committed.events.len());
        self.unpublished = Some(committed);
        if !self.connection.is_to_a_server() || next == Next::Unknown {
            self.hand_out(publish).await;
        }
        Ok(())
    }

    async fn hand_out<F: Future<Output = ()>>(&mut self, publish: &impl Fn(Committed) -> F) {
        hand_out(self.unpublished.take(), publish).await;
    }

    /// Takes one step of the log's pruning. Where the database is away, whoever waits behind it is told so.
    async fn prune<F: Future<Output = ()>>(&mut self, publish: &impl Fn(Committed) -> F) -> Result<(), BrokenLog> {
        self.hand_out(publish).await;
        let Err(error) = self.pruner.step(self.connection.without_transaction().await, self.clock.now()).await else {
            return Ok(());
        };
        log::error!("the event log was not pruned: {error}");
        self.outlast(Vec::new(), publish).await
    }

    /// The database did not take this piece: nothing of it is stored.
    async fn refuse<F: Future<Output = ()>>(
        &mut self,
        piece: &[Draft],
        error: &StoreError,
        rest: Vec<&[Draft]>,
        publish: &impl Fn(Committed) -> F,
    ) -> Result<(), BrokenLog> {
        log::error!("{} changes were not stored: {error}", piece.len());
        self.is_held_up.store(true, Ordering::Relaxed);
        publish(refused(piece, &Refusal::unavailable(NOT_STORED))).await;
        self.outlast(rest, publish).await
    }

    /// Nobody knows whether this piece is stored, until the database answers again: then its last event is in the log, or is not and
    /// can't come any more.
    async fn settle_doubt<F: Future<Output = ()>>(
        &mut self,
        piece: &[Draft],
        committed: Committed,
        error: &StoreError,
        mut rest: Vec<&[Draft]>,
        publish: &impl Fn(Committed) -> F,
    ) -> Result<(), BrokenLog> {
        let began = Instant::now();
        log::error!("whether {} changes are stored is not known yet: {error}", piece.len());
        let is_stored = loop {
            self.outlast(std::mem::take(&mut rest), publish).await?;
            match outage::is_stored(self.connection.without_transaction().await, committed.events.last().map(|last| &last.event))
                .await
            {
                Ok(is_stored) => break is_stored,
                Err(error) => log::debug!("the database is away again: {error}"),
            }
        };
        log::info!("the changes in doubt are {}", if is_stored { "stored" } else { "not stored" });
        if is_stored {
            metrics::committed(&committed, piece.len(), began.elapsed());
            return self.publish(committed, Next::Unknown, publish).await;
        }
        publish(refused(piece, &Refusal::unavailable(NOT_STORED))).await;
        Ok(())
    }

    /// Waits until the database takes writes again, on a new connection. The `rest` of what was taken, and what comes in meanwhile, is
    /// refused with `unavailable`: nothing is committed before a doubt is settled, or the order would have a hole.
    async fn outlast<F: Future<Output = ()>>(
        &mut self,
        rest: Vec<&[Draft]>,
        publish: &impl Fn(Committed) -> F,
    ) -> Result<(), BrokenLog> {
        self.is_held_up.store(true, Ordering::Relaxed);
        // Another transaction than ours may have come between, and one in doubt may be stored.
        self.memberships.forget();
        for piece in rest {
            publish(refused(piece, &Refusal::unavailable(AWAY))).await;
        }
        let (options, old, outages) = (self.options.clone(), self.connection.without_transaction().await.clone(), self.outages);
        let mut ended = std::pin::pin!(outage::ended(&options, &old, outages));
        let mut late = Vec::new();
        let (db, head) = loop {
            let count = tokio::select! {
                biased;
                answer = &mut ended => break answer,
                count = self.queue.take(&mut late, self.batch) => count,
            };
            if count == 0 {
                break ended.await;
            }
            publish(refused(&late, &Refusal::unavailable(AWAY))).await;
            late.clear();
        };
        self.connection = Connection::new(db);
        self.outages += 1;
        seam::check(self.connection.without_transaction().await, self.head, head).await?;
        self.is_held_up.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// What comes after a batch of which these pieces are left.
fn what_comes_next(queue: &Queue, pieces: &Pieces<'_>) -> Next {
    if queue.is_empty() && pieces.is_empty() { Next::Unknown } else { Next::Waits }
}

async fn hand_out<F: Future<Output = ()>>(committed: Option<Committed>, publish: &impl Fn(Committed) -> F) {
    if let Some(committed) = committed {
        publish(committed).await;
    }
}

/// Where one row is at fault: both halves are tried again, each in its own transaction, until the row stands alone and fails alone. One
/// bad row among a thousand costs ten commits.
async fn bisect<'a, F: Future<Output = ()>>(
    piece: &'a [Draft],
    error: &StoreError,
    pieces: &mut Pieces<'a>,
    publish: &impl Fn(Committed) -> F,
) {
    if piece.len() > 1 {
        return pieces.halve(piece);
    }
    log::error!(cause = "not_stored"; "a change was not stored: {error}");
    publish(refused(piece, &Refusal::internal())).await;
}

/// What is left of the drafts that were taken: pieces in order, each for one transaction.
pub(super) struct Pieces<'a>(Vec<&'a [Draft]>);

impl<'a> Pieces<'a> {
    /// `drafts` in order, cut so that no piece weighs more than `bound`, unless it is one draft.
    pub(super) fn of(mut drafts: &'a [Draft], bound: usize) -> Self {
        let mut pieces = Vec::new();
        while !drafts.is_empty() {
            let mut weight = 0;
            let fits = |draft: &&Draft| {
                weight += draft.weight();
                weight <= bound
            };
            let count = drafts.iter().take_while(fits).count().max(1);
            let (piece, rest) = drafts.split_at(count);
            pieces.push(piece);
            drafts = rest;
        }
        pieces.reverse();
        Self(pieces)
    }

    pub(super) fn next(&mut self) -> Option<&'a [Draft]> {
        self.0.pop()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The two halves of `piece` come next.
    pub(super) fn halve(&mut self, piece: &'a [Draft]) {
        let (first, second) = piece.split_at(piece.len() / 2);
        self.0.extend([second, first]);
    }

    /// Everything that is left.
    fn rest(&mut self) -> Vec<&'a [Draft]> {
        let mut rest = std::mem::take(&mut self.0);
        rest.reverse();
        rest
    }
}

/// An `ERROR` for each, whether or not it named its request.
fn refused(drafts: &[Draft], refusal: &Refusal) -> Committed {
    let answer = |draft: &Draft| Answer { to: draft.origin.clone(), outcome: Err(refusal.clone()) };
    Committed { answers: drafts.iter().map(answer).collect(), ..Committed::default() }
}
