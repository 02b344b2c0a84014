//! The lane's connection. Under load, its next transaction begins before it is needed.

use super::{StoreError, commit::begin, patience};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend};
use std::time::Duration;

/// The one connection that messages are written by.
#[derive(Debug)]
pub(super) struct Connection {
    db: DatabaseConnection,
    /// The transaction that began early.
    begun: Option<DatabaseTransaction>,
}

impl Connection {
    pub(super) fn new(db: DatabaseConnection) -> Self {
        Self { db, begun: None }
    }

    /// How long the lane waits for it.
    pub(super) fn patience(&self) -> Duration {
        patience::of_lane(&self.db)
    }

    /// The connection for anything but a batch: what began early is rolled back.
    pub(super) fn idle(&mut self) -> &DatabaseConnection {
        self.begun = None;
        &self.db
    }

    /// A transaction for a batch.
    pub(super) async fn begin(&mut self) -> Result<DatabaseTransaction, StoreError> {
        match self.begun.take() {
            Some(tx) => Ok(tx),
            None => begin(&self.db).await,
        }
    }

    /// Begins the transaction of a batch that waits already. PostgreSQL's answer to a BEGIN is a trip: between a commit and its fan-out,
    /// when all who write wait, it takes a tenth of the time that it takes during the fan-out. SQLite's would hold the lock that
    /// applications wait for.
    pub(super) async fn begin_early(&mut self) {
        if self.db.get_database_backend() == DbBackend::Postgres {
            // Where that fails, so does the batch.
            self.begun = patience::within(self.patience(), begin(&self.db)).await.ok();
        }
    }
}
