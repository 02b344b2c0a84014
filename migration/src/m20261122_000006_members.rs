//! Who belongs to a conversation.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, Statement},
};
use uuid::Uuid;

/// Creates the table.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        // On SQLite, the rows lie in the order of their key, and a conversation's members together.
        let (time, order) = match manager.get_database_backend() {
            DbBackend::Postgres => ("TIMESTAMP(3)", ""),
            _ => ("DATETIME", "WITHOUT ROWID"),
        };
        db.execute_unprepared(&format!(
            "CREATE TABLE IF NOT EXISTS members (
                kind SMALLINT NOT NULL,
                conversation_id BIGINT NOT NULL,
                user_id BIGINT NOT NULL,
                role SMALLINT,
                state SMALLINT NOT NULL,
                created_at {time} NOT NULL,
                updated_at {time} NOT NULL,
                PRIMARY KEY (kind, conversation_id, user_id)) {order}"
        ))
        .await?;
        db.execute_unprepared("CREATE INDEX IF NOT EXISTS members_user_id ON members (user_id)").await?;
        Ok(())
    }

    /// The events go with the table. A log that lacks some is another log: cursors into the old one must not be taken for its own.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("DROP TABLE IF EXISTS members").await?;
        db.execute_unprepared("DELETE FROM events WHERE kind = 4").await?;
        let another = "UPDATE log_head SET log_id = $1";
        let statement = Statement::from_sql_and_values(manager.get_database_backend(), another, [Uuid::new_v4().into()]);
        db.execute_raw(statement).await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
