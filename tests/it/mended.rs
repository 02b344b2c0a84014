//! What an application beside Natter may do to the database, and what becomes of everyone else: nothing.

use crate::harness::{Backend, Client, Kind, PATIENCE, Server, TestDatabase, new_message};
use rstest::rstest;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{sleep, timeout};

async fn run(database: &TestDatabase, sql: &str) {
    let db = database.connect().await;
    db.execute_unprepared(sql).await.expect("the statement is right");
    db.close().await.expect("the connection closes");
}

#[rstest]
#[tokio::test]
async fn a_moment_beyond_the_calendar_hides_no_conversation(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let moments = match backend {
        Backend::Sqlite => ["9223372036854775807", "'no time'"],
        Backend::Postgres => ["'infinity'", "'200000-01-01'"],
    };
    for moment in moments {
        let (table, column) = (kind.table(), kind.id_field());
        run(&database, &format!("INSERT INTO {table} ({column}, sender_id, content, created_at) VALUES (5, 1, 'x', {moment})"))
            .await;
    }
    client.post(kind, 5, "y").await;
    client.expect(kind.frame()).await;
    let page = client.request(json!({ "type": "GET_HISTORY", kind.id_field(): 5 })).await;
    let messages = page["payload"]["messages"].as_array().expect("a page");
    assert_eq!(messages.len(), 3, "{page}");
    assert_eq!(messages[0]["created_at"], "9999-12-31T23:59:59.999Z");
    assert!(server.is_alive().await && !server.log().contains("panicked"), "{}", server.log());
}

/// An error that is in no list of constraints: an index that can't hold the row.
#[rstest]
#[tokio::test]
async fn a_row_that_the_database_takes_offence_at_for_any_reason_fails_alone(#[values(Kind::Chat, Kind::Support)] kind: Kind) {
    let database = TestDatabase::new(Backend::Postgres).await;
    let server = Server::start(&database).await;
    run(&database, &format!("CREATE INDEX too_narrow ON {} (content)", kind.table())).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let mut text = fastrand::Rng::with_seed(1);
    let unpressable: String = std::iter::repeat_with(|| text.alphanumeric()).take(9_000).collect();
    let frames: Vec<Value> = (0..40)
        .map(|number| {
            let mut frame = new_message(kind, 3, 1, if number == 17 { &unpressable } else { "x" });
            frame["request_id"] = json!(number.to_string());
            frame
        })
        .collect();
    client.send_together(&frames).await;
    let mut answers = Vec::new();
    while answers.len() < 40 {
        let frame = client.next().await;
        if !frame["request_id"].is_null() {
            answers.push(frame);
        }
    }
    let refused: Vec<&Value> = answers.iter().filter(|answer| answer["type"] == "ERROR").collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!((&refused[0]["request_id"], &refused[0]["payload"]["code"]), (&json!("17"), &json!("internal")));
    assert_eq!(server.get("/readyz").await.0, 200);
}

#[tokio::test]
async fn a_locked_table_is_told_by_readyz_and_leaves_no_connection_behind() {
    let database = TestDatabase::new(Backend::Postgres).await;
    let server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let db = database.connect().await;
    let tx = db.begin().await.expect("a transaction");
    tx.execute_unprepared("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE").await.expect("a lock");
    for _ in 0..3 {
        let answer = client.request(new_message(Kind::Chat, 1, 1, "x")).await;
        assert_eq!(answer["payload"]["code"], "unavailable", "{answer}");
        assert_eq!(server.get("/readyz").await.0, 503);
        sleep(Duration::from_secs(1)).await;
    }
    let backends = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'natter'";
    let count = database.number(backends).await;
    assert!(count <= 5, "{count} connections");
    tx.rollback().await.expect("the lock goes");
    timeout(PATIENCE, async { while server.get("/readyz").await.0 != 200 {} }).await.expect("it becomes ready");
    assert_eq!(client.request(new_message(Kind::Chat, 1, 1, "x")).await["type"], "ACK");
}

#[tokio::test]
async fn a_database_file_that_is_removed_under_the_server_is_told_by_readyz() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    assert_eq!(server.get("/readyz").await.0, 200);
    std::fs::remove_file(database.folder.path().join("natter.db")).expect("the file is removed");
    assert_eq!(server.get("/readyz").await, (503, "the database's file was removed or replaced\n".to_owned()));
}

#[tokio::test]
async fn after_an_outage_on_sqlite_a_stop_in_good_order_leaves_one_file() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let db = database.connect().await;
    let tx = db.begin().await.expect("a transaction");
    tx.execute_unprepared("UPDATE log_head SET seq = seq").await.expect("the write lock");
    let answer = client.request(new_message(Kind::Chat, 1, 1, "x")).await;
    assert_eq!(answer["payload"]["code"], "unavailable", "{answer}");
    assert_eq!(server.get("/readyz").await, (503, "the database takes no writes: every change is refused\n".to_owned()));
    tx.rollback().await.expect("the lock goes");
    db.close().await.expect("the connection closes");
    timeout(PATIENCE, async { while server.get("/readyz").await.0 != 200 {} }).await.expect("it becomes ready");
    assert_eq!(client.request(new_message(Kind::Chat, 1, 1, "x")).await["type"], "ACK");
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
    assert!(!database.folder.path().join("natter.db-wal").exists(), "{}", server.log());
}

#[rstest]
#[tokio::test]
async fn events_that_another_has_put_into_the_log_are_published_before_what_follows(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    client.post(kind, 3, "first").await;
    assert_eq!(client.expect(kind.frame()).await["seq"], 1);
    run(
        &database,
        "INSERT INTO events (seq, kind, conversation_kind, conversation_id, message_id, created_at) \
                    SELECT 2, kind, conversation_kind, conversation_id, message_id, created_at FROM events",
    )
    .await;
    run(&database, "UPDATE log_head SET seq = 2").await;
    client.post(kind, 3, "third").await;
    assert_eq!(client.expect(kind.frame()).await["seq"], 2);
    assert_eq!(client.expect(kind.frame()).await["seq"], 3);
}

#[rstest]
#[tokio::test]
async fn a_log_that_goes_back_ends_the_server_and_gets_another_name(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = TestDatabase::new(backend).await;
    let mut server = Server::start(&database).await;
    let (mut client, welcome) = Client::natter_v1(&server, 1).await;
    for seq in 1..=3 {
        client.post(Kind::Chat, 3, "x").await;
        assert_eq!(client.expect("MESSAGE").await["seq"], seq);
    }
    run(&database, "DELETE FROM events WHERE seq > 1").await;
    run(&database, "UPDATE log_head SET seq = 1").await;
    client.post(Kind::Chat, 3, "x").await;
    assert_eq!(server.ended().await, Some(1), "{}", server.log());
    assert!(server.log().contains("the event log went back from 3 to 1"), "{}", server.log());
    let server = Server::start(&database).await;
    let (_, again) = Client::natter_v1(&server, 1).await;
    assert_ne!(again["payload"]["log_id"], welcome["payload"]["log_id"]);
}
