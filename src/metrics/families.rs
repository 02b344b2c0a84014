//! The table of all metrics: name, type, label and its values, and what it tells. `docs/operations.md` says the same to operators.

use super::{
    labels::{FileKind, HandshakeFault, Sent},
    panics::Place,
};
use crate::protocol::{CloseCode, ConversationKind, ErrorCode, resume::ResetReason};
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, core::Collector,
    exponential_buckets,
};
use std::sync::LazyLock;
use strum::VariantArray;

pub(super) static FAMILIES: LazyLock<Families> = LazyLock::new(Families::new);

/// A connection that ended without a close frame.
pub(super) const ABNORMAL: &str = "1006";

/// Beside the reasons of a `RESET`.
pub(super) const RESUMED: &str = "resumed";
pub(super) const UNREADABLE: &str = "unreadable";

pub(super) const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Every metric, and the registry that renders them.
pub(super) struct Families {
    pub(super) registry: Registry,
    pub(super) sessions: IntGauge,
    pub(super) frames_received: IntCounter,
    /// By [`Sent`], looked up once: they are counted for every batch.
    frames_sent: Vec<IntCounter>,
    pub(super) messages_stored: IntCounterVec,
    pub(super) commit_changes: Histogram,
    pub(super) commit_duration: Histogram,
    pub(super) queue_drafts: IntGauge,
    pub(super) queue_bytes: IntGauge,
    pub(super) outbox_bytes: IntGauge,
    pub(super) slow_closes: IntCounter,
    pub(super) closes: IntCounterVec,
    pub(super) errors: IntCounterVec,
    pub(super) handshakes_refused: IntCounterVec,
    pub(super) forwarded_for_ignored: IntCounter,
    pub(super) resumes: IntCounterVec,
    pub(super) resume_events: Histogram,
    pub(super) http_requests: IntCounterVec,
    pub(super) panics: IntCounterVec,
    pub(super) uploads_stored: IntCounterVec,
    pub(super) uploads_refused: IntCounterVec,
    pub(super) uploads_received_bytes: IntCounter,
    pub(super) redraw_queue: IntGauge,
    pub(super) redraw_duration: Histogram,
}

impl Families {
    fn new() -> Self {
        let table = Table(Registry::new());
        table.build_info();
        table.process();
        Self {
            sessions: table.gauge("natter_sessions", "WebSocket sessions that are open."),
            frames_received: table.counter(
                "natter_frames_received_total",
                "Messages and control frames received from clients; a message in fragments counts once.",
            ),
            frames_sent: table.frames_sent(),
            messages_stored: table.messages_stored(),
            commit_changes: table.commit_changes(),
            commit_duration: table.commit_duration(),
            queue_drafts: table.gauge("natter_queue_drafts", "Changes that wait for the database."),
            queue_bytes: table.gauge("natter_queue_bytes", "Bytes that the changes waiting for the database hold."),
            outbox_bytes: table.gauge("natter_outbox_bytes", "Bytes that wait for clients to read, all sessions together."),
            slow_closes: table.counter("natter_slow_closes_total", "Sessions closed with 4100 because they did not read."),
            closes: table.counters("natter_closes_total", "Ends of connections, by close code.", "code", &close_codes()),
            errors: table.errors(),
            handshakes_refused: table.handshakes_refused(),
            forwarded_for_ignored: table.counter(
                "natter_forwarded_for_ignored_total",
                "Requests whose X-Forwarded-For was passed over, because their peer is not in server.trusted_proxies.",
            ),
            resumes: table.counters("natter_resumes_total", "Sessions that came back, by result.", "result", &resume_results()),
            resume_events: table.resume_events(),
            http_requests: table.http_requests(),
            panics: table.panics(),
            uploads_stored: table.uploads_stored(),
            uploads_refused: table.uploads_refused(),
            uploads_received_bytes: table.counter(
                "natter_uploads_received_bytes_total",
                "Bytes of files received, those included that were refused later.",
            ),
            redraw_queue: table.gauge("natter_redraw_queue_images", "Images that are redrawn or wait for it."),
            redraw_duration: table.redraw_duration(),
            registry: table.0,
        }
    }

    pub(super) fn frames_sent(&self, what: Sent) -> &IntCounter {
        &self.frames_sent[what as usize]
    }
}

/// The registry, while it is filled.
struct Table(Registry);

/// The families that have a label or buckets, each with its values.
impl Table {
    fn frames_sent(&self) -> Vec<IntCounter> {
        let kinds: Vec<&str> = labels(Sent::VARIANTS);
        let sent = self.counters("natter_frames_sent_total", "Frames handed to outboxes, by what they bring.", "kind", &kinds);
        kinds.iter().map(|kind| sent.with_label_values(&[kind])).collect()
    }

