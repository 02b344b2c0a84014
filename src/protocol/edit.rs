//! `EDIT_MESSAGE`: a message says something else, under the next version.

use super::{Conversation, Limits, Refusal, conversation::id_field, fields::Fields, message::WireTime};
use entity::{MessageId, Timestamp, UserId};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A new content for a message, as the client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditMessage {
    /// Where the message stands.
    pub conversation: Conversation,
    /// The message.
    pub message_id: MessageId,
    /// What it is to say.
    pub content: String,
}

impl EditMessage {
    pub(super) fn read(fields: &Fields<'_>, limits: &Limits) -> Result<Self, Refusal> {
        let conversation = fields.conversation()?;
        let message_id = MessageId(fields.id("message_id")?);
        let content = fields.text("content", limits.content_chars)?.to_owned();
        if content.is_empty() {
            return Err(Refusal::field("content", "content must not be empty: DELETE_MESSAGE deletes a message"));
        }
        Ok(Self { conversation, message_id, content })
    }
}

/// A message's content as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Where the message stands.
    pub conversation: Conversation,
    /// The message.
    pub message_id: MessageId,
    /// The version that this content is.
    pub version: i32,
    /// What it says.
    pub content: String,
    /// When it was changed.
    pub at: Timestamp,
    /// Who changed it.
    pub by: UserId,
}

impl Serialize for Edited {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { conversation, message_id, version, content, at, by } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(id_field(conversation.kind), &conversation.id.0)?;
        map.serialize_entry("message_id", &message_id.0)?;
        map.serialize_entry("version", version)?;
        map.serialize_entry("content", content)?;
        map.serialize_entry("edited_at", &WireTime(*at))?;
        map.serialize_entry("edited_by", &by.0)?;
        map.end()
    }
}
