//! Coming back after any gap: everything that was missed, once and in order, or an explicit reset.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase, server::Start};
use rstest::rstest;
use serde_json::{Value, json};

fn log_id(welcome: &Value) -> String {
    welcome["payload"]["log_id"].as_str().expect("a log").to_owned()
}

fn change(r#type: &str, kind: Kind, id: i64) -> Value {
    json!({ "type": r#type, kind.id_field(): 1, "message_id": id, "content": "changed" })
}

#[rstest]
#[tokio::test]
async fn what_was_missed_comes_in_order_edits_and_deletions_included(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let mut server = Server::start(&database).await;
    let (mut author, welcome) = Client::natter_v1(&server, 1).await;
    for content in ["seen", "edited later", "deleted later"] {
        author.post(kind, 1, content).await;
        author.expect(kind.frame()).await;
    }
    // The other one has seen three events and goes away; so does the server.
    author.request(change("EDIT_MESSAGE", kind, 2)).await;
    author.request(change("DELETE_MESSAGE", kind, 3)).await;
    author.post(kind, 1, "new").await;
    author.expect(kind.frame()).await;
    server.kill().await;
    let server = Server::start(&database).await;

    let (mut back, again) = Client::resuming(&server, 2, 3, &log_id(&welcome)).await;
    assert_eq!((log_id(&again), &again["payload"]["seq"]), (log_id(&welcome), &json!(6)));
    let edited = back.expect("MESSAGE_EDITED").await;
    assert_eq!(
        (&edited["seq"], &edited["payload"]["content"], &edited["payload"]["version"]),
        (&json!(4), &json!("changed"), &json!(2))
    );
    let deleted = back.expect("MESSAGE_DELETED").await;
    assert_eq!((&deleted["seq"], &deleted["payload"]["message_id"]), (&json!(5), &json!(3)));
    let posted = back.expect(kind.frame()).await;
    assert_eq!((&posted["seq"], &posted["payload"]["content"]), (&json!(6), &json!("new")));
    assert_eq!(back.expect("RESUMED").await["payload"], json!({ "from": 3, "to": 6 }));
    back.post(kind, 1, "live").await;
    assert_eq!(back.expect(kind.frame()).await["seq"], 7);

    // From the beginning: each message as it is now.
    let (mut fresh, _) = Client::resuming(&server, 3, 0, &log_id(&welcome)).await;
    let mut told = Vec::new();
    loop {
        let frame = fresh.next().await;
        if frame["type"] == "RESUMED" {
            break;
        }
        assert_eq!(frame["seq"], told.len() + 1);
        told.push(frame);
    }
    assert_eq!(told.len(), 7);
    assert_eq!((&told[1]["payload"]["content"], &told[1]["payload"]["version"]), (&json!("changed"), &json!(2)));
    assert_eq!(told[2]["payload"]["content"], "");
    assert!(told[2]["payload"]["deleted_at"].is_string());
}

/// A client holds to the higher version, so the deletion must have one above the edit's.
#[rstest]
#[tokio::test]
async fn a_missed_edit_does_not_hide_the_deletion_that_followed(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let (mut author, welcome) = Client::natter_v1(&server, 1).await;
    author.post(kind, 1, "first").await;
    author.expect(kind.frame()).await;
    author.request(change("EDIT_MESSAGE", kind, 1)).await;
    author.request(change("DELETE_MESSAGE", kind, 1)).await;

    let (mut back, _) = Client::resuming(&server, 1, 1, &log_id(&welcome)).await;
    let edited = back.expect("MESSAGE_EDITED").await;
    assert_eq!((&edited["payload"]["content"], &edited["payload"]["version"]), (&json!(""), &json!(2)));
    assert_eq!(back.expect("MESSAGE_DELETED").await["payload"]["version"], 3);
}

#[tokio::test]
async fn who_missed_nothing_is_told_so() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (_, welcome) = Client::natter_v1(&server, 1).await;
    let (mut client, _) = Client::resuming(&server, 1, 0, &log_id(&welcome)).await;
    assert_eq!(client.expect("RESUMED").await["payload"], json!({ "from": 0, "to": 0 }));
}

/// The seam: whoever comes back while much is written misses nothing and sees nothing twice.
#[rstest]
#[tokio::test]
async fn there_is_no_seam_between_what_was_missed_and_what_is_live(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    const MESSAGES: i64 = 4_000;
    const CLIENTS: i64 = 12;
    let database = TestDatabase::new(backend).await;
    let server = Server::unlimited(&database).await;
    let (writer, welcome) = Client::natter_v1(&server, 1).await;
    let (mut sender, mut echo) = writer.split();
    let writing = tokio::spawn(async move {
        for number in 1..=MESSAGES {
            let kind = if number % 2 == 0 { Kind::Chat } else { Kind::Support };
            sender.post(kind, 1, &number.to_string()).await;
        }
        sender
    });
    // Each comes back at another moment of the writing, with a cursor of its own.
    let mut comers = Vec::new();
    let mut seen = 0;
    for number in 0..CLIENTS {
        while seen < number * MESSAGES / CLIENTS {
            seen = echo.next().await["seq"].as_i64().expect("a seq");
        }
        let since = seen / 2;
        let (client, _) = Client::resuming(&server, 10 + number, since, &log_id(&welcome)).await;
        comers.push(tokio::spawn(follow(client, since, MESSAGES)));
    }
    let echoing = tokio::spawn(async move { while echo.next().await["seq"] != MESSAGES {} });
    let _sender = writing.await.expect("everything is written");
    echoing.await.expect("everything came back");
    for comer in comers {
        comer.await.expect("a client saw everything once");
    }
    assert_eq!(database.assert_gapless_log().await, MESSAGES);
}

/// Reads up to `last`: every `seq` after `since`, once, in order, with one `RESUMED` in between.
async fn follow(mut client: Client, since: i64, last: i64) {
    let (mut at, mut resumed) = (since, false);
    while at < last || !resumed {
        let frame = client.next().await;
        if frame["type"] == "RESUMED" {
            assert!(!resumed);
            assert_eq!(frame["payload"], json!({ "from": since, "to": at }));
            resumed = true;
        } else {
            assert_eq!(frame["seq"], at + 1, "{frame}");
            assert_eq!(frame["payload"]["content"], (at + 1).to_string());
            at += 1;
        }
    }
}

#[rstest]
#[tokio::test]
async fn what_can_not_be_resumed_is_reset_with_its_reason(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    use sea_orm::ConnectionTrait;
    let database = TestDatabase::new(backend).await;
    // One worker: what one session has seen, the next one's hub has handed out, too.
    let start = Start::on(&database).env("NATTER_RESUME__MAX_EVENTS", "5").env("NATTER_SERVER__WORKERS", "1");
    let server = start.listening().await;
    let (mut author, welcome) = Client::natter_v1(&server, 1).await;
    for _ in 0..10 {
        author.post(Kind::Chat, 1, "x").await;
        author.expect("MESSAGE").await;
    }
    let log_id = log_id(&welcome);
    let reset = async |since: i64, log: &str, reason: &str| {
        let (mut client, _) = Client::resuming(&server, 2, since, log).await;
        assert_eq!(client.expect("RESET").await["payload"], json!({ "seq": 10, "reason": reason }));
    };
    reset(4, &log_id, "too_many").await;
    reset(0, &log_id, "too_many").await;
    reset(11, &log_id, "other_log").await;
    reset(9, "00000000-0000-4000-8000-000000000000", "other_log").await;
    let db = database.connect().await;
    db.execute_unprepared("DELETE FROM events WHERE seq <= 7").await.expect("the log is pruned");
    reset(6, &log_id, "expired").await;
    let (mut client, _) = Client::resuming(&server, 2, 7, &log_id).await;
    assert_eq!(client.expect("MESSAGE").await["seq"], 8);
}

#[tokio::test]
async fn after_a_reset_events_come_live() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (mut client, _) = Client::resuming(&server, 1, 5, "00000000-0000-4000-8000-000000000000").await;
    client.expect("RESET").await;
    client.post(Kind::Chat, 1, "live").await;
    assert_eq!(client.expect("MESSAGE").await["seq"], 1);
}

