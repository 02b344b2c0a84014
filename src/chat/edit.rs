//! Editing a message.

use super::{Outcome, queue};
use crate::{
    protocol::{Origin, UserId, edit::EditMessage},
    store::{Draft, Intent, Writer},
};

/// Has a message changed; whose it is, is looked at where it is changed, so that nothing comes in between.
pub(super) fn edit(writer: &Writer, user: UserId, origin: Origin, edit: EditMessage) -> Outcome {
    queue(writer, Draft { origin, intent: Intent::Edit(user, edit) })
}
