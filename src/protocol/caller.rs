//! Who asks for something: a user with a role, or the application's own backend.

use super::UserId;
use std::str::FromStr;

/// What a user may do beyond their own conversations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Whoever is nothing else.
    #[default]
    User,
    /// Answers in support chats.
    Agent,
    /// Runs the place.
    Admin,
}

impl Role {
    /// The role as it stands in a token.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Agent => "agent",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "user" => Ok(Self::User),
            "agent" => Ok(Self::Agent),
            "admin" => Ok(Self::Admin),
            _ => Err("must be \"user\", \"agent\" or \"admin\""),
        }
    }
}

/// A user, as they are known for the length of a session or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Who.
    pub user: UserId,
    /// As what.
    pub role: Role,
}

/// Who a request over HTTP comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A user.
    User(Caller),
    /// The application's backend, by one of `api.keys`.
    ServerKey,
}