#[tokio::test]
async fn a_faulty_cursor_is_told_on_the_socket() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let log = "00000000-0000-4000-8000-000000000000";
    for (query, field) in [
        ("since=1".to_owned(), "log"),
        (format!("log={log}"), "since"),
        (format!("since=-1&log={log}"), "since"),
        (format!("since=x&log={log}"), "since"),
        (format!("since=9007199254740992&log={log}"), "since"),
        ("since=1&log=x".to_owned(), "log"),
        (format!("since=1&since=2&log={log}"), "since"),
    ] {
        let url = format!("{}&{query}", server.ws_url(1));
        let mut client = Client::connect(&url, 1, Some("natter.v1")).await;
        assert_eq!(client.expect_error("invalid_field").await["field"], field, "{query}");
        assert_eq!(client.closed().await.0, 1008, "{query}");
        // The classic dialect has no cursor: it is not looked at.
        let mut classic = Client::connect(&url, 1, None).await;
        classic.post(Kind::Chat, 1, "x").await;
        classic.expect("MESSAGE").await;
    }
}

/// What is not for a client does not count, up to four times what it may have missed.
#[rstest]
#[tokio::test]
async fn what_others_were_told_is_no_reason_for_a_reset(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = TestDatabase::new(backend).await;
    let start = Start::on(&database).with_access("deny").env("NATTER_RESUME__MAX_EVENTS", "5").env("NATTER_SERVER__WORKERS", "1");
    let server = start.listening().await;
    for (chat, user) in [(1, 1), (2, 1), (2, 2)] {
        let path = format!("/api/v1/chats/{chat}/members/{user}");
        assert_eq!(server.backend("PUT", &path, Some(json!({ "role": "member" }))).await.0, 200);
    }
    let (mut author, welcome) = Client::natter_v1(&server, 1).await;
    let log_id = log_id(&welcome);
    let mut post = async |chat: i64, count: i64| {
        for _ in 0..count {
            author.request(crate::harness::new_message(Kind::Chat, chat, 1, "x")).await;
        }
    };
    // Four of chat 2 for user 2, among fourteen that are not for them.
    post(1, 14).await;
    post(2, 4).await;
    let (mut back, _) = Client::resuming(&server, 2, 3, &log_id).await;
    for seq in 18..=21 {
        assert_eq!(back.expect("MESSAGE").await["seq"], seq);
    }
    assert_eq!(back.expect("RESUMED").await["payload"], json!({ "from": 3, "to": 21 }));
    // Six are too many, and so are twenty-one of anyone.
    post(2, 2).await;
    for since in [3, 0] {
        let (mut back, _) = Client::resuming(&server, 2, since, &log_id).await;
        assert_eq!(back.expect("RESET").await["payload"]["reason"], "too_many");
    }
    let (mut back, _) = Client::resuming(&server, 2, 19, &log_id).await;
    for seq in 20..=23 {
        assert_eq!(back.expect("MESSAGE").await["seq"], seq);
    }
}
