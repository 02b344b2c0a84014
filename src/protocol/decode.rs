//! From a text frame to a command, or to a refusal that names the fault.

use super::{
    Command, ConversationKind, Dialect, ErrorCode, Limits, Refusal, RequestId, command::Request, delete::DeleteMessage,
    edit::EditMessage, fields::Fields, history::GetHistory, post::NewMessage,
};

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
pub fn decode(text: &str, dialect: Dialect, limits: &Limits) -> Result<Request, Refused> {
    let without_id = |refusal| Refused { request_id: None, refusal };
    let fields = Fields::read(text)
        .map_err(|fault| without_id(Refusal::new(ErrorCode::InvalidJson, format!("a frame must be one JSON object: {fault}"))))?;
    let request_id = request_id(&fields).map_err(without_id)?;
    match command(&fields, dialect, limits) {
        Ok(command) => Ok(Request { request_id, command }),
        Err(refusal) => Err(Refused { request_id, refusal }),
    }
}

fn request_id(fields: &Fields<'_>) -> Result<Option<RequestId>, Refusal> {
    let Some(text) = fields.optional_text("request_id", RequestId::MAX_CHARS)? else { return Ok(None) };
    match RequestId::new(text) {
        Some(id) => Ok(Some(id)),
        None => Err(Refusal::field("request_id", format!("request_id must have 1 to {} characters", RequestId::MAX_CHARS))),
    }
}

fn command(fields: &Fields<'_>, dialect: Dialect, limits: &Limits) -> Result<Command, Refusal> {
    /// The longest `type` that is worth echoing.
    const MAX_TYPE_CHARS: usize = 64;
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
    matches!(name, "EDIT_MESSAGE" | "DELETE_MESSAGE" | "GET_HISTORY" | "PING")
}

fn unknown(name: &str) -> Refusal {
    let message = format!("no command is called {name:?}");
    Refusal { field: Some("type"), ..Refusal::new(ErrorCode::UnknownType, message) }
}

fn needs_natter_v1(name: &str) -> Refusal {
    let message = format!("{name} needs the subprotocol natter.v1: new WebSocket(url, [\"natter.v1\"])");
    Refusal { field: Some("type"), ..Refusal::new(ErrorCode::UnknownType, message) }
}
