//! The events of one commit as frames: encoded once per dialect, by the first hub that needs them, and shared by everyone.

use crate::protocol::{
    Dialect, Event, Seq, SessionKey, frame,
    websocket::{self, Opcode},
};
use bytes::Bytes;
use std::sync::OnceLock;

/// The events of one commit, on their way to every hub.
#[derive(Debug)]
pub struct Batch {
    events: Vec<Event>,
    classic: OnceLock<Bytes>,
    natter_v1: OnceLock<Bytes>,
}

/// A frame for one session: an answer to a command of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Who gets it.
    pub session: SessionKey,
    /// A whole WebSocket frame.
    pub frame: Bytes,
}

impl Batch {
    /// A batch of events in the order of the log.
    #[must_use]
    pub fn new(events: Vec<Event>) -> Self {
        Self { events, classic: OnceLock::new(), natter_v1: OnceLock::new() }
    }

    /// The `seq` of its last event.
    #[must_use]
    pub fn head(&self) -> Option<Seq> {
        self.events.last().map(|event| event.seq)
    }

    /// The frames of all its events, one after the other: one write a session, however many events there are.
    pub fn frames(&self, dialect: Dialect) -> &Bytes {
        let encoded = match dialect {
            Dialect::Classic => &self.classic,
            Dialect::NatterV1 => &self.natter_v1,
        };
        encoded.get_or_init(|| encode(&self.events, dialect))
    }
}

fn encode(events: &[Event], dialect: Dialect) -> Bytes {
    /// A typical frame of a short message, so that the buffer seldom grows.
    const TYPICAL_FRAME: usize = 320;
    let mut frames = Vec::with_capacity(events.len() * TYPICAL_FRAME);
    let mut json = Vec::with_capacity(TYPICAL_FRAME);
    for event in events {
        json.clear();
        frame::event(event, dialect, &mut json);
        websocket::write(&mut frames, Opcode::Text, &json);
    }
    frames.into()
}
