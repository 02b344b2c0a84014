//! Deleting a message.

use super::{Outcome, queue};
use crate::{
    protocol::{Caller, Origin, delete::DeleteMessage},
    store::{Draft, Intent, Writer},
};

/// Has a message made a tombstone; who may do that, is decided where it is deleted, so that nothing comes in between.
pub(super) fn delete(writer: &Writer, caller: Caller, origin: Origin, delete: DeleteMessage) -> Outcome {
    queue(writer, Draft::new(origin, Intent::Delete(caller, delete)))
}
