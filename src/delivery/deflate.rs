//! The compressing half of permessage-deflate: one compressor a worker and window, none a session.

use crate::protocol::{
    deflate::Deflate,
    websocket::{self, Opcode},
};
use flate2::{Compress, Compression, FlushCompress};
use std::{cell::RefCell, ops::RangeInclusive};

/// How long a message must be, in bytes, and may be; others are sent as they are, as RFC 7692 allows for each message.
///
/// One of 300 bytes would shrink to 220: the same single packet, for 10 µs here and a decompression by every client. And one
/// of many megabytes, a page of the longest messages, would hold up its worker for half a second (up to 30 ns a byte).
const WORTH_IT: RangeInclusive<usize> = 512..=256 * 1_024;

/// zlib-rs makes 505 bytes of JSON 426 by level 1 in 4 µs, 325 by level 2 in 10 µs, 323 by level 6.
const LEVEL: Compression = Compression::new(2);

/// What every flush ends with, and RFC 7692 takes away.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

thread_local! {
    static WIDE: RefCell<Compress> = RefCell::new(compressor(Deflate::Wide));
    static NARROW: RefCell<Compress> = RefCell::new(compressor(Deflate::Narrow));
}

fn compressor(deflate: Deflate) -> Compress {
    Compress::new_with_window_bits(LEVEL, false, deflate.window_bits())
}

/// Whether a message may be compressed at all.
pub(super) fn is_worth_it(payload: &[u8]) -> bool {
    WORTH_IT.contains(&payload.len())
}

/// Appends a message as one whole frame, compressed where that was agreed and makes it smaller.
pub fn write(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], deflate: Option<Deflate>) {
    let compressed = deflate.filter(|_| is_worth_it(payload)).and_then(|deflate| compress(payload, deflate));
    match compressed {
        Some(compressed) if compressed.len() < payload.len() => websocket::write_compressed(out, opcode, &compressed),
        Some(_) | None => websocket::write(out, opcode, payload),
    }
}

/// The payload of the compressed frame, larger than the message where that can't be compressed. `None` where the compressor fails,
/// for which it has no reason.
#[must_use]
pub fn compress(payload: &[u8], deflate: Deflate) -> Option<Vec<u8>> {
    // Room for the worst: what can't be compressed is stored, with a few bytes a block.
    let mut out = Vec::with_capacity(payload.len() + payload.len() / 8 + 64);
    let worker = match deflate {
        Deflate::Wide => &WIDE,
        Deflate::Narrow => &NARROW,
    };
    worker.with_borrow_mut(|worker| {
        worker.reset();
        let done = worker.compress_vec(payload, &mut out, FlushCompress::Sync).is_ok();
        if done && worker.total_in() == payload.len() as u64 && out.len() < out.capacity() {
            return Some(());
        }
        // zlib-rs 0.6 can't be reset while it holds output that was not taken: it panics later.
        *worker = compressor(deflate);
        None
    })?;
    let length = out.strip_suffix(&TAIL)?.len();
    out.truncate(length);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Decompress, FlushDecompress};
    use proptest::prelude::*;

    const RSV1: u8 = 0x40;

    /// The payload again, by a decompressor with no larger a window than was agreed.
    fn read(frame: &[u8], deflate: Deflate) -> Vec<u8> {
        let header = match frame[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let payload = &frame[header..];
        if frame[0] & RSV1 == 0 {
            return payload.to_vec();
        }
        let mut out = Vec::with_capacity(1 << 20);
        let mut decompressor = Decompress::new_with_window_bits(false, deflate.window_bits());
        let whole = [payload, &TAIL].concat();
        decompressor.decompress_vec(&whole, &mut out, FlushDecompress::Sync).expect("deflate");
        assert_eq!(decompressor.total_in(), whole.len() as u64);
        out
    }

    fn written(payload: &[u8], deflate: Deflate) -> Vec<u8> {
        let mut frame = Vec::new();
        write(&mut frame, Opcode::Text, payload, Some(deflate));
        frame
    }

    /// A small state machine's words: it repeats itself at all distances, as text does.
    fn text(length: usize) -> Vec<u8> {
        let words = ["receipt ", "session ", "{\"type\":", "conversation ", "κόσμε ", "0123456789 "];
        let mut chance = 1_u32;
        let mut text = Vec::new();
        while text.len() < length {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.extend_from_slice(words[(chance >> 16) as usize % words.len()].as_bytes());
            text.extend_from_slice((chance >> 20).to_string().as_bytes());
        }
        text.truncate(length);
        text
    }

    #[test]
    fn a_long_message_shrinks_and_comes_back() {
        for deflate in [Deflate::Wide, Deflate::Narrow] {
            for length in [512, 1_000, 40_000, 262_144] {
                let payload = text(length);
                let frame = written(&payload, deflate);
                assert_eq!(frame[0] & RSV1, RSV1);
                assert!(frame.len() < payload.len() * 3 / 4, "{length}: {}", frame.len());
                assert_eq!(read(&frame, deflate), payload);
            }
        }
    }

    #[test]
    fn short_long_and_incompressible_messages_are_sent_as_they_are() {
        let short = text(511);
        assert_eq!(written(&short, Deflate::Wide), [&[0x81, 126, 1, 255][..], &short].concat());
        let long = text(262_145);
        assert_eq!(written(&long, Deflate::Wide)[0] & RSV1, 0);
        let mut chance = 1_u64;
        let noise = std::iter::repeat_with(|| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (chance >> 56) as u8
        });
        let noise: Vec<u8> = noise.take(100_000).collect();
        for deflate in [Deflate::Wide, Deflate::Narrow] {
            for length in [512, 65_535, 65_536, 100_000] {
                let frame = written(&noise[..length], deflate);
                assert_eq!(frame[0] & RSV1, 0);
                assert_eq!(read(&frame, deflate), &noise[..length]);
            }
            assert_eq!(read(&written(&text(40_000), deflate), deflate), text(40_000));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_can_be_read(payload in proptest::collection::vec(0..20_u8, 0..5_000)) {
            for deflate in [Deflate::Wide, Deflate::Narrow] {
                prop_assert_eq!(&read(&written(&payload, deflate), deflate), &payload);
            }
        }
    }
}
