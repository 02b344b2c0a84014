//! Opening the database: one connection that writes, a pool that reads, the schema brought up to date.

use super::{
    DatabaseUrl, Head, Lane, OpenError, Reader, Retention, StoreError, Writer,
    lane::Access,
    lock::FileLock,
    log, members,
    memberships::Memberships,
    migrate::{migrate_up, must_be_complete},
    writer::QueueBounds,
};
use crate::{access::Unlisted, clock::Clock, limits::Limiter, protocol::Timestamp};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, RuntimeErr, SqlxError,
    sqlx::{
        Connection, PgConnection,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;

/// How long a statement of another process may hold SQLite's write lock before ours gives up.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for a connection, and for a free one of the pool.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// After how long without work a connection is asked whether it still stands.
const IDLE: Duration = Duration::from_secs(1);

/// Prepared statements that a connection keeps: each bucket of each statement, with room to spare.
const STATEMENT_CACHE: usize = 512;

/// The open database.
#[derive(Debug)]
pub struct Store {
    /// How the lane connects.
    pub(super) writing: ConnectOptions,
    pub(super) readers: DatabaseConnection,
    /// The turns of those who come back, page by page in the order of asking. Thousands may come at once: one connection is left to all
    /// other reads, and none of them waits in the pool, whose patience is short.
    turns: Arc<Semaphore>,
    head: Head,
    /// Whether the lane waits for the database.
    is_held_up: Arc<AtomicBool>,
    /// On SQLite: nobody else may serve this file while we do.
    lock: Option<FileLock>,
}

impl Store {
    /// Opens the database at `url`, creating a SQLite file where there is none, and applies the migrations that are missing.
    ///
    /// # Errors
    /// Where it can't be reached, is served by another process, or can't be migrated.
    pub async fn open(url: &DatabaseUrl, readers: u32) -> Result<Self, OpenError> {
        let lock = lock(url)?;
        must_be_complete(url).await?;
        let migrating = connect_writer(url).await?;
        migrate_up(&migrating).await.map_err(OpenError::Migration)?;
        let head = log::head(&migrating).await.map_err(OpenError::Migration)?;
        let turns = Arc::new(Semaphore::new(readers.saturating_sub(1).max(1) as usize));
        let readers = connect(url, options(url, readers)).await?;
        migrating.close().await.map_err(|error| OpenError::Migration(error.into()))?;
        Ok(Self { writing: writing(url), readers, turns, head, is_held_up: Arc::default(), lock })
    }

    /// Where the log stood when the database was opened.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// The lane through which everything is written, and the way into it. It prunes the log, connects for itself, and closes its
    /// connection when it ends.
    ///
    /// # Errors
    /// Where the database can't be reached.
    pub async fn lane(
        &self,
        bounds: QueueBounds,
        retention: Retention,
        unlisted: Unlisted,
        limiter: Arc<Limiter>,
        clock: Clock,
    ) -> Result<(Writer, Lane), StoreError> {
        let access = Access {
            db: Database::connect(self.writing.clone()).await?,
            options: self.writing.clone(),
            head: self.head,
            is_held_up: Arc::clone(&self.is_held_up),
        };
        Ok(Lane::open(access, bounds, retention, Memberships::new(unlisted, limiter), clock))
    }

    /// The connections that read.
    #[must_use]
    pub fn reader(&self, unlisted: Unlisted) -> Reader {
        Reader::new(self.readers.clone(), Arc::clone(&self.turns), unlisted)
    }

    /// Gives each support chat without members to its first writer. Needed once, where those were open so far; tells how many.
    ///
    /// # Errors
    /// What the database said instead.
    pub async fn adopt_support_chats(&self, url: &DatabaseUrl, now: Timestamp) -> Result<u64, StoreError> {
        let writer = unhurried(url).await?;
        let adopted = members::adopt(&writer, now).await?;
        writer.close().await?;
        Ok(adopted)
    }

    /// Whether the database answers, and takes what is written.
    ///
    /// # Errors
    /// What it said instead.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.readers.execute_unprepared("SELECT 1").await?;
        self.lock.as_ref().map_or(Ok(()), FileLock::must_be_there)?;
        if self.is_held_up.load(Ordering::Relaxed) { Err(StoreError::TakesNoWrites) } else { Ok(()) }
    }

    /// Closes the connections that read, after the lane has closed its own; SQLite folds its write-ahead log into the file.
    ///
    /// # Errors
    /// Where a connection can't be closed in good order.
    pub async fn close(&self) -> Result<(), StoreError> {
        Ok(self.readers.close_by_ref().await?)
    }
}

/// On SQLite: the lock that keeps a second process from serving the same file.
pub(super) fn lock(url: &DatabaseUrl) -> Result<Option<FileLock>, OpenError> {
    match url {
        DatabaseUrl::Sqlite { path, .. } => FileLock::take(path).map(Some),
        DatabaseUrl::Postgres { .. } => Ok(None),
    }
}

