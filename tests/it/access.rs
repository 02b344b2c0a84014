//! Who belongs to a conversation, who sees it, and how that changes while everyone is connected.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase, server::Start};
use rstest::rstest;
use serde_json::{Value, json};

/// A server with a key for the application's backend, where conversations without members are open or closed.
async fn server(database: &TestDatabase, unlisted: &str) -> Server {
    Start::on(database).with_access(unlisted).listening().await
}

/// Has the application's backend make `user` a member of conversation 1.
async fn put(server: &Server, kind: Kind, user: i64, member: Value) -> Value {
    let (status, body) = server.backend("PUT", &format!("/api/v1/{}/1/members/{user}", kind.path()), Some(member)).await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn remove(server: &Server, kind: Kind, user: i64) -> Value {
    let (status, body) = server.backend("DELETE", &format!("/api/v1/{}/1/members/{user}", kind.path()), None).await;
    assert_eq!(status, 200, "{body}");
    body
}

fn history(kind: Kind) -> Value {
    json!({ "type": "GET_HISTORY", kind.id_field(): 1 })
}

#[rstest]
#[tokio::test]
async fn a_conversation_with_members_is_seen_and_written_by_them_alone(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = server(&database, "open").await;
    let (mut alice, welcome) = Client::natter_v1(&server, 1).await;
    let (mut bob, _) = Client::natter_v1(&server, 2).await;
    let mut carol = Client::classic(&server, 3).await;
    alice.post(kind, 1, "open").await;
    for client in [&mut alice, &mut bob, &mut carol] {
        assert_eq!(client.expect(kind.frame()).await["payload"]["content"], "open");
    }

    let body = put(&server, kind, 1, json!({ "role": "owner" })).await;
    assert_eq!(body, json!({ kind.id_field(): 1, "user_id": 1, "role": "owner", "state": "active", "seq": 2 }));
    let told = alice.expect("MEMBER").await;
    assert_eq!((&told["seq"], &told["payload"]["by"], &told["payload"]["role"]), (&json!(2), &json!(null), &json!("owner")));
    put(&server, kind, 3, json!({ "role": "member" })).await;
    assert_eq!(alice.expect("MEMBER").await["payload"]["user_id"], 3);
    assert_eq!(put(&server, kind, 3, json!({ "role": "member" })).await["seq"], json!(null));

    alice.post(kind, 1, "closed").await;
    assert_eq!(alice.expect(kind.frame()).await["seq"], 4);
    assert_eq!(carol.expect(kind.frame()).await["payload"]["content"], "closed");
    bob.post(kind, 1, "let me in").await;
    bob.expect_error("not_found").await;
    assert_eq!(bob.request(history(kind)).await["payload"]["code"], "not_found");
    assert_eq!(alice.request(history(kind)).await["payload"]["messages"].as_array().map(Vec::len), Some(2));

    // Bob saw nothing of it: what he sees next is elsewhere.
    alice.post(kind, 2, "elsewhere").await;
    assert_eq!(bob.expect(kind.frame()).await["seq"], 5);
    let log = welcome["payload"]["log_id"].as_str().expect("a log");
    let (mut bob, _) = Client::resuming(&server, 2, 0, log).await;
    assert_eq!(bob.expect(kind.frame()).await["seq"], 5);
    assert_eq!(bob.expect("RESUMED").await["payload"], json!({ "from": 0, "to": 5 }));
    let (mut carol, _) = Client::resuming(&server, 3, 0, log).await;
    for seq in 1..=5 {
        assert_eq!(carol.next().await["seq"], seq);
    }
    carol.expect("RESUMED").await;

    // Removed: she is told so, and nothing after.
    remove(&server, kind, 3).await;
    let told = carol.expect("MEMBER").await;
    assert_eq!((&told["seq"], &told["payload"]["role"]), (&json!(6), &json!(null)));
    alice.post(kind, 1, "without her").await;
    alice.post(kind, 2, "elsewhere again").await;
    assert_eq!(carol.expect(kind.frame()).await["seq"], 8);
    assert_eq!(database.assert_gapless_log().await, 8);
}
