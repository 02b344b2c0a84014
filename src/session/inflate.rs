//! The decompressing half of permessage-deflate: one decompressor a worker, and a limit that is looked at while it works.

use super::header::Violation;
use flate2::{Decompress, FlushDecompress, Status};
use std::cell::RefCell;

/// What RFC 7692 has the receiver append, and then an empty last block: only where the message was a whole number of blocks does
/// the stream end with it.
const TAIL: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];

/// The first guess at how much larger a message becomes.
const TYPICAL_RATIO: usize = 4;

thread_local! {
    /// 32 KiB of window and tables. It forgets each message at the next.
    static INFLATER: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// The message that was compressed into `payload`: at most `limit` bytes, and hardly more is ever allocated.
pub(super) fn inflate(payload: &[u8], limit: usize) -> Result<Vec<u8>, Violation> {
    INFLATER.with_borrow_mut(|inflater| {
        inflater.reset(false);
        let guess = payload.len().saturating_mul(TYPICAL_RATIO).min(limit);
        let mut message = Vec::with_capacity(guess);
        feed(inflater, payload, &mut message, limit)?;
        let length = message.len();
        let is_whole = feed(inflater, &TAIL, &mut message, limit)? && message.len() == length;
        if is_whole { Ok(message) } else { Err(Violation::Deflate) }
    })
}

/// Decompresses all of `bytes`; whether the stream ended with the last of them. One that ends before is followed by another.
fn feed(inflater: &mut Decompress, mut bytes: &[u8], message: &mut Vec<u8>, limit: usize) -> Result<bool, Violation> {
    loop {
        let before = inflater.total_in();
        let status = inflater.decompress_vec(bytes, message, FlushDecompress::None).map_err(|_| Violation::Deflate)?;
        let taken = usize::try_from(inflater.total_in() - before).map_err(|_| Violation::Deflate)?;
        bytes = &bytes[taken..];
        if message.len() > limit {
            return Err(Violation::TooLarge);
        }
        match status {
            Status::StreamEnd => {
                inflater.reset(false);
                if bytes.is_empty() {
                    return Ok(true);
                }
            }
            Status::Ok | Status::BufError if message.len() == message.capacity() => {
                // One byte above the limit, to see whether there is more.
                let room = (limit + 1 - message.len()).min(message.len().max(1_024));
                message.reserve_exact(room);
            }
            Status::Ok | Status::BufError if bytes.is_empty() => return Ok(false),
            Status::Ok => {}
            Status::BufError => return Err(Violation::Deflate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};
    use proptest::prelude::*;

    fn deflate(message: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(message.len() + 64);
        let mut compressor = Compress::new(Compression::default(), false);
        compressor.compress_vec(message, &mut out, FlushCompress::Sync).expect("deflate");
        assert_eq!(compressor.total_in(), message.len() as u64);
        out.truncate(out.len() - 4);
        out
    }

    /// RFC 7692, 7.2.3.
    #[test]
    fn the_examples_of_the_rfc_say_hello() {
        for payload in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ] {
            assert_eq!(inflate(payload, 5), Ok(b"Hello".to_vec()), "{payload:02x?}");
            assert_eq!(inflate(payload, 4), Err(Violation::TooLarge), "{payload:02x?}");
        }
        assert_eq!(inflate(&[0x00], 0), Ok(Vec::new()));
    }

    #[test]
    fn the_limit_is_kept_to_the_byte() {
        let message = vec![0; 100_000];
        let payload = deflate(&message);
        assert_eq!(inflate(&payload, 100_000), Ok(message));
        assert_eq!(inflate(&payload, 99_999), Err(Violation::TooLarge));
    }

    #[test]
    fn what_is_cut_short_or_no_deflate_at_all_is_refused() {
        let payload = deflate(br#"{"type":"NEW_MESSAGE","chat_id":1,"sender_id":1,"content":"Hello Hello Hello"}"#);
        for length in 0..payload.len() {
            assert_eq!(inflate(&payload[..length], 1_000), Err(Violation::Deflate), "{length}");
        }
        assert_eq!(inflate(&[0xff; 100], 1_000), Err(Violation::Deflate));
        assert_eq!(inflate(&[&payload[..], b"more"].concat(), 1_000), Err(Violation::Deflate));
    }

    proptest! {
        #[test]
        fn whatever_was_compressed_comes_back(message in proptest::collection::vec(0..9_u8, 0..5_000)) {
            prop_assert_eq!(inflate(&deflate(&message), 5_000), Ok(message));
        }

        #[test]
        fn no_bytes_make_it_panic_or_exceed_the_limit(payload in proptest::collection::vec(any::<u8>(), 0..500), limit in 0..2_000_usize) {
            if let Ok(message) = inflate(&payload, limit) {
                prop_assert!(message.len() <= limit);
            }
        }
    }
}
