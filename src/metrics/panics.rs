//! A panic ends what panicked, and nothing else: it is caught where a session, a command or a request is looked after.
//!
//! Counting and logging is the hook's part, so that it happens once, whoever catches; a panic that nobody here catches ends its
//! tokio task, and is counted as `elsewhere`.

use super::families::FAMILIES;
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    cell::Cell,
    future::poll_fn,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook},
    pin::pin,
    task::Poll,
};

/// What is at work, and ends where it panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::VariantArray, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Place {
    /// A session: what it reads, writes and resumes. It is closed with 1011.
    Session,
    /// A command. It is answered `internal`, and its session closed with 1011.
    Command,
    /// What a session is sent. It is closed with 1011; the others get theirs.
    Delivery,
    /// A transaction. It is rolled back, and answered `internal`.
    Commit,
    /// A request. It is answered 500.
    Http,
    /// Anything else: its task ends.
    Elsewhere,
}

/// It panicked; the hook has counted and logged it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a panic")]
pub struct Panicked;

thread_local! {
    /// What this thread works at.
    static PLACE: Cell<Place> = const { Cell::new(Place::Elsewhere) };
}

/// What comes of `work`, a panic included. What it leaves half done must not be used any more.
///
/// # Errors
/// Where it panicked.
pub fn caught<T>(place: Place, work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let outer = PLACE.replace(place);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    PLACE.set(outer);
    outcome.map_err(|_| Panicked)
}

/// The same for a future, which is not polled again after a panic.
///
/// # Errors
/// Where it panicked.
pub async fn caught_in<T>(place: Place, work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    poll_fn(|cx| match caught(place, || work.as_mut().poll(cx)) {
        Ok(poll) => poll.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

/// Has every panic of the process counted and logged.
pub fn install_hook() {
    set_hook(Box::new(count_and_log));
}

fn count_and_log(panic: &PanicHookInfo<'_>) {
    let place: &str = PLACE.get().into();
    FAMILIES.panics.with_label_values(&[place]).inc();
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    // A text that was put together may quote a message, as that of a `str` cut in two does: only the source's own words are logged.
    let words = panic.payload().downcast_ref::<&'static str>().unwrap_or(&"");
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => log::error!(cause = "panic"; "💥 a panic ({place}) at {location} {words}\n{backtrace}"),
        _ => log::error!(cause = "panic"; "💥 a panic ({place}) at {location} {words}"),
    }
}
