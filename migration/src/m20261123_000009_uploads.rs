//! What users uploaded, and which message each file belongs to; a message keeps what is told of its files in its own row.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Creates the table, and the column of both message tables.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const MESSAGE_TABLES: [&str; 2] = ["messages", "support_messages"];

/// For what a user's uploads hold together, and for what is to be taken away: few rows, most of the time none.
const INDEXES: [&str; 3] = [
    "CREATE INDEX IF NOT EXISTS uploads_user_id ON uploads (user_id, size, thumbnail_size)",
    "CREATE INDEX IF NOT EXISTS uploads_unattached ON uploads (created_at) WHERE message_id IS NULL",
    "CREATE INDEX IF NOT EXISTS uploads_gone ON uploads (created_at) WHERE state = 3",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let uuid = match manager.get_database_backend() {
            DbBackend::Postgres => "UUID",
            _ => "BLOB",
        };
        db.execute_unprepared(&format!(
            "CREATE TABLE IF NOT EXISTS uploads (
                id {uuid} NOT NULL PRIMARY KEY,
                user_id BIGINT NOT NULL,
                state SMALLINT NOT NULL,
                name TEXT NOT NULL,
                media_type TEXT NOT NULL,
                size BIGINT NOT NULL,
                thumbnail_size BIGINT,
                width INTEGER,
                height INTEGER,
                conversation_kind SMALLINT,
                conversation_id BIGINT,
                message_id BIGINT,
                created_at BIGINT NOT NULL)"
        ))
        .await?;
        for index in INDEXES {
            db.execute_unprepared(index).await?;
        }
        for table in MESSAGE_TABLES {
            if !manager.has_column(table, "attachments").await? {
                db.execute_unprepared(&format!("ALTER TABLE {table} ADD COLUMN attachments TEXT")).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for table in MESSAGE_TABLES {
            if manager.has_column(table, "attachments").await? {
                db.execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN attachments")).await?;
            }
        }
        db.execute_unprepared("DROP TABLE IF EXISTS uploads").await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
