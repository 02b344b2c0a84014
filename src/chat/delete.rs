//! Deleting a message.

use super::{Outcome, queue};
use crate::{
    protocol::{Origin, UserId, delete::DeleteMessage},
    store::{Draft, Intent, Writer},
};

/// Has a message made a tombstone; whose it is, is looked at where it is deleted, so that nothing comes in between.
pub(super) fn delete(writer: &Writer, user: UserId, origin: Origin, delete: DeleteMessage) -> Outcome {
    queue(writer, Draft { origin, intent: Intent::Delete(user, delete) })
}
