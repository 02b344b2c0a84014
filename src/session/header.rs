//! The header of a client's frame, looked at before a byte of its payload is kept.

use crate::protocol::websocket::Opcode;

/// What a client did wrong, by the close code that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Against RFC 6455: 1002.
    Protocol,
    /// Text that is not UTF-8: 1007.
    Utf8,
    /// A compressed message that is not DEFLATE: 1007.
    Deflate,
    /// Above a limit: 1009.
    TooLarge,
}

/// The longest header of a masked frame.
pub(super) const MAX_HEADER: usize = 14;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    pub(super) fin: bool,
    /// RSV1 is set: the message that begins with this frame is compressed, if that was agreed on.
    pub(super) compressed: bool,
    pub(super) mask: [u8; 4],
    /// Bytes of payload, as announced.
    pub(super) length: u64,
}

impl Header {
    /// The header at the start of `bytes` with its own length, or `None` while it is incomplete.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        const FIN: u8 = 0x80;
        const COMPRESSED: u8 = 0x40;
        const RESERVED: u8 = 0x30;
        const MASKED: u8 = 0x80;
        const LONGEST_CONTROL: u64 = 125;
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let opcode = Opcode::of(*first).ok_or(Violation::Protocol)?;
        let compressed = first & COMPRESSED != 0;
        let may_be_compressed = match opcode {
            Opcode::Text | Opcode::Binary => true,
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => false,
        };
        if compressed && !may_be_compressed {
            return Err(Violation::Protocol);
        }
        if first & RESERVED != 0 || second & MASKED == 0 {
            return Err(Violation::Protocol);
        }
        let (length, rest) = match second & !MASKED {
            126 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        let fin = first & FIN != 0;
        if opcode.is_control() && (!fin || length > LONGEST_CONTROL) {
            return Err(Violation::Protocol);
        }
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        Ok(Some((Self { opcode, fin, compressed, mask: *mask, length }, bytes.len() - rest.len())))
    }
}

/// Takes the mask off `payload`, whose first byte stands at `offset` of its frame.
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4], offset: usize) {
    let mut mask = mask;
    mask.rotate_left(offset % 4);
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}
