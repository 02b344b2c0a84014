//! The result, as JSON has it.

use super::{
    ledger::Latency,
    options::{Load, Pace},
    progress::format_ms,
};
use serde::Serialize;
use std::collections::BTreeMap;
use url::Url;

/// What a run showed. Counts are of the whole run, the warm-up included; rates and latencies of messages that were due while it was
/// measured; the server's CPU time of that time.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The generator's version.
    pub natter: &'static str,
    /// What was asked for.
    pub asked: Asked,
    /// How the sessions were opened.
    pub connect: Connecting,
    /// What was written.
    pub messages: Messages,
    /// What the sessions got of it.
    pub deliveries: Deliveries,
    /// How long it took.
    pub latency_ms: Latencies,
    /// What it cost the server; absent where neither `--pid` nor /metrics tells.
    pub server: Option<Server>,
    /// Whether the generator kept up.
    pub generator: Generator,
    /// Sessions that the server closed, by code and reason.
    pub closed: BTreeMap<String, u64>,
}

/// What was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    pub url: String,
    pub dialect: &'static str,
    pub sessions: u32,
    pub senders: u32,
    pub rate: Option<f64>,
    pub window: Option<u32>,
    pub payload: u32,
    pub chats: u32,
    /// Conversations with members, in place of the open ones.
    pub conversations: Option<u32>,
    /// Of each of them.
    pub members: Option<u32>,
    pub seconds: u64,
}

/// How the sessions were opened.
#[derive(Clone, Debug, Serialize)]
pub struct Connecting {
    /// For all of them.
    pub seconds: f64,
    /// In that time.
    pub per_second: f64,
    /// From the first packet until the session was open, in natter.v1 until it was welcomed.
    pub ms: Percentiles,
}

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub struct Messages {
    /// In all.
    pub sent: u64,
    /// Acknowledged; in the classic dialect, those that came back.
    pub accepted: u64,
    /// A second, of those that were due, and accepted, while it was measured.
    pub per_second: f64,
    /// By the code of the error.
    pub refused: BTreeMap<String, u64>,
    /// Neither accepted nor refused.
    pub unanswered: u64,
}

/// What the sessions got.
#[derive(Clone, Debug, Serialize)]
pub struct Deliveries {
    /// In all, each message once a session.
    pub count: u64,
    /// A second, of messages that were due while it was measured, and came then.
    pub per_second: f64,
    /// Of messages that were accepted.
    pub lost: u64,
    /// Beyond the first.
    pub duplicated: u64,
    /// That came behind their sender's next one.
    pub out_of_order: u64,
    /// To sessions that are no members of the conversation.
    pub strayed: u64,
}

/// From the moment at which a message was due.
#[derive(Clone, Debug, Serialize)]
pub struct Latencies {
    /// Until a session had it.
    pub delivery: Percentiles,
    /// Until its sender was answered.
    pub answer: Percentiles,
}

/// Of a distribution, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Percentiles {
    pub count: u64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// Seconds of CPU that are counted well enough to be divided, where only whole ones are.
pub(super) const ENOUGH_SECONDS: f64 = 10.0;

/// What the server used.
#[derive(Clone, Debug, Serialize)]
pub struct Server {
    /// `pid`, or `metrics`, which counts CPU time in whole seconds.
    pub source: &'static str,
    /// On all cores, of what was measured.
    pub cpu_seconds: f64,
    /// In microseconds; absent where there were none, or where too few whole seconds were counted.
    pub cpu_us_per_delivery: Option<f64>,
    /// In microseconds; absent likewise.
    pub cpu_us_per_message: Option<f64>,
    /// That its threads waited for a core: near 0 on a machine with nothing else to do.
    pub waited_seconds: Option<f64>,
    /// Before the first session.
    pub rss_kib_before: f64,
    /// With all sessions open, before anybody wrote.
    pub rss_kib_connected: f64,
    /// What a session added to it.
    pub rss_kib_per_session: f64,
    /// At the end of what was measured.
    pub rss_kib: f64,
}

/// What the generator used.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Generator {
    /// CPU seconds a second: near 1 it is what limits the run.
    pub cores: f64,
    /// That its threads waited for a core: much of it is in the latencies, and not the server's fault.
    pub waited_seconds: f64,
    /// The longest that a message was written after it was due.
    pub late_ms: f64,
}

impl Report {
    /// What was not as it should be: all sessions stay, and get all that they are owed, once, in order.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let Deliveries { lost, duplicated, out_of_order, strayed, .. } = self.deliveries;
        let closed: u64 = self.closed.values().sum();
        if closed > 0 {
            return Some(format!("the server closed {closed} sessions: what they were owed after that is lost, or in no figure"));
        }
        if lost + duplicated + out_of_order + strayed + self.messages.unanswered == 0 {
            return None;
        }
        let advice = if lost > 0 && self.asked.conversations.is_none() {
            ". Where an earlier run with --conversations gave these conversations members, only those are told: load another database"
        } else {
            ""
        };
        Some(format!("not every session got everything once and in order{advice}"))
    }
}

impl Percentiles {
    pub(super) fn of(latency: &Latency) -> Self {
        let histogram = latency.histogram();
        let ms = |quantile| to_ms(histogram.value_at_quantile(quantile));
        let (count, mean, max) = (histogram.len(), rounded(histogram.mean() / 1_000.0), to_ms(histogram.max()));
        Self { count, mean, p50: ms(0.5), p90: ms(0.9), p99: ms(0.99), p999: ms(0.999), max }
    }
}

impl Asked {
    pub(super) fn of(load: &Load, url: &Url) -> Self {
        let (rate, window) = match load.pace() {
            Pace::Idle => (Some(0.0), None),
            Pace::Rate(rate) => (Some(rate), None),
            Pace::Window(window) => (None, Some(window)),
        };
        let Load { payload, chats, conversations, members, seconds, .. } = *load;
        let (url, dialect, sessions, senders) = (url.to_string(), load.dialect(), load.sessions(), load.senders());
        Self { url, dialect, sessions, senders, rate, window, payload, chats, conversations, members, seconds }
    }
}

fn to_ms(us: u64) -> f64 {
    format_ms(us).parse().unwrap_or_default()
}

/// To three digits behind the point: more is noise.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
