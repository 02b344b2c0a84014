//! The event log: references to what changed, in commit order.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, Statement},
};
use uuid::Uuid;

/// A log without its events is another log: cursors into the old one must not be taken for its own.
async fn rename_log(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let another = "UPDATE log_head SET log_id = $1, seq = 0";
    let statement = Statement::from_sql_and_values(manager.get_database_backend(), another, [Uuid::new_v4().into()]);
    manager.get_connection().execute_raw(statement).await?;
    for table in ["messages", "support_messages"] {
        manager.get_connection().execute_unprepared(&format!("UPDATE {table} SET seq = NULL")).await?;
    }
    Ok(())
}

/// Creates the table.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // On SQLite only INTEGER PRIMARY KEY is the row's own key; BIGINT would cost an index beside the table.
        let seq = if manager.get_database_backend() == DbBackend::Postgres { "BIGINT" } else { "INTEGER" };
        manager
            .get_connection()
            .execute_unprepared(&format!(
                "CREATE TABLE IF NOT EXISTS events (
                    seq {seq} NOT NULL PRIMARY KEY,
                    kind SMALLINT NOT NULL,
                    conversation_kind SMALLINT NOT NULL,
                    conversation_id BIGINT NOT NULL,
                    message_id BIGINT,
                    user_id BIGINT,
                    detail TEXT,
                    created_at BIGINT NOT NULL)"
            ))
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP TABLE IF EXISTS events").await?;
        rename_log(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
