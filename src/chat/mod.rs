//! The rules: what a command may do, a file a feature. Decides; the store commits; the hubs publish.

mod delete;
mod edit;
mod history;
mod may;
mod member;
mod post;
mod upload;

pub use history::history;
pub use may::{may, standing};
pub use member::{Members, members, set_member};
pub use upload::{absent, linked_upload, upload};

use crate::{
    clock::Clock,
    metrics,
    protocol::{Answer, Caller, Command, Origin, Principal, frame, history::GetHistory},
    store::{Draft, Reader, Writer},
};
use futures_util::future::LocalBoxFuture;

/// What the rules need.
#[derive(Debug)]
pub struct Chat {
    writer: Writer,
    reader: Reader,
    clock: Clock,
}

/// What became of a command at once.
pub enum Outcome {
    /// It is on its way to the database; the answer comes with its commit.
    Queued,
    /// It changed nothing and never will.
    Refused(Answer),
    /// It asked for something that is answered without the database: a frame's JSON.
    Told(Vec<u8>),
    /// It asked for something that is being read: a frame's JSON, later.
    Reading(LocalBoxFuture<'static, Vec<u8>>),
}

impl Chat {
    /// Rules whose changes go through `writer`, and whose pages come from `reader`.
    #[must_use]
    pub fn new(writer: Writer, reader: Reader, clock: Clock) -> Self {
        Self { writer, reader, clock }
    }

    /// Carries out a command of `caller`.
    #[must_use]
    pub fn run(&self, caller: Caller, origin: Origin, command: Command) -> Outcome {
        match command {
            Command::Post(message) => post::post(&self.writer, caller, origin, message),
            Command::Edit(edit) => edit::edit(&self.writer, caller, origin, edit),
            Command::Delete(delete) => delete::delete(&self.writer, caller, origin, delete),
            Command::GetHistory(query) => Outcome::Reading(Box::pin(told_history(self.reader.clone(), caller, origin, query))),
            Command::Ping => Outcome::Told(frame::pong(origin.request_id(), self.clock.now())),
        }
    }
}

/// Puts a draft into the lane.
fn queue(writer: &Writer, draft: Draft) -> Outcome {
    match writer.submit(draft) {
        Ok(()) => Outcome::Queued,
        Err(refused) => Outcome::Refused(refused),
    }
}

async fn told_history(reader: Reader, caller: Caller, origin: Origin, query: GetHistory) -> Vec<u8> {
    let request_id = origin.request_id();
    match history(&reader, Principal::User(caller), &query).await {
        Ok(page) => frame::history(request_id, &page),
        Err(refusal) => {
            metrics::refused(refusal.code);
            frame::error(request_id, &refusal)
        }
    }
}