    fn messages_stored(&self) -> IntCounterVec {
        let kinds = [kind_label(ConversationKind::Chat), kind_label(ConversationKind::Support)];
        self.counters("natter_messages_stored_total", "Messages committed, by kind of conversation.", "kind", &kinds)
    }

    fn commit_changes(&self) -> Histogram {
        let buckets = vec![1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0];
        self.histogram("natter_commit_changes", "Changes that one transaction committed.", buckets)
    }

    fn commit_duration(&self) -> Histogram {
        let buckets = vec![0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
        self.histogram(
            "natter_commit_duration_seconds",
            "Time of one transaction, from its batch's first statement until it was on disk.",
            buckets,
        )
    }

    fn errors(&self) -> IntCounterVec {
        let codes: Vec<&str> = ErrorCode::VARIANTS.iter().map(|code| code.as_str()).collect();
        self.counters("natter_errors_total", "ERROR frames made for clients, by code.", "code", &codes)
    }

    fn handshakes_refused(&self) -> IntCounterVec {
        let help = "Clients that asked for a session and got none, by reason.";
        self.counters("natter_handshakes_refused_total", help, "reason", &labels(HandshakeFault::VARIANTS))
    }

    fn resume_events(&self) -> Histogram {
        let buckets = exponential_buckets(1.0, 10.0, 6).unwrap_or_default();
        self.histogram("natter_resume_events", "Events that a session which came back was told.", buckets)
    }

    fn http_requests(&self) -> IntCounterVec {
        let help = "HTTP requests answered, handshakes included.";
        self.counters_by_two("natter_http_requests_total", help, ["route", "status"])
    }

    fn uploads_stored(&self) -> IntCounterVec {
        let kinds = labels(FileKind::VARIANTS);
        self.counters("natter_uploads_stored_total", "Files stored, by kind of content.", "kind", &kinds)
    }

    fn uploads_refused(&self) -> IntCounterVec {
        let codes: Vec<&str> = ErrorCode::VARIANTS.iter().map(|code| code.as_str()).collect();
        self.counters(
            "natter_uploads_refused_total",
            "Uploads that were refused or failed, by code of the error.",
            "code",
            &codes,
        )
    }

    fn redraw_duration(&self) -> Histogram {
        self.histogram(
            "natter_redraw_duration_seconds",
            "Time in which an image was redrawn, or found to be none, without its wait.",
            vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
        )
    }

    fn panics(&self) -> IntCounterVec {
        let help = "Panics, by what they ended. Each is a fault of Natter's code.";
        self.counters("natter_panics_total", help, "where", &labels(Place::VARIANTS))
    }
}

impl Table {
    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::new(name, help))
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::new(name, help))
    }

    /// One counter a value, each there with 0.
    fn counters(&self, name: &str, help: &str, label: &str, values: &[impl AsRef<str> + std::fmt::Debug]) -> IntCounterVec {
        let counters = self.register(IntCounterVec::new(Opts::new(name, help), &[label]));
        for value in values {
            counters.with_label_values(&[value]);
        }
        counters
    }

    fn counters_by_two(&self, name: &str, help: &str, labels: [&str; 2]) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(name, help), &labels))
    }

    fn histogram(&self, name: &str, help: &str, buckets: Vec<f64>) -> Histogram {
        self.register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets)))
    }

    fn build_info(&self) {
        let info = self.register(IntGaugeVec::new(Opts::new("natter_build_info", "Always 1; which version runs."), &["version"]));
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    }

    /// What the system knows of the process: memory, descriptors, CPU time, start.
    #[cfg(target_os = "linux")]
    fn process(&self) {
        let process = prometheus::process_collector::ProcessCollector::for_self();
        self.0.register(Box::new(process)).expect("its names are its own");
    }

    #[cfg(not(target_os = "linux"))]
    fn process(&self) {}

    /// Names and labels are this file's own, so a fault in them shows at the first start.
    fn register<C: Collector + Clone + 'static>(&self, metric: prometheus::Result<C>) -> C {
        let metric = metric.expect("a metric has a valid name");
        self.0.register(Box::new(metric.clone())).expect("a name stands in the table once");
        metric
    }
}

fn labels<L: Copy + Into<&'static str>>(variants: &[L]) -> Vec<&'static str> {
    variants.iter().map(|variant| (*variant).into()).collect()
}

fn close_codes() -> Vec<String> {
    let codes = CloseCode::VARIANTS.iter().map(|close| close.code().to_string());
    codes.chain([ABNORMAL.to_owned()]).collect()
}

fn resume_results() -> Vec<&'static str> {
    ResetReason::VARIANTS.iter().map(|reason| reason.as_str()).chain([RESUMED, UNREADABLE]).collect()
}

pub(super) fn kind_label(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::Chat => "chat",
        ConversationKind::Support => "support",
    }
}
