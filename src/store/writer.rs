//! The way into the lane: a queue that is bounded in drafts and in bytes.

use super::Draft;
use crate::protocol::{Answer, Refusal};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
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
    /// A way in, and its other end.
    pub(super) fn open(bounds: QueueBounds) -> (Self, Queue) {
        let (sender, receiver) = mpsc::channel(bounds.drafts);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let queue = Queue { receiver, waiting_bytes: Arc::clone(&waiting_bytes) };
        (Self { queue: sender, waiting_bytes, max_bytes: bounds.bytes }, queue)
    }

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

/// The other end of the queue, which the lane alone has.
#[derive(Debug)]
pub(super) struct Queue {
    receiver: mpsc::Receiver<Draft>,
    waiting_bytes: Arc<AtomicUsize>,
}

impl Queue {
    /// Waits for drafts, and moves up to `limit` of them to the end of `drafts`: how many, 0 once the queue is closed and empty. Nothing
    /// is lost where this is dropped.
    pub(super) async fn take(&mut self, drafts: &mut Vec<Draft>, limit: usize) -> usize {
        let count = self.receiver.recv_many(drafts, limit).await;
        let taken = &drafts[drafts.len() - count..];
        self.waiting_bytes.fetch_sub(taken.iter().map(Draft::weight).sum(), Ordering::Relaxed);
        count
    }

    /// Drafts that wait.
    pub(super) fn len(&self) -> usize {
        self.receiver.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Lets nothing more in; what waits can still be taken.
    pub(super) fn close(&mut self) {
        self.receiver.close();
    }
}
