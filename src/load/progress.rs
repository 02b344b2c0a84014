//! How it goes, on standard error: one line that changes in a terminal, elsewhere a line every few seconds.

use super::ledger::{Latency, Tally};
use std::{
    io::{IsTerminal, Write, stderr},
    time::{Duration, Instant},
};

/// How often a line is written where it stays.
const ELSEWHERE: Duration = Duration::from_secs(5);

/// The line about the run.
pub(super) struct Progress {
    shown: Instant,
    is_terminal: bool,
    /// What the last look saw, and when.
    before: (Instant, Tally),
}

impl Progress {
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        Self { shown: now, is_terminal: stderr().is_terminal(), before: (now, Tally::default()) }
    }

    pub(super) fn adding_members(&mut self, done: u32, of: u32) {
        self.line(&format!("adding members  {done} of {of} conversations have theirs"));
    }

    pub(super) fn connecting(&mut self, open: u32, of: u32) {
        self.line(&format!("connecting  {open} of {of} sessions"));
    }

    /// A second has passed.
    pub(super) fn second(&mut self, what: &str, tally: Tally, recent: &Latency) {
        let (at, before) = std::mem::replace(&mut self.before, (Instant::now(), tally));
        let took = at.elapsed().as_secs_f64().max(0.001);
        let rate = |now: u64, before: u64| per_second(now - before, took);
        let (messages, deliveries) = (rate(tally.accepted, before.accepted), rate(tally.deliveries, before.deliveries));
        let ms = |quantile| format_ms(recent.histogram().value_at_quantile(quantile));
        let (p50, p99) = (ms(0.5), ms(0.99));
        let refused = if tally.refused > 0 { format!(", {} refused", tally.refused) } else { String::new() };
        self.line(&format!("{what}  {messages} messages/s, {deliveries} deliveries/s, p50 {p50} ms, p99 {p99} ms{refused}"));
    }

    /// The line is done with.
    pub(super) fn end(&self) {
        if self.is_terminal {
            show("\r\x1b[K");
        }
    }

    fn line(&mut self, text: &str) {
        if self.is_terminal {
            show(&format!("\r\x1b[K{text}"));
        } else if self.shown.elapsed() >= ELSEWHERE {
            self.shown = Instant::now();
            show(&format!("{text}\n"));
        }
    }
}

/// Whole where there are many.
#[expect(clippy::cast_precision_loss, reason = "a count of a second is exact in 53 bits")]
pub(super) fn per_second(count: u64, seconds: f64) -> String {
    let rate = count as f64 / seconds;
    if rate < 100.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

/// Microseconds as milliseconds, as exact as they are worth.
#[expect(clippy::cast_precision_loss, reason = "an hour in microseconds is exact in 53 bits")]
pub(super) fn format_ms(us: u64) -> String {
    let ms = us as f64 / 1_000.0;
    if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.1}") }
}

/// Nobody need listen.
fn show(text: &str) {
    let _ = stderr().write_all(text.as_bytes()).and_then(|()| stderr().flush());
}
