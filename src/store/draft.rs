//! A change that is wanted and allowed, on its way to the database.

use crate::protocol::{
    Origin, UserId,
    delete::DeleteMessage,
    edit::EditMessage,
    post::{NewMessage, written_length},
};

/// One change, and who waits for its answer.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Who waits.
    pub origin: Origin,
    /// What is wanted.
    pub intent: Intent,
}

/// What a draft wants.
#[derive(Clone, Debug)]
pub enum Intent {
    /// Store a message.
    Post(NewMessage),
    /// Change what a message of this user says.
    Edit(UserId, EditMessage),
    /// Make a message of this user a tombstone.
    Delete(UserId, DeleteMessage),
}

impl Draft {
    /// Roughly what it holds in memory, in bytes: what the queue's bound counts.
    #[must_use]
    pub fn weight(&self) -> usize {
        let intent = match &self.intent {
            Intent::Post(message) => message.weight(),
            Intent::Edit(_, edit) => size_of::<Self>() + written_length(&edit.content),
            Intent::Delete(..) => size_of::<Self>(),
        };
        size_of::<Origin>() + intent
    }
}