/// The same for what is done while no server runs.
pub(super) fn lock_unserved(url: &DatabaseUrl) -> Result<Option<FileLock>, OpenError> {
    lock(url).map_err(|error| match error {
        OpenError::InUse(path) => OpenError::Served(path),
        other => other,
    })
}

/// The writing connection alone.
pub(super) async fn connect_writer(url: &DatabaseUrl) -> Result<DatabaseConnection, OpenError> {
    connect(url, options(url, 1)).await
}

/// A connection that writes for as long as it takes.
pub(super) async fn unhurried(url: &DatabaseUrl) -> Result<DatabaseConnection, StoreError> {
    Ok(Database::connect(options(url, 1)).await?)
}

/// A connection that changes nothing, not even the file's journal mode.
pub(super) async fn connect_reader(url: &DatabaseUrl) -> Result<DatabaseConnection, OpenError> {
    let mut options = ConnectOptions::new(url.secret());
    options.max_connections(1).sqlx_logging(false).map_sqlx_sqlite_opts(|sqlite| sqlite.read_only(true).create_if_missing(false));
    connect(url, options).await
}

async fn connect(url: &DatabaseUrl, options: ConnectOptions) -> Result<DatabaseConnection, OpenError> {
    let unreachable = |source: StoreError| match url {
        DatabaseUrl::Sqlite { path, .. } if source.is_of_another_format() => {
            OpenError::NotADatabase { path: path.display().to_string() }
        }
        DatabaseUrl::Sqlite { .. } | DatabaseUrl::Postgres { .. } => OpenError::Unreachable { url: url.to_string(), source },
    };
    knock(url).await.map_err(unreachable)?;
    Database::connect(options).await.map_err(|error| unreachable(error.into()))
}

/// Tries one connection to PostgreSQL: the pool would try again and again, and in the end tell of its own patience only.
async fn knock(url: &DatabaseUrl) -> Result<(), StoreError> {
    let DatabaseUrl::Postgres { url } = url else { return Ok(()) };
    let refused = |error: SqlxError| StoreError::from(DbErr::Conn(RuntimeErr::SqlxError(error.into())));
    let connection = tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect(url)).await;
    let connection = connection.map_err(|_| StoreError::TimedOut)?.map_err(refused)?;
    connection.close().await.map_err(refused)
}

/// The lane's connection: PostgreSQL itself ends what the lane gives up after 1.5 s, or each try would leave a transaction behind that
/// waits for as long as the lock is held.
fn writing(url: &DatabaseUrl) -> ConnectOptions {
    let mut writing = options(url, 1);
    writing.map_sqlx_postgres_opts(|postgres| {
        let patience = [("lock_timeout", "1s"), ("statement_timeout", "1400ms")];
        postgres.application_name("natter").statement_cache_capacity(STATEMENT_CACHE).options(patience)
    });
    writing
}

fn options(url: &DatabaseUrl, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.secret());
    options
        .max_connections(connections)
        // No minimum: sqlx would fill it up again by itself, with waits of up to a minute, and hold the writer's only place meanwhile.
        .min_connections(0)
        .connect_timeout(CONNECT_TIMEOUT)
        .acquire_timeout(CONNECT_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .sqlx_logging(false)
        // A connection that broke while nothing happened is replaced unseen; under load, where this would cost, it is not asked.
        // The lane's is held beyond the pool: `Connection::begin` does the same for it.
        .test_before_acquire_if_idle_for(IDLE)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(SQLITE_BUSY_TIMEOUT)
                // What is deleted is overwritten, and not only forgotten.
                .pragma("secure_delete", "ON")
                .statement_cache_capacity(STATEMENT_CACHE)
        })
        // A full disk, or a trigger that rolls back, ends SQLite's transaction and not the driver's: what came next would be a savepoint
        // in nothing, and never be committed.
        .map_sqlx_sqlite_pool_opts(|pool| {
            pool.before_acquire(|connection, _| Box::pin(std::future::ready(Ok(!connection.is_in_transaction()))))
        })
        .map_sqlx_postgres_opts(|postgres| postgres.application_name("natter").statement_cache_capacity(STATEMENT_CACHE))
        .map_sqlx_postgres_pool_opts(|pool| pool.after_connect(|connection, _| Box::pin(set_up(connection))));
    options
}

/// An `ACK` promises that the row is on disk, whatever the server's default is. And a transaction whose client has vanished must not
/// keep the log's head locked until the network notices.
async fn set_up(connection: &mut PgConnection) -> Result<(), SqlxError> {
    use sea_orm::sqlx::Executor;
    let durable_unless_stricter =
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')";
    connection.execute(durable_unless_stricter).await?;
    connection.execute("SET idle_in_transaction_session_timeout = '10s'").await?;
    Ok(())
}
