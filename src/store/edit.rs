//! Editing: the row says something new under the next version, and what it said before is kept.

use super::{
    StoreError,
    change::{changed, own_message, refused},
    table::{self, with_table},
};
use crate::protocol::{Change, Committed, Origin, Timestamp, UserId, edit::EditMessage, edit::Edited};
use entity::message_versions;
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};

/// Changes a message of `by`, inside the caller's transaction.
pub(super) async fn edit(
    tx: &impl ConnectionTrait,
    origin: &Origin,
    by: UserId,
    edit: &EditMessage,
    at: Timestamp,
) -> Result<Committed, StoreError> {
    let EditMessage { conversation, message_id, content } = edit;
    let message = match own_message(tx, *conversation, *message_id, by).await? {
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
    let edited = Edited { conversation: *conversation, message_id: *message_id, version, content: content.clone(), at, by };
    with_table!(conversation.kind, Table => table::edit::<Table>(tx, &edited).await?);
    changed(tx, origin, *message_id, version, Change::Edited(edited)).await
}
