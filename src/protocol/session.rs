//! What the rest of the server knows of a session: its address, its dialect, and the name it gave to a request.

use super::Deflate;

/// Which frames a session is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// A client without a subprotocol: the frames of the Node server, which never change.
    Classic,
    /// The subprotocol `natter.v1`.
    NatterV1,
}

/// How a session's frames are written. Sessions with the same encoding share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// Their words.
    pub dialect: Dialect,
    /// Whether and how they are compressed.
    pub deflate: Option<Deflate>,
}

/// The subprotocol by which a client asks for [`Dialect::NatterV1`].
pub const NATTER_V1: &str = "natter.v1";

/// The address of a live session: a slot in one worker's hub. A slot is used again, with another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// The worker.
    pub hub: u16,
    /// The place in its hub.
    pub slot: u32,
    /// Tells this session from earlier ones in the same slot.
    pub generation: u32,
}

/// What a client calls a request of its own: 1 to 64 characters, echoed in the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Box<str>);

impl RequestId {
    /// The longest, in characters.
    pub const MAX_CHARS: usize = 64;

    /// The name, if its length is allowed.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let allowed = !text.is_empty() && text.chars().nth(Self::MAX_CHARS).is_none();
        allowed.then(|| Self(text.into()))
    }

    /// The name as the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
