//! A token's life on a live socket: it ends, is renewed, and is revoked.

use crate::harness::{
    Backend, Client, Kind, Server, TestDatabase, new_message,
    tokens::{SECRET, Signer, claims, jwt_server, now, token},
};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use std::time::Instant;

const HMAC: Signer<'_> = Signer::Secret(SECRET.as_bytes());

/// A token of user 7 that ends in so many seconds.
fn ending_in(seconds: i64) -> String {
    let mut claims = claims(7, "user");
    claims["exp"] = (now() + seconds).into();
    HMAC.token(None, &claims)
}

async fn strict_server(database: &TestDatabase) -> Server {
    jwt_server(database).env("NATTER_AUTH__LEEWAY_SECONDS", "0").listening().await
}

fn refresh(token: &str) -> Value {
    json!({ "type": "REFRESH_TOKEN", "token": token })
}

/// A3
#[tokio::test]
async fn a_session_ends_with_its_token_unless_a_newer_one_came() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = strict_server(&database).await;
    let first = ending_in(3);
    let (begun, mut classic) = (Instant::now(), Client::connect(&server.ws_url_with(&first), 7, None).await);
    let mut ends = Client::with_token(&server, 7, &first).await;
    let mut stays = Client::with_token(&server, 7, &first).await;
    let ack = stays.request(refresh(&ending_in(600))).await;
    assert_eq!(ack["type"], "ACK", "{ack}");
    assert_eq!(ack["seq"], Value::Null, "a token is no event");
    assert!(ack["payload"]["expires_at"].as_str().is_some_and(|at| at.contains(".000Z")), "{ack}");
    for client in [&mut classic, &mut ends] {
        assert_eq!(client.closed().await.0, 4203);
    }
    assert!((2..10).contains(&begun.elapsed().as_secs()), "closed after {:?}", begun.elapsed());
    assert_eq!(stays.request(json!({ "type": "PING" })).await["type"], "PONG");
    assert_eq!(server.get(&format!("/api/v1/presence?token={first}")).await.0, 401);
}

#[tokio::test]
async fn a_token_that_is_refused_leaves_the_session_as_it_was() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = strict_server(&database).await;
    let mut client = Client::with_token(&server, 7, &ending_in(600)).await;
    for (wrong, code) in [
        (refresh(&token(8, "user")), "sender_mismatch"),
        (refresh(&ending_in(-1)), "unauthorized"),
        (refresh("x"), "unauthorized"),
        (refresh(&"x".repeat(9_000)), "invalid_field"),
        (json!({ "type": "REFRESH_TOKEN" }), "invalid_field"),
        (json!({ "type": "REFRESH_TOKEN", "token": 7 }), "invalid_field"),
    ] {
        let error = client.request(wrong).await;
        assert_eq!((&error["payload"]["code"], &error["payload"]["field"]), (&json!(code), &json!("token")), "{error}");
    }
    assert_eq!(client.request(json!({ "type": "PING" })).await["type"], "PONG");
    // Without a name for it, success is not answered.
    client.send(&refresh(&ending_in(900))).await;
    assert_eq!(client.request(json!({ "type": "PING" })).await["type"], "PONG");
    let mut classic = Client::connect(&server.ws_url_with(&ending_in(600)), 7, None).await;
    classic.send(&refresh(&ending_in(600))).await;
    assert!(classic.expect_error("unknown_type").await["message"].as_str().expect("a text").contains("natter.v1"));
}

#[tokio::test]
async fn in_the_mode_trusted_there_is_nothing_to_renew() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 7).await;
    assert_eq!(client.request(refresh(&token(7, "user"))).await["payload"]["code"], "conflict");
}

/// What user 7 is allowed and sent follows the role of the newest token at once; what was committed before is not told afterwards.
#[rstest]
#[tokio::test]
async fn a_newer_token_with_another_role_changes_what_its_session_may_do_and_is_sent(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values("agent", "admin")] role: &str,
) {
    let database = TestDatabase::new(backend).await;
    let server = jwt_server(&database).with_access("deny").listening().await;
    let mut customer = Client::with_token(&server, 1, &token(1, "user")).await;
    let mut changing = Client::with_token(&server, 7, &token(7, "user")).await;
    let say = async |customer: &mut Client, content: &str| {
        let answer = customer.request(new_message(Kind::Support, 1, 1, content)).await;
        assert_eq!(answer["type"], "ACK", "{answer}");
    };
    say(&mut customer, "as a user").await;
    assert_eq!(changing.request(answer_to_support()).await["payload"]["code"], "not_found");

    assert_eq!(changing.request(refresh(&token(7, role))).await["type"], "ACK");
    say(&mut customer, "as an agent").await;
    // The first thing that it hears of the conversation.
    assert_eq!(changing.expect("SUPPORT_MESSAGE").await["payload"]["content"], "as an agent");
    assert_eq!(changing.request(answer_to_support()).await["type"], "ACK");

    assert_eq!(changing.request(refresh(&token(7, "user"))).await["type"], "ACK");
    say(&mut customer, "as a user again").await;
    assert_eq!(changing.request(answer_to_support()).await["payload"]["code"], "not_found");
    // Nothing came in between.
    changing.send(&json!({ "type": "PING" })).await;
    changing.expect("PONG").await;
}

