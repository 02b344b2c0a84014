//! Editing: the row says something new under the next version, and what it said before is kept.

use super::{
    StoreError,
    change::{Wish, changed, message_for, refused},
    memberships::View,
    table::{self, with_table},
};
use crate::{
    access::Action,
    protocol::{Caller, Change, Committed, Origin, Timestamp, edit::EditMessage, edit::Edited},
};
use entity::message_versions;
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};

/// Changes a message of `by`, inside the caller's transaction.
pub(super) async fn edit(
    tx: &impl ConnectionTrait,
    view: &mut View<'_>,
    origin: &Origin,
    by: Caller,
    edit: &EditMessage,
    at: Timestamp,
) -> Result<Committed, StoreError> {
    let EditMessage { conversation, message_id, content } = edit;
    let wish = Wish { by, conversation: *conversation, id: *message_id, of_own: Action::Edit, of_others: None };
    let message = match message_for(tx, view, wish).await? {
        Ok(message) => message,
        Err(refusal) => return Ok(refused(origin, refusal)),
    };
    let earlier = message_versions::ActiveModel {
        conversation_kind: Set(conversation.kind),
        message_id: Set(*message_id),
        version: Set(message.version),
        content: Set(message.content),
    };
    message_versions::Entity::insert(earlier).exec_without_returning(tx).await?;
    let version = message.version + 1;
    let edited =
        Edited { conversation: *conversation, message_id: *message_id, version, content: content.clone(), at, by: by.user };
    with_table!(conversation.kind, Table => table::edit::<Table>(tx, &edited).await?);
    changed(tx, view, origin, *message_id, version, Change::Edited(edited)).await
}
