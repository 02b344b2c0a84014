//! What a commit changed, in the order of the log: the only thing that is ever published.

use super::{Answer, Audience, Conversation, Message, delete::Deleted, edit::Edited, member::MemberChanged};
use entity::Seq;

/// One persisted change. Everyone who may see it gets it, in the order of `seq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the log.
    pub seq: Seq,
    /// What changed.
    pub change: Change,
}

/// What an event tells, with the rows as they were committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A message was posted.
    Posted(Message),
    /// A message says something else.
    Edited(Edited),
    /// A message says nothing any more.
    Deleted(Deleted),
    /// Someone is another kind of member, or none.
    Member(MemberChanged),
}

impl Change {
    /// Where it happened.
    #[must_use]
    pub fn conversation(&self) -> Conversation {
        match self {
            Self::Posted(message) => message.conversation,
            Self::Edited(edited) => edited.conversation,
            Self::Deleted(deleted) => deleted.conversation,
            Self::Member(changed) => changed.conversation,
        }
    }
}

/// An event, and who may see it: as it was when the event was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressed {
    /// What happened.
    pub event: Event,
    /// Who is told.
    pub audience: Audience,
}

impl Committed {
    /// What a later part of the same commit brought.
    pub fn append(&mut self, later: Self) {
        self.frees_files |= later.frees_files;
        append(&mut self.events, later.events);
        append(&mut self.answers, later.answers);
    }
}

/// A batch is one step as a rule: what it brought is not copied.
fn append<T>(all: &mut Vec<T>, mut more: Vec<T>) {
    if all.is_empty() {
        *all = more;
    } else {
        all.append(&mut more);
    }
}

/// What one commit brought: the events for those who may see them, and an answer for each who waits for one.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// In the order of the log, without a gap, also against the commit before.
    pub events: Vec<Addressed>,
    /// In the order in which the commands arrived.
    pub answers: Vec<Answer>,
    /// Whether a message lost its files.
    pub frees_files: bool,
}
