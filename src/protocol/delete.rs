//! `DELETE_MESSAGE`: a tombstone stays; what the message said is gone.

use super::{Conversation, Refusal, conversation::id_field, fields::Fields, message::WireTime};
use entity::{MessageId, Timestamp, UserId};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A message that is to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteMessage {
    /// Where the message stands.
    pub conversation: Conversation,
    /// The message.
    pub message_id: MessageId,
}

impl DeleteMessage {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { conversation: fields.conversation()?, message_id: MessageId(fields.id("message_id")?) })
    }
}

/// A message that was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Where it stood.
    pub conversation: Conversation,
    /// The message.
    pub message_id: MessageId,
    /// The version that the tombstone is: higher than that of any content.
    pub version: i32,
    /// When it was deleted.
    pub at: Timestamp,
    /// Who deleted it.
    pub by: UserId,
}

impl Serialize for Deleted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { conversation, message_id, version, at, by } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(id_field(conversation.kind), &conversation.id.0)?;
        map.serialize_entry("message_id", &message_id.0)?;
        map.serialize_entry("version", version)?;
        map.serialize_entry("deleted_at", &WireTime(*at))?;
        map.serialize_entry("deleted_by", &by.0)?;
        map.end()
    }
}
