//! How often a client may do what: rates a user, an address and a conversation, shared by all of its connections on all workers.
//!
//! A further kind is a [`Quota`] in [`Quotas`], a [`Rate`] in `Rates`, and a method that takes from it.

mod network;
mod rate;

pub use network::Network;
pub use rate::{Exceeded, Quota};

use crate::protocol::{Command, Conversation, UserId};
use rate::Rate;
use std::num::NonZeroU32;

/// What is allowed, in units a second and at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Messages that a user posts, edits and deletes.
    pub messages: Quota,
    /// The same, by all users in one conversation.
    pub conversation: Quota,
    /// Everything that a user asks for, messages included.
    pub commands: Quota,
    /// Everything that comes from one address.
    pub address: Quota,
    /// WebSockets that one address asks for, and its tokens and keys that are refused.
    pub handshakes: Quota,
    /// Files that a user uploads.
    pub uploads: Quota,
    /// Frames of a user that may be refused before the connection is closed.
    pub refusals: Quota,
}

impl Quotas {
    /// A quota of messages of one user.
    #[must_use]
    pub fn messages(per_second: NonZeroU32, burst: NonZeroU32) -> Quota {
        Quota { name: "messages", per_second, burst, unit: "messages a second" }
    }

    /// A quota of messages in one conversation.
    #[must_use]
    pub fn conversation(per_second: NonZeroU32, burst: NonZeroU32) -> Quota {
        Quota { name: "conversation", per_second, burst, unit: "messages a second in one conversation" }
    }

    /// A quota of commands of one user.
    #[must_use]
    pub fn commands(per_second: NonZeroU32, burst: NonZeroU32) -> Quota {
        Quota { name: "user", per_second, burst, unit: "commands a second" }
    }

    /// A quota of commands from one address.
    #[must_use]
    pub fn address(per_second: NonZeroU32, burst: NonZeroU32) -> Quota {
        Quota { name: "address", per_second, burst, unit: "commands a second from one address" }
    }

    /// A quota of handshakes, and of refused tokens and keys, from one address.
    #[must_use]
    pub fn handshakes(per_second: NonZeroU32, burst: NonZeroU32) -> Quota {
        Quota { name: "handshakes", per_second, burst, unit: "handshakes and refused tokens a second from one address" }
    }

    /// A quota of files that one user uploads.
    #[must_use]
    pub fn uploads(per_second: NonZeroU32, burst: NonZeroU32) -> Quota {
        Quota { name: "uploads", per_second, burst, unit: "uploads a second" }
    }

    /// A quota of refused frames of one user.
    #[must_use]
    pub fn refusals(per_second: NonZeroU32, burst: NonZeroU32) -> Quota {
        Quota { name: "refusals", per_second, burst, unit: "refused frames a second" }
    }
}

/// Counts what clients do, and says when it is too much. One for all workers.
#[derive(Debug)]
pub struct Limiter {
    /// None where nothing is limited.
    rates: Option<Rates>,
}

#[derive(Debug)]
struct Rates {
    messages: Rate<UserId>,
    conversation: Rate<Conversation>,
    commands: Rate<UserId>,
    address: Rate<Network>,
    handshakes: Rate<Network>,
    uploads: Rate<UserId>,
    refusals: Rate<UserId>,
}

impl Limiter {
    /// Holds clients to `quotas`; without any, everything goes.
    #[must_use]
    pub fn new(quotas: Option<&Quotas>) -> Self {
        let rates = quotas.map(|quotas| Rates {
            messages: Rate::new(quotas.messages),
            conversation: Rate::new(quotas.conversation),
            commands: Rate::new(quotas.commands),
            address: Rate::new(quotas.address),
            handshakes: Rate::new(quotas.handshakes),
            uploads: Rate::new(quotas.uploads),
            refusals: Rate::new(quotas.refusals),
        });
        Self { rates }
    }

    /// Someone at this address asks for something, whoever it is.
    ///
    /// # Errors
    /// Where the address has asked for too much.
    pub fn from_address(&self, network: Network) -> Result<(), Exceeded> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.address.take(&network))
    }

    /// Someone at this address asks for a WebSocket, or was refused with the token or the key that they gave.
    ///
    /// # Errors
    /// Where the address has done so too often.
    pub fn handshake(&self, network: Network) -> Result<(), Exceeded> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.handshakes.take(&network))
    }

    /// A user asks for something.
    ///
    /// # Errors
    /// Where the user has asked for too much.
    pub fn by_user(&self, user: UserId) -> Result<(), Exceeded> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.commands.take(&user))
    }

    /// A user asks for something from this address.
    ///
    /// # Errors
    /// Where either has asked for too much.
    pub fn by_user_from(&self, user: UserId, network: Network) -> Result<(), Exceeded> {
        self.from_address(network)?;
        self.by_user(user)
    }

    /// A user's command came in over a WebSocket. What it takes of its conversation is counted where it is known whether they may.
    ///
    /// # Errors
    /// Where it is more than the address or the user may have.
    pub fn command(&self, user: UserId, network: Network, command: &Command) -> Result<(), Exceeded> {
        self.by_user_from(user, network)?;
        match (&self.rates, command.changes()) {
            (Some(rates), Some(_)) => rates.messages.take(&user),
            (None, _) | (_, None) => Ok(()),
        }
    }

    /// Something is about to be changed in a conversation, by someone who may.
    ///
    /// # Errors
    /// Where it is more than the conversation may have.
    pub fn in_conversation(&self, conversation: Conversation) -> Result<(), Exceeded> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.conversation.take(&conversation))
    }

    /// A user uploads a file.
    ///
    /// # Errors
    /// Where the user has uploaded too many.
    pub fn upload(&self, user: UserId) -> Result<(), Exceeded> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.uploads.take(&user))
    }

    /// A user's frame was refused.
    ///
    /// # Errors
    /// Where it was one too many: a client at fault sends a few of them, a flood many.
    pub fn refused(&self, user: UserId) -> Result<(), Exceeded> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.refusals.take(&user))
    }
}
