//! How many sockets there are. Each holds a permit, and gives it back when it ends.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts the sockets of all workers.
#[derive(Debug)]
pub struct Connections {
    open: AtomicUsize,
    /// One more is refused.
    max: usize,
}

/// One socket's place.
#[derive(Debug)]
pub struct Permit(Arc<Connections>);

impl Connections {
    /// None open, and room for `max`.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { open: AtomicUsize::new(0), max }
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// A place, if there is one.
    #[must_use]
    pub fn permit(self: &Arc<Self>) -> Option<Permit> {
        let one_more = |open: usize| (open < self.max).then_some(open + 1);
        self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Permit(Arc::clone(self)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
