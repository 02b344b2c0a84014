//! What a client may ask for. A feature adds one variant here, one line in [`decode`](super::decode), and one arm in `chat::run`.

use super::{
    Conversation, ConversationKind, RequestId, delete::DeleteMessage, edit::EditMessage, history::GetHistory, post::NewMessage,
};

/// A well-formed command; whether it is allowed is not decided yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `NEW_MESSAGE`, `NEW_SUPPORT_MESSAGE`.
    Post(NewMessage),
    /// `EDIT_MESSAGE`.
    Edit(EditMessage),
    /// `DELETE_MESSAGE`.
    Delete(DeleteMessage),
    /// `GET_HISTORY`.
    GetHistory(GetHistory),
    /// `PING`: for browsers, which can't see control frames.
    Ping,
}

impl Command {
    /// Whether its answer may be large: a session has few of them at a time.
    #[must_use]
    pub fn is_answered_with_a_page(&self) -> bool {
        match self {
            Self::GetHistory(_) => true,
            Self::Post(_) | Self::Edit(_) | Self::Delete(_) | Self::Ping => false,
        }
    }

    /// Its `type`, for the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Post(message) => match message.conversation.kind {
                ConversationKind::Chat => "NEW_MESSAGE",
                ConversationKind::Support => "NEW_SUPPORT_MESSAGE",
            },
            Self::Edit(_) => "EDIT_MESSAGE",
            Self::Delete(_) => "DELETE_MESSAGE",
            Self::GetHistory(_) => "GET_HISTORY",
            Self::Ping => "PING",
        }
    }

    /// The conversation that it changes something in.
    #[must_use]
    pub fn changes(&self) -> Option<Conversation> {
        match self {
            Self::Post(message) => Some(message.conversation),
            Self::Edit(edit) => Some(edit.conversation),
            Self::Delete(delete) => Some(delete.conversation),
            Self::GetHistory(_) | Self::Ping => None,
        }
    }
}

/// A command, and what the client calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Echoed in the answer.
    pub request_id: Option<RequestId>,
    /// What is asked for.
    pub command: Command,
}
