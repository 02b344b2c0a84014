//! A stored message, of either kind, and how it stands on the wire.

use super::{Attachment, Conversation, Dialect, attachment::Told, conversation::id_field, post::written_length};
use chrono::SecondsFormat;
use entity::{ConversationId, ConversationKind, MessageId, Timestamp, UserId};
use serde::ser::{Serialize, SerializeMap, Serializer};
use uuid::Uuid;

/// A message as it was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id among the messages of its kind.
    pub id: MessageId,
    /// Where it was posted.
    pub conversation: Conversation,
    /// Who posted it.
    pub sender_id: UserId,
    /// The text.
    pub content: String,
    /// The attached files' type, as the client named it.
    pub file_type: Option<String>,
    /// Where the attached files lie, as the client named it.
    pub file_paths: Option<String>,
    /// Stored and echoed; chat messages alone.
    pub selected_chat_id: Option<ConversationId>,
    /// When its batch was taken up to be stored.
    pub created_at: Timestamp,
    /// The sender's idempotency key.
    pub client_id: Option<Uuid>,
    /// Counts its changes from 1: of two tellings, the one with the higher version holds.
    pub version: i32,
    /// When its content was last changed, and by whom.
    pub edited: Option<(Timestamp, UserId)>,
    /// When it was deleted, and by whom; its content and files are gone then.
    pub deleted: Option<(Timestamp, UserId)>,
    /// The files that were uploaded for it.
    pub attachments: Vec<Attachment>,
}

impl Message {
    /// Roughly the bytes that it takes on the wire, without those that every message takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let Self { content, file_type, file_paths, attachments, .. } = self;
        let texts = [Some(content), file_type.as_ref(), file_paths.as_ref()].into_iter().flatten();
        texts.map(|text| written_length(text)).sum::<usize>() + attachments.iter().map(Attachment::weight).sum::<usize>()
    }
}

/// A message as one dialect writes it: the classic keys first, in their order, then what `natter.v1` adds where it is set.
pub(crate) struct MessagePayload<'a> {
    pub(crate) message: &'a Message,
    pub(crate) dialect: Dialect,
}

impl Serialize for MessagePayload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Message {
            id, conversation, sender_id, content, file_type, file_paths, selected_chat_id, created_at, client_id, ..
        } = self.message;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &id.0)?;
        map.serialize_entry(id_field(conversation.kind), &conversation.id.0)?;
        map.serialize_entry("sender_id", &sender_id.0)?;
        map.serialize_entry("content", content)?;
        map.serialize_entry("file_type", file_type)?;
        map.serialize_entry("file_paths", file_paths)?;
        if conversation.kind == ConversationKind::Chat {
            map.serialize_entry("selected_chat_id", &selected_chat_id.map(|id| id.0))?;
        }
        map.serialize_entry("created_at", &WireTime(*created_at))?;
        match self.dialect {
            Dialect::Classic => {}
            Dialect::NatterV1 => {
                if let Some(client_id) = client_id {
                    map.serialize_entry("client_id", client_id)?;
                }
                if !self.message.attachments.is_empty() {
                    map.serialize_entry("attachments", &self.message.attachments.iter().map(Told).collect::<Vec<_>>())?;
                }
                map.serialize_entry("version", &self.message.version)?;
                if let Some((at, _)) = self.message.edited {
                    map.serialize_entry("edited_at", &WireTime(at))?;
                }
                if let Some((at, _)) = self.message.deleted {
                    map.serialize_entry("deleted_at", &WireTime(at))?;
                }
            }
        }
        map.end()
    }
}

/// A moment as every frame writes it: RFC 3339 in UTC with milliseconds and `Z`.
pub(crate) struct WireTime(pub(crate) Timestamp);

impl Serialize for WireTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}
