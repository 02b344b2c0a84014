//! How much one session may have under way: what it sent and what is not carried out yet. Past that, nothing more is read from it,
//! so that whoever floods fills their own socket, and neither the server's queues nor the outboxes of others.

use futures_util::task::AtomicWaker;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

/// Bytes of one session that are under way.
#[derive(Default)]
pub struct Window {
    bytes: AtomicUsize,
    /// The session's read loop, where it waits for room.
    waiting: AtomicWaker,
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Window({})", self.bytes.load(Ordering::Relaxed))
    }
}

/// A part of a window, given back when the last of its clones is dropped.
#[derive(Clone, Debug)]
pub struct Share {
    /// Only its drop matters.
    _taken: Arc<Taken>,
}

#[derive(Debug)]
struct Taken {
    window: Arc<Window>,
    bytes: usize,
}

impl Window {
    /// Takes `bytes` of the window, whether or not there is room: what was read is carried out.
    #[must_use]
    pub fn take(self: &Arc<Self>, bytes: usize) -> Share {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        Share { _taken: Arc::new(Taken { window: Arc::clone(self), bytes }) }
    }

    /// Ready while less than `bound` is under way.
    pub fn poll_room(&self, bound: usize, cx: &mut Context<'_>) -> Poll<()> {
        let has_room = || self.bytes.load(Ordering::Acquire) < bound;
        if has_room() {
            return Poll::Ready(());
        }
        self.waiting.register(cx.waker());
        // It may have come between the look and the registration.
        if has_room() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.window.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        self.window.waiting.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::task::noop_waker_ref;

    #[test]
    fn room_comes_back_with_the_last_clone() {
        let window = Arc::new(Window::default());
        let mut cx = Context::from_waker(noop_waker_ref());
        let share = window.take(10);
        let clone = share.clone();
        assert!(window.poll_room(11, &mut cx).is_ready());
        assert!(window.poll_room(10, &mut cx).is_pending());
        drop(share);
        assert!(window.poll_room(10, &mut cx).is_pending());
        drop(clone);
        assert!(window.poll_room(1, &mut cx).is_ready());
    }
}
