//! What a client may send, as it is told in `WELCOME`.

/// The limits of one installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Characters (Unicode scalar values) of a message's content.
    pub content_chars: usize,
    /// Bytes of one WebSocket message, headers left out.
    pub frame_bytes: usize,
    /// Messages of a user a second, in the long run; none is no limit.
    pub messages_per_second: Option<u32>,
}
