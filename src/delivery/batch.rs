//! The events of one commit as frames: encoded once per dialect and compression, by the first hub that needs them, and shared by everyone.

use super::deflate;
use crate::protocol::{CloseCode, Deflate, Dialect, Encoding, Event, Seq, SessionKey, Share, frame, websocket::Opcode};
use bytes::Bytes;
use std::sync::OnceLock;

/// The events of one commit, on their way to every hub.
#[derive(Debug)]
pub struct Batch {
    events: Vec<Event>,
    classic: Encodings,
    natter_v1: Encodings,
}

/// A batch in one dialect.
#[derive(Debug, Default)]
struct Encodings {
    plain: OnceLock<Encoded>,
    wide: OnceLock<Encoded>,
    narrow: OnceLock<Encoded>,
}

/// The frames of a batch, one after the other.
#[derive(Debug)]
struct Encoded {
    frames: Bytes,
    /// Where each event's frames end.
    ends: Vec<End>,
    /// Whether one of them is long enough to be compressed.
    has_long: bool,
}

/// Where the frames of a batch's first events end.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    bytes: usize,
    /// How many frames they are.
    frames: usize,
}

/// Frames to be sent in one write.
#[derive(Clone, Debug)]
pub struct Frames {
    /// One after the other.
    pub bytes: Bytes,
    /// How many they are.
    pub count: usize,
}

/// A frame for one session: an answer to a command of its own.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Who gets it.
    pub session: SessionKey,
    /// One frame, as JSON.
    pub json: Vec<u8>,
    /// What there is to do beside.
    pub sort: ReplySort,
}

/// What there is to do with a reply, beside sending it.
#[derive(Clone, Debug)]
pub enum ReplySort {
    /// Nothing.
    Answer,
    /// It is a page, and keeps what its command takes of the session's window until it has left.
    Page(Share),
    /// The session ends behind it.
    Last(CloseCode),
}

impl Batch {
    /// A batch of events in the order of the log.
    #[must_use]
    pub fn new(events: Vec<Event>) -> Self {
        Self { events, classic: Encodings::default(), natter_v1: Encodings::default() }
    }

    /// The `seq` of its last event.
    #[must_use]
    pub fn head(&self) -> Option<Seq> {
        self.events.last().map(|event| event.seq)
    }

    /// The frames of its events after `seq`, one after the other: one write a session, however many events there are.
    #[must_use]
    pub fn frames_after(&self, seq: Seq, encoding: Encoding) -> Frames {
        let Encoded { frames, ends, .. } = self.encoded(encoding);
        let known = self.events.partition_point(|event| event.seq <= seq);
        let start = known.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or_default();
        let all = ends.last().map_or(0, |end| end.frames);
        Frames { bytes: frames.slice(start.bytes..), count: all - start.frames }
    }

    fn encoded(&self, Encoding { dialect, deflate }: Encoding) -> &Encoded {
        let Encodings { plain, wide, narrow } = match dialect {
            Dialect::Classic => &self.classic,
            Dialect::NatterV1 => &self.natter_v1,
        };
        let plain = plain.get_or_init(|| encode(&self.events, dialect, None));
        let compressed = match deflate {
            Some(Deflate::Wide) => wide,
            Some(Deflate::Narrow) => narrow,
            None => return plain,
        };
        // Short frames are never compressed: everyone gets the same memory.
        if plain.has_long { compressed.get_or_init(|| encode(&self.events, dialect, deflate)) } else { plain }
    }
}

fn encode(events: &[Event], dialect: Dialect, deflate: Option<Deflate>) -> Encoded {
    /// A typical frame of a short message, so that the buffer seldom grows.
    const TYPICAL_FRAME: usize = 320;
    let mut frames = Vec::with_capacity(events.len() * TYPICAL_FRAME);
    let mut ends = Vec::with_capacity(events.len());
    let mut json = Vec::with_capacity(TYPICAL_FRAME);
    let mut has_long = false;
    let mut count = 0;
    for event in events {
        json.clear();
        frame::event(event, dialect, &mut json);
        // What a dialect has no words for is no frame, not an empty one.
        if !json.is_empty() {
            has_long |= deflate::is_worth_it(&json);
            count += 1;
            deflate::write(&mut frames, Opcode::Text, &json, deflate);
        }
        ends.push(End { bytes: frames.len(), frames: count });
    }
    Encoded { frames: frames.into(), ends, has_long }
}
