//! What the operator sees: each number at `/metrics` moves as what it counts does.

use crate::harness::{
    Backend, Client, Kind, PATIENCE, RawSocket, Scrape, Server, TestDatabase, new_message,
    raw::{TEXT, client_frame},
    scrape::{becomes, exceeds},
    server::Start,
};
use natter::http::Route;
use rstest::rstest;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::json;

#[tokio::test]
async fn every_metric_is_there_from_the_start_and_keeps_its_name_and_type() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let scrape = Scrape::of(&Server::start(&database).await).await;
    insta::assert_snapshot!(scrape.types().join("\n"));
    for (series, value) in scrape.series() {
        let is_told = series.starts_with("process_") || series.starts_with("natter_build_info");
        assert!(is_told || value == "0", "{series} begins with {value}");
    }
    for name in scrape.names() {
        assert!(scrape.text.contains(&format!("# HELP {name} ")), "{name} is not described");
    }
    for process in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"] {
        assert!(scrape.seconds(process) > 0.0, "{process}");
    }
}

#[tokio::test]
async fn sessions_are_counted_while_they_are_open_and_by_how_they_end() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (one, _) = Client::natter_v1(&server, 1).await;
    let mut two = RawSocket::upgraded(&server, 2).await;
    let three = RawSocket::upgraded(&server, 3).await;
    becomes(&server, "natter_sessions", 3).await;
    assert_eq!(one.close().await, 1000);
    two.write(&client_frame(0x82, b"binary")).await;
    assert_eq!(two.closed().await, 1003);
    drop(three);
    for code in [1000, 1003, 1006] {
        becomes(&server, &format!("natter_closes_total{{code=\"{code}\"}}"), 1).await;
    }
    drop(two);
    becomes(&server, "natter_sessions", 0).await;
    let scrape = Scrape::of(&server).await;
    assert_eq!(scrape.count("natter_closes_total{code=\"1006\"}"), 1, "who was told why, is not counted as broken off");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn messages_and_commits_are_counted_by_what_is_stored(#[case] backend: Backend) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    for kind in [Kind::Chat, Kind::Chat, Kind::Chat, Kind::Support, Kind::Support] {
        client.post(kind, 1, "x").await;
        client.expect(kind.frame()).await;
    }
    let edit = json!({ "type": "EDIT_MESSAGE", "chat_id": 1, "message_id": 1, "content": "y" });
    assert_eq!(client.request(edit).await["type"], "ACK");

    let scrape = Scrape::of(&server).await;
    assert_eq!(scrape.count("natter_messages_stored_total{kind=\"chat\"}"), 3);
    assert_eq!(scrape.count("natter_messages_stored_total{kind=\"support\"}"), 2);
    assert_eq!(scrape.count("natter_commit_changes_sum"), 6);
    assert_eq!(scrape.count("natter_commit_changes_count"), 6, "each was waited for");
    assert_eq!(scrape.count("natter_commit_changes_bucket{le=\"1\"}"), 6);
    assert_eq!(scrape.count("natter_commit_duration_seconds_count"), 6);
    let seconds = scrape.seconds("natter_commit_duration_seconds_sum");
    assert!(seconds > 0.0 && seconds < PATIENCE.as_secs_f64(), "{seconds}");
}

#[tokio::test]
async fn frames_are_counted_in_both_directions() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (mut one, _) = Client::natter_v1(&server, 1).await;
    let (mut two, _) = Client::natter_v1(&server, 2).await;
    let mut classic = Client::classic(&server, 3).await;
    let post = json!({ "type": "NEW_MESSAGE", "chat_id": 1, "sender_id": 1, "content": "x" });
    assert_eq!(one.request(post).await["type"], "ACK");
    two.expect("MESSAGE").await;
    classic.expect("MESSAGE").await;
    let edit = json!({ "type": "EDIT_MESSAGE", "chat_id": 1, "message_id": 1, "content": "y" });
    assert_eq!(one.request(edit).await["type"], "ACK");
    two.expect("MESSAGE_EDITED").await;

    // The classic dialect has no words for an edit.
    becomes(&server, "natter_frames_sent_total{kind=\"event\"}", 5).await;
    becomes(&server, "natter_frames_sent_total{kind=\"answer\"}", 4).await;
    let before = Scrape::of(&server).await;
    assert_eq!(before.count("natter_frames_received_total"), 2);
    let mut raw = RawSocket::upgraded(&server, 4).await;
    raw.write(&client_frame(0x89, b"ping")).await;
    raw.frame().await.expect("a pong");
    assert_eq!(Scrape::of(&server).await.count("natter_frames_received_total"), 3);
    becomes(&server, "natter_frames_sent_total{kind=\"control\"}", 1).await;
}

