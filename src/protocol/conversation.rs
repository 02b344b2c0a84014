//! A chat or a support chat, as one thing: every rule is written once for both.

use super::{Refusal, fields::Fields};
use entity::{ConversationId, ConversationKind};

/// Where a message belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conversation {
    /// Chat or support chat.
    pub kind: ConversationKind,
    /// Its id among those of its kind.
    pub id: ConversationId,
}

impl Fields<'_> {
    /// The conversation that a frame names: exactly one of the two.
    pub(super) fn conversation(&self) -> Result<Conversation, Refusal> {
        let (chat, support) = (self.optional_id("chat_id")?, self.optional_id("support_chat_id")?);
        match (chat, support) {
            (Some(id), None) => Ok(Conversation { kind: ConversationKind::Chat, id: ConversationId(id) }),
            (None, Some(id)) => Ok(Conversation { kind: ConversationKind::Support, id: ConversationId(id) }),
            (None, None) | (Some(_), Some(_)) => {
                Err(Refusal::field("chat_id", "name exactly one of chat_id and support_chat_id, each an integer from 1"))
            }
        }
    }
}

/// The key that names a conversation of this kind in frames and rows.
#[must_use]
pub fn id_field(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::Chat => "chat_id",
        ConversationKind::Support => "support_chat_id",
    }
}
