//! A database of a test's own, gone with the test: a file for SQLite, a database on the throwaway server for PostgreSQL.

use super::PostgresServer;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tempfile::TempDir;
use uuid::Uuid;

/// The two databases; a test that concerns stored things runs on both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// An empty database.
pub(crate) struct TestDatabase {
    pub(crate) backend: Backend,
    pub(crate) url: String,
    /// The server's working directory; the SQLite file lies in it.
    pub(crate) folder: TempDir,
}

impl TestDatabase {
    pub(crate) async fn new(backend: Backend) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = match backend {
            Backend::Sqlite => sqlite_url(&folder),
            Backend::Postgres => new_postgres_database("").await,
        };
        Self { backend, url, folder }
    }

    /// Another one with all that is in this one, which nobody may be using.
    pub(crate) async fn copy(&self) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = match self.backend {
            Backend::Sqlite => {
                let file = self.folder.path().join("natter.db");
                if file.exists() {
                    std::fs::copy(file, folder.path().join("natter.db")).expect("the file is copied");
                }
                sqlite_url(&folder)
            }
            Backend::Postgres => {
                let (_, name) = self.url.rsplit_once('/').expect("an address with a database");
                new_postgres_database(&format!("TEMPLATE {name}")).await
            }
        };
        Self { backend: self.backend, url, folder }
    }

    /// The database of a PostgreSQL server of the test's own.
    pub(crate) fn of(postgres: &PostgresServer) -> Self {
        Self { backend: Backend::Postgres, url: postgres.url(), folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A connection beside the server's own.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        Database::connect(&self.url).await.expect("the test's database answers")
    }

    /// The one number that `sql` selects.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let db = self.connect().await;
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await;
        let row = row.expect("the statement is right").expect("one row");
        let number = row.try_get_by_index::<i64>(0).expect("a number");
        db.close().await.expect("the connection closes");
        number
    }

    /// The one text that `sql` selects.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let db = self.connect().await;
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await;
        let text = row.expect("the statement is right").expect("one row").try_get_by_index(0).expect("a text");
        db.close().await.expect("the connection closes");
        text
    }

    /// The event log: contiguous from 1 up to its head, which is returned.
    pub(crate) async fn assert_gapless_log(&self) -> i64 {
        let head = self.number("SELECT CAST(seq AS BIGINT) FROM log_head").await;
        let count = self.number("SELECT count(*) FROM events").await;
        let highest = self.number("SELECT CAST(coalesce(max(seq), 0) AS BIGINT) FROM events").await;
        assert_eq!((count, highest), (head, head), "the log has a gap");
        head
    }
}

fn sqlite_url(folder: &TempDir) -> String {
    format!("sqlite://{}/natter.db?mode=rwc", folder.path().display())
}

/// `scripts/test` starts the server and names it; every test takes a database of its own there.
async fn new_postgres_database(options: &str) -> String {
    let server = std::env::var("NATTER_TEST_POSTGRES").expect("NATTER_TEST_POSTGRES is not set: run the tests by `make test`");
    let (base, _) = server.rsplit_once('/').expect("an address with a database");
    let name = format!("test_{}", Uuid::new_v4().simple());
    let admin = Database::connect(&server).await.expect("the throwaway PostgreSQL answers");
    admin.execute_unprepared(&format!("CREATE DATABASE {name} {options}")).await.expect("a new database");
    admin.close().await.expect("the connection closes");
    format!("{base}/{name}")
}
