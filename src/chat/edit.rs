//! Editing a message.

use super::{Outcome, queue};
use crate::{
    protocol::{Caller, Origin, edit::EditMessage},
    store::{Draft, Intent, Writer},
};

/// Has a message changed; who may do that, is decided where it is changed, so that nothing comes in between.
pub(super) fn edit(writer: &Writer, caller: Caller, origin: Origin, edit: EditMessage) -> Outcome {
    queue(writer, Draft::new(origin, Intent::Edit(caller, edit)))
}
