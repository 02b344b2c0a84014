//! How far it is, on standard error: one line that changes in a terminal, elsewhere one every few seconds.

use std::{
    io::{IsTerminal, Write, stderr},
    time::{Duration, Instant},
};

/// How often a terminal's line changes, and how often a line is written elsewhere.
const ON_A_TERMINAL: Duration = Duration::from_millis(100);
const ELSEWHERE: Duration = Duration::from_secs(2);

/// Counts up to a number of messages that is known.
#[derive(Debug)]
pub(super) struct Progress {
    total: u64,
    done: u64,
    begun: Instant,
    shown: Instant,
    is_terminal: bool,
}

impl Progress {
    pub(super) fn begin(total: u64) -> Self {
        let begun = Instant::now();
        Self { total, done: 0, begun, shown: begun, is_terminal: stderr().is_terminal() }
    }

    /// So many are stored.
    pub(super) fn at(&mut self, done: u64) {
        self.done = done;
        if self.shown.elapsed() >= if self.is_terminal { ON_A_TERMINAL } else { ELSEWHERE } {
            self.shown = Instant::now();
            let (start, end) = if self.is_terminal { ("\r\x1b[K", "") } else { ("", "\n") };
            show(&format!("{start}{}{end}", line(done, self.total, self.begun.elapsed())));
        }
    }

    /// All are stored.
    pub(super) fn end(&self) {
        let start = if self.is_terminal { "\r\x1b[K" } else { "" };
        let (took, rate) = (self.begun.elapsed(), rate(self.done, self.begun.elapsed()));
        show(&format!("{start}{} messages in {:.1} s: {rate} a second\n", self.done, took.as_secs_f64()));
    }
}

/// Nobody need listen.
fn show(text: &str) {
    let _ = stderr().write_all(text.as_bytes()).and_then(|()| stderr().flush());
}

fn line(done: u64, total: u64, took: Duration) -> String {
    let rate = rate(done, took);
    format!("{:3} %  {done} of {total} messages, {rate} a second, {} s left", done * 100 / total, (total - done) / rate.max(1))
}

fn rate(done: u64, took: Duration) -> u64 {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    done * 1_000 / ms.max(1)
}

#[cfg(test)]
mod tests {
    use super::line;
    use std::time::Duration;

    #[test]
    fn it_tells_how_far_how_fast_and_how_long() {
        assert_eq!(
            line(250_000, 1_000_000, Duration::from_secs(5)),
            " 25 %  250000 of 1000000 messages, 50000 a second, 15 s left"
        );
        assert_eq!(line(0, 10, Duration::ZERO), "  0 %  0 of 10 messages, 0 a second, 10 s left");
    }
}
