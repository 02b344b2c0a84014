//! Posting a message.

use super::{Outcome, queue};
use crate::{
    protocol::{Answer, Caller, ErrorCode, Origin, Refusal, UserId, post::NewMessage},
    store::{Draft, Intent, Writer},
};

/// Has a message stored, if its sender is who they say; whether they may post there, is decided where it is stored.
pub(super) fn post(writer: &Writer, caller: Caller, origin: Origin, message: NewMessage) -> Outcome {
    if message.sender_id != caller.user {
        return Outcome::Refused(Answer { to: origin, outcome: Err(not_the_sender(caller.user)) });
    }
    queue(writer, Draft::new(origin, Intent::Post(caller, message)))
}

fn not_the_sender(user: UserId) -> Refusal {
    let message = format!("sender_id must be {user}, the user of this session");
    Refusal { field: Some("sender_id"), ..Refusal::new(ErrorCode::SenderMismatch, message) }
}
