//! The compressing half of permessage-deflate: one compressor a worker and window, none a session.

use crate::protocol::{
    deflate::Deflate,
    websocket::{self, Opcode},
};
use flate2::{Compress, Compression, FlushCompress};
use std::cell::RefCell;

/// Messages below this many bytes are sent as they are, which RFC 7692 allows for each message. A message of 300 bytes would
/// shrink to 220: the same single packet, for a decompression by every client.
const WORTH_IT: usize = 512;

/// zlib's levels 1 and 6 differ by 2 % on frames of this size.
const LEVEL: Compression = Compression::new(1);

/// What every flush ends with, and RFC 7692 takes away.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

thread_local! {
    static WIDE: RefCell<Compress> = RefCell::new(Compress::new_with_window_bits(LEVEL, false, Deflate::Wide.window_bits()));
    static NARROW: RefCell<Compress> = RefCell::new(Compress::new_with_window_bits(LEVEL, false, Deflate::Narrow.window_bits()));
}

/// Whether a message may be compressed at all.
pub(super) fn is_worth_it(payload: &[u8]) -> bool {
    payload.len() >= WORTH_IT
}

/// Appends a message as one whole frame, compressed where that was agreed and makes it smaller.
pub fn write(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], deflate: Option<Deflate>) {
    if let Some(deflate) = deflate.filter(|_| is_worth_it(payload))
        && let Some(compressed) = compress(payload, deflate)
    {
        websocket::write_compressed(out, opcode, &compressed);
    } else {
        websocket::write(out, opcode, payload);
    }
}

/// The message compressed, or `None` where that would not make it smaller.
fn compress(payload: &[u8], deflate: Deflate) -> Option<Vec<u8>> {
    let compressor = match deflate {
        Deflate::Wide => &WIDE,
        Deflate::Narrow => &NARROW,
    };
    // With room for the tail as well, a message that has become no larger fits.
    let mut out = Vec::with_capacity(payload.len() + TAIL.len());
    compressor.with_borrow_mut(|compressor| {
        compressor.reset();
        compressor.compress_vec(payload, &mut out, FlushCompress::Sync).ok()
    })?;
    let compressed = out.strip_suffix(&TAIL)?.len();
    // A buffer that is full may hold a part only.
    (out.len() < out.capacity()).then(|| out.truncate(compressed))?;
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
            text.extend_from_slice(words[chance as usize >> 16 & 7 % words.len()].as_bytes());
            text.extend_from_slice((chance >> 20).to_string().as_bytes());
        }
        text.truncate(length);
        text
    }

    #[test]
    fn a_long_message_shrinks_and_comes_back() {
        for deflate in [Deflate::Wide, Deflate::Narrow] {
            for length in [512, 1_000, 40_000, 300_000] {
                let payload = text(length);
                let frame = written(&payload, deflate);
                assert_eq!(frame[0] & RSV1, RSV1);
                assert!(frame.len() < payload.len() * 3 / 4, "{length}: {}", frame.len());
                assert_eq!(read(&frame, deflate), payload);
            }
        }
    }

    #[test]
    fn short_and_incompressible_messages_are_sent_as_they_are() {
        let short = text(511);
        assert_eq!(written(&short, Deflate::Wide), [&[0x81, 126, 1, 255][..], &short].concat());
        let mut chance = 1_u64;
        let noise = std::iter::repeat_with(|| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (chance >> 56) as u8
        });
        let noise: Vec<u8> = noise.take(100_000).collect();
        for deflate in [Deflate::Wide, Deflate::Narrow] {
            assert_eq!(read(&written(&noise, deflate), deflate), noise);
            assert_eq!(written(&noise, deflate)[0] & RSV1, 0);
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
