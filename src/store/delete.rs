//! Deleting: a tombstone stays in the row's place. What the message said goes from every table.

use super::{
    StoreError, attach,
    change::{Wish, changed, message_for, refused},
    memberships::View,
    table::{self, with_table},
};
use crate::{
    access::Action,
    protocol::{Caller, Change, Committed, Origin, Timestamp, delete::DeleteMessage, delete::Deleted},
};
use entity::message_versions;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

/// Deletes a message for `by`, inside the caller's transaction.
pub(super) async fn delete(
    tx: &impl ConnectionTrait,
    view: &mut View<'_>,
    origin: &Origin,
    by: Caller,
    delete: &DeleteMessage,
    at: Timestamp,
) -> Result<Committed, StoreError> {
    let DeleteMessage { conversation, message_id } = *delete;
    let wish = Wish { by, conversation, id: message_id, of_own: Action::Delete, of_others: Some(Action::Moderate) };
    let message = match message_for(tx, view, wish).await? {
        Ok(message) => message,
        Err(refusal) => return Ok(refused(origin, refusal)),
    };
    message_versions::Entity::delete_many()
        .filter(message_versions::Column::ConversationKind.eq(conversation.kind))
        .filter(message_versions::Column::MessageId.eq(message_id))
        .exec(tx)
        .await?;
    attach::detach(tx, &message.attachments).await?;
    let version = message.version + 1;
    let deleted = Deleted { conversation, message_id, version, at, by: by.user };
    with_table!(conversation.kind, Table => table::delete::<Table>(tx, &deleted).await?);
    let committed = changed(tx, view, origin, message_id, version, Change::Deleted(deleted)).await?;
    Ok(Committed { frees_files: !message.attachments.is_empty(), ..committed })
}
