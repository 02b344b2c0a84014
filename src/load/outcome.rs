//! From what was marked down to the result.

use super::{
    bench::{Bench, Mark},
    ledger::Ledger,
    report::{
        Asked, Connecting, Deliveries, ENOUGH_SECONDS, Generator, Latencies, Messages, Percentiles, Report, Server, rounded,
    },
};

impl Bench<'_> {
    /// What happened in all, and how fast between two marks.
    pub(super) fn report(&self, first: &Mark, last: &Mark) -> Report {
        let ledger = self.run.ledger.borrow();
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        let (tally, own) = (ledger.tally(), last.own.since(first.own));
        let rate = |count: u64| rounded(float(count) / float(self.load.seconds));
        Report {
            natter: env!("CARGO_PKG_VERSION"),
            asked: Asked::of(self.load, &self.url),
            connect: self.connecting(),
            messages: Messages {
                sent: tally.sent,
                accepted: tally.accepted,
                per_second: rate(tally.measured.accepted),
                refused: ledger.refused.clone(),
                unanswered: ledger.unanswered(),
            },
            deliveries: Deliveries {
                count: tally.deliveries,
                per_second: rate(tally.measured.deliveries),
                lost: ledger.lost(self.run.rooms.owed()),
                duplicated: tally.duplicated,
                out_of_order: tally.out_of_order,
                strayed: tally.strayed,
            },
            latency_ms: latencies(&ledger),
            server: self.server(first, last),
            generator: Generator {
                cores: rounded(own.cpu_seconds / seconds),
                waited_seconds: rounded(own.waited_seconds.unwrap_or_default()),
                late_ms: rounded(float(ledger.late_ns) / 1e6),
            },
            closed: ledger.closed.clone(),
        }
    }

    fn connecting(&self) -> Connecting {
        let seconds = self.opened_in.as_secs_f64();
        let per_second = rounded(f64::from(self.load.sessions()) / seconds);
        Connecting { seconds: rounded(seconds), per_second, ms: Percentiles::of(&self.opening) }
    }

    fn server(&self, first: &Mark, last: &Mark) -> Option<Server> {
        let (before, connected, end) = (self.before?, self.connected?, last.server?);
        let used = end.since(first.server?);
        // Of a few whole seconds, nobody knows what part was used before.
        let is_exact = self.meter.is_exact() || used.cpu_seconds >= ENOUGH_SECONDS;
        let per = |count: u64| (count > 0 && is_exact).then(|| rounded(used.cpu_seconds * 1e6 / float(count)));
        Some(Server {
            source: self.meter.name()?,
            cpu_seconds: rounded(used.cpu_seconds),
            cpu_us_per_delivery: per(last.tally.deliveries - first.tally.deliveries),
            cpu_us_per_message: per(last.tally.accepted - first.tally.accepted),
            waited_seconds: used.waited_seconds.map(rounded),
            rss_kib_before: rounded(before.rss_kib),
            rss_kib_connected: rounded(connected.rss_kib),
            rss_kib_per_session: rounded((connected.rss_kib - before.rss_kib) / f64::from(self.load.sessions())),
            rss_kib: rounded(end.rss_kib),
        })
    }
}

fn latencies(ledger: &Ledger) -> Latencies {
    Latencies { delivery: Percentiles::of(&ledger.delivery), answer: Percentiles::of(&ledger.answer) }
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are exact in 53 bits")]
fn float(count: u64) -> f64 {
    count as f64
}
