//! A file that a user uploaded. Its bytes lie in the storage, under its id.

use crate::{ConversationId, ConversationKind, MessageId, UploadState, UserId};
use sea_orm::entity::prelude::*;

/// A row of `uploads`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "uploads")]
pub struct Model {
    /// Random; the file's name in the storage, too.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Who uploaded it.
    pub user_id: UserId,
    /// Whether its file is there.
    pub state: UploadState,
    /// What its uploader called it, cleaned; may be empty.
    pub name: String,
    /// What it is, by its content.
    pub media_type: String,
    /// Bytes of the file.
    pub size: i64,
    /// Bytes of the thumbnail, where there is one.
    pub thumbnail_size: Option<i64>,
    /// Of an image, in pixels.
    pub width: Option<i32>,
    /// Of an image, in pixels.
    pub height: Option<i32>,
    /// With the two that follow, once it is attached: the message. Null before.
    pub conversation_kind: Option<ConversationKind>,
    /// The chat or support chat of that message.
    pub conversation_id: Option<ConversationId>,
    /// The message.
    pub message_id: Option<MessageId>,
    /// When it was uploaded, in milliseconds since 1970.
    pub created_at: i64,
}

/// Refers to nothing by a foreign key: a message may be taken away by the application.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
