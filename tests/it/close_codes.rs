//! The close codes that no other test reaches: those of a client that is silent, and of a database that is away.
//!
//! 1000 `handshake.rs` · 1001 `shutdown.rs` · 1002, 1003, 1007, 1009 `websocket.rs` and `deflate.rs` · 1008 `resume.rs` ·
//! 1011 `panics.rs` · 4001 `handshake.rs` · 4005, 4101 `limits.rs` · 4100 `slow_reader.rs` · 4203 `identity_session.rs`

use crate::harness::{Backend, Client, PostgresServer, RawSocket, Server, TestDatabase};
use serde_json::json;
use std::time::Duration;

/// A heartbeat, the time for its answer, and a sweep.
const SILENCE: Duration = Duration::from_secs(25 + 10 + 5);

#[tokio::test]
async fn a_client_that_does_not_answer_a_ping_is_closed_with_4201() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let mut silent = RawSocket::upgraded(&server, 1).await;
    let ping = silent.frame_within(SILENCE).await.expect("a ping");
    assert_eq!(ping.opcode, 0x9);
    let close = silent.frame_within(SILENCE).await.expect("a close frame");
    assert_eq!(close.close_code(), 4201);
}

#[tokio::test]
async fn a_client_that_comes_back_while_the_database_is_away_is_closed_with_1013() {
    let mut postgres = PostgresServer::start().await;
    let database = TestDatabase::of(&postgres);
    let server = Server::start(&database).await;
    let (mut client, welcome) = Client::natter_v1(&server, 1).await;
    let log_id = welcome["payload"]["log_id"].as_str().expect("a log");
    client.request(json!({ "type": "NEW_MESSAGE", "chat_id": 1, "sender_id": 1, "content": "before" })).await;
    postgres.stop().await;
    let (mut returning, _) = Client::resuming(&server, 1, 0, log_id).await;
    assert_eq!(returning.closed().await.0, 1013);
    postgres.start_again().await;
    let (mut resumed, _) = Client::resuming(&server, 1, 0, log_id).await;
    resumed.expect("MESSAGE").await;
    resumed.expect("RESUMED").await;
}
