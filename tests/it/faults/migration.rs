//! `kill -9` in the midst of a migration (D8): it is run again, and everything is as if nothing had happened.

use super::number;
use crate::{
    harness::{Backend, Client, Kind, PATIENCE, Server, TestDatabase, server::Start, strace},
    prisma::Prisma,
    programs::{output, query},
};
use rstest::rstest;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::json;
use std::time::Duration;
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

/// What stands there before the migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Nothing,
    /// The application's tables, with rows.
    Prisma,
    /// What is left of Natter's after every step was taken back, with rows.
    TakenBack,
}

/// What changes a file.
const CHANGES: &str = "pwrite64,fdatasync,fsync,ftruncate,unlink";

/// What the steps make, in their order, in PostgreSQL's one space of names.
const RELATIONS: [&str; 12] = [
    "seaql_migrations",
    "messages",
    "messages_client_id_sender_id",
    "messages_chat_id_id",
    "support_messages",
    "support_messages_client_id_sender_id",
    "support_messages_support_chat_id_id",
    "log_head",
    "events",
    "message_versions",
    "members",
    "members_user_id",
];

async fn prepared(backend: Backend, origin: Origin) -> TestDatabase {
    let database = TestDatabase::new(backend).await;
    match origin {
        Origin::Nothing => {}
        Origin::Prisma => {
            let prisma = Prisma::on(&database);
            prisma.create_tables().await;
            prisma.insert(5).await;
        }
        Origin::TakenBack => {
            post_some(&database).await;
            while migrate(&database, "down").await.contains("applied") {}
        }
    }
    database
}

async fn post_some(database: &TestDatabase) {
    let mut server = Server::start(database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    for kind in [Kind::Chat, Kind::Support] {
        for content in ["one", "two"] {
            client.post(kind, 1, content).await;
            client.expect(kind.frame()).await;
        }
    }
    client.request(json!({ "type": "EDIT_MESSAGE", "chat_id": 1, "message_id": 1, "content": "edited" })).await;
    server.terminate();
    assert_eq!(server.ended().await, Some(0), "{}", server.log());
}

fn migration(database: &TestDatabase, direction: &str) -> Start {
    Start::on(database).arg("migrate").arg(direction)
}

/// What it tells of each step.
async fn migrate(database: &TestDatabase, direction: &str) -> String {
    let (code, told, log) = migration(database, direction).finished().await;
    assert_eq!(code, Some(0), "{told}{log}");
    told
}

/// The whole database as text, but for what differs by nature: the log's name, and when the steps were run.
async fn dump(database: &TestDatabase) -> String {
    query(database, "UPDATE log_head SET log_id = '00000000-0000-0000-0000-000000000000'").await;
    query(database, "UPDATE seaql_migrations SET applied_at = 0").await;
    let text = match database.backend {
        Backend::Sqlite => query(database, ".dump").await,
        Backend::Postgres => output(Command::new("pg_dump").arg(&database.url)).await,
    };
    // pg_dump's own guard has another name each time.
    text.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
}

/// The dump of a migration that nobody disturbed.
async fn undisturbed(prepared: &TestDatabase) -> String {
    let database = prepared.copy().await;
    migrate(&database, "up").await;
    dump(&database).await
}

/// Killed at every eleventh call that changes a file, from the first to the last; tier N: `NATTER_TEST_CALLS_APART=1`, at every one.
#[rstest]
#[tokio::test]
async fn a_migration_of_sqlite_that_is_killed_at_any_write_is_run_again(
    #[values(Origin::Nothing, Origin::Prisma, Origin::TakenBack)] origin: Origin,
) {
    let apart = usize::try_from(number("NATTER_TEST_CALLS_APART", 11)).expect("a number");
    let prepared = prepared(Backend::Sqlite, origin).await;
    let expected = undisturbed(&prepared).await;
    let mut kills = 0;
    for call in (1..).step_by(apart) {
        let database = prepared.copy().await;
        let killed = migration(&database, "up").by(strace::killed_at(CHANGES, call)).finished().await;
        if killed.0 == Some(0) {
            break;
        }
        assert_eq!(killed.0, None, "{}", killed.2);
        kills += 1;
        migrate(&database, "up").await;
        assert_eq!(dump(&database).await, expected, "killed at change {call}");
    }
    eprintln!("{origin:?}: killed at {kills} writes, {apart} apart");
    assert!(kills > 0);
}

/// Each thing that a step makes is held by another transaction until the migration, which waits for it, is killed. It is run again, and
/// killed at the next one.
#[rstest]
#[tokio::test]
async fn a_migration_of_postgres_that_is_killed_at_any_step_is_run_again(
    #[values(Origin::Nothing, Origin::Prisma, Origin::TakenBack)] origin: Origin,
) {
    let prepared = prepared(Backend::Postgres, origin).await;
    let expected = undisturbed(&prepared).await;
    let database = prepared.copy().await;
    for relation in RELATIONS {
        let db = database.connect().await;
        let tx = db.begin().await.expect("a transaction");
        tx.execute_unprepared(&hold(&database, relation).await).await.expect("it is held");
        let mut killed = migration(&database, "up").spawned();
        waits_for_a_lock(&database).await;
        killed.kill().await;
        tx.rollback().await.expect("it is let go");
        db.close().await.expect("the connection closes");
    }
    migrate(&database, "up").await;
    assert_eq!(dump(&database).await, expected);
}

/// What keeps others from touching this relation, or from making it.
async fn hold(database: &TestDatabase, relation: &str) -> String {
    match query(database, &format!("SELECT to_regclass('{relation}') IS NOT NULL")).await.trim() {
        "t" => format!("LOCK TABLE {relation} IN ACCESS EXCLUSIVE MODE"),
        _ => format!("CREATE TABLE {relation} ()"),
    }
}

async fn waits_for_a_lock(database: &TestDatabase) {
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting = async {
        while database.number(WAITING).await == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("the migration waits");
}
