//! Bringing the schema up to date, and back, through the migration crate.

use super::{
    DatabaseUrl, OpenError, StoreError,
    connect::{connect_reader, connect_writer, lock_unserved},
};
use migration::{MigrationStatus, Migrator, MigratorTrait};
use sea_orm::DatabaseConnection;

/// What `natter migrate` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Apply what is missing.
    Up,
    /// Take the last applied step back.
    Down,
}

/// A step of the schema, and whether it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The name of its file.
    pub name: String,
    /// Whether it is applied.
    pub applied: bool,
}

/// Migrates the database at `url`, which no server may be serving, and tells where its schema stands afterwards.
///
/// # Errors
/// Where the database can't be reached, is being served, or a step fails.
pub async fn migrate(url: &DatabaseUrl, direction: Direction) -> Result<Vec<Step>, OpenError> {
    let _lock = lock_unserved(url)?;
    must_be_complete(url).await?;
    let db = connect_writer(url).await?;
    let result = match direction {
        Direction::Up => migrate_up(&db).await,
        Direction::Down => Migrator::down(&db, Some(1)).await.map_err(StoreError::from),
    };
    result.map_err(OpenError::Migration)?;
    let steps = steps(&db).await.map_err(OpenError::Migration)?;
    // SQLite folds its write-ahead log into the file.
    db.close().await.map_err(|error| OpenError::Migration(error.into()))?;
    Ok(steps)
}

/// Where the schema of the database at `url` stands. A server may be serving it.
///
/// # Errors
/// Where the database can't be reached.
pub async fn status(url: &DatabaseUrl) -> Result<Vec<Step>, OpenError> {
    if let DatabaseUrl::Sqlite { path, .. } = url
        && !path.exists()
    {
        // To look is not to create.
        let missing = |migration: migration::Migration| Step { name: migration.name().to_owned(), applied: false };
        return Ok(Migrator::get_migration_files().into_iter().map(missing).collect());
    }
    let db = connect_reader(url).await?;
    steps(&db).await.map_err(OpenError::Migration)
}

/// Looks at the tables that are there before anything is written: a database that is refused stays as it was.
pub(super) async fn must_be_complete(url: &DatabaseUrl) -> Result<(), OpenError> {
    if let DatabaseUrl::Sqlite { path, .. } = url
        && path.metadata().map_or(true, |file| file.len() == 0)
    {
        return Ok(());
    }
    let db = connect_reader(url).await?;
    let complete = migration::must_be_complete(&db).await;
    complete.map_err(|error| OpenError::Migration(error.into()))?;
    db.close().await.map_err(|error| OpenError::Migration(error.into()))
}

/// Applies what is missing.
pub(super) async fn migrate_up(db: &DatabaseConnection) -> Result<(), StoreError> {
    Ok(Migrator::up(db, None).await?)
}

async fn steps(db: &DatabaseConnection) -> Result<Vec<Step>, StoreError> {
    let migrations = Migrator::get_migration_with_status_read_only(db).await?;
    let step = |migration: migration::Migration| Step {
        name: migration.name().to_owned(),
        applied: migration.status() == MigrationStatus::Applied,
    };
    Ok(migrations.into_iter().map(step).collect())
}
