//! Deleting: a tombstone stays in the row's place. What the message said goes from every table.

use super::{
    StoreError,
    change::{changed, own_message, refused},
    table::{self, with_table},
};
use crate::protocol::{Change, Committed, Origin, Timestamp, UserId, delete::DeleteMessage, delete::Deleted};
use entity::message_versions;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

/// Deletes a message of `by`, inside the caller's transaction.
pub(super) async fn delete(
    tx: &impl ConnectionTrait,
    origin: &Origin,
    by: UserId,
    delete: &DeleteMessage,
    at: Timestamp,
) -> Result<Committed, StoreError> {
    let DeleteMessage { conversation, message_id } = *delete;
    let message = match own_message(tx, conversation, message_id, by).await? {
        Ok(message) => message,
        Err(refusal) => return Ok(refused(origin, refusal)),
    };
    message_versions::Entity::delete_many()
        .filter(message_versions::Column::ConversationKind.eq(conversation.kind))
        .filter(message_versions::Column::MessageId.eq(message_id))
        .exec(tx)
        .await?;
    let version = message.version + 1;
    let deleted = Deleted { conversation, message_id, version, at, by };
    with_table!(conversation.kind, Table => table::delete::<Table>(tx, &deleted).await?);
    changed(tx, origin, message_id, version, Change::Deleted(deleted)).await
}
