//! RFC 6455 frames as the server writes them: never masked, never fragmented.

use super::CloseCode;
use bytes::Bytes;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// The next part of a fragmented message.
    Continuation,
    /// UTF-8 text: the only data frames that Natter has.
    Text,
    /// Anything else.
    Binary,
    /// The last frame of each side.
    Close,
    /// Are you there?
    Ping,
    /// Yes.
    Pong,
}

impl Opcode {
    /// The opcode in the low four bits of `byte`, if it is one of RFC 6455's.
    #[must_use]
    pub fn of(byte: u8) -> Option<Self> {
        Some(match byte & 0x0f {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    /// Whether it is a control frame: never fragmented, at most 125 bytes.
    #[must_use]
    pub fn is_control(self) -> bool {
        match self {
            Self::Close | Self::Ping | Self::Pong => true,
            Self::Continuation | Self::Text | Self::Binary => false,
        }
    }
}

/// The longest header of a frame without a mask.
pub const MAX_HEADER: usize = 10;

/// The last frame of its message.
const FIN: u8 = 0x80;

/// Compressed by permessage-deflate.
const RSV1: u8 = 0x40;

/// Appends one whole frame.
pub fn write(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    write_frame(out, FIN | opcode.bits(), payload);
}

/// Appends one whole frame whose payload was compressed.
pub fn write_compressed(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    write_frame(out, FIN | RSV1 | opcode.bits(), payload);
}

#[expect(clippy::cast_possible_truncation, reason = "each arm knows that the length fits")]
fn write_frame(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    out.push(first);
    match payload.len() {
        short @ 0..126 => out.push(short as u8),
        medium @ 126..65_536 => {
            out.push(126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

/// One whole frame on its own.
#[must_use]
pub fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + MAX_HEADER);
    write(&mut out, opcode, payload);
    out.into()
}

/// A close frame with its reason.
#[must_use]
pub fn close(code: CloseCode) -> Bytes {
    let mut payload = code.code().to_be_bytes().to_vec();
    payload.extend_from_slice(code.reason().as_bytes());
    frame(Opcode::Close, &payload)
}
