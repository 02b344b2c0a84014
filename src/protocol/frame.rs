//! The frames that the server sends, as JSON.

use super::{
    Ack, Change, ConversationKind, Dialect, Event, Refusal, RequestId,
    history::History,
    message::{MessagePayload, WireTime},
    resume::{Reset, Resumed},
    welcome::Welcome,
};
use entity::{Seq, Timestamp};
use serde::Serialize;

/// `{"type","seq"?,"request_id"?,"payload"}`: the shape of every server frame.
#[derive(Serialize)]
struct Frame<'a, P> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    payload: P,
}

/// Appends an event's frame. A classic one has no `seq` and exactly the classic keys; what the classic dialect has no words for, it
/// is not told.
pub fn event(event: &Event, dialect: Dialect, out: &mut Vec<u8>) {
    let seq = match dialect {
        Dialect::Classic => None,
        Dialect::NatterV1 => Some(event.seq),
    };
    match &event.change {
        Change::Posted(message) => {
            let r#type = match message.conversation.kind {
                ConversationKind::Chat => "MESSAGE",
                ConversationKind::Support => "SUPPORT_MESSAGE",
            };
            write(out, r#type, seq, None, MessagePayload { message, dialect });
        }
        Change::Edited(_) | Change::Deleted(_) | Change::Member(_) if dialect == Dialect::Classic => {}
        Change::Edited(edited) => write(out, "MESSAGE_EDITED", seq, None, edited),
        Change::Deleted(deleted) => write(out, "MESSAGE_DELETED", seq, None, deleted),
        Change::Member(changed) => write(out, "MEMBER", seq, None, changed),
    }
}

/// `HISTORY`.
#[must_use]
pub fn history(request_id: Option<&RequestId>, history: &History) -> Vec<u8> {
    written("HISTORY", None, request_id, history)
}

/// `RESUMED`.
#[must_use]
pub fn resumed(resumed: Resumed) -> Vec<u8> {
    written("RESUMED", None, None, resumed)
}

/// `RESET`.
#[must_use]
pub fn reset(reset: Reset) -> Vec<u8> {
    written("RESET", None, None, reset)
}

/// `WELCOME`.
#[must_use]
pub fn welcome(welcome: &Welcome) -> Vec<u8> {
    written("WELCOME", None, None, welcome)
}

/// `ACK`.
#[must_use]
pub fn ack(request_id: &RequestId, ack: &Ack) -> Vec<u8> {
    written("ACK", Some(ack.seq), Some(request_id), &ack.of)
}

/// The `ACK` of a newer token, which is no event and has no `seq`; `expires_at` is when it ends.
#[must_use]
pub fn refreshed(request_id: &RequestId, expires_at: Option<Timestamp>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Refreshed {
        expires_at: Option<WireTime>,
    }
    written("ACK", None, Some(request_id), Refreshed { expires_at: expires_at.map(WireTime) })
}

/// `PONG`.
#[must_use]
pub fn pong(request_id: Option<&RequestId>, at: Timestamp) -> Vec<u8> {
    #[derive(Serialize)]
    struct Pong {
        at: WireTime,
    }
    written("PONG", None, request_id, Pong { at: WireTime(at) })
}

/// `ERROR`.
#[must_use]
pub fn error(request_id: Option<&RequestId>, refusal: &Refusal) -> Vec<u8> {
    #[derive(Serialize)]
    struct ErrorPayload<'a> {
        code: &'static str,
        message: &'a str,
        retry_after_ms: Option<u64>,
        field: Option<&'static str>,
    }
    let Refusal { code, message, field, retry_after_ms } = refusal;
    let payload = ErrorPayload { code: code.as_str(), message, retry_after_ms: *retry_after_ms, field: *field };
    written("ERROR", None, request_id, payload)
}

fn written(r#type: &'static str, seq: Option<Seq>, request_id: Option<&RequestId>, payload: impl Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write(&mut out, r#type, seq, request_id, payload);
    out
}

#[expect(clippy::expect_used, reason = "writing into memory does not fail, and no payload has a key that is not a string")]
fn write(out: &mut Vec<u8>, r#type: &'static str, seq: Option<Seq>, request_id: Option<&RequestId>, payload: impl Serialize) {
    let frame = Frame { r#type, seq: seq.map(|seq| seq.0), request_id: request_id.map(RequestId::as_str), payload };
    serde_json::to_writer(out, &frame).expect("a frame is always writable");
}