#[tokio::test]
async fn errors_are_counted_by_code() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let errors = [
        ("{", "invalid_json"),
        (r#"{"type":"NONSENSE"}"#, "unknown_type"),
        (r#"{"type":"NEW_MESSAGE"}"#, "invalid_field"),
        (r#"{"type":"NEW_MESSAGE","chat_id":1,"sender_id":9,"content":"x"}"#, "sender_mismatch"),
        (r#"{"type":"DELETE_MESSAGE","chat_id":1,"message_id":9}"#, "not_found"),
    ];
    for (frame, code) in errors {
        client.send_text(frame).await;
        client.expect_error(code).await;
        becomes(&server, &format!("natter_errors_total{{code=\"{code}\"}}"), 1).await;
    }
}

#[tokio::test]
async fn bytes_that_wait_for_a_peer_are_counted_until_it_is_closed_as_slow() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).env("NATTER_LIMITS__ENABLED", "false").listening().await;
    let (mut sender, _) = Client::natter_v1(&server, 1).await;
    let stalled = RawSocket::upgraded(&server, 99).await;
    let (content, mut most) = ("x".repeat(20_000), 0);
    while Scrape::of(&server).await.count("natter_slow_closes_total") < 1 {
        sender.post(Kind::Chat, 1, &content).await;
        sender.expect("MESSAGE").await;
        most = most.max(Scrape::of(&server).await.count("natter_outbox_bytes"));
    }
    assert!((500_000..=1_048_576).contains(&most), "{most}");
    assert_eq!(Scrape::of(&server).await.count("natter_closes_total{code=\"4100\"}"), 1);
    becomes(&server, "natter_sessions", 1).await;
    becomes(&server, "natter_outbox_bytes", 0).await;
    drop(stalled);
}

#[tokio::test]
async fn what_waits_for_the_database_is_told_while_it_waits() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let db = database.connect().await;
    db.execute_unprepared("PRAGMA busy_timeout = 5000").await.expect("patience");
    let tx = db.begin().await.expect("a transaction");
    tx.execute_unprepared("UPDATE log_head SET seq = seq").await.expect("the write lock");
    // The first is in the lane's hands; the others wait.
    client.post(Kind::Chat, 1, "x").await;
    becomes(&server, "natter_frames_received_total", 1).await;
    client.post(Kind::Chat, 1, "x").await;
    client.post(Kind::Chat, 1, "x").await;
    exceeds(&server, "natter_queue_drafts", 0).await;
    exceeds(&server, "natter_queue_bytes", 100).await;
    tx.rollback().await.expect("the write lock is given back");
    for _ in 0..3 {
        client.expect("MESSAGE").await;
    }
    let scrape = Scrape::of(&server).await;
    assert_eq!(scrape.count("natter_queue_drafts"), 0);
    assert_eq!(scrape.count("natter_queue_bytes"), 0);
}

#[tokio::test]
async fn those_who_come_back_are_counted_by_what_became_of_them() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).env("NATTER_RESUME__MAX_EVENTS", "5").env("NATTER_SERVER__WORKERS", "1");
    let server = start.listening().await;
    let (mut author, welcome) = Client::natter_v1(&server, 1).await;
    for _ in 0..10 {
        author.post(Kind::Chat, 1, "x").await;
        author.expect("MESSAGE").await;
    }
    let log_id = welcome["payload"]["log_id"].as_str().expect("a name").to_owned();
    let (mut resumed, _) = Client::resuming(&server, 2, 7, &log_id).await;
    for _ in 0..3 {
        resumed.expect("MESSAGE").await;
    }
    resumed.expect("RESUMED").await;
    Client::resuming(&server, 2, 1, &log_id).await.0.expect("RESET").await;
    Client::resuming(&server, 2, 11, &log_id).await.0.expect("RESET").await;
    let db = database.connect().await;
    db.execute_unprepared("DELETE FROM events WHERE seq <= 7").await.expect("the log is cut off");
    Client::resuming(&server, 2, 6, &log_id).await.0.expect("RESET").await;

    let scrape = Scrape::of(&server).await;
    for result in ["resumed", "too_many", "other_log", "expired"] {
        assert_eq!(scrape.count(&format!("natter_resumes_total{{result=\"{result}\"}}")), 1, "{result}");
    }
    assert_eq!(scrape.count("natter_resumes_total{result=\"unreadable\"}"), 0);
    assert_eq!(scrape.count("natter_resume_events_sum"), 3);
    assert_eq!(scrape.count("natter_resume_events_count"), 1);
    assert_eq!(scrape.count("natter_frames_sent_total{kind=\"event\"}"), 13);
}

