//! What is to be given up is found by its state and age: uploads that wait for a message and are not old are not looked at.

use sea_orm_migration::prelude::*;

/// Puts another index in the place of the one by age alone.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("CREATE INDEX IF NOT EXISTS uploads_due ON uploads (state, created_at) WHERE message_id IS NULL")
            .await?;
        db.execute_unprepared("DROP INDEX IF EXISTS uploads_unattached").await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("CREATE INDEX IF NOT EXISTS uploads_unattached ON uploads (created_at) WHERE message_id IS NULL")
            .await?;
        db.execute_unprepared("DROP INDEX IF EXISTS uploads_due").await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
