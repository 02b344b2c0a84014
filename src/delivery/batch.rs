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
    classic: OnceLock<Encoded>,
    natter_v1: OnceLock<Encoded>,
}

/// The frames of a batch, one after the other.
#[derive(Debug)]
struct Encoded {
    frames: Bytes,
    /// Where each event's frames end.
    ends: Vec<usize>,
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

    /// The frames of its events after `seq`, one after the other: one write a session, however many events there are.
    #[must_use]
    pub fn frames_after(&self, seq: Seq, dialect: Dialect) -> Bytes {
        let encoded = match dialect {
            Dialect::Classic => &self.classic,
            Dialect::NatterV1 => &self.natter_v1,
        };
        let Encoded { frames, ends } = encoded.get_or_init(|| encode(&self.events, dialect));
        let known = self.events.partition_point(|event| event.seq <= seq);
        let start = known.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0);
        frames.slice(start..)
    }
}

fn encode(events: &[Event], dialect: Dialect) -> Encoded {
    /// A typical frame of a short message, so that the buffer seldom grows.
    const TYPICAL_FRAME: usize = 320;
    let mut frames = Vec::with_capacity(events.len() * TYPICAL_FRAME);
    let mut ends = Vec::with_capacity(events.len());
    let mut json = Vec::with_capacity(TYPICAL_FRAME);
    for event in events {
        json.clear();
        frame::event(event, dialect, &mut json);
        // What a dialect has no words for is no frame, not an empty one.
        if !json.is_empty() {
            websocket::write(&mut frames, Opcode::Text, &json);
        }
        ends.push(frames.len());
    }
    Encoded { frames: frames.into(), ends }
}
