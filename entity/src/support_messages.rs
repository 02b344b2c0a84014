//! A support message: the columns of the Node server's Prisma schema, which an application may read and write beside Natter, then
//! Natter's own, all nullable.

use crate::{ConversationId, MessageId, Seq, Timestamp, UserId};
use sea_orm::entity::prelude::*;

/// A row of `support_messages`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "support_messages")]
pub struct Model {
    /// Assigned by the database, ascending.
    #[sea_orm(primary_key)]
    pub id: MessageId,
    /// The support chat that it was posted to.
    pub support_chat_id: ConversationId,
    /// Who posted it.
    pub sender_id: UserId,
    /// The text; empty only where `file_paths` is set.
    pub content: String,
    /// The attached files' type, as the client named it.
    pub file_type: Option<String>,
    /// Where the attached files lie, as the client named it.
    pub file_paths: Option<String>,
    /// When its batch was taken up to be stored, to the millisecond.
    pub created_at: Timestamp,
    /// The place in the log of the event that brought it; null where the application wrote the row itself.
    pub seq: Option<Seq>,
    /// The sender's idempotency key: unique per sender for ever.
    pub client_id: Option<Uuid>,
    /// Counts its changes: null and 1 are what was posted.
    pub version: Option<i32>,
    /// When its content was last changed.
    pub edited_at: Option<Timestamp>,
    /// Who last changed its content.
    pub edited_by: Option<UserId>,
    /// Set once it is a tombstone: its content and files are gone.
    pub deleted_at: Option<Timestamp>,
    /// Who deleted it.
    pub deleted_by: Option<UserId>,
    /// What is told of its attached files, as JSON; null where there are none.
    pub attachments: Option<String>,
}

/// No row refers to another by a foreign key: an application that shares the table need not know Natter's.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
