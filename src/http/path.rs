//! What the path of a request names.

use crate::protocol::{Conversation, ConversationId, ConversationKind, Refusal, fields::id_parameter};

/// The conversation of this kind whose id stands in the path.
pub(super) fn conversation(kind: ConversationKind, id: &str) -> Result<Conversation, Refusal> {
    Ok(Conversation { kind, id: ConversationId(id_parameter("id", id)?) })
}
