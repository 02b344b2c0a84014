//! What an edited message said before, of both kinds.

use crate::{ConversationKind, MessageId};
use sea_orm::entity::prelude::*;

/// A row of `message_versions`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message_versions")]
pub struct Model {
    /// With `message_id`: the message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_kind: ConversationKind,
    /// The message among those of its kind.
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: MessageId,
    /// 1 is what was posted.
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i32,
    /// What it said.
    pub content: String,
}

/// Refers to nothing by a foreign key.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
