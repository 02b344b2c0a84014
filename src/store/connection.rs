//! The lane's connection. Under load, its next transaction begins before it is needed.

use super::{StoreError, commit::begin, patience};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend};
use std::time::{Duration, Instant};

/// For how long a transaction that began early is used: what a fan-out does not take, but a process that stood still. PostgreSQL ends a
/// session that is idle in a transaction for longer than `connect` allows.
const FRESH: Duration = Duration::from_secs(1);

/// The one connection that messages are written by.
#[derive(Debug)]
pub(super) struct Connection {
    db: DatabaseConnection,
    /// The transaction that began early, and when.
    begun: Option<(DatabaseTransaction, Instant)>,
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
    pub(super) fn without_transaction(&mut self) -> &DatabaseConnection {
        self.begun = None;
        &self.db
    }

    /// A transaction for a batch.
    pub(super) async fn begin(&mut self) -> Result<DatabaseTransaction, StoreError> {
        if let Some((tx, at)) = self.begun.take()
            && at.elapsed() < FRESH
        {
            return Ok(tx);
        }
        // There is no other connection: what was not fresh has given it back.
        begin(&self.db).await
    }

    /// Begins the transaction of a batch that waits already, while the one before it is handed out: on PostgreSQL each trip waits for
    /// its answer. SQLite's would hold the lock that applications wait for.
    ///
    /// # Errors
    /// Where the connection is of no more use: the BEGIN may still take place on it.
    pub(super) async fn begin_early(&mut self) -> Result<(), StoreError> {
        if self.db.get_database_backend() == DbBackend::Postgres {
            let tx = patience::within(self.patience(), begin(&self.db)).await?;
            self.begun = Some((tx, Instant::now()));
        }
        Ok(())
    }
}
