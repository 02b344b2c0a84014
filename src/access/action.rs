//! What can be done to a conversation. Each command is one of these, or none that needs a conversation.

use crate::protocol::{Command, Conversation};
use std::str::FromStr;

/// What someone wants to do to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// To read it: history, and events, live or after coming back.
    Read,
    /// To post a message.
    Post,
    /// To edit a message of one's own.
    Edit,
    /// To delete a message of one's own.
    Delete,
    /// To delete another's message.
    Moderate,
    /// To list its members.
    ListMembers,
    /// To add, change or remove a member.
    SetMember,
    /// To ask what someone may do in it, and why.
    Explain,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Read, Self::Post, Self::Edit, Self::Delete, Self::Moderate, Self::ListMembers, Self::SetMember, Self::Explain];

    /// Its name in `explain`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Post => "post",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Moderate => "moderate",
            Self::ListMembers => "list_members",
            Self::SetMember => "set_member",
            Self::Explain => "explain",
        }
    }

    /// What a command does, and where; `None` is one that concerns no conversation. A new command has a line here, or does not
    /// compile. Whose message is to be deleted is not known yet: another's needs [`Action::Moderate`].
    #[must_use]
    pub fn of(command: &Command) -> Option<(Self, Conversation)> {
        match command {
            Command::Post(message) => Some((Self::Post, message.conversation)),
            Command::Edit(edit) => Some((Self::Edit, edit.conversation)),
            Command::Delete(delete) => Some((Self::Delete, delete.conversation)),
            Command::GetHistory(query) => Some((Self::Read, query.conversation)),
            Command::Ping => None,
        }
    }
}

/// It is the name of no action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("action must be one of {}", Action::ALL.map(Action::name).join(", "))]
pub struct UnknownAction;

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|action| action.name() == text).ok_or(UnknownAction)
    }
}
