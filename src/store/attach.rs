//! Uploads become part of a message: each by its uploader, and once.

use super::{
    StoreError,
    batch::padded,
    post::Posting,
    table::{self, Stored, with_table},
};
use crate::protocol::{Attachment, ErrorCode, Refusal, UserId, post::NewMessage};
use entity::{UploadState, uploads};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::Expr};
use std::collections::HashMap;
use uuid::Uuid;

/// The uploads that the messages of a batch bring. Their rows are locked until the transaction ends, so that nobody takes away a file
/// that is being attached.
#[derive(Debug, Default)]
pub(super) struct Offers(HashMap<Uuid, uploads::Model>);

/// Why an upload can't become part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unattachable {
    /// There is none, or it is another's, or not there yet.
    Absent,
    /// A message has it already.
    Taken,
}

impl Offers {
    /// Reads what is offered. Where nobody attaches anything, nothing is asked.
    pub(super) async fn read(tx: &impl ConnectionTrait, postings: &[Posting<'_>]) -> Result<Self, StoreError> {
        let mut ids: Vec<Uuid> = postings.iter().flat_map(|posting| posting.message.attachments.iter().copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut offers = HashMap::new();
        for piece in padded(&ids) {
            // Those that are on their way out are being deleted, many at once: who waited for one might hold another.
            let kept = uploads::Entity::find().filter(uploads::Column::State.eq(UploadState::Kept));
            let rows = kept.filter(uploads::Column::Id.is_in(piece)).order_by_asc(uploads::Column::Id);
            let rows = rows.lock_exclusive().all(tx).await?;
            offers.extend(rows.into_iter().map(|row| (row.id, row)));
        }
        Ok(Self(offers))
    }

    /// What `message` brings, and nobody after it: all of its uploads, or none where one can't be.
    pub(super) fn take(&mut self, message: &NewMessage) -> Result<Vec<Attachment>, Unattachable> {
        let found: Result<Vec<&uploads::Model>, _> =
            message.attachments.iter().map(|id| self.find(*id, message.sender_id)).collect();
        let attachments = found?.into_iter().map(told_of).collect();
        for id in &message.attachments {
            if let Some(row) = self.0.get_mut(id) {
                row.conversation_kind = Some(message.conversation.kind);
            }
        }
        Ok(attachments)
    }

    fn find(&self, id: Uuid, sender: UserId) -> Result<&uploads::Model, Unattachable> {
        let own = self.0.get(&id).filter(|row| row.user_id == sender);
        match own {
            None => Err(Unattachable::Absent),
            Some(row) if row.conversation_kind.is_some() => Err(Unattachable::Taken),
            Some(row) => Ok(row),
        }
    }
}

fn told_of(row: &uploads::Model) -> Attachment {
    Attachment {
        id: row.id,
        media_type: row.media_type.clone(),
        size: row.size,
        name: row.name.clone(),
        width: row.width,
        height: row.height,
        thumbnail: row.thumbnail_size.is_some(),
    }
}

impl Unattachable {
    pub(super) fn refusal(self) -> Refusal {
        let (code, message) = match self {
            Self::Absent => (ErrorCode::NotFound, "there is no such upload of yours"),
            Self::Taken => (ErrorCode::Conflict, "an upload can be attached once, and one of these is"),
        };
        Refusal { field: Some("attachments"), ..Refusal::new(code, message) }
    }
}

/// Writes down which message each upload belongs to, and in its row, which it has.
pub(super) async fn attach(tx: &impl ConnectionTrait, stored: &[Stored]) -> Result<(), StoreError> {
    for Stored { message, .. } in stored.iter().filter(|stored| !stored.message.attachments.is_empty()) {
        uploads::Entity::update_many()
            .col_expr(uploads::Column::ConversationKind, Expr::value(message.conversation.kind))
            .col_expr(uploads::Column::ConversationId, Expr::value(message.conversation.id))
            .col_expr(uploads::Column::MessageId, Expr::value(message.id))
            .filter(uploads::Column::Id.is_in(message.attachments.iter().map(|attachment| attachment.id)))
            .exec(tx)
            .await?;
        with_table!(message.conversation.kind, Table => table::attach::<Table>(tx, message).await?);
    }
    Ok(())
}

/// The files of a message that is being deleted are nobody's any more; they are taken away once that is committed.
pub(super) async fn detach(tx: &impl ConnectionTrait, attachments: &[Attachment]) -> Result<(), StoreError> {
    if attachments.is_empty() {
        return Ok(());
    }
    uploads::Entity::update_many()
        .col_expr(uploads::Column::State, Expr::value(UploadState::Gone))
        .filter(uploads::Column::Id.is_in(attachments.iter().map(|attachment| attachment.id)))
        .exec(tx)
        .await?;
    Ok(())
}
