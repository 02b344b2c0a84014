//! Chat messages.

use crate::message_table::{MessageTable, must_be_complete};
use sea_orm_migration::prelude::*;

pub(crate) const TABLE: MessageTable =
    MessageTable { name: "messages", conversation: "chat_id", nullable_ids: &["selected_chat_id"] };

/// Creates or takes over the table.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        must_be_complete(&[TABLE], manager).await?;
        TABLE.up(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        TABLE.down(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
