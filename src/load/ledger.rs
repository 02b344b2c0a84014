//! What was sent, what came of it, and how long it took. Times are nanoseconds since the run began.

use super::{fault::LoadFault, seen::Sight};
use hdrhistogram::Histogram;
use std::{collections::BTreeMap, ops::Range, time::Instant};

/// All sessions of a run write into it. It grows by 16 bytes a message.
#[derive(Debug)]
pub(super) struct Ledger {
    begun: Instant,
    messages: Vec<Posted>,
    /// Messages that are due in it are measured.
    measured: Range<u64>,
    tally: Tally,
    /// From when a message was due until a session had it.
    pub(super) delivery: Latency,
    /// From when a message was due until its sender was answered.
    pub(super) answer: Latency,
    /// The deliveries of the last second.
    pub(super) recent: Latency,
    /// Refused messages, by the code of the error.
    pub(super) refused: BTreeMap<String, u64>,
    /// Sessions that the server closed, by close code.
    pub(super) closed: BTreeMap<String, u64>,
    /// The longest that the generator itself was behind its schedule.
    pub(super) late_ns: u64,
    /// Why the run makes no sense, once that is known.
    pub(super) fault: Option<LoadFault>,
}

/// A message. Numbers are given per sender, so some between two may not be used yet.
#[derive(Clone, Copy, Debug, Default)]
struct Posted {
    /// When it was due, plus one; 0: not sent.
    due: u64,
    /// Sessions that had it.
    sessions: u32,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Unanswered,
    Accepted,
    Refused,
}

/// Counts since the run began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: u64,
    /// Answered by an ACK, or by their own delivery.
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) deliveries: u64,
    pub(super) duplicated: u64,
    pub(super) out_of_order: u64,
    /// To sessions that are no members of the conversation.
    pub(super) strayed: u64,
    /// Of what is measured: what was due and came while it was.
    pub(super) measured: Measured,
}

/// Counts of what is measured: neither what was written to warm up, nor what came too late.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured {
    pub(super) accepted: u64,
    pub(super) deliveries: u64,
}

/// A distribution of times, in microseconds, three digits exact.
#[derive(Debug)]
pub(super) struct Latency(Histogram<u64>);

impl Latency {
    /// Up to an hour; what takes longer counts as an hour.
    const LONGEST_US: u64 = 3_600_000_000;

    pub(super) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, Self::LONGEST_US, 3).expect("these bounds are valid"))
    }

    pub(super) fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns / 1_000);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }
}

impl Ledger {
    pub(super) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            messages: Vec::new(),
            measured: 0..0,
            tally: Tally::default(),
            delivery: Latency::new(),
            answer: Latency::new(),
            recent: Latency::new(),
            refused: BTreeMap::new(),
            closed: BTreeMap::new(),
            late_ns: 0,
            fault: None,
        }
    }

    /// Where its time begins.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    pub(super) fn now(&self) -> u64 {
        self.ns(Instant::now())
    }

    pub(super) fn ns(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.begun).as_nanos()).unwrap_or(u64::MAX)
    }

    /// What is due between these moments is measured.
    pub(super) fn measure(&mut self, from: Instant, to: Instant) {
        self.measured = self.ns(from)..self.ns(to);
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// Message `number`, which was due then, is being written.
    pub(super) fn sent(&mut self, number: u64, due: u64, now: u64) {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        if place >= self.messages.len() {
            self.messages.resize(place + 1, Posted::default());
        }
        self.messages[place].due = due + 1;
        self.tally.sent += 1;
        if self.measured.contains(&due) {
            self.late_ns = self.late_ns.max(now.saturating_sub(due));
        }
    }

    /// Whether there is such a message: a server might make one up.
    pub(super) fn knows(&self, number: u64) -> bool {
        self.message(number).is_some()
    }

    /// A session was sent message `number`.
    pub(super) fn delivered(&mut self, number: u64, now: u64, sight: Sight) {
        match sight {
            Sight::Again => {
                self.tally.duplicated += 1;
                return;
            }
            Sight::Overtaken => self.tally.out_of_order += 1,
            Sight::InOrder => {}
        }
        let Some(due) = self.message(number).map(|message| message.due - 1) else { return };
        self.messages[usize::try_from(number).unwrap_or(usize::MAX)].sessions += 1;
        self.tally.deliveries += 1;
        let took = now.saturating_sub(due);
        self.recent.record(took);
        if self.measured.contains(&due) {
            self.delivery.record(took);
            self.tally.measured.deliveries += u64::from(self.measured.contains(&now));
        }
    }

    /// A session was sent a message that is none of its business.
    pub(super) fn strayed(&mut self) {
        self.tally.strayed += 1;
    }

    /// Message `number` was acknowledged.
    pub(super) fn accepted(&mut self, number: u64, now: u64) {
        let Some(due) = self.settle(number, Fate::Accepted) else { return };
        self.tally.accepted += 1;
        if self.measured.contains(&due) {
            self.answer.record(now.saturating_sub(due));
            self.tally.measured.accepted += u64::from(self.measured.contains(&now));
        }
    }

    /// A message was refused; a classic server does not say which.
    pub(super) fn refused(&mut self, number: Option<u64>, code: &str) {
        self.tally.refused += 1;
        *self.refused.entry(code.to_owned()).or_default() += 1;
        if let Some(number) = number {
            self.settle(number, Fate::Refused);
        }
    }

    /// What becomes of a message that was not answered yet; when it was due.
    fn settle(&mut self, number: u64, fate: Fate) -> Option<u64> {
        let message = self.messages.get_mut(usize::try_from(number).ok()?)?;
        if message.due == 0 || message.fate != Fate::Unanswered {
            return None;
        }
        message.fate = fate;
        Some(message.due - 1)
    }

    fn message(&self, number: u64) -> Option<&Posted> {
        self.messages.get(usize::try_from(number).ok()?).filter(|message| message.due > 0)
    }

    /// Messages that were neither acknowledged nor refused.
    pub(super) fn unanswered(&self) -> u64 {
        self.tally.sent.saturating_sub(self.tally.accepted + self.tally.refused)
    }

    /// Deliveries that are missing: of each message that was acknowledged, or that anyone had, to as many sessions as are owed one.
    pub(super) fn lost(&self, each: u32) -> u64 {
        let owed = self.messages.iter().filter(|message| message.fate == Fate::Accepted || message.sessions > 0);
        owed.map(|message| u64::from(each.saturating_sub(message.sessions))).sum()
    }

    /// Ends the run; the first reason counts.
    pub(super) fn end(&mut self, fault: LoadFault) {
        self.fault.get_or_insert(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::{Ledger, Sight};

    #[test]
    fn the_warm_up_and_what_comes_late_are_in_no_rate() {
        let mut ledger = Ledger::begin();
        ledger.measured = 100..200;
        // When each was due, and when it was answered and delivered.
        let messages = [(50, 60), (90, 110), (110, 120), (190, 199), (195, 205), (205, 210)];
        for (number, (due, came)) in (0..).zip(messages) {
            ledger.sent(number, due, due);
            ledger.delivered(number, came, Sight::InOrder);
            ledger.accepted(number, came);
        }
        let tally = ledger.tally();
        assert_eq!((tally.accepted, tally.deliveries), (6, 6));
        assert_eq!((tally.measured.accepted, tally.measured.deliveries), (2, 2));
        // How long the late one took is told all the same.
        assert_eq!((ledger.delivery.histogram().len(), ledger.answer.histogram().len()), (3, 3));
    }
}
