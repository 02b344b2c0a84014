//! How a transaction begins that writes, and how it is said where SeaORM does not say it.

use super::StoreError;
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, TransactionOptions, TransactionTrait};

pub(super) const COMMIT: &str = "COMMIT";

/// Ends one and begins the next in one trip: PostgreSQL's.
pub(super) const COMMIT_AND_BEGIN: &str = "COMMIT; BEGIN";

/// One that changes nothing.
pub(super) const BEGIN_ANY: &str = "BEGIN";

/// A plain BEGIN on SQLite would be deferred, and fail at once where it turns into a write while another process writes.
pub(super) fn begin_text(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "BEGIN IMMEDIATE",
        _ => "BEGIN",
    }
}

/// The same, said by SeaORM.
pub(super) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, StoreError> {
    let is_sqlite = db.get_database_backend() == DbBackend::Sqlite;
    let sqlite_transaction_mode = is_sqlite.then_some(SqliteTransactionMode::Immediate);
    Ok(db.begin_with_options(TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() }).await?)
}
