//! The head of the event log: one row, with the log's name and the last `seq`.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, Statement},
};
use uuid::Uuid;

/// Creates the table and gives the log its name.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let backend = manager.get_database_backend();
        let uuid = if backend == DbBackend::Postgres { "uuid" } else { "blob" };
        db.execute_unprepared(&format!(
            "CREATE TABLE IF NOT EXISTS log_head (
                id SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
                log_id {uuid} NOT NULL,
                seq BIGINT NOT NULL)"
        ))
        .await?;
        let name_the_log = "INSERT INTO log_head (id, log_id, seq) VALUES (1, $1, 0) ON CONFLICT DO NOTHING";
        db.execute_raw(Statement::from_sql_and_values(backend, name_the_log, [Uuid::new_v4().into()])).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP TABLE IF EXISTS log_head").await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