fn answer_to_support() -> Value {
    new_message(Kind::Support, 1, 7, "how can I help?")
}

const REVOKE: &str = "/api/v1/users/7/revoke";

/// Tokens of user 7: one of an hour ago, one that does not say when it was issued, and one of the next minute.
fn of_three_ages() -> [String; 3] {
    let (mut old, mut undated, mut new) = (claims(7, "user"), claims(7, "user"), claims(7, "user"));
    old["iat"] = (now() - 3_600).into();
    undated.as_object_mut().expect("an object").remove("iat");
    new["iat"] = (now() + 60).into();
    [old, undated, new].map(|claims| HMAC.token(None, &claims))
}

#[rstest]
#[tokio::test]
async fn a_revocation_ends_the_users_sessions_at_once_and_outlives_the_server(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = TestDatabase::new(backend).await;
    // So that a token can be of a moment after the revocation.
    let start =
        || jwt_server(&database).env("NATTER_AUTH__LEEWAY_SECONDS", "120").env("NATTER_API__KEYS", r#"["the backend's key"]"#);
    let mut server = start().listening().await;
    let [old, undated, new] = of_three_ages();
    let mut classic = Client::connect(&server.ws_url_with(&old), 7, None).await;
    let mut first = Client::with_token(&server, 7, &old).await;
    let mut second = Client::with_token(&server, 7, &undated).await;
    let mut later = Client::with_token(&server, 7, &new).await;
    let mut other = Client::with_token(&server, 8, &token(8, "user")).await;

    let (status, revoked) = server.call(Method::POST, REVOKE, "the backend's key").await;
    assert_eq!((status, &revoked["user_id"]), (200, &json!(7)), "{revoked}");
    assert!(revoked["revoked_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{revoked}");
    for client in [&mut classic, &mut first, &mut second] {
        assert_eq!(client.closed().await.0, 4001);
    }
    assert_eq!(later.request(json!({ "type": "PING" })).await["type"], "PONG");
    assert_eq!(later.request(refresh(&old)).await["payload"]["code"], "unauthorized");
    other.post(Kind::Chat, 1, "still here").await;
    other.expect("MESSAGE").await;

    for restarted in [false, true] {
        if restarted {
            server.terminate();
            assert_eq!(server.ended().await, Some(0));
            server = start().listening().await;
        }
        for (token, status) in [(&old, 401), (&undated, 401), (&new, 200)] {
            assert_eq!(server.call(Method::GET, "/api/v1/presence?user_ids=7", token).await.0, status, "restarted: {restarted}");
        }
        let mut refused = Client::connect(&server.ws_url_with(&old), 7, Some("natter.v1")).await;
        assert!(refused.expect_error("unauthorized").await["message"].as_str().expect("a text").contains("revoked"));
        assert_eq!(refused.closed().await.0, 4001);
    }
    assert_eq!(database.number("SELECT count(*) FROM revocations").await, 1);
}

#[tokio::test]
async fn only_the_backend_and_admins_revoke() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = jwt_server(&database).listening().await;
    for (asker, status) in
        [(token(7, "user"), 403), (token(2, "agent"), 403), ("no key".to_owned(), 401), (token(1, "admin"), 200)]
    {
        assert_eq!(server.call(Method::POST, REVOKE, &asker).await.0, status, "{asker}");
    }
    let admin = token(1, "admin");
    for id in ["0", "-1", "x", "9007199254740992"] {
        let (status, error) = server.call(Method::POST, &format!("/api/v1/users/{id}/revoke"), &admin).await;
        assert_eq!((status, &error["error"]["field"]), (400, &json!("id")));
    }
}

/// Where `userId` is believed, there is no token to refuse: the sessions end, and their user may come back.
#[tokio::test]
async fn in_the_mode_trusted_a_revocation_ends_sessions_and_no_more() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let mut client = Client::classic(&server, 7).await;
    let request = reqwest::Client::new().post(format!("http://{}{REVOKE}?userId=1&role=admin", server.address));
    assert_eq!(request.send().await.expect("an answer").status(), 200);
    assert_eq!(client.closed().await.0, 4001);
    Client::natter_v1(&server, 7).await;
}
