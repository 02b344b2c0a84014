//! What an operator sees of the service: counts and gauges of the whole process, as `GET /metrics` tells them.
//!
//! Like the log they belong to the process, not to a part: a place that counts has one line, and no field for it. Labels come from
//! closed sets, are there with 0 from the start, and never name a user, a conversation or a session.

mod families;
mod labels;
mod outbox_bytes;
pub mod panics;
mod uploads;

pub use labels::{FileKind, HandshakeFault, Sent};
pub use outbox_bytes::OutboxBytes;
pub use uploads::{Redraw, redrawn, upload_received, upload_refused, upload_stored};

use crate::protocol::{Change, CloseCode, Committed, ErrorCode, resume::ResetReason};
use families::{FAMILIES, kind_label};
use prometheus::TextEncoder;
use std::time::Duration;

/// The media type of [`text`].
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything, in Prometheus's text format.
///
/// # Errors
/// None is known: the text is written into memory.
pub fn text() -> prometheus::Result<String> {
    TextEncoder::new().encode_to_string(&FAMILIES.registry.gather())
}

/// An open session, counted until this is dropped.
#[derive(Debug)]
pub struct OpenSession(());

impl OpenSession {
    /// One more.
    #[must_use]
    pub fn new() -> Self {
        FAMILIES.sessions.inc();
        Self(())
    }
}

impl Default for OpenSession {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        FAMILIES.sessions.dec();
    }
}

/// A whole message or control frame came from a client.
pub fn frame_received() {
    FAMILIES.frames_received.inc();
}

/// Frames were handed to outboxes.
pub fn frames_sent(what: Sent, count: usize) {
    FAMILIES.frames_sent(what).inc_by(count as u64);
}

/// An `ERROR` was made for a client.
pub fn refused(code: ErrorCode) {
    FAMILIES.errors.with_label_values(&[code.as_str()]).inc();
}

/// A close frame was sent.
pub fn closed(code: CloseCode) {
    FAMILIES.closes.with_label_values(&[code.code().to_string()]).inc();
    if code == CloseCode::SlowConsumer {
        FAMILIES.slow_closes.inc();
    }
}

/// A connection ended without a close frame of ours: what RFC 6455 calls 1006.
pub fn broken_off() {
    FAMILIES.closes.with_label_values(&[families::ABNORMAL]).inc();
}

/// A client was turned away on its socket, by a close frame and, before that, an `ERROR` where there is something to say.
pub fn turned_away(fault: HandshakeFault, error: Option<ErrorCode>, close: CloseCode) {
    handshake_refused(fault);
    if let Some(code) = error {
        refused(code);
        frames_sent(Sent::Answer, 1);
    }
    closed(close);
    frames_sent(Sent::Control, 1);
}

/// A handshake was refused.
pub fn handshake_refused(fault: HandshakeFault) {
    FAMILIES.handshakes_refused.with_label_values(&[<&str>::from(fault)]).inc();
}

/// A request had an `X-Forwarded-For` that is not believed.
pub fn forwarded_for_ignored() {
    FAMILIES.forwarded_for_ignored.inc();
}

/// A session that came back has been told this many events.
pub fn resumed(events: i64) {
    FAMILIES.resumes.with_label_values(&[families::RESUMED]).inc();
    FAMILIES.resume_events.observe(exact(events));
}

/// A session that came back was told to begin afresh.
pub fn reset(reason: ResetReason) {
    FAMILIES.resumes.with_label_values(&[reason.as_str()]).inc();
}

/// The log could not be read for a session that came back.
pub fn resume_failed() {
    FAMILIES.resumes.with_label_values(&[families::UNREADABLE]).inc();
}

/// A transaction of this many changes was committed, in `took`.
pub fn committed(committed: &Committed, changes: usize, took: Duration) {
    FAMILIES.commit_changes.observe(exact(i64::try_from(changes).unwrap_or(i64::MAX)));
    FAMILIES.commit_duration.observe(took.as_secs_f64());
    for event in &committed.events {
        match &event.event.change {
            Change::Posted(message) => {
                FAMILIES.messages_stored.with_label_values(&[kind_label(message.conversation.kind)]).inc();
            }
            Change::Edited(_) | Change::Deleted(_) | Change::Member(_) => {}
        }
    }
}

/// What waits for the database now.
pub fn queue(drafts: usize, bytes: usize) {
    FAMILIES.queue_drafts.set(i64::try_from(drafts).unwrap_or(i64::MAX));
    FAMILIES.queue_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
}

/// Makes the series of these routes, before the first request.
pub fn routes(templates: &[&str]) {
    for template in templates {
        for class in families::STATUS_CLASSES {
            FAMILIES.http_requests.with_label_values(&[*template, class]);
        }
    }
}

/// An HTTP request was answered with this status. `route` is one of those given to [`routes`].
pub fn answered(route: &str, status: u16) {
    let class = usize::from(status / 100).saturating_sub(1).min(families::STATUS_CLASSES.len() - 1);
    FAMILIES.http_requests.with_label_values(&[route, families::STATUS_CLASSES[class]]).inc();
}

#[expect(clippy::cast_precision_loss, reason = "a sum of counts; 2^53 is far")]
fn exact(count: i64) -> f64 {
    count as f64
}
