//! Who belongs to a conversation. One row a user who ever did: a conversation that has a row here is closed to everyone else, for good.

use crate::{ConversationId, ConversationKind, MemberRole, MemberState, Timestamp, UserId};
use sea_orm::entity::prelude::*;

/// A row of `members`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "members")]
pub struct Model {
    /// With `conversation_id`: the conversation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: ConversationKind,
    /// The chat or support chat.
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: ConversationId,
    /// The member.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// What they may do; null once they were removed. The row stays, so that the conversation does not open again.
    pub role: Option<MemberRole>,
    /// What was taken from them.
    pub state: MemberState,
    /// When they first became a member.
    pub created_at: Timestamp,
    /// When that was last changed.
    pub updated_at: Timestamp,
}

/// Refers to nothing by a foreign key: users and conversations are the application's.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
