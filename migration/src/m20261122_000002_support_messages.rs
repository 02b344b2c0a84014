//! Support messages.

use crate::message_table::MessageTable;
use sea_orm_migration::prelude::*;

const TABLE: MessageTable = MessageTable { name: "support_messages", conversation: "support_chat_id", nullable_ids: &[] };

/// Creates or takes over the table.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        TABLE.up(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        TABLE.down(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
