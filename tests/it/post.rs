//! Posting: what is stored, who sees it, in which words, and that it happens once.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase, new_message};
use rstest::rstest;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

#[rstest]
#[tokio::test]
async fn a_message_is_stored_and_appears_at_everyone_in_their_own_dialect(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let mut sender = Client::classic(&server, 456).await;
    let (mut other, welcome) = Client::natter_v1(&server, 7).await;
    assert_eq!(welcome["payload"]["user_id"], 7);
    assert_eq!(welcome["payload"]["seq"], 0);

    let mut message = new_message(kind, 123, 456, "Hello world!");
    message["file_type"] = json!("image/png");
    message["file_paths"] = json!("uploads/image.png");
    sender.send(&message).await;

    let classic = sender.next_text().await;
    let created_at = stored_time(&database, kind).await;
    let own_keys = match kind {
        Kind::Chat => r#","selected_chat_id":null"#,
        Kind::Support => "",
    };
    let (frame, id_field) = (kind.frame(), kind.id_field());
    let keys = format!(
        r#""id":1,"{id_field}":123,"sender_id":456,"content":"Hello world!","file_type":"image/png","file_paths":"uploads/image.png"{own_keys},"created_at":"{created_at}""#
    );
    assert_eq!(classic, format!(r#"{{"type":"{frame}","payload":{{{keys}}}}}"#));
    assert_eq!(other.next_text().await, format!(r#"{{"type":"{frame}","seq":1,"payload":{{{keys},"version":1}}}}"#));
    assert_eq!(database.assert_gapless_log().await, 1);
}

/// The only message's time, as the database holds it, in the words of a frame.
async fn stored_time(database: &TestDatabase, kind: Kind) -> String {
    let text = match database.backend {
        Backend::Sqlite => "strftime('%Y-%m-%dT%H:%M:%fZ', created_at)",
        Backend::Postgres => r#"to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#,
    };
    database.text(&format!("SELECT {text} FROM {}", kind.table())).await
}

#[rstest]
#[tokio::test]
async fn selected_chat_id_is_stored_and_echoed(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let mut client = Client::classic(&server, 1).await;
    let mut message = new_message(Kind::Chat, 5, 1, "x");
    message["selected_chat_id"] = json!(789);
    client.send(&message).await;
    assert_eq!(client.expect("MESSAGE").await["payload"]["selected_chat_id"], 789);
    assert_eq!(database.number("SELECT CAST(selected_chat_id AS BIGINT) FROM messages").await, 789);
}

#[rstest]
#[tokio::test]
async fn what_is_stored_at_once_keeps_its_order_and_each_what_it_has(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let (mut client, welcome) = Client::natter_v1(&server, 1).await;
    let messages: Vec<_> = (1..=100)
        .map(|number| {
            let kind = if number % 7 < 3 { Kind::Chat } else { Kind::Support };
            let mut message = new_message(kind, 5, 1, &format!("n{number}"));
            let set = [
                ("file_type", json!(format!("type/{number}")), number % 3 == 0),
                ("file_paths", json!(format!("path/{number}")), number % 4 == 0),
                ("selected_chat_id", json!(number), kind == Kind::Chat && number % 5 == 0),
                ("client_id", json!(Uuid::from_u128(number)), number % 6 == 0),
            ];
            for (field, value, _) in set.into_iter().filter(|(_, _, is_set)| *is_set) {
                message[field] = value;
            }
            message
        })
        .collect();
    client.send_together(&messages).await;
    let (mut told, mut last_ids) = (Vec::new(), BTreeMap::new());
    for (seq, sent) in (1..).zip(&messages) {
        let frame = client.next().await;
        assert_eq!(frame["seq"], seq);
        let id = frame["payload"]["id"].as_i64();
        assert!(id > last_ids.insert(frame["type"].to_string(), id).flatten(), "ids ascend: {frame}");
        for field in ["content", "file_type", "file_paths", "selected_chat_id", "client_id"] {
            assert_eq!(frame["payload"].get(field).unwrap_or(&json!(null)), &sent[field], "{field}");
        }
        told.push(frame);
    }
    assert_eq!(database.assert_gapless_log().await, 100);
    let log_id = welcome["payload"]["log_id"].as_str().expect("a log id");
    let (mut returned, _) = Client::resuming(&server, 2, 0, log_id).await;
    for frame in told {
        assert_eq!(returned.next().await["payload"], frame["payload"], "what the rows tell is what was told at once");
    }
}

#[rstest]
#[tokio::test]
async fn a_named_request_is_acknowledged_after_its_commit(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let mut classic = Client::classic(&server, 1).await;
    let (mut modern, _) = Client::natter_v1(&server, 2).await;
    for (client, seq) in [(&mut classic, 1), (&mut modern, 2)] {
        let mut message = new_message(kind, 3, client.user, "named");
        message["request_id"] = json!("r1");
        client.send(&message).await;
        let ack = loop {
            let frame = client.next().await;
            if frame["type"] == "ACK" {
                break frame;
            }
        };
        assert_eq!((&ack["request_id"], &ack["seq"]), (&json!("r1"), &json!(seq)));
        assert_eq!(ack["payload"]["id"], seq);
        assert_eq!(ack["payload"]["duplicate"], false);
        let stored = database.number(&format!("SELECT count(*) FROM {} WHERE id = {seq}", kind.table())).await;
        assert_eq!(stored, 1);
    }
}

#[rstest]
#[tokio::test]
async fn a_retry_gets_the_first_answer_and_nobody_sees_it_twice(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let client_id = Uuid::new_v4();
    let mut first_ack = None;
    let mut message = new_message(kind, 9, 1, "once");
    message["client_id"] = json!(client_id);
    message["request_id"] = json!("again");
    // Twice in one session, then after a restart.
    let mut server = Some(server);
    for restart in [false, true] {
        if restart {
            let mut old = server.take().expect("a server");
            old.kill().await;
        }
        let running = match server.take() {
            Some(running) => running,
            None => Server::start(&database).await,
        };
        let (mut client, _) = Client::natter_v1(&running, 1).await;
        client.send(&message).await;
        client.send(&message).await;
        let mut acks = Vec::new();
        while acks.len() < 2 {
            let frame = client.next().await;
            if frame["type"] == "ACK" {
                acks.push(frame);
            }
        }
        for ack in acks {
            let payload = &ack["payload"];
            let told = (payload["id"].clone(), payload["created_at"].clone(), ack["seq"].clone());
            assert_eq!(payload["duplicate"], first_ack.is_some());
            assert_eq!(payload["client_id"], json!(client_id));
            assert_eq!(first_ack.get_or_insert(told.clone()), &told);
        }
        server = Some(running);
    }
    assert_eq!(database.number(&format!("SELECT count(*) FROM {}", kind.table())).await, 1);
    assert_eq!(database.assert_gapless_log().await, 1);
}

/// D7: no two writers ever meet a locked database.
#[rstest]
#[tokio::test]
async fn sixty_four_senders_at_once_are_all_stored_in_one_order(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    const SENDERS: i64 = 64;
    const EACH: usize = 200;
    let database = TestDatabase::new(backend).await;
    let server = Server::unlimited(&database).await;
    let mut clients = Vec::new();
    for user in 1..=SENDERS {
        clients.push(Client::natter_v1(&server, user).await.0);
    }
    let all = EACH * clients.len();
    let senders: Vec<_> = clients.into_iter().map(|client| tokio::spawn(post_and_watch(client, EACH, all))).collect();
    let mut orders = BTreeSet::new();
    for sender in senders {
        orders.insert(sender.await.expect("a sender ends"));
    }
    assert_eq!(orders.len(), 1, "all saw the same order");
    let total = i64::try_from(all).expect("a number");
    assert_eq!(database.assert_gapless_log().await, total);
    let stored = database.number("SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM support_messages)").await;
    assert_eq!(stored, total);
}

/// Posts `each` messages of both kinds in turn, and tells in which order `all` messages of everybody came. Its own come in the
/// order in which it sent them.
async fn post_and_watch(mut client: Client, each: usize, all: usize) -> Vec<(i64, String)> {
    for number in 0..each {
        let kind = if number % 2 == 0 { Kind::Chat } else { Kind::Support };
        client.post(kind, 1, &number.to_string()).await;
    }
    let mut order = Vec::with_capacity(all);
    let mut own = 0;
    while order.len() < all {
        let frame = client.next().await;
        assert_ne!(frame["type"], "ERROR", "{frame}");
        let seq = frame["seq"].as_i64().expect("a seq");
        assert_eq!(usize::try_from(seq).expect("positive"), order.len() + 1);
        let content = frame["payload"]["content"].as_str().expect("content").to_owned();
        if frame["payload"]["sender_id"] == client.user {
            assert_eq!(content, own.to_string());
            own += 1;
        }
        order.push((frame["payload"]["sender_id"].as_i64().expect("a sender"), content));
    }
    order
}

#[tokio::test]
async fn the_log_says_what_users_of_the_node_server_know_and_never_what_was_said() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let mut client = Client::classic(&server, 123).await;
    client.post(Kind::Chat, 1, "a secret").await;
    client.expect("MESSAGE").await;
    client.post(Kind::Support, 1, "a secret").await;
    client.expect("SUPPORT_MESSAGE").await;
    server.logged("📨 WS: Received message from user 123: NEW_MESSAGE").await;
    server.logged("💬 WS: New message created with ID: 1").await;
    server.logged("📡 WS: Message broadcast sent to 1 users").await;
    server.logged("📨 WS: Received message from user 123: NEW_SUPPORT_MESSAGE").await;
    server.logged("🆘 WS: New support message created with ID: 1").await;
    assert!(!server.log().contains("secret"), "{}", server.log());
}

#[tokio::test]
async fn who_is_connected_is_told_by_user() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let first = Client::classic(&server, 5).await;
    let (_second, _) = Client::natter_v1(&server, 5).await;
    let _third = Client::classic(&server, 6).await;
    server.logged("User 6 connected").await;
    let (status, body) = server.get("/api/v1/presence?userId=5").await;
    let online = |user: i64, sessions: i64| json!({ "user_id": user, "status": "online", "sessions": sessions });
    assert_eq!(status, 200);
    let users: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(users, json!({ "users": [online(5, 2), online(6, 1)] }));
    assert_eq!(first.close().await, 1000);
    server.logged("User 5 disconnected").await;
    let (_, body) = server.get("/api/v1/presence?userId=5").await;
    let users: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(users, json!({ "users": [online(5, 1), online(6, 1)] }));
}
