//! Who belongs to a conversation, who sees it, and how that changes while everyone is connected.

use crate::harness::{Backend, Client, Crowd, Kind, Server, TestDatabase, checker::check, server::Start};
use rstest::rstest;
use serde_json::{Value, json};
use std::time::Duration;

/// A server with a key for the application's backend, where conversations without members are open or closed.
async fn server(database: &TestDatabase, unlisted: &str) -> Server {
    Start::on(database).unlimited().with_access(unlisted).listening().await
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

/// What stands first in the log counts: in one batch, a change of membership holds for the messages behind it.
#[rstest]
#[tokio::test]
async fn a_removal_holds_for_every_message_behind_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    const ROUNDS: i64 = 20;
    let database = TestDatabase::new(backend).await;
    let server = server(&database, "open").await;
    put(&server, kind, 1, json!({ "role": "owner" })).await;
    let (mut owner, _) = Client::natter_v1(&server, 1).await;
    let (mut member, _) = Client::natter_v1(&server, 2).await;
    for _ in 0..ROUNDS {
        put(&server, kind, 2, json!({ "role": "member" })).await;
        let posts: Vec<Value> = (0..30)
            .map(|number| {
                let mut post = crate::harness::new_message(kind, 1, 2, "x");
                post["request_id"] = json!(number.to_string());
                post
            })
            .collect();
        let (removed, ()) = tokio::join!(remove(&server, kind, 2), member.send_together(&posts));
        let removed = removed["seq"].as_i64().expect("a seq");
        for number in 0..30 {
            let answer = member.answer_to(&number.to_string()).await.expect("the session stays open");
            match answer["seq"].as_i64() {
                Some(seq) => assert!(seq < removed, "stored behind the removal {removed}: {answer}"),
                None => assert_eq!(answer["payload"]["code"], "not_found", "{answer}"),
            }
        }
    }
    // The owner saw each change and each message in the order of the log, and no message of someone who was no member then.
    let head = database.assert_gapless_log().await;
    let mut is_member = false;
    for seq in 2..=head {
        let event = owner.next().await;
        assert_eq!(event["seq"], seq);
        if event["type"] == "MEMBER" {
            is_member = event["payload"]["role"] == "member";
        } else {
            assert!(is_member, "{event}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn where_unlisted_conversations_are_closed_a_support_chat_is_its_first_writers(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let kind = Kind::Support;
    let database = TestDatabase::new(backend).await;
    let server = server(&database, "deny").await;
    let (mut customer, welcome) = Client::natter_v1(&server, 1).await;
    let (mut other, _) = Client::natter_v1(&server, 2).await;
    let url = format!("{}&role=agent", server.ws_url(3));
    let mut agent = Client::connect(&url, 3, Some("natter.v1")).await;
    agent.expect("WELCOME").await;
    // A chat is nobody's.
    customer.post(Kind::Chat, 1, "hello?").await;
    customer.expect_error("not_found").await;

    // An agent does not become the owner by being early: it would lock the customer out.
    agent.post(kind, 1, "can I help?").await;
    agent.expect_error("forbidden").await;

    // Both at once: one of them is first, and the other is a stranger then.
    customer
        .send_together(&[crate::harness::new_message(kind, 1, 1, "help"), crate::harness::new_message(kind, 1, 1, "please")])
        .await;
    for client in [&mut customer, &mut agent] {
        let claimed = client.expect("MEMBER").await["payload"].clone();
        assert_eq!((&claimed["user_id"], &claimed["role"], &claimed["by"]), (&json!(1), &json!("owner"), &json!(1)));
        assert_eq!(client.expect(kind.frame()).await["payload"]["content"], "help");
        assert_eq!(client.expect(kind.frame()).await["payload"]["content"], "please");
    }
    other.post(kind, 1, "me too").await;
    other.expect_error("not_found").await;
    agent.post(kind, 1, "how can I help?").await;
    customer.expect(kind.frame()).await;
    agent.expect(kind.frame()).await;

    // It stays theirs when the last one is removed.
    remove(&server, kind, 1).await;
    customer.expect("MEMBER").await;
    customer.post(kind, 1, "still here?").await;
    customer.expect_error("not_found").await;
    let log = welcome["payload"]["log_id"].as_str().expect("a log");
    let (mut back, _) = Client::resuming(&server, 1, 0, log).await;
    assert_eq!(back.expect("MEMBER").await["seq"], 1);
    assert_eq!(back.expect("MEMBER").await["payload"]["role"], json!(null));
    back.expect("RESUMED").await;
    let (mut stranger, _) = Client::resuming(&server, 2, 0, log).await;
    assert_eq!(stranger.expect("RESUMED").await["payload"], json!({ "from": 0, "to": 5 }));
}

#[rstest]
#[tokio::test]
async fn a_conversation_does_not_open_when_its_last_member_goes(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let mut before = server(&database, "open").await;
    put(&before, kind, 1, json!({ "role": "member" })).await;
    remove(&before, kind, 1).await;
    assert_eq!(remove(&before, kind, 1).await["seq"], json!(null));
    before.kill().await;
    let server = server(&database, "open").await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    client.post(kind, 1, "x").await;
    client.expect_error("not_found").await;
    let (_, list) = server.backend("GET", &format!("/api/v1/{}/1/members", kind.path()), None).await;
    assert_eq!(list, json!({ "listed": true, "members": [], "has_more": false }));
}

#[rstest]
#[tokio::test]
async fn a_retry_is_acknowledged_though_its_sender_was_removed_meanwhile(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = server(&database, "open").await;
    put(&server, kind, 1, json!({ "role": "member" })).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let mut message = crate::harness::new_message(kind, 1, 1, "x");
    message["client_id"] = json!("0190f3e2-7b1c-4d3a-9a50-6f1c2b7d8e90");
    let first = client.request(message.clone()).await;
    remove(&server, kind, 1).await;
    let again = client.request(message).await;
    assert_eq!((&again["seq"], &again["payload"]["duplicate"]), (&first["seq"], &json!(true)));
}

#[tokio::test]
async fn members_are_listed_by_pages_and_faults_are_named() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = server(&database, "open").await;
    put(&server, Kind::Chat, 5, json!({ "role": "owner" })).await;
    for user in [5, 3, 1] {
        put(&server, Kind::Chat, user, json!({ "role": "reader", "state": "muted" , "ignored": 1 })).await;
    }
    put(&server, Kind::Chat, 3, json!({ "role": "member" })).await;
    let (_, first) = server.backend("GET", "/api/v1/chats/1/members?limit=2", None).await;
    assert_eq!(first["members"][1], json!({ "user_id": 3, "role": "member", "state": "muted" }));
    assert_eq!((first["members"].as_array().map(Vec::len), &first["has_more"]), (Some(2), &json!(true)));
    let (_, rest) = server.backend("GET", "/api/v1/chats/1/members?after=3", None).await;
    assert_eq!((&rest["members"][0]["user_id"], &rest["has_more"]), (&json!(5), &json!(false)));
    let role = json!({ "role": "member" });
    for (method, path, body, status, field) in [
        ("PUT", "/api/v1/chats/1/members/1", json!({ "role": "king" }), 400, json!("role")),
        ("PUT", "/api/v1/chats/1/members/1", json!({}), 400, json!("role")),
        ("PUT", "/api/v1/chats/1/members/1", json!({ "role": "member", "state": 1 }), 400, json!("state")),
        ("PUT", "/api/v1/chats/1/members/1", json!([]), 400, json!(null)),
        ("PUT", "/api/v1/chats/0/members/1", role.clone(), 400, json!("id")),
        ("PUT", "/api/v1/chats/1/members/x", role.clone(), 400, json!("user_id")),
        ("PUT", "/api/v1/chats/2/members/1", json!({ "role": "member", "state": "banned" }), 409, json!(null)),
        ("GET", "/api/v1/chats/1/members?limit=0", json!(null), 400, json!("limit")),
        ("GET", "/api/v1/chats/1/members?after=-1", json!(null), 400, json!("after")),
        ("GET", "/api/v1/explain?user=1&action=fly&chat=1", json!(null), 400, json!("action")),
        ("GET", "/api/v1/explain?user=1&action=read", json!(null), 400, json!("chat")),
        ("GET", "/api/v1/explain?action=read&chat=1", json!(null), 400, json!("user")),
    ] {
        let (answer, told) = server.backend(method, path, Some(body)).await;
        assert_eq!((answer, &told["error"]["field"]), (status, &field), "{method} {path}: {told}");
    }
    let (status, _) = server.ask("PUT", "/api/v1/chats/1/members/1", Some("another key, which is long enough"), Some(role)).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn why_is_explained() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = server(&database, "open").await;
    put(&server, Kind::Chat, 1, json!({ "role": "member" })).await;
    put(&server, Kind::Chat, 2, json!({ "role": "member", "state": "banned" })).await;
    let explain = async |query: &str| server.backend("GET", &format!("/api/v1/explain?{query}"), None).await.1;
    let allowed = json!({ "allowed": true, "rank": "member", "code": null, "because": "they are a member of it" });
    assert_eq!(explain("user=1&action=post&chat=1").await, allowed);
    let banned = explain("user=2&action=read&chat=1").await;
    assert_eq!((&banned["allowed"], &banned["rank"], &banned["code"]), (&json!(false), &json!("banned"), &json!("not_found")));
    assert_eq!(explain("user=3&action=read&chat=1").await["rank"], "stranger");
    assert_eq!(explain("user=3&action=read&chat=2").await["rank"], "guest");
    assert_eq!(explain("user=3&as=agent&action=moderate&support_chat=2").await["rank"], "moderator");
}

/// The application wrote the table itself, beside the server: from its next call of the API on, that counts.
#[rstest]
#[tokio::test]
async fn what_the_application_wrote_counts_from_its_next_call_on(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    use sea_orm::ConnectionTrait;
    let database = TestDatabase::new(backend).await;
    let server = server(&database, "open").await;
    put(&server, Kind::Chat, 1, json!({ "role": "member" })).await;
    let (mut other, _) = Client::natter_v1(&server, 2).await;
    other.post(Kind::Chat, 1, "x").await;
    other.expect_error("not_found").await;
    let db = database.connect().await;
    let row = "INSERT INTO members (kind, conversation_id, user_id, role, state, created_at, updated_at) \
               VALUES (1, 1, 2, 3, 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)";
    db.execute_unprepared(row).await.expect("a row");
    db.close().await.expect("the connection closes");
    put(&server, Kind::Chat, 1, json!({ "role": "member" })).await;
    other.post(Kind::Chat, 1, "x").await;
    other.expect("MESSAGE").await;
}

#[rstest]
#[tokio::test]
async fn a_conversation_has_fifty_thousand_members_and_no_more(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    use sea_orm::ConnectionTrait;
    let database = TestDatabase::new(backend).await;
    let server = server(&database, "deny").await;
    let db = database.connect().await;
    let numbers = match backend {
        Backend::Sqlite => "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT i FROM n",
        Backend::Postgres => "SELECT i FROM generate_series(2, 50000) AS i",
    };
    let rows = format!(
        "INSERT INTO members (kind, conversation_id, user_id, role, state, created_at, updated_at) \
         SELECT 1, 1, i, 3, 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP FROM ({numbers}) AS numbers"
    );
    db.execute_unprepared(&rows).await.expect("the rows");
    db.close().await.expect("the connection closes");
    let member = |user: i64| {
        let path = format!("/api/v1/chats/1/members/{user}");
        async { server.backend("PUT", &{ path }, Some(json!({ "role": "member" }))).await }
    };
    assert_eq!(member(1).await.0, 200);
    let (status, problem) = member(50_001).await;
    assert_eq!((status, &problem["error"]["code"]), (409, &json!("conflict")), "{problem}");
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    client.request(crate::harness::new_message(Kind::Chat, 1, 1, "to all of you")).await;
}

/// Support chats from the time when all were open.
#[rstest]
#[tokio::test]
async fn what_was_open_belongs_to_its_first_writer_once_it_is_closed(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = TestDatabase::new(backend).await;
    let mut open = server(&database, "open").await;
    let (mut first, _) = Client::natter_v1(&open, 1).await;
    let (mut second, _) = Client::natter_v1(&open, 2).await;
    for client in [&mut first, &mut second] {
        client.request(crate::harness::new_message(Kind::Support, 1, client.user, "x")).await;
    }
    open.kill().await;
    let closed = server(&database, "deny").await;
    closed.logged("1 support chat without members belongs to who").await;
    let (mut first, _) = Client::natter_v1(&closed, 1).await;
    let (mut second, _) = Client::natter_v1(&closed, 2).await;
    assert_eq!(first.request(history(Kind::Support)).await["payload"]["messages"].as_array().map(Vec::len), Some(2));
    assert_eq!(second.request(history(Kind::Support)).await["payload"]["code"], "not_found");
    assert_eq!(database.assert_gapless_log().await, 2);
}

/// Twenty clients post and read, members come and go, the server is killed in between: the checker knows from the log who might see what.
#[rstest]
#[tokio::test]
async fn nobody_gets_what_they_may_not_see_however_members_come_and_go(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    const CROWD: i64 = 20;
    let database = TestDatabase::new(backend).await;
    let mut server = server(&database, "open").await;
    // Conversations 1 to 7 are the crowd's: five of each kind are closed, to some of it, all the time; two are open.
    let random = &mut fastrand::Rng::with_seed(7);
    for kind in [Kind::Chat, Kind::Support] {
        for conversation in 1..=5 {
            let path = format!("/api/v1/{}/{conversation}/members/{}", kind.path(), CROWD - conversation);
            server.backend("PUT", &path, Some(json!({ "role": "owner" }))).await;
        }
    }
    let mut crowd =
        Crowd::gather(&server.address, CROWD.unsigned_abs().try_into().expect("small"), Duration::from_millis(25)).await;
    for round in 0..160 {
        let kind = *random.choice([Kind::Chat, Kind::Support].iter()).expect("one of two");
        let path = format!("/api/v1/{}/{}/members/{}", kind.path(), random.i64(1..=5), random.i64(1..=CROWD));
        let (method, body) = match random.u8(0..6) {
            0 => ("DELETE", None),
            1 => ("PUT", Some(json!({ "role": "member", "state": "banned" }))),
            2 => ("PUT", Some(json!({ "role": "reader", "state": "active" }))),
            _ => ("PUT", Some(json!({ "role": "member", "state": "active" }))),
        };
        assert_eq!(server.backend(method, &path, body).await.0, 200);
        if round == 80 {
            let address = server.address.clone();
            server.kill().await;
            let port = address.rsplit_once(':').expect("a port").1;
            server = Start::on(&database).unlimited().with_access("open").env("PORT", port).listening().await;
        }
    }
    crowd.settle().await;
    assert!(crowd.tally.denied() > 20, "only {} were denied", crowd.tally.denied());
    // The last event is for all.
    let mut last = Client::classic(&server, 100).await;
    last.request(crate::harness::new_message(Kind::Chat, 100, 100, "the end")).await;
    let outcome = crowd.read_to_the_end(&database).await;
    check(&database, &outcome.acked, &outcome.logs).await;
}
