//! A chat or a support chat, as one thing: every rule is written once for both.

use entity::{ConversationId, ConversationKind};

/// Where a message belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conversation {
    /// Chat or support chat.
    pub kind: ConversationKind,
    /// Its id among those of its kind.
    pub id: ConversationId,
}

/// The key that names a conversation of this kind in frames and rows.
#[must_use]
pub fn id_field(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::Chat => "chat_id",
        ConversationKind::Support => "support_chat_id",
    }
}
