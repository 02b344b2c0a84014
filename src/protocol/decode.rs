//! From a text frame to a command, or to a refusal that names the fault.

use super::{
    Command, ConversationKind, Dialect, ErrorCode, Limits, Refusal, RequestId, delete::DeleteMessage, edit::EditMessage,
    fields::Fields, history::GetHistory, post::NewMessage, token::RefreshToken,
};

/// A well-formed frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Echoed in the answer.
    pub request_id: Option<RequestId>,
    /// What is asked for.
    pub asked: Asked,
}

/// What a frame asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Something of the server.
    Command(Command),
    /// To go on under a newer token, which is the session's own business.
    Refresh(RefreshToken),
}

/// The longest `type` that is worth echoing.
const MAX_TYPE_CHARS: usize = 64;

const REFRESH_TOKEN: &str = "REFRESH_TOKEN";

/// A frame that is no command, and what the client calls it, if that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Echoed in the `ERROR`.
    pub request_id: Option<RequestId>,
    /// Why.
    pub refusal: Refusal,
}

/// Reads one text frame.
///
/// # Errors
/// Where it is not one JSON object, names no known command, or a field is at fault.
pub fn decode(text: &str, dialect: Dialect, limits: &Limits) -> Result<Frame, Refused> {
    let without_id = |refusal| Refused { request_id: None, refusal };
    let fields = Fields::read(text)
        .map_err(|fault| without_id(Refusal::new(ErrorCode::InvalidJson, format!("a frame must be one JSON object: {fault}"))))?;
    let request_id = request_id(&fields).map_err(without_id)?;
    match asked(&fields, dialect, limits) {
        Ok(asked) => Ok(Frame { request_id, asked }),
        Err(refusal) => Err(Refused { request_id, refusal }),
    }
}

fn asked(fields: &Fields<'_>, dialect: Dialect, limits: &Limits) -> Result<Asked, Refusal> {
    if dialect == Dialect::NatterV1 && fields.optional_text("type", MAX_TYPE_CHARS)? == Some(REFRESH_TOKEN) {
        return RefreshToken::read(fields).map(Asked::Refresh);
    }
    command(fields, dialect, limits).map(Asked::Command)
}

fn request_id(fields: &Fields<'_>) -> Result<Option<RequestId>, Refusal> {
    let Some(text) = fields.optional_text("request_id", RequestId::MAX_CHARS)? else { return Ok(None) };
    match RequestId::new(text) {
        Some(id) => Ok(Some(id)),
        None => Err(Refusal::field("request_id", format!("request_id must have 1 to {} characters", RequestId::MAX_CHARS))),
    }
}

fn command(fields: &Fields<'_>, dialect: Dialect, limits: &Limits) -> Result<Command, Refusal> {
    let name = fields.text("type", MAX_TYPE_CHARS)?;
    match (name, dialect) {
        ("NEW_MESSAGE", _) => NewMessage::read(ConversationKind::Chat, fields, dialect, limits).map(Command::Post),
        ("NEW_SUPPORT_MESSAGE", _) => NewMessage::read(ConversationKind::Support, fields, dialect, limits).map(Command::Post),
        (_, Dialect::Classic) => Err(if is_of_natter_v1(name) { needs_natter_v1(name) } else { unknown(name) }),
        ("EDIT_MESSAGE", Dialect::NatterV1) => EditMessage::read(fields, limits).map(Command::Edit),
        ("DELETE_MESSAGE", Dialect::NatterV1) => DeleteMessage::read(fields).map(Command::Delete),
        ("GET_HISTORY", Dialect::NatterV1) => GetHistory::read(fields).map(Command::GetHistory),
        ("PING", Dialect::NatterV1) => Ok(Command::Ping),
        (_, Dialect::NatterV1) => Err(unknown(name)),
    }
}

fn is_of_natter_v1(name: &str) -> bool {
    matches!(name, "EDIT_MESSAGE" | "DELETE_MESSAGE" | "GET_HISTORY" | "PING" | REFRESH_TOKEN)
}

fn unknown(name: &str) -> Refusal {
    let message = format!("no command is called {name:?}");
    Refusal { field: Some("type"), ..Refusal::new(ErrorCode::UnknownType, message) }
}

fn needs_natter_v1(name: &str) -> Refusal {
    let message = format!("{name} needs the subprotocol natter.v1: new WebSocket(url, [\"natter.v1\"])");
    Refusal { field: Some("type"), ..Refusal::new(ErrorCode::UnknownType, message) }
}
