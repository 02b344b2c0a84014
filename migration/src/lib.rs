//! Natter's schema, one table a file. Every step may be run again after it was cut off half-way, and none loses a row.

mod m20261122_000001_messages;
mod m20261122_000002_support_messages;
mod m20261122_000003_log_head;
mod m20261122_000004_events;
mod m20261122_000005_message_versions;
mod m20261122_000006_members;
mod m20261122_000008_revocations;
mod m20261123_000009_uploads;
mod m20261123_000010_uploads_due;
mod message_table;

pub use sea_orm_migration::{Migration, MigrationStatus, MigratorTrait};
use sea_orm_migration::{
    MigrationTrait, SchemaManager, async_trait,
    sea_orm::{DatabaseConnection, DbErr},
};

/// Whether an application's tables, if there are some, have the columns that Natter needs. It changes nothing.
///
/// # Errors
/// All that they lack, or what the database said instead.
pub async fn must_be_complete(db: &DatabaseConnection) -> Result<(), DbErr> {
    let tables = [m20261122_000001_messages::TABLE, m20261122_000002_support_messages::TABLE];
    message_table::must_be_complete(&tables, &SchemaManager::new(db)).await
}

/// Applies the migrations in the order in which they were released.
#[derive(Clone, Copy, Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_messages::Migration),
            Box::new(m20261122_000002_support_messages::Migration),
            Box::new(m20261122_000003_log_head::Migration),
            Box::new(m20261122_000004_events::Migration),
            Box::new(m20261122_000005_message_versions::Migration),
            Box::new(m20261122_000006_members::Migration),
            Box::new(m20261122_000008_revocations::Migration),
            Box::new(m20261123_000009_uploads::Migration),
            Box::new(m20261123_000010_uploads_due::Migration),
        ]
    }
}
