//! D11: on SIGTERM everyone is told, what is in flight is finished, and nothing that was acknowledged is lost.

use crate::harness::{Backend, Client, Kind, RawSocket, Server, TestDatabase, new_message, raw::HANDSHAKE};
use rstest::rstest;
use serde_json::json;
use std::{collections::BTreeSet, time::Instant};
use uuid::Uuid;

#[rstest]
#[tokio::test]
async fn a_server_that_is_told_to_stop_finishes_and_says_goodbye(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = TestDatabase::new(backend).await;
    let mut server = Server::unlimited(&database).await;
    let mut quiet = Client::classic(&server, 99).await;
    let mut senders = Vec::new();
    for user in 1..=20 {
        let (client, _) = Client::natter_v1(&server, user).await;
        senders.push(tokio::spawn(post_until_closed(client)));
    }
    // The load runs.
    for _ in 0..200 {
        quiet.next().await;
    }
    let told = Instant::now();
    server.terminate();
    server.logged("stopping").await;
    let mut acknowledged = BTreeSet::new();
    for sender in senders {
        let (code, acks) = sender.await.expect("a sender ends");
        assert_eq!(code, 1001);
        acknowledged.extend(acks);
    }
    assert_eq!(quiet.closed().await.0, 1001);
    assert_eq!(server.ended().await, Some(0), "{}", server.log());
    assert!(told.elapsed().as_secs() < 10, "it took {:?}", told.elapsed());
    assert!(!acknowledged.is_empty());
    for (kind, id, client_id) in acknowledged {
        let kind = if kind { Kind::Chat } else { Kind::Support };
        let condition = match backend {
            Backend::Sqlite => format!("hex(client_id) = '{}'", client_id.simple().to_string().to_uppercase()),
            Backend::Postgres => format!("client_id = '{client_id}'"),
        };
        let sql = format!("SELECT count(*) FROM {} WHERE id = {id} AND {condition}", kind.table());
        assert_eq!(database.number(&sql).await, 1, "message {id} was acknowledged and is not there");
    }
    database.assert_gapless_log().await;
}

/// Posts one message after the other, each after the last one's answer. Tells how the session was closed, and what was
/// acknowledged: whether to a chat, under which id, for which key.
async fn post_until_closed(mut client: Client) -> (u16, Vec<(bool, i64, Uuid)>) {
    let mut acks = Vec::new();
    for number in 0_u64.. {
        let to_chat = number % 2 == 0;
        let client_id = Uuid::new_v4();
        let mut message = new_message(if to_chat { Kind::Chat } else { Kind::Support }, 1, client.user, "x");
        message["client_id"] = json!(client_id);
        message["request_id"] = json!(number.to_string());
        if client.try_send(&message).await.is_err() {
            break;
        }
        match client.answer_to(&number.to_string()).await {
            Ok(frame) if frame["type"] == "ACK" => {
                acks.push((to_chat, frame["payload"]["id"].as_i64().expect("an id"), client_id));
            }
            Ok(frame) => {
                assert_eq!(frame["payload"]["code"], "unavailable", "{frame}");
                break;
            }
            Err(code) => return (code, acks),
        }
    }
    (client.closed().await.0, acks)
}

#[tokio::test]
async fn a_peer_that_does_not_answer_the_goodbye_does_not_hold_the_server() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Server::unlimited(&database).await;
    let _silent = RawSocket::upgraded(&server, 1).await;
    let told = Instant::now();
    server.terminate();
    server.logged("stopping").await;
    // Load balancers and those who would connect are told at once.
    assert_eq!(server.get("/readyz").await.0, 503);
    assert_eq!(server.get("/healthz").await.0, 200);
    let mut late = RawSocket::open(&server).await;
    late.write(format!("GET /ws?userId=2 HTTP/1.1\r\n{HANDSHAKE}\r\n").as_bytes()).await;
    assert!(late.read_head().await.starts_with("HTTP/1.1 503 "));
    assert_eq!(server.ended().await, Some(0));
    assert!(told.elapsed().as_secs() < 10, "it took {:?}", told.elapsed());
}
