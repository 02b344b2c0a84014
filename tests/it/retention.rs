//! The event log is pruned: by count and by age, never with a hole, and messages stay.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase, server::Start};
use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

fn log_id(welcome: &Value) -> String {
    welcome["payload"]["log_id"].as_str().expect("a log").to_owned()
}

/// A database in which one author posted so many messages, and the name of its log.
async fn written(backend: Backend, kind: Kind, messages: i64) -> (TestDatabase, String) {
    let database = TestDatabase::new(backend).await;
    let mut server = Server::start(&database).await;
    let (mut author, welcome) = Client::natter_v1(&server, 1).await;
    for number in 1..=messages {
        author.post(kind, 1, &number.to_string()).await;
        author.expect(kind.frame()).await;
    }
    author.close().await;
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
    (database, log_id(&welcome))
}

/// Resumes from `since`: each event up to `head` comes, then `RESUMED`.
async fn assert_resumes(server: &Server, log: &str, since: i64, head: i64) {
    let (mut client, _) = Client::resuming(server, 2, since, log).await;
    for seq in since + 1..=head {
        assert_eq!(client.next().await["seq"], seq);
    }
    assert_eq!(client.expect("RESUMED").await["payload"], json!({ "from": since, "to": head }));
}

async fn assert_expired(server: &Server, log: &str, since: i64, head: i64) {
    let (mut client, _) = Client::resuming(server, 2, since, log).await;
    assert_eq!(client.expect("RESET").await["payload"], json!({ "seq": head, "reason": "expired" }), "since {since}");
}

#[rstest]
#[tokio::test]
async fn the_last_events_stay_and_a_cursor_just_before_them_resumes(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let (database, log) = written(backend, kind, 10).await;
    let server = Start::on(&database).env("NATTER_LOG__KEEP_EVENTS", "4").listening().await;
    server.logged("the event log was pruned: 6 events are gone, it begins after seq 6").await;
    assert_eq!(database.number("SELECT count(*) FROM events").await, 4);
    assert_eq!(database.number(&format!("SELECT count(*) FROM {}", kind.table())).await, 10, "messages stay");
    for since in [0, 5] {
        assert_expired(&server, &log, since, 10).await;
    }
    for since in [6, 7, 10] {
        assert_resumes(&server, &log, since, 10).await;
    }
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    client.send(&json!({ "type": "GET_HISTORY", kind.id_field(): 1 })).await;
    assert_eq!(client.expect("HISTORY").await["payload"]["messages"].as_array().map(Vec::len), Some(10));
}

#[rstest]
#[tokio::test]
async fn events_go_when_they_are_old_and_the_log_may_become_empty(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let (database, log) = written(backend, kind, 10).await;
    let two_days = 2 * 24 * 60 * 60 * 1_000;
    let age = async |which: &str| {
        let db = database.connect().await;
        let sql = format!("UPDATE events SET created_at = created_at - {two_days} WHERE {which}");
        db.execute_unprepared(&sql).await.expect("the events are older now");
        db.close().await.expect("the connection closes");
    };
    // One that is old, but stands behind younger ones, waits for them.
    age("seq <= 3 OR seq = 8").await;
    // One worker: where one client has an event, the next that comes back does, too.
    let start = || Start::on(&database).env("NATTER_LOG__KEEP_DAYS", "1").env("NATTER_SERVER__WORKERS", "1");
    let mut server = start().listening().await;
    server.logged("the event log was pruned: 3 events are gone, it begins after seq 3").await;
    assert_expired(&server, &log, 2, 10).await;
    assert_resumes(&server, &log, 3, 10).await;
    server.terminate();
    assert_eq!(server.ended().await, Some(0));

    age("seq <> 8").await;
    let server = start().listening().await;
    server.logged("the event log was pruned: 7 events are gone, it begins after seq 10").await;
    assert_eq!(database.number("SELECT count(*) FROM events").await, 0);
    assert_expired(&server, &log, 9, 10).await;
    assert_resumes(&server, &log, 10, 10).await;
    let (mut author, welcome) = Client::natter_v1(&server, 1).await;
    assert_eq!((log_id(&welcome), &welcome["payload"]["seq"]), (log.clone(), &json!(10)));
    author.post(kind, 1, "on").await;
    assert_eq!(author.expect(kind.frame()).await["seq"], 11);
    assert_resumes(&server, &log, 10, 11).await;
    assert_expired(&server, &log, 9, 11).await;
}

#[tokio::test]
async fn without_a_setting_everything_stays() {
    let (database, log) = written(Backend::Sqlite, Kind::Chat, 5).await;
    let db = database.connect().await;
    db.execute_unprepared("UPDATE events SET created_at = 0").await.expect("the events are older now");
    db.close().await.expect("the connection closes");
    let server = Server::unlimited(&database).await;
    let (mut author, _) = Client::natter_v1(&server, 1).await;
    for _ in 0..1_200 {
        author.post(Kind::Chat, 1, "x").await;
    }
    for _ in 0..1_200 {
        author.expect("MESSAGE").await;
    }
    assert_eq!(database.assert_gapless_log().await, 1_205);
    assert_resumes(&server, &log, 0, 1_205).await;
}

/// Everything stays in order while the log is pruned under load; who is in the midst of resuming when it is cut off behind them is told
/// to begin afresh, and is never told an event with a hole before it.
#[rstest]
#[tokio::test]
async fn who_is_overtaken_by_the_pruning_while_resuming_is_reset(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    const LARGE: i64 = 250;
    const SMALL: i64 = 2_500;
    let database = TestDatabase::new(backend).await;
    let server = Start::on(&database).unlimited().env("NATTER_LOG__KEEP_EVENTS", "10").listening().await;
    let (mut author, welcome) = Client::natter_v1(&server, 1).await;
    let large = "\u{20ac}".repeat(19_000);
    for _ in 0..LARGE {
        author.post(Kind::Support, 1, &large).await;
        author.expect("SUPPORT_MESSAGE").await;
    }
    // More than the two ends' buffers hold: it does not read yet, and is still being told.
    let (mut late, _) = Client::resuming(&server, 2, 0, &log_id(&welcome)).await;
    let (mut sender, mut echo) = author.split();
    let sending = tokio::spawn(async move {
        for _ in 0..SMALL {
            sender.post(Kind::Chat, 1, "x").await;
        }
        sender
    });
    for seq in LARGE + 1..=LARGE + SMALL {
        assert_eq!(echo.next().await["seq"], seq);
    }
    let _sender = sending.await.expect("everything is sent");
    server.logged("the event log was pruned").await;

    let mut told = 0;
    let reset = loop {
        let frame = late.next().await;
        if frame["seq"].is_null() {
            break frame;
        }
        told += 1;
        assert_eq!(frame["seq"], told);
    };
    assert!(told < LARGE, "{told} were told");
    assert_eq!(reset["type"], "RESET");
    assert_eq!(reset["payload"], json!({ "seq": LARGE + SMALL, "reason": "expired" }));
    late.post(Kind::Chat, 1, "live").await;
    assert_eq!(late.expect("MESSAGE").await["seq"], LARGE + SMALL + 1);
    // What is left is the end of the log, whole.
    let kept = database.number("SELECT count(*) FROM events").await;
    let first = database.number("SELECT CAST(min(seq) AS BIGINT) FROM events").await;
    let last = database.number("SELECT CAST(max(seq) AS BIGINT) FROM events").await;
    assert_eq!((last, kept), (LARGE + SMALL + 1, last - first + 1));
    assert!((10..LARGE + 1_100).contains(&kept), "{kept} are kept");
}
