//! Posting a message.

use super::{Outcome, queue};
use crate::{
    protocol::{Answer, ErrorCode, Origin, Refusal, UserId, post::NewMessage},
    store::{Draft, Intent, Writer},
};

/// Has a message stored, if its sender is who they say.
pub(super) fn post(writer: &Writer, user: UserId, origin: Origin, message: NewMessage) -> Outcome {
    if message.sender_id != user {
        return Outcome::Refused(Answer { to: origin, outcome: Err(not_the_sender(user)) });
    }
    queue(writer, Draft { origin, intent: Intent::Post(message) })
}

fn not_the_sender(user: UserId) -> Refusal {
    let message = format!("sender_id must be {user}, the user of this session");
    Refusal { field: Some("sender_id"), ..Refusal::new(ErrorCode::SenderMismatch, message) }
}
