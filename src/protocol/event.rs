//! What a commit changed, in the order of the log: the only thing that is ever published.

use super::{Answer, Message, delete::Deleted, edit::Edited};
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
}

impl Committed {
    /// What a later part of the same commit brought.
    pub fn append(&mut self, mut later: Self) {
        self.events.append(&mut later.events);
        self.answers.append(&mut later.answers);
    }
}

/// What one commit brought: the events for all, and an answer for each who waits for one.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// In the order of the log, without a gap, also against the commit before.
    pub events: Vec<Event>,
    /// In the order in which the commands arrived.
    pub answers: Vec<Answer>,
}