#[tokio::test]
async fn refused_handshakes_are_counted_by_reason() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).env("NATTER_SERVER__MAX_CONNECTIONS", "1").listening().await;
    let refused = |reason| format!("natter_handshakes_refused_total{{reason=\"{reason}\"}}");
    assert_eq!(server.get("/ws?userId=1").await.0, 426);
    becomes(&server, &refused("malformed"), 1).await;

    let url = format!("ws://{}/ws", server.address);
    assert_eq!(Client::connect(&url, 1, None).await.closed().await.0, 4001);
    becomes(&server, &refused("unauthorized"), 1).await;
    becomes(&server, "natter_closes_total{code=\"4001\"}", 1).await;
    becomes(&server, "natter_errors_total{code=\"unauthorized\"}", 1).await;

    let cursor = format!("{url}?userId=1&since=x");
    // The one before gives its place back in its own time.
    let mut stays = loop {
        match tokio_tungstenite::connect_async(format!("{url}?userId=1")).await {
            Ok((socket, _)) => break socket,
            Err(_) => becomes(&server, "natter_sessions", 0).await,
        }
    };
    let before = Scrape::of(&server).await.count(&refused("full"));
    assert_eq!(reqwest_upgrade(&server).await, 503);
    becomes(&server, &refused("full"), before + 1).await;
    stays.close(None).await.expect("a goodbye");
    becomes(&server, "natter_sessions", 0).await;
    drop(stays);
    assert_eq!(Client::connect(&cursor, 1, Some("natter.v1")).await.closed().await.0, 1008);
    becomes(&server, &refused("cursor"), 1).await;
}

#[tokio::test]
async fn what_is_too_much_for_one_user_is_counted() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).env("NATTER_LIMITS__CONNECTIONS_PER_USER", "1");
    let start = start.env("NATTER_LIMITS__MESSAGES_PER_SECOND", "1").env("NATTER_LIMITS__MESSAGES_BURST", "1");
    let server = start.listening().await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    assert_eq!(Client::classic(&server, 1).await.closed().await.0, 4005);
    becomes(&server, "natter_handshakes_refused_total{reason=\"too_many\"}", 1).await;
    becomes(&server, "natter_closes_total{code=\"4005\"}", 1).await;
    let message = new_message(Kind::Chat, 1, 1, "x");
    client.send_together(&[message.clone(), message]).await;
    exceeds(&server, "natter_errors_total{code=\"rate_limited\"}", 0).await;
}

/// The status of a handshake that is right.
async fn reqwest_upgrade(server: &Server) -> u16 {
    let request = reqwest::Client::new().get(format!("http://{}/ws?userId=5", server.address));
    let request = request.header("connection", "Upgrade").header("upgrade", "websocket").header("sec-websocket-version", "13");
    request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_server_that_stops_counts_whom_it_refuses_and_still_tells() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    // It does not answer the goodbye, so the server waits for it.
    let _stays = RawSocket::upgraded(&server, 1).await;
    server.terminate();
    while reqwest_upgrade(&server).await != 503 {}
    exceeds(&server, "natter_handshakes_refused_total{reason=\"not_serving\"}", 0).await;
    becomes(&server, "natter_closes_total{code=\"1001\"}", 1).await;
}

#[tokio::test]
async fn requests_are_counted_by_route_and_kind_of_status() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let requests = [
        ("/healthz", "/healthz", "2xx"),
        ("/api/v1/chats/17/messages?userId=1", "/api/v1/chats/{id}/messages", "2xx"),
        ("/api/v1/support-chats/17/messages", "/api/v1/support-chats/{id}/messages", "4xx"),
        ("/api/v1/presence?userId=1", "/api/v1/presence", "2xx"),
        ("/ws", "/ws-online-status", "4xx"),
        ("/no/such/place", "other", "4xx"),
    ];
    for (path, route, status) in requests {
        server.get(path).await;
        becomes(&server, &format!("natter_http_requests_total{{route=\"{route}\",status=\"{status}\"}}"), 1).await;
    }
    let _client = Client::classic(&server, 1).await;
    becomes(&server, "natter_http_requests_total{route=\"/ws-online-status\",status=\"1xx\"}", 1).await;
}

/// Every route that is registered has a label of its own: one that is forgotten would be counted as `other`.
#[tokio::test]
async fn every_route_has_a_series_of_its_own() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let scrape = Scrape::of(&Server::start(&database).await).await;
    for route in Route::ALL {
        scrape.count(&format!("natter_http_requests_total{{route=\"{}\",status=\"2xx\"}}", route.path()));
    }
}

#[tokio::test]
async fn no_label_names_a_user_a_conversation_or_a_message() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let mut raw = RawSocket::upgraded(&server, 424_242).await;
    let post = json!({ "type": "NEW_MESSAGE", "chat_id": 515_151, "sender_id": 424_242, "content": "unspeakable" });
    raw.write(&client_frame(TEXT, post.to_string().as_bytes())).await;
    raw.frame().await.expect("the message");
    server.get("/api/v1/chats/515151/messages?userId=424242").await;
    server.get("/unspeakable").await;
    let scrape = Scrape::of(&server).await;
    assert_eq!(scrape.count("natter_messages_stored_total{kind=\"chat\"}"), 1);
    for secret in ["424242", "515151", "unspeakable"] {
        assert!(!scrape.series().keys().any(|series| series.contains(secret)), "{secret}");
    }
}
