//! A change that is wanted, on its way to the database. Whether it is allowed is decided there.

use crate::protocol::{
    Caller, Origin, Principal,
    delete::DeleteMessage,
    edit::EditMessage,
    member::SetMember,
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
    /// Store a message of this user.
    Post(Caller, NewMessage),
    /// Change what a message says.
    Edit(Caller, EditMessage),
    /// Make a message a tombstone.
    Delete(Caller, DeleteMessage),
    /// Make a user another kind of member, or none.
    SetMember(Principal, SetMember),
}

impl Draft {
    /// Roughly what it holds in memory, in bytes: what the queue's bound counts.
    #[must_use]
    pub fn weight(&self) -> usize {
        let intent = match &self.intent {
            Intent::Post(_, message) => message.weight(),
            Intent::Edit(_, edit) => size_of::<Self>() + written_length(&edit.content),
            Intent::Delete(..) | Intent::SetMember(..) => size_of::<Self>(),
        };
        size_of::<Origin>() + intent
    }
}
