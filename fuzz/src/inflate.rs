//! A compressed message, against a second implementation of DEFLATE: `miniz_oxide`.

use super::decoder::{Heard, Hearing, hear};
use miniz_oxide::inflate::{
    TINFLStatus,
    core::{
        DecompressorOxide, decompress,
        inflate_flags::{TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF},
    },
};
use natter::session::Bounds;

const LIMIT: usize = 32_768;

/// What RFC 7692, 7.2.2, has the receiver append, and an empty last block: with it ends what was a whole number of blocks.
const TAIL: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];

pub fn run(input: &[u8]) {
    let payload = &input[..input.len().min(LIMIT)];
    let ours = hear(&compressed_frame(payload), Bounds { message_bytes: LIMIT, fragments: 1, deflate: true }, usize::MAX);
    let whole = inflated(&[payload, &TAIL].concat()).filter(|(_, ended)| *ended).map(|(message, _)| message);
    // The tail says nothing itself.
    match inflated(payload).map(|(message, _)| message).filter(|message| whole.as_ref() == Some(message)) {
        Some(message) => assert_eq!(ours, Hearing { heard: vec![Heard::Binary(message)], faulty: false }),
        None => assert_eq!(ours, Hearing { heard: Vec::new(), faulty: true }),
    }
}

/// FIN, RSV1, binary, with a mask of zeros.
fn compressed_frame(payload: &[u8]) -> Vec<u8> {
    const LONG: u8 = 126;
    let length = u16::try_from(payload.len()).expect("it is bounded").to_be_bytes();
    [&[0xc2, 0x80 | LONG][..], &length, &[0; 4], payload].concat()
}

/// What these bytes say, if it is within the limit, and whether they end where a stream does. One may end, and another begin, at any
/// byte.
fn inflated(mut bytes: &[u8]) -> Option<(Vec<u8>, bool)> {
    // A buffer that does not wrap: where it does, a distance that reaches before the beginning goes unnoticed.
    const FLAGS: u32 = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | TINFL_FLAG_HAS_MORE_INPUT;
    let mut message = Vec::new();
    let mut stream = vec![0; LIMIT + 1];
    loop {
        let (status, consumed, written) = decompress(&mut DecompressorOxide::new(), bytes, &mut stream, 0, FLAGS);
        bytes = &bytes[consumed..];
        message.extend_from_slice(&stream[..written]);
        if message.len() > LIMIT {
            return None;
        }
        match status {
            TINFLStatus::Done if bytes.is_empty() => return Some((message, true)),
            TINFLStatus::Done => {}
            TINFLStatus::NeedsMoreInput => return Some((message, false)),
            _ => return None,
        }
    }
}
