//! The earlier versions of edited messages, of both kinds; gone with their message's deletion.

use sea_orm_migration::prelude::*;

/// Creates the table.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared(
                "CREATE TABLE IF NOT EXISTS message_versions (
                    conversation_kind SMALLINT NOT NULL,
                    message_id BIGINT NOT NULL,
                    version INTEGER NOT NULL,
                    content TEXT NOT NULL,
                    PRIMARY KEY (conversation_kind, message_id, version))",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP TABLE IF EXISTS message_versions").await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
