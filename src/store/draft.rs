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
    /// See [`Draft::weight`]: the queue and the lane ask again and again.
    weight: usize,
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
    /// A change for which `origin` waits.
    #[must_use]
    pub fn new(origin: Origin, intent: Intent) -> Self {
        let weight = size_of::<Origin>() + intent.weight();
        Self { origin, intent, weight }
    }

    /// Roughly what it holds in memory, in bytes: what the queue's bound counts.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }
}

impl Intent {
    fn weight(&self) -> usize {
        match self {
            Self::Post(_, message) => message.weight(),
            Self::Edit(_, edit) => size_of::<Draft>() + written_length(&edit.content),
            Self::Delete(..) | Self::SetMember(..) => size_of::<Draft>(),
        }
    }
}
