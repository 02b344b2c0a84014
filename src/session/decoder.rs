//! From bytes to WebSocket messages, with a bound on everything that is kept.
//!
//! A whole frame is unmasked where it lies and handed on without a copy. Only what is incomplete is kept: part of a header, or
//! the payload so far, never more than the limit, and never before the header was looked at.

use super::{
    header::{Header, MAX_HEADER, Violation, unmask},
    inflate::inflate,
};
use crate::protocol::websocket::Opcode;
use std::ops::ControlFlow;

/// What a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A whole message of text.
    Text(&'a str),
    /// A whole message of bytes.
    Binary(&'a [u8]),
    /// To be answered with its payload.
    Ping(&'a [u8]),
    /// An answer.
    Pong,
    /// The last frame, with a code and a reason that may be sent.
    Close,
}

impl Incoming<'_> {
    /// Bytes of its payload, as it is once inflated.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(payload) | Self::Ping(payload) => payload.len(),
            Self::Pong | Self::Close => 0,
        }
    }
}

/// What a message may have.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of one message, over all its frames, compressed as well as not.
    pub message_bytes: usize,
    /// Frames of one message: a million empty ones would cost no memory, but a core.
    pub fragments: u32,
    /// Whether messages may be compressed.
    pub deflate: bool,
}

/// The state between two reads: a few bytes while nothing is incomplete.
#[derive(Debug, Default)]
pub struct Decoder {
    /// A header of which a part is still to come.
    header: PartialHeader,
    /// A frame or a message of which a part is still to come.
    partial: Option<Box<Partial>>,
}

#[derive(Debug, Default)]
struct PartialHeader {
    bytes: [u8; MAX_HEADER],
    length: u8,
}

#[derive(Debug, Default)]
struct Partial {
    /// The frame whose payload is still coming, with the number of bytes that came.
    frame: Option<(Header, usize)>,
    /// The data message that is being put together.
    message: Option<Assembly>,
    /// The payload of a control frame, which may come between the frames of a message.
    control: Vec<u8>,
}

#[derive(Debug)]
struct Assembly {
    text: bool,
    compressed: bool,
    data: Vec<u8>,
    /// How much of `data` is known to be UTF-8; what follows is the start of a character.
    valid: usize,
    fragments: u32,
}

/// Hears of each message; `Break` ends the decoding.
type Listener<'l> = dyn FnMut(Incoming<'_>) -> ControlFlow<()> + 'l;

impl Decoder {
    /// Takes `bytes`, which it unmasks in place, and tells `each` of every message that is complete with them, until that wants no
    /// more. Returns how many were taken: they are never given twice.
    ///
    /// # Errors
    /// Where the client broke the protocol or a bound. Nothing more may be decoded then.
    pub fn decode(&mut self, mut bytes: &mut [u8], bounds: Bounds, each: &mut Listener<'_>) -> Result<usize, Violation> {
        let all = bytes.len();
        while !bytes.is_empty() {
            let taken;
            if self.partial.as_ref().is_some_and(|partial| partial.frame.is_some()) {
                taken = self.take_payload(bytes, bounds, each)?;
            } else {
                let Some((header, length)) = self.take_header(bytes)? else { return Ok(all) };
                self.check(&header, bounds)?;
                bytes = &mut bytes[length..];
                taken = self.start_frame(header, bytes, bounds, each)?;
            }
            let (flow, taken) = taken;
            bytes = &mut bytes[taken..];
            if flow.is_break() {
                break;
            }
        }
        Ok(all - bytes.len())
    }

    /// The next header, and how many of `bytes` belong to it; `None` where all of them do and more are to come.
    fn take_header(&mut self, bytes: &[u8]) -> Result<Option<(Header, usize)>, Violation> {
        let PartialHeader { bytes: kept, length } = &mut self.header;
        let before = usize::from(*length);
        if before == 0
            && let Some(found) = Header::parse(bytes)?
        {
            return Ok(Some(found));
        }
        let more = bytes.len().min(MAX_HEADER - before);
        kept[before..before + more].copy_from_slice(&bytes[..more]);
        let known = before + more;
        if let Some((header, length_of_header)) = Header::parse(&kept[..known])? {
            *length = 0;
            return Ok(Some((header, length_of_header - before)));
        }
        *length = u8::try_from(known).map_err(|_| Violation::Protocol)?;
        Ok(None)
    }

