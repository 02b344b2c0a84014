//! Why a frame was refused: one table of codes, and the refusal that carries one to the client.

use std::borrow::Cow;

/// The codes of an `ERROR` frame. They never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::VariantArray)]
pub enum ErrorCode {
    /// The frame is not one JSON object.
    InvalidJson,
    /// `type` names no command that this dialect knows.
    UnknownType,
    /// A field is missing, of the wrong type, or outside its limits.
    InvalidField,
    /// It is larger than may be, or than there is room for.
    TooLarge,
    /// Who the client is, is missing or invalid.
    Unauthorized,
    /// `sender_id` is not the session's user.
    SenderMismatch,
    /// The user may not do this.
    Forbidden,
    /// There is no such thing, or none that the user may see.
    NotFound,
    /// It is not in the state that the command needs.
    Conflict,
    /// Too much in too short a time; the refusal says when there is room again.
    RateLimited,
    /// Nothing was stored; trying again is safe and sensible.
    Unavailable,
    /// The server failed; nothing was stored.
    Internal,
}

impl ErrorCode {
    /// The code as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::UnknownType => "unknown_type",
            Self::InvalidField => "invalid_field",
            Self::TooLarge => "too_large",
            Self::Unauthorized => "unauthorized",
            Self::SenderMismatch => "sender_mismatch",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// A command that was not carried out. It changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct Refusal {
    /// What kind of refusal.
    pub code: ErrorCode,
    /// What happened and what is allowed, for a developer to read. Never SQL, a path or a stack.
    pub message: Cow<'static, str>,
    /// The field at fault, where it is one field's fault.
    pub field: Option<&'static str>,
    /// When trying again makes sense, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal that is no single field's fault.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), field: None, retry_after_ms: None }
    }

    /// A field that is missing, of the wrong type, or outside its limits.
    #[must_use]
    pub fn field(field: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field), ..Self::new(ErrorCode::InvalidField, message) }
    }

    /// The server can't take this now; nothing was stored.
    #[must_use]
    pub fn unavailable(message: &'static str) -> Self {
        Self { retry_after_ms: Some(1_000), ..Self::new(ErrorCode::Unavailable, message) }
    }

    /// The server failed. What went wrong stands in its log, not in the answer.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(ErrorCode::Internal, "the server failed to carry this out; nothing was stored")
    }
}
