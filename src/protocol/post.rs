//! `NEW_MESSAGE` and `NEW_SUPPORT_MESSAGE`: a message that a client wants to post.

use super::{
    Conversation, Dialect, Limits, Refusal,
    attachment::{self, MAX_ATTACHMENTS},
    conversation::id_field,
    fields::Fields,
};
use entity::{ConversationId, ConversationKind, UserId};
use uuid::Uuid;

/// The longest `file_type`, in characters: a media type with its parameters.
pub const MAX_FILE_TYPE_CHARS: usize = 255;

/// The longest `file_paths`, in characters.
pub const MAX_FILE_PATHS_CHARS: usize = 4_096;

/// What may stand between the paths of a list: the seed leaves its form open.
pub(super) const BETWEEN_PATHS: [char; 7] = [',', ';', '"', '\'', '[', ']', ' '];

/// A message as the client sent it, each field within its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Where it goes.
    pub conversation: Conversation,
    /// Who posts it, as the client says.
    pub sender_id: UserId,
    /// The text; empty only where files are attached, or named in `file_paths`.
    pub content: String,
    /// The attached files' type.
    pub file_type: Option<String>,
    /// Where the attached files lie.
    pub file_paths: Option<String>,
    /// Stored and echoed; chat messages alone.
    pub selected_chat_id: Option<ConversationId>,
    /// The sender's idempotency key.
    pub client_id: Option<Uuid>,
    /// Uploads of the sender that it brings, each once: by id, or by their path in `file_paths`.
    pub attachments: Vec<Uuid>,
}

impl NewMessage {
    /// Reads the fields of a new message of this kind.
    pub(super) fn read(kind: ConversationKind, fields: &Fields<'_>, dialect: Dialect, limits: &Limits) -> Result<Self, Refusal> {
        let conversation = Conversation { kind, id: ConversationId(fields.id(id_field(kind))?) };
        let sender_id = UserId(fields.id("sender_id")?);
        let content = fields.text("content", limits.content_chars)?;
        let file_type = fields.optional_text("file_type", MAX_FILE_TYPE_CHARS)?;
        let file_paths = fields.optional_text("file_paths", MAX_FILE_PATHS_CHARS)?;
        let attachments = attachments(fields, dialect, file_paths)?;
        if content.is_empty() && file_paths.is_none_or(str::is_empty) && attachments.is_empty() {
            return Err(Refusal::field("content", "content must not be empty unless file_paths or attachments is set"));
        }
        if file_type.is_some_and(|text| text.contains(char::is_control)) {
            return Err(Refusal::field("file_type", "file_type must not contain control characters"));
        }
        file_paths.map_or(Ok(()), check_paths)?;
        let selected_chat_id = match kind {
            ConversationKind::Chat => fields.optional_id("selected_chat_id")?.map(ConversationId),
            ConversationKind::Support => None,
        };
        let client_id = match dialect {
            Dialect::Classic => None,
            Dialect::NatterV1 => fields.optional_uuid("client_id")?,
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (content, file_type, file_paths) = (content.to_owned(), owned(file_type), owned(file_paths));
        Ok(Self { conversation, sender_id, content, file_type, file_paths, selected_chat_id, client_id, attachments })
    }

    /// Roughly what it takes in memory and on the wire, in bytes: what the bounds of a queue and of a batch count.
    #[must_use]
    pub fn weight(&self) -> usize {
        let text = |text: &Option<String>| text.as_deref().map_or(0, written_length);
        let attachments = self.attachments.len() * attachment::WEIGHT;
        size_of::<Self>() + written_length(&self.content) + text(&self.file_type) + text(&self.file_paths) + attachments
    }
}

/// The uploads that a message brings: those that it lists, then those whose paths stand in `file_paths`.
fn attachments(fields: &Fields<'_>, dialect: Dialect, file_paths: Option<&str>) -> Result<Vec<Uuid>, Refusal> {
    let mut ids = match dialect {
        Dialect::Classic => Vec::new(),
        Dialect::NatterV1 => fields.uuids("attachments", MAX_ATTACHMENTS)?,
    };
    for id in file_paths.into_iter().flat_map(attachment::named_in) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.len() > MAX_ATTACHMENTS {
        return Err(Refusal::field("file_paths", format!("file_paths must name at most {MAX_ATTACHMENTS} uploads")));
    }
    Ok(ids)
}

/// The bytes that a text takes as JSON, where a control character is written with six.
#[must_use]
pub fn written_length(text: &str) -> usize {
    let escaped = count(text, |byte| matches!(byte, b'"' | b'\\'));
    let control = count(text, |byte| byte < 0x20);
    text.len() + escaped + 5 * control
}

/// How many bytes are such. Counted in bytes, piece by piece, which the processor does for many at once.
fn count(text: &str, is_such: impl Fn(u8) -> bool) -> usize {
    let in_piece = |piece: &[u8]| piece.iter().map(|byte| u8::from(is_such(*byte))).sum::<u8>();
    text.as_bytes().chunks(u8::MAX.into()).map(|piece| usize::from(in_piece(piece))).sum()
}

/// Applications put these paths into links and join them to folders, so what climbs out of a folder or runs as a script is
/// refused. The seed leaves open whether it is one path or a list, so each piece is looked at.
fn check_paths(file_paths: &str) -> Result<(), Refusal> {
    let refuse = |message| Err(Refusal::field("file_paths", message));
    if file_paths.contains(char::is_control) {
        return refuse("file_paths must not contain control characters");
    }
    for piece in file_paths.split(BETWEEN_PATHS) {
        if piece.split(['/', '\\']).any(|segment| segment == "..") {
            return refuse("file_paths must not contain the segment \"..\"");
        }
        let scheme = piece.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        if matches!(scheme.as_deref(), Some("javascript" | "vbscript" | "data")) {
            return refuse("file_paths must not be a javascript:, vbscript: or data: address");
        }
    }
    Ok(())
}