    /// Whether this frame may come now, and whether its message stays within the bounds: asked before anything is kept.
    fn check(&self, header: &Header, bounds: Bounds) -> Result<(), Violation> {
        if header.compressed && !bounds.deflate {
            return Err(Violation::Protocol);
        }
        let message = self.partial.as_ref().and_then(|partial| partial.message.as_ref());
        let (so_far, fragments) = match (header.opcode, message) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => return Ok(()),
            (Opcode::Text | Opcode::Binary, None) => (0, 0),
            (Opcode::Continuation, Some(message)) => (message.data.len(), message.fragments),
            (Opcode::Continuation, None) | (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Violation::Protocol),
        };
        let fits = header.length.checked_add(so_far as u64).is_some_and(|length| length <= bounds.message_bytes as u64);
        if fits && fragments < bounds.fragments { Ok(()) } else { Err(Violation::TooLarge) }
    }

    /// Hands the frame on where all of it is here; else keeps what is.
    fn start_frame(
        &mut self,
        header: Header,
        bytes: &mut [u8],
        bounds: Bounds,
        each: &mut Listener<'_>,
    ) -> Result<Progress, Violation> {
        let length = usize::try_from(header.length).map_err(|_| Violation::TooLarge)?;
        let unfragmented = header.fin && header.opcode != Opcode::Continuation;
        if unfragmented && let Some(payload) = bytes.get_mut(..length) {
            unmask(payload, header.mask, 0);
            let flow = unpacked(header.opcode, header.compressed, payload, bounds, each)?;
            return Ok((flow, length));
        }
        let partial = self.partial.get_or_insert_default();
        match header.opcode {
            Opcode::Text | Opcode::Binary => {
                let (text, compressed) = (header.opcode == Opcode::Text, header.compressed);
                partial.message = Some(Assembly { text, compressed, data: Vec::new(), valid: 0, fragments: 1 });
            }
            Opcode::Continuation => {
                if let Some(message) = &mut partial.message {
                    message.fragments += 1;
                }
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong => partial.control.clear(),
        }
        partial.frame = Some((header, 0));
        self.take_payload(bytes, bounds, each)
    }

    /// Keeps the next part of the current frame's payload; finishes the frame, and with it perhaps the message.
    fn take_payload(&mut self, bytes: &mut [u8], bounds: Bounds, each: &mut Listener<'_>) -> Result<Progress, Violation> {
        let nothing = (ControlFlow::Continue(()), 0);
        let Some(partial) = &mut self.partial else { return Ok(nothing) };
        let Some((header, came)) = partial.frame else { return Ok(nothing) };
        let left = usize::try_from(header.length).map_err(|_| Violation::TooLarge)? - came;
        let taken = left.min(bytes.len());
        let part = &mut bytes[..taken];
        unmask(part, header.mask, came);
        let frame_ends = taken == left;
        partial.frame = (!frame_ends).then_some((header, came + taken));
        let flow = if header.opcode.is_control() {
            partial.control.extend_from_slice(part);
            if frame_ends { whole(header.opcode, &partial.control, each)? } else { ControlFlow::Continue(()) }
        } else {
            partial.take_data(part, frame_ends && header.fin, bounds, each)?
        };
        if self.partial.as_ref().is_some_and(|partial| partial.frame.is_none() && partial.message.is_none()) {
            self.partial = None;
        }
        Ok((flow, taken))
    }
}

/// Whether to go on, and how many bytes were taken.
type Progress = (ControlFlow<()>, usize);

impl Partial {
    /// Adds to the message; bad UTF-8 is found as soon as it is there, not at the message's end.
    fn take_data(
        &mut self,
        part: &[u8],
        message_ends: bool,
        bounds: Bounds,
        each: &mut Listener<'_>,
    ) -> Result<ControlFlow<()>, Violation> {
        let Some(message) = &mut self.message else { return Ok(ControlFlow::Continue(())) };
        message.data.extend_from_slice(part);
        if message.text && !message.compressed {
            match std::str::from_utf8(&message.data[message.valid..]) {
                Ok(_) => message.valid = message.data.len(),
                Err(error) if error.error_len().is_none() && !message_ends => message.valid += error.valid_up_to(),
                Err(_) => return Err(Violation::Utf8),
            }
        }
        if !message_ends {
            return Ok(ControlFlow::Continue(()));
        }
        let opcode = if message.text { Opcode::Text } else { Opcode::Binary };
        let (compressed, data) = (message.compressed, std::mem::take(&mut message.data));
        self.message = None;
        unpacked(opcode, compressed, &data, bounds, each)
    }
}

/// Hands on a frame, or a message, of which everything is here, as it was before it was compressed.
fn unpacked(
    opcode: Opcode,
    compressed: bool,
    payload: &[u8],
    bounds: Bounds,
    each: &mut Listener<'_>,
) -> Result<ControlFlow<()>, Violation> {
    if compressed { whole(opcode, &inflate(payload, bounds.message_bytes)?, each) } else { whole(opcode, payload, each) }
}

/// Hands on a frame, or a message, of which everything is here.
fn whole(opcode: Opcode, payload: &[u8], each: &mut Listener<'_>) -> Result<ControlFlow<()>, Violation> {
    let incoming = match opcode {
        Opcode::Text => Incoming::Text(std::str::from_utf8(payload).map_err(|_| Violation::Utf8)?),
        Opcode::Binary | Opcode::Continuation => Incoming::Binary(payload),
        Opcode::Ping => Incoming::Ping(payload),
        Opcode::Pong => Incoming::Pong,
        Opcode::Close => {
            check_close(payload)?;
            Incoming::Close
        }
    };
    Ok(each(incoming))
}

/// Whether a close frame's code may be sent, and its reason is text.
fn check_close(payload: &[u8]) -> Result<(), Violation> {
    if payload.is_empty() {
        return Ok(());
    }
    let Some((code, reason)) = payload.split_first_chunk() else { return Err(Violation::Protocol) };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol);
    }
    std::str::from_utf8(reason).map_err(|_| Violation::Utf8)?;
    Ok(())
}
