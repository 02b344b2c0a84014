//! The kinds that a column tells apart, stored as small numbers that never change their meaning.

use sea_orm::entity::prelude::*;

/// Which of the two tables a conversation's messages stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum ConversationKind {
    /// `messages`, by `chat_id`.
    #[sea_orm(num_value = 1)]
    Chat,
    /// `support_messages`, by `support_chat_id`.
    #[sea_orm(num_value = 2)]
    Support,
}

/// What an event of the log tells about the row that it refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum EventKind {
    /// A message was posted.
    #[sea_orm(num_value = 1)]
    Message,
    /// A message says something else now.
    #[sea_orm(num_value = 2)]
    MessageEdited,
    /// A message says nothing any more.
    #[sea_orm(num_value = 3)]
    MessageDeleted,
}
