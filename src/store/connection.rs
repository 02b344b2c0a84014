//! The lane's connection. It is held from one batch to the next: the pool would ask it whether it still stands each time that it comes
//! back, which is a trip more a commit.

use super::{
    StoreError, patience,
    transaction::{BEGIN_ANY, COMMIT, COMMIT_AND_BEGIN, begin, begin_text},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use std::{
    future::pending,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// For how long a transaction that began early is used: what a fan-out does not take, but a process that stood still. PostgreSQL ends a
/// session that is idle in a transaction for longer than `connect` allows.
const FRESH: Duration = Duration::from_secs(1);

/// After how many commits SQLite's log is checkpointed (folded into the file) once it is quiet. SQLite does it within a COMMIT when the log
/// has 1,000 pages, and whoever waits for that commit waits for that, too: a message that comes alone brings 5 or 6 of them. So few, because
/// the system first reads from the disk what is to be written in part and is not in its memory any more: a short log's pages still are.
const COMMITS_UNTIL_CHECKPOINT: u32 = 16;

/// So long without a draft is quiet: by then, the clients have read what was committed last.
const QUIET: Duration = Duration::from_millis(5);

/// After so many, it need not be quiet: it is enough that nobody waits.
const COMMITS_AT_MOST: u32 = 64;

/// The one connection that messages are written by.
#[derive(Debug)]
pub(super) struct Connection {
    db: DatabaseConnection,
    held: Option<Held>,
    /// Since the log was checkpointed.
    commits: u32,
}

/// What comes after a commit, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another batch.
    Waits,
    /// Nothing yet.
    Unknown,
}

/// The connection between two batches.
#[derive(Debug)]
struct Held {
    on: DatabaseTransaction,
    /// When its next transaction began, if it has.
    begun: Option<Instant>,
}

impl Connection {
    pub(super) fn new(db: DatabaseConnection) -> Self {
        Self { db, held: None, commits: 0 }
    }

    /// Whether what it says is carried out by another process, which has processors of its own.
    pub(super) fn is_to_a_server(&self) -> bool {
        self.db.get_database_backend() == DbBackend::Postgres
    }

    /// How long the lane waits for it.
    pub(super) fn patience(&self) -> Duration {
        patience::of_lane(&self.db)
    }

    /// The connection for anything but a batch: what began early is rolled back.
    pub(super) async fn without_transaction(&mut self) -> &DatabaseConnection {
        if let Some(held) = self.held.take()
            && let Err(error) = patience::within(self.patience(), held.give_back()).await
        {
            log::debug!("the writing connection was not given back in good order: {error}");
        }
        &self.db
    }

    /// Says goodbye to the database.
    pub(super) async fn close(mut self) {
        let goodbye = async {
            let given_back = match self.held.take() {
                Some(held) => held.give_back().await,
                None => Ok(()),
            };
            self.db.close_by_ref().await.and(given_back)
        };
        if let Err(error) = patience::within(patience::OF_A_GOODBYE, goodbye).await {
            log::warn!("the writing connection was not closed in good order: {error}");
        }
    }

    /// A transaction for a batch, to be ended by [`Connection::commit`]: dropped, it is rolled back, and the pool has the connection again.
    /// To SeaORM, all that a held connection does is one transaction; where each of ours begins and ends is said by statements.
    pub(super) async fn begin(&mut self) -> Result<DatabaseTransaction, StoreError> {
        match self.held.take() {
            Some(Held { on, begun: Some(at) }) if at.elapsed() < FRESH => return Ok(on),
            Some(Held { on, begun: None }) => match execute(&on, begin_text(on.get_database_backend())).await {
                Ok(()) => return Ok(on),
                Err(error) if on.get_database_backend() == DbBackend::Postgres => {
                    log::debug!("the writing connection broke while nothing happened: {error}");
                }
                Err(error) => return Err(error.into()),
            },
            _ => {}
        }
        // There is no other connection: what was held has been given back.
        begin(&self.db).await
    }

    /// Commits what [`Connection::begin`] has begun, and holds the connection. On PostgreSQL, where each trip waits for its answer, the
    /// transaction of what comes `next` already begins by the same one; SQLite's would hold the lock that applications wait for.
    pub(super) async fn commit(&mut self, on: DatabaseTransaction, next: Next) -> Result<(), StoreError> {
        let is_begun = next == Next::Waits && self.is_to_a_server();
        execute(&on, if is_begun { COMMIT_AND_BEGIN } else { COMMIT }).await?;
        self.held = Some(Held { on, begun: is_begun.then(Instant::now) });
        self.commits = self.commits.saturating_add(1);
        Ok(())
    }

    /// Resolves when SQLite's log is to be checkpointed; never on PostgreSQL, which has no such log.
    pub(super) async fn checkpoint_due(&self) {
        let may_be = !self.is_to_a_server() && matches!(self.held, Some(Held { begun: None, .. }));
        if !may_be || self.commits < COMMITS_UNTIL_CHECKPOINT {
            return pending().await;
        }
        if self.commits < COMMITS_AT_MOST {
            sleep(QUIET).await;
        }
    }

    /// Checkpoints SQLite's log, once [`Connection::checkpoint_due`] has resolved. It waits for nobody: where another process reads or folds
    /// it just then, or where it fails, it is done after as many commits again, or within one.
    pub(super) async fn checkpoint(&mut self) {
        let Some(Held { on, begun: None }) = &self.held else { return };
        if let Err(error) = patience::within(self.patience(), execute(on, "PRAGMA wal_checkpoint(PASSIVE)")).await {
            log::warn!("the database's write-ahead log was not checkpointed: {error}");
        }
        self.commits = 0;
    }
}

impl Held {
    /// Back to the pool, out of the transaction that SeaORM knows of. On SQLite a ROLLBACK without a BEGIN would fail, and the pool would open
    /// another connection instead; PostgreSQL would warn.
    async fn give_back(self) -> Result<(), DbErr> {
        if self.begun.is_none() {
            execute(&self.on, BEGIN_ANY).await?;
        }
        self.on.rollback().await
    }
}

async fn execute(on: &DatabaseTransaction, text: &str) -> Result<(), DbErr> {
    on.execute_unprepared(text).await.map(drop)
}
