//! The rules: what a command may do, a file a feature. Decides; the store commits; the hubs publish.

mod post;

use crate::{
    clock::Clock,
    protocol::{Answer, Command, Origin, UserId, frame},
    store::Writer,
};

/// What the rules need.
#[derive(Debug)]
pub struct Chat {
    writer: Writer,
    clock: Clock,
}

/// What became of a command at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on its way to the database; the answer comes with its commit.
    Queued,
    /// It changed nothing and never will.
    Refused(Answer),
    /// It asked for something that is answered without the database: a frame's JSON.
    Told(Vec<u8>),
}

impl Chat {
    /// Rules whose changes go through `writer`.
    #[must_use]
    pub fn new(writer: Writer, clock: Clock) -> Self {
        Self { writer, clock }
    }

    /// Carries out a command of `user`.
    #[must_use]
    pub fn run(&self, user: UserId, origin: Origin, command: Command) -> Outcome {
        match command {
            Command::Post(message) => post::post(&self.writer, user, origin, message),
            Command::Ping => Outcome::Told(frame::pong(origin.request_id.as_ref(), self.clock.now())),
        }
    }
}
