//! The events of one commit as frames: encoded once per dialect and compression, by the first hub that needs them, and shared by all
//! who see the same of them.

use super::deflate;
use crate::protocol::{
    Addressed, Audience, CloseCode, Deflate, Dialect, Encoding, Event, Seq, SessionKey, Share, audience::Listed, frame,
    websocket::Opcode,
};
use bytes::Bytes;
use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, OnceLock},
};

/// The events of one commit, on their way to every hub.
#[derive(Debug)]
pub struct Batch {
    events: Vec<Event>,
    encoded: PerEncoding<Encoded>,
    /// What everyone sees.
    public: Part,
    /// What some see beside.
    groups: Vec<Group>,
}

/// Events of a batch that the same users see.
#[derive(Debug)]
pub struct Group {
    /// Who.
    pub listed: Arc<Listed>,
    /// These events alone.
    own: Vec<usize>,
    /// These and what everyone sees, in order.
    seen: Part,
}

/// Some events of a batch, by their place in it, in ascending order; their frames are joined by the first hub that needs them.
#[derive(Debug, Default)]
struct Part {
    events: Vec<usize>,
    frames: PerEncoding<Frames>,
}

/// The frames of all events of a batch, one after the other.
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
#[derive(Clone, Debug, Default)]
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
    pub fn new(addressed: Vec<Addressed>) -> Self {
        let mut public = Vec::with_capacity(addressed.len());
        let mut groups: Vec<(Arc<Listed>, Vec<usize>)> = Vec::new();
        // The events of one conversation share their list.
        let mut by_list: HashMap<*const Listed, usize> = HashMap::new();
        for (place, Addressed { audience, .. }) in addressed.iter().enumerate() {
            match audience {
                Audience::Everyone => public.push(place),
                Audience::Some(listed) => {
                    let group = *by_list.entry(Arc::as_ptr(listed)).or_insert_with(|| {
                        groups.push((Arc::clone(listed), Vec::new()));
                        groups.len() - 1
                    });
                    groups[group].1.push(place);
                }
            }
        }
        let group = |(listed, own): (Arc<Listed>, Vec<usize>)| {
            let seen = Part::of(merged(&public, &[&own]));
            Group { listed, own, seen }
        };
        let groups = groups.into_iter().map(group).collect();
        let events = addressed.into_iter().map(|addressed| addressed.event).collect();
        Self { events, encoded: PerEncoding::default(), public: Part::of(public), groups }
    }

    /// The `seq` of its last event.
    #[must_use]
    pub fn head(&self) -> Option<Seq> {
        self.events.last().map(|event| event.seq)
    }

    /// Whether there is something in it that everyone sees.
    #[must_use]
    pub fn is_public(&self) -> bool {
        !self.public.events.is_empty()
    }

    /// What only some see of it, by who they are.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The frames of its events after `seq` for a session that is in these of its groups, by their places: one write a session,
    /// however many events there are.
    #[must_use]
    pub fn frames_after(&self, seq: Seq, groups: &[usize], encoding: Encoding) -> Cow<'_, Frames> {
        match groups {
            [] => self.part_after(seq, &self.public, encoding),
            [group] => self.part_after(seq, &self.groups[*group].seen, encoding),
            several => {
                let own: Vec<&[usize]> = several.iter().map(|group| self.groups[*group].own.as_slice()).collect();
                Cow::Owned(self.joined(self.after(seq, &merged(&self.public.events, &own)), encoding))
            }
        }
    }

    fn part_after<'a>(&'a self, seq: Seq, part: &'a Part, encoding: Encoding) -> Cow<'a, Frames> {
        let new = self.after(seq, &part.events);
        if new.len() < part.events.len() {
            return Cow::Owned(self.joined(new, encoding));
        }
        Cow::Borrowed(part.frames.get(encoding).get_or_init(|| self.joined(new, encoding)))
    }

    fn after<'a>(&self, seq: Seq, events: &'a [usize]) -> &'a [usize] {
        &events[events.partition_point(|place| self.events[*place].seq <= seq)..]
    }

    /// The frames of these events: the same memory where they stand together, else a copy.
    fn joined(&self, events: &[usize], encoding: Encoding) -> Frames {
        let Encoded { frames, ends, .. } = self.encoded(encoding);
        let end = |place: usize| ends[place];
        let start = |place: usize| place.checked_sub(1).map(end).unwrap_or_default();
        match events {
            [] => Frames::default(),
            [first, .., last] if last - first >= events.len() => {
                let pieces: Vec<&[u8]> = events.iter().map(|place| &frames[start(*place).bytes..end(*place).bytes]).collect();
                let count = events.iter().map(|place| end(*place).frames - start(*place).frames).sum();
                Frames { bytes: pieces.concat().into(), count }
            }
            [first, ..] => {
                let (start, end) = (start(*first), end(first + events.len() - 1));
                Frames { bytes: frames.slice(start.bytes..end.bytes), count: end.frames - start.frames }
            }
        }
    }

    fn encoded(&self, encoding: Encoding) -> &Encoded {
        let Encoding { dialect, deflate } = encoding;
        let plainly = Encoding { dialect, deflate: None };
        let plain = self.encoded.get(plainly).get_or_init(|| encode(&self.events, plainly));
        // Short frames are never compressed: everyone gets the same memory.
        if deflate.is_none() || !plain.has_long {
            return plain;
        }
        self.encoded.get(encoding).get_or_init(|| encode(&self.events, encoding))
    }
}

impl Part {
    fn of(events: Vec<usize>) -> Self {
        Self { events, frames: PerEncoding::default() }
    }
}

/// All of these places, in ascending order; none stands there twice.
fn merged(public: &[usize], groups: &[&[usize]]) -> Vec<usize> {
    let mut all = [public, groups.concat().as_slice()].concat();
    all.sort_unstable();
    all
}

/// Something that is made once for each way to write frames.
#[derive(Debug)]
struct PerEncoding<T> {
    classic: PerDeflate<T>,
    natter_v1: PerDeflate<T>,
}

#[derive(Debug)]
struct PerDeflate<T> {
    plain: OnceLock<T>,
    wide: OnceLock<T>,
    narrow: OnceLock<T>,
}

impl<T> Default for PerEncoding<T> {
    fn default() -> Self {
        Self { classic: PerDeflate::default(), natter_v1: PerDeflate::default() }
    }
}

impl<T> Default for PerDeflate<T> {
    fn default() -> Self {
        Self { plain: OnceLock::new(), wide: OnceLock::new(), narrow: OnceLock::new() }
    }
}

impl<T> PerEncoding<T> {
    fn get(&self, Encoding { dialect, deflate }: Encoding) -> &OnceLock<T> {
        let PerDeflate { plain, wide, narrow } = match dialect {
            Dialect::Classic => &self.classic,
            Dialect::NatterV1 => &self.natter_v1,
        };
        match deflate {
            None => plain,
            Some(Deflate::Wide) => wide,
            Some(Deflate::Narrow) => narrow,
        }
    }
}

fn encode(events: &[Event], Encoding { dialect, deflate }: Encoding) -> Encoded {
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
