//! The event log: append-only references to what changed. Content stands in the row that an event refers to, and only there.

use crate::{ConversationId, ConversationKind, EventKind, MessageId, Seq, UserId};
use sea_orm::entity::prelude::*;

/// A row of `events`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    /// Gapless from 1, in commit order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: Seq,
    /// What happened.
    pub kind: EventKind,
    /// With `conversation_id`: where it happened.
    pub conversation_kind: ConversationKind,
    /// The chat or support chat.
    pub conversation_id: ConversationId,
    /// The message that it concerns, where it concerns one.
    pub message_id: Option<MessageId>,
    /// Who did it, where the row that is referred to does not say.
    pub user_id: Option<UserId>,
    /// What the row that is referred to does not say, as JSON.
    pub detail: Option<String>,
    /// Milliseconds since 1970: smaller and faster than a text, and only retention by age reads it.
    pub created_at: i64,
}

/// Refers to rows by id, never by a foreign key: the log outlives what it refers to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
