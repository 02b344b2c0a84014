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
    /// Someone became a member, another kind of member, or none; the event's `detail` says which.
    #[sea_orm(num_value = 4)]
    Member,
}

/// What a member may do in their conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum MemberRole {
    /// Whose conversation it is.
    #[sea_orm(num_value = 1)]
    Owner,
    /// Keeps order in it.
    #[sea_orm(num_value = 2)]
    Admin,
    /// Reads and writes.
    #[sea_orm(num_value = 3)]
    Member,
    /// Reads.
    #[sea_orm(num_value = 4)]
    Reader,
}

/// What was taken from a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum MemberState {
    /// Nothing.
    #[sea_orm(num_value = 1)]
    Active,
    /// They may read, and not write.
    #[sea_orm(num_value = 2)]
    Muted,
    /// The conversation is not there for them.
    #[sea_orm(num_value = 3)]
    Banned,
}

/// Whether an upload's file is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum UploadState {
    /// It is being put into the storage; a row that stays so was given up.
    #[sea_orm(num_value = 1)]
    Arriving,
    /// It is there.
    #[sea_orm(num_value = 2)]
    Kept,
    /// It is nobody's any more, and is being taken away.
    #[sea_orm(num_value = 3)]
    Gone,
}
