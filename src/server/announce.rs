//! What is logged of each event: the lines that users of the Node server know, and never a message's content.

use crate::protocol::{Change, ConversationKind, Event};

/// Logs an event that is sent to this many users.
pub(super) fn announce(event: &Event, users: usize) {
    match &event.change {
        Change::Posted(message) => match message.conversation.kind {
            ConversationKind::Chat => log::info!("💬 WS: New message created with ID: {}", message.id),
            ConversationKind::Support => log::info!("🆘 WS: New support message created with ID: {}", message.id),
        },
        Change::Edited(edited) => log::info!("✏️ WS: Message edited with ID: {}", edited.message_id),
        Change::Deleted(deleted) => log::info!("🗑️ WS: Message deleted with ID: {}", deleted.message_id),
        Change::Member(changed) => log::info!("👥 WS: Membership of user {} changed", changed.user),
    }
    log::info!("📡 WS: Message broadcast sent to {users} users");
}
