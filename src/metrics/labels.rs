//! The values of labels that the protocol has no names for.

/// What a frame to a client brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::VariantArray, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Sent {
    /// What was committed, live or missed.
    Event,
    /// What is for one session alone: answers, `WELCOME`, `ERROR`.
    Answer,
    /// Ping, Pong, Close.
    Control,
}

/// Why a client did not get a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::VariantArray, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum HandshakeFault {
    /// Against RFC 6455: HTTP 400 or 426.
    Malformed,
    /// The server stops, or has not started yet: 503.
    NotServing,
    /// `server.max_connections` are open: 503.
    Full,
    /// More handshakes came from its address than may: 429.
    RateLimited,
    /// Who the client is, is missing or invalid: close 4001.
    Unauthorized,
    /// The keys for its token are not there yet, or too much was asked for: close 1013.
    Unavailable,
    /// The user or the address has as many connections as it may: close 4005.
    TooMany,
    /// The cursor is at fault: close 1008.
    Cursor,
}

/// What a file is, in the large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::VariantArray, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum FileKind {
    /// Documents, archives, and all that is of no other kind.
    Application,
    /// Sound.
    Audio,
    /// Pictures.
    Image,
    /// Plain text.
    Text,
    /// Films.
    Video,
}

impl FileKind {
    /// The kind of a media type.
    #[must_use]
    pub fn of(media_type: &str) -> Self {
        let (kind, _) = media_type.split_once('/').unwrap_or_default();
        kind.parse().unwrap_or(Self::Application)
    }
}
