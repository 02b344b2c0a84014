//! The pieces of work that are measured: what a message costs between the socket and the sockets, without the kernel and the
//! database.

use bytes::Bytes;
use natter::{
    delivery::{Batch, Hub, Registration, Subscriber},
    protocol::{
        Addressed, Audience, Caller, Change, CloseCode, Conversation, ConversationId, ConversationKind, Dialect, Encoding, Event,
        Limits, Message, MessageId, Origin, Revocations, Role, Seq, SessionKey, Share, Timestamp, UserId, Window, decode::decode,
        frame, post::NewMessage,
    },
    store::{Draft, Intent, count_steps},
};
use std::{cell::Cell, hint::black_box, rc::Rc, sync::Arc};

/// A piece of work, which can be done again and again.
pub(crate) type Work = Box<dyn FnMut()>;

/// A piece, by its name.
pub(crate) struct Piece {
    pub(crate) name: &'static str,
    /// Does what is not measured.
    pub(crate) prepare: fn() -> Work,
}

pub(crate) const PIECES: [Piece; 5] = [
    Piece { name: "decode a client's message", prepare: decoding },
    Piece { name: "encode a MESSAGE, classic", prepare: || encoding(Dialect::Classic) },
    Piece { name: "encode a MESSAGE, natter.v1", prepare: || encoding(Dialect::NatterV1) },
    Piece { name: "hand a message to 1,000 sessions", prepare: fan_out },
    Piece { name: "plan a batch of 1,000 changes", prepare: planning },
];

const SESSIONS: i64 = 1_000;

/// What `config/default.toml` has.
const LIMITS: Limits = Limits { content_chars: 20_000, frame_bytes: 65_536, messages_per_second: Some(10) };
const BATCH_BYTES: usize = 256 << 10;

const CALLER: Caller = Caller { user: UserId(456), role: Role::User };
const CONVERSATION: Conversation = Conversation { kind: ConversationKind::Chat, id: ConversationId(123) };

fn content() -> String {
    "Could you look at the second slide before the meeting? ".repeat(2)
}

fn decoding() -> Work {
    let text = format!(
        r#"{{"type":"NEW_MESSAGE","request_id":"r17","chat_id":123,"sender_id":456,"content":"{}","file_type":null}}"#,
        content()
    );
    Box::new(move || drop(black_box(decode(black_box(&text), Dialect::NatterV1, &LIMITS))))
}

fn event(seq: i64) -> Event {
    let message = Message {
        id: MessageId(seq),
        conversation: CONVERSATION,
        sender_id: CALLER.user,
        content: content(),
        file_type: None,
        file_paths: None,
        selected_chat_id: None,
        created_at: Timestamp::from_unix_ms(1_764_000_000_123).expect("a moment"),
        client_id: None,
        version: 1,
        edited: None,
        deleted: None,
        attachments: Vec::new(),
    };
    Event { seq: Seq(seq), change: Change::Posted(message) }
}

fn encoding(dialect: Dialect) -> Work {
    let (event, mut out) = (event(1), Vec::with_capacity(1_024));
    Box::new(move || {
        out.clear();
        frame::event(black_box(&event), dialect, &mut out);
        black_box(&out);
    })
}

/// A session without a socket: what the kernel takes for a write is not ours to measure here.
#[derive(Default)]
struct Ear(Cell<usize>);

impl Subscriber for Ear {
    fn caller(&self) -> Caller {
        CALLER
    }

    fn encoding(&self) -> Encoding {
        Encoding { dialect: Dialect::Classic, deflate: None }
    }

    fn send(&self, frames: &Bytes) {
        self.0.set(self.0.get() + black_box(frames.clone()).len());
    }

    fn tell(&self, _: &[u8]) {}

    fn tell_page(&self, _: &[u8], _: &Share) {}

    fn close(&self, _: CloseCode) {}

    fn tick(&self) {}

    fn review(&self, _: Timestamp, _: &Revocations) {}
}

/// The encoding is part of it: once, for all.
fn fan_out() -> Work {
    let hub = Rc::new(Hub::new());
    let register = |_| {
        let registration = hub.register(Rc::new(Ear::default()));
        registration.go_live(Seq(0));
        registration
    };
    let sessions: Vec<Registration> = (0..SESSIONS).map(register).collect();
    let mut seq = 0;
    Box::new(move || {
        seq += 1;
        let batch = Batch::new(vec![Addressed { event: event(seq), audience: Audience::Everyone }]);
        hub.deliver(&batch, &[]);
        black_box(&sessions);
    })
}

fn draft(slot: u32) -> Draft {
    let message = NewMessage {
        conversation: CONVERSATION,
        sender_id: CALLER.user,
        content: content(),
        file_type: None,
        file_paths: None,
        selected_chat_id: None,
        client_id: None,
        attachments: Vec::new(),
    };
    let session = SessionKey { hub: 0, slot, generation: 0 };
    let origin = Origin::Session { session, request_id: None, share: Arc::new(Window::default()).take(0) };
    Draft::new(origin, Intent::Post(CALLER, message))
}

fn planning() -> Work {
    let drafts: Vec<Draft> = (0..1_000).map(draft).collect();
    Box::new(move || {
        black_box(count_steps(black_box(&drafts), BATCH_BYTES));
    })
}
