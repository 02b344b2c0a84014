//! Why a connection is closed, as data: the code says what the client should do next.

/// The close codes that Natter sends. 4000–4099: do not come back unchanged; 4100–4199: back off with jitter, then resume;
/// 4200–4299: reconnect now and resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::VariantArray)]
pub enum CloseCode {
    /// The client is done; its close is answered.
    Normal,
    /// The server is going away: resume elsewhere.
    GoingAway,
    /// The client broke RFC 6455.
    ProtocolError,
    /// A binary frame: every frame is JSON text.
    Unsupported,
    /// A text frame that is not UTF-8.
    InvalidUtf8,
    /// A compressed message that is not DEFLATE.
    InvalidDeflate,
    /// What the client asked for at its connect can't be done.
    Policy,
    /// A frame or message above the limit.
    TooLarge,
    /// The server failed.
    Internal,
    /// The server can't take another session now.
    TryAgainLater,
    /// Who the client is, is missing or invalid.
    Unauthorized,
    /// The user, or the address, has as many connections as it may have.
    TooManyConnections,
    /// The client does not read what it is sent.
    SlowConsumer,
    /// Refused too often in too short a time.
    Flooding,
    /// No sign of life within the heartbeat.
    NoPong,
    /// The session's token has ended, and no newer one came.
    TokenExpired,
}

impl CloseCode {
    /// The code of the close frame.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::Unsupported => 1003,
            Self::InvalidUtf8 | Self::InvalidDeflate => 1007,
            Self::Policy => 1008,
            Self::TooLarge => 1009,
            Self::Internal => 1011,
            Self::TryAgainLater => 1013,
            Self::Unauthorized => 4001,
            Self::TooManyConnections => 4005,
            Self::SlowConsumer => 4100,
            Self::Flooding => 4101,
            Self::NoPong => 4201,
            Self::TokenExpired => 4203,
        }
    }

    /// The reason of the close frame, for a developer to read; at most 123 bytes.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Normal => "",
            Self::GoingAway => "server going away: reconnect and resume",
            Self::ProtocolError => "websocket protocol error",
            Self::Unsupported => "binary frames are not supported: send JSON as text",
            Self::InvalidUtf8 => "text is not valid UTF-8",
            Self::InvalidDeflate => "compressed message is not valid DEFLATE",
            Self::Policy => "what you asked for is invalid: see the error before this",
            Self::TooLarge => "frame too large",
            Self::Internal => "the server failed: reconnect and resume",
            Self::TryAgainLater => "try again later",
            Self::Unauthorized => "who you are is missing or invalid",
            Self::TooManyConnections => "too many connections",
            Self::SlowConsumer => "slow consumer: you did not read what you were sent",
            Self::Flooding => "flooding: too many of your frames were refused",
            Self::NoPong => "no pong",
            Self::TokenExpired => "token expired: reconnect with a new one and resume",
        }
    }
}
