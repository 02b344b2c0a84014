//! Every frame that the server sends, byte for byte.

use crate::harness::schema::{From, assert_described};
use chrono::{TimeZone, Utc};
use entity::{ConversationId, ConversationKind, MemberRole, MemberState, MessageId, Seq, Timestamp, UserId};
use natter::protocol::{
    Ack, Change, Conversation, Dialect, ErrorCode, Event, Limits, Message, Refusal, RequestId,
    answer::Acked,
    delete::Deleted,
    edit::Edited,
    frame,
    history::History,
    member::MemberChanged,
    resume::{Reset, ResetReason, Resumed},
    welcome::Welcome,
};
use serde_json::Value;
use uuid::Uuid;

fn at() -> Timestamp {
    Timestamp::new(Utc.with_ymd_and_hms(2024, 1, 1, 12, 0, 0).unwrap())
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("text")
}

/// The message that a recorded frame tells of.
fn message(frame: &Value) -> Message {
    let payload = &frame["payload"];
    let (kind, id) = match frame["type"].as_str() {
        Some("MESSAGE") => (ConversationKind::Chat, "chat_id"),
        _ => (ConversationKind::Support, "support_chat_id"),
    };
    let owned = |key: &str| payload[key].as_str().map(str::to_owned);
    Message {
        id: MessageId(payload["id"].as_i64().expect("an id")),
        conversation: Conversation { kind, id: ConversationId(payload[id].as_i64().expect("an id")) },
        sender_id: UserId(payload["sender_id"].as_i64().expect("an id")),
        content: owned("content").expect("content"),
        file_type: owned("file_type"),
        file_paths: owned("file_paths"),
        selected_chat_id: payload["selected_chat_id"].as_i64().map(ConversationId),
        created_at: at(),
        client_id: None,
        version: 1,
        edited: None,
        deleted: None,
        attachments: Vec::new(),
    }
}

/// W7: what `JSON.stringify` makes of the same rows; `tests/js/record-golden.mjs` recorded it.
#[test]
fn classic_frames_are_those_of_the_node_server() {
    for recorded in include_str!("golden/classic.jsonl").lines() {
        let frame: Value = serde_json::from_str(recorded).expect("a recorded frame");
        let event = Event { seq: Seq(7), change: Change::Posted(message(&frame)) };
        assert_described(From::Classic, &frame);
        assert_eq!(text(|out| frame::event(&event, Dialect::Classic, out)), recorded);
    }
}

fn request_id() -> RequestId {
    RequestId::new("r1").expect("short enough")
}

fn posted(kind: ConversationKind, client_id: Option<Uuid>) -> Event {
    let message = Message {
        id: MessageId(1),
        conversation: Conversation { kind, id: ConversationId(123) },
        sender_id: UserId(456),
        content: "Hello world!".to_owned(),
        file_type: None,
        file_paths: None,
        selected_chat_id: None,
        created_at: at(),
        client_id,
        version: 1,
        edited: None,
        deleted: None,
        attachments: Vec::new(),
    };
    Event { seq: Seq(9_042), change: Change::Posted(message) }
}

/// W8
#[test]
fn natter_v1_frames_stay_as_they_are() {
    let client_id = Uuid::from_u128(0x0b5d_8a3c_9d5b_4f27_a2a1_6a1f_0c9d_1e11);
    let welcome = Welcome {
        session_id: Uuid::nil(),
        user: UserId(123),
        log_id: Uuid::max(),
        seq: Seq(9_041),
        heartbeat_ms: 25_000,
        limits: Limits { content_chars: 20_000, frame_bytes: 65_536, messages_per_second: Some(10) },
    };
    let of = Acked::Posted { id: MessageId(1), created_at: at(), client_id: Some(client_id), duplicate: false };
    let anonymous = Acked::Posted { id: MessageId(1), created_at: at(), client_id: None, duplicate: true };
    let event = |kind, client_id| text(|out| frame::event(&posted(kind, client_id), Dialect::NatterV1, out));
    let utf8 = |frame| String::from_utf8(frame).expect("text");
    let conversation = Conversation { kind: ConversationKind::Support, id: ConversationId(123) };
    let (message_id, by) = (MessageId(1), UserId(456));
    let edited = Edited { conversation, message_id, version: 2, content: "Hello again!".to_owned(), at: at(), by };
    let deleted = Deleted { conversation, message_id, version: 3, at: at(), by };
    let added = MemberChanged {
        conversation,
        user: UserId(7),
        place: Some((MemberRole::Reader, MemberState::Muted)),
        by: Some(by),
        at: at(),
    };
    let removed = MemberChanged { place: None, by: None, ..added };
    let Change::Posted(changed) = posted(ConversationKind::Support, None).change else { panic!("a message") };
    let changed = Message { version: 2, edited: Some((at(), by)), ..changed };
    let tombstone = Message { version: 3, deleted: Some((at(), by)), content: String::new(), ..changed.clone() };
    let frames = [
        utf8(frame::welcome(&welcome)),
        event(ConversationKind::Chat, None),
        event(ConversationKind::Chat, Some(client_id)),
        event(ConversationKind::Support, Some(client_id)),
        utf8(frame::ack(&request_id(), &Ack { seq: Seq(9_042), of })),
        utf8(frame::ack(&request_id(), &Ack { seq: Seq(9_042), of: anonymous })),
        text(|out| frame::event(&Event { seq: Seq(9_043), change: Change::Edited(edited.clone()) }, Dialect::NatterV1, out)),
        text(|out| frame::event(&Event { seq: Seq(9_044), change: Change::Deleted(deleted) }, Dialect::NatterV1, out)),
        text(|out| frame::event(&Event { seq: Seq(9_045), change: Change::Member(added) }, Dialect::NatterV1, out)),
        text(|out| frame::event(&Event { seq: Seq(9_046), change: Change::Member(removed) }, Dialect::NatterV1, out)),
        utf8(frame::ack(&request_id(), &Ack { seq: Seq(9_043), of: Acked::Changed { message_id: MessageId(1), version: 2 } })),
        utf8(frame::history(Some(&request_id()), &History { messages: vec![changed, tombstone], has_more: true })),
        utf8(frame::history(None, &History::default())),
        utf8(frame::resumed(Resumed { from: Seq(1), to: Seq(9_044) })),
        utf8(frame::reset(Reset { seq: Seq(9_044), reason: ResetReason::Expired })),
        utf8(frame::reset(Reset { seq: Seq(9_044), reason: ResetReason::OtherLog })),
        utf8(frame::reset(Reset { seq: Seq(9_044), reason: ResetReason::TooMany })),
        utf8(frame::pong(Some(&request_id()), at())),
        utf8(frame::pong(None, at())),
        utf8(frame::error(Some(&request_id()), &Refusal::field("chat_id", "chat_id is required"))),
        utf8(frame::error(None, &Refusal::new(ErrorCode::InvalidJson, "a frame must be one JSON object"))),
        utf8(frame::error(None, &Refusal::unavailable("try again"))),
        utf8(frame::error(None, &Refusal::internal())),
    ];
    for frame in &frames {
        assert_described(From::NatterV1, &serde_json::from_str(frame).expect("a frame is JSON"));
    }
    insta::assert_snapshot!(frames.join("\n"));
}
