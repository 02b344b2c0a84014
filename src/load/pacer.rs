//! The schedule of the messages: on a thread of its own, because the runtime's timer is exact to a millisecond only.

use super::session::Order;
use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Gives the senders their orders in turn, until it is dropped.
pub(super) struct Pacer {
    /// Dropped, it ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pacer {
    /// So many messages a second from now on. What is due is due, however long the ones before it take: what waits for a sender
    /// counts from its own moment on.
    pub(super) fn start(rate: f64, begun: Instant, senders: Vec<mpsc::Sender<Order>>) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("pacer".to_owned());
        let thread = thread.spawn(move || keep_pace(rate, begun, &senders, &stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Detached: it may wait for a sender that has no room, and ends with it.
        drop(self.thread.take());
    }
}

fn keep_pace(rate: f64, begun: Instant, senders: &[mpsc::Sender<Order>], stopped: &Receiver<()>) {
    let start = Instant::now();
    let offset = start.duration_since(begun);
    for number in 0_u32.. {
        let after = Duration::from_secs_f64(f64::from(number) / rate);
        if !wait_until(start + after, stopped) {
            return;
        }
        let due = u64::try_from((offset + after).as_nanos()).unwrap_or(u64::MAX);
        // A session that was closed takes no orders; the others go on.
        let _ = senders[number as usize % senders.len()].blocking_send(Order::Post(Some(due)));
    }
}

/// Whether there is still something to wait for.
fn wait_until(moment: Instant, stopped: &Receiver<()>) -> bool {
    matches!(stopped.recv_timeout(moment.saturating_duration_since(Instant::now())), Err(RecvTimeoutError::Timeout))
}
