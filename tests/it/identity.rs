//! Who a client is, once tokens say it: how a token is handed over, and that it is seen by nobody else.

use crate::harness::{
    Backend, Client, Kind, RawSocket, Server, TestDatabase,
    raw::HANDSHAKE,
    server::Start,
    tokens::{ED25519_PUBLIC, P256_PUBLIC, RSA_PUBLIC, SECRET, Signer, claims, jwt_server, token},
};
use futures_util::{StreamExt, stream};
use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use std::time::{Duration, Instant};

const LISTED: &str = "https://app.example";

async fn server(database: &TestDatabase) -> Server {
    let start = jwt_server(database).env("NATTER_AUTH__ALLOWED_ORIGINS", r#"["https://app.example"]"#);
    start.env("NATTER_API__KEYS", r#"["a key of the backend", "another key of it"]"#).listening().await
}

/// The first thing that a session of these headers is told: `WELCOME`, or why not, and then how it is closed.
async fn greeted(server: &Server, query: &str, headers: &[(&'static str, &str)]) -> (serde_json::Value, Option<u16>) {
    let mut client = Client::with_headers(&format!("ws://{}/ws{query}", server.address), 7, headers).await.expect("a WebSocket");
    let first = client.next().await;
    let code = if first["type"] == "WELCOME" { None } else { Some(client.closed().await.0) };
    (first["payload"].clone(), code)
}

#[tokio::test]
async fn a_token_comes_by_header_cookie_subprotocol_or_query() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = server(&database).await;
    let token = token(7, "user");
    let (bearer, lower) = (format!("Bearer {token}"), format!("bearer {token}"));
    let (cookie, offer) = (format!("a=b;natter_token={token}; c=d"), format!("natter.v1, natter.token.{token}"));
    let query = format!("?token={token}");
    let v1 = ("sec-websocket-protocol", "natter.v1");
    for (query, headers) in [
        ("", vec![v1, ("authorization", &bearer)]),
        ("", vec![v1, ("authorization", &lower)]),
        ("", vec![v1, ("cookie", &cookie), ("origin", LISTED)]),
        ("", vec![("sec-websocket-protocol", &offer)]),
        (query.as_str(), vec![v1]),
        // The same one twice is no contradiction.
        (query.as_str(), vec![("sec-websocket-protocol", &offer), ("authorization", &bearer)]),
        // Another scheme is another's business.
        (query.as_str(), vec![v1, ("authorization", "Basic bWU6eA==")]),
    ] {
        let (welcome, code) = greeted(&server, query, &headers).await;
        assert_eq!((&welcome["user_id"], code), (&json!(7), None), "{welcome}");
    }
    for (name, value) in [("authorization", &bearer), ("cookie", &cookie)] {
        let request =
            reqwest::Client::new().get(format!("http://{}/api/v1/presence?user_ids=7", server.address)).header(name, value);
        assert_eq!(request.send().await.expect("an answer").status(), 200, "{name}");
    }
}

#[tokio::test]
async fn the_answer_to_a_handshake_never_says_the_token() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = server(&database).await;
    let token = token(7, "user");
    for (offer, agreed) in [
        (format!("natter.token.{token}, natter.v1"), Some("natter.v1")),
        (format!("natter.token.{token}"), None),
        (format!("chat, natter.token.{token}"), None),
    ] {
        let mut socket = RawSocket::open(&server).await;
        socket.write(format!("GET /ws HTTP/1.1\r\n{HANDSHAKE}Sec-WebSocket-Protocol: {offer}\r\n\r\n").as_bytes()).await;
        let head = socket.read_head().await.to_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert!(!head.contains("natter.token"), "{head}");
        let answered = head.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(answered, agreed);
    }
}

#[tokio::test]
async fn tokens_that_disagree_are_refused() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = server(&database).await;
    let (mine, other) = (token(7, "user"), token(7, "admin"));
    let (bearer, cookie) = (format!("Bearer {mine}"), format!("natter_token={mine}"));
    let offer = format!("natter.v1, natter.token.{mine}");
    let v1 = ("sec-websocket-protocol", "natter.v1");
    let (by_query, twice, empty) = (format!("?token={other}"), format!("?token={mine}&token={other}"), "?token=".to_owned());
    for (query, headers) in [
        (&by_query, vec![v1, ("authorization", bearer.as_str())]),
        (&by_query, vec![v1, ("cookie", cookie.as_str()), ("origin", LISTED)]),
        (&by_query, vec![("sec-websocket-protocol", offer.as_str())]),
        (&twice, vec![v1]),
        (&empty, vec![v1, ("authorization", bearer.as_str())]),
    ] {
        let (error, code) = greeted(&server, query, &headers).await;
        assert_eq!((&error["code"], &error["field"], code), (&json!("unauthorized"), &json!("token"), Some(4001)), "{query}");
    }
}

/// A4
#[tokio::test]
async fn a_token_speaks_for_its_own_user_alone() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = server(&database).await;
    let token = token(7, "admin");
    let v1 = [("sec-websocket-protocol", "natter.v1")];
    for user_id in ["8", "07", "", "x", "7&userId=8", "8&userId=7"] {
        let (error, code) = greeted(&server, &format!("?token={token}&userId={user_id}"), &v1).await;
        assert_eq!(
            (&error["code"], &error["field"], code),
            (&json!("sender_mismatch"), &json!("userId"), Some(4001)),
            "{user_id:?}"
        );
        let (status, _) = server.get(&format!("/api/v1/presence?token={token}&userId={user_id}")).await;
        assert_eq!(status, 403, "{user_id:?}");
    }
    let mut client = Client::connect(&format!("{}&userId=7", server.ws_url_with(&token)), 8, None).await;
    for kind in [Kind::Chat, Kind::Support] {
        client.post(kind, 1, "as another").await;
        client.expect_error("sender_mismatch").await;
        assert_eq!(database.number(&format!("SELECT count(*) FROM {}", kind.table())).await, 0);
    }
}

/// `userId` and `role` of the address are nothing where tokens are wanted.
#[tokio::test]
async fn without_a_token_one_is_told_how_to_bring_it() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = server(&database).await;
    for query in ["", "?userId=7", "?userId=7&role=admin"] {
        let (error, code) = greeted(&server, query, &[("sec-websocket-protocol", "natter.v1")]).await;
        assert_eq!((&error["code"], code), (&json!("unauthorized"), Some(4001)));
        assert!(error["message"].as_str().expect("a text").contains("Authorization: Bearer"), "{error}");
        let response = reqwest::get(format!("http://{}/api/v1/presence{query}", server.address)).await.expect("an answer");
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="natter""#);
    }
    let response = reqwest::get(format!("http://{}/api/v1/presence?token=x", server.address)).await.expect("an answer");
    assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="natter", error="invalid_token""#);
    for open in ["/healthz", "/readyz", "/"] {
        assert_eq!(server.get(open).await.0, 200, "{open}");
    }
}

#[tokio::test]
async fn the_backend_calls_the_http_api_by_its_key_and_opens_no_socket() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let in_jwt = server(&database).await;
    let other = TestDatabase::new(Backend::Sqlite).await;
    let in_trusted =
        Start::on(&other).env("NATTER_API__KEYS", r#"["a key of the backend", "another key of it"]"#).listening().await;
    for server in [&in_jwt, &in_trusted] {
        for path in ["/api/v1/presence", "/api/v1/chats/1/messages", "/api/v1/support-chats/1/messages"] {
            for key in ["a key of the backend", "another key of it"] {
                assert_eq!(server.call(Method::GET, path, key).await.0, 200, "{path}");
            }
            for wrong in ["a key of the backen", "a key of the backend2", "A key of the backend", "x"] {
                assert_eq!(server.call(Method::GET, path, wrong).await.0, 401, "{path}");
            }
        }
        let headers = [("authorization", "Bearer a key of the backend"), ("sec-websocket-protocol", "natter.v1")];
        let (error, code) = greeted(server, "", &headers).await;
        assert_eq!((&error["code"], code), (&json!("unauthorized"), Some(4001)));
    }
}

#[rstest]
#[case::rsa(RSA_PUBLIC, Signer::Rsa)]
#[case::p256(P256_PUBLIC, Signer::P256)]
#[case::ed25519(ED25519_PUBLIC, Signer::Ed25519)]
#[tokio::test]
async fn a_public_key_is_set_by_its_text_or_its_file(#[case] pem: &str, #[case] signer: Signer<'_>) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let file = database.folder.path().join("key.pem");
    std::fs::write(&file, pem).expect("a file");
    let token = signer.token(None, &claims(7, "user"));
    let on_one_line = pem.replace('\n', "\\n");
    for (name, value) in [("PUBLIC_KEY", pem), ("PUBLIC_KEY", on_one_line.as_str()), ("PUBLIC_KEY_FILE", "key.pem")] {
        let start = Start::on(&database).env("NATTER_AUTH__MODE", "jwt").env(&format!("NATTER_AUTH__{name}"), value);
        let mut server = start.listening().await;
        Client::with_token(&server, 7, &token).await;
        server.terminate();
        assert_eq!(server.ended().await, Some(0));
    }
}

#[tokio::test]
async fn a_token_for_development_is_made_by_a_command() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    std::fs::write(database.folder.path().join("secret"), format!("{SECRET}\n")).expect("a file");
    let start = || {
        let start = Start::on(&database).env("NATTER_AUTH__MODE", "jwt").env("NATTER_AUTH__HS256_SECRET_FILE", "secret");
        start.env("NATTER_AUTH__AUDIENCE", "natter").env("NATTER_AUTH__USER_CLAIM", "app.id")
    };
    let server = start().listening().await;
    let made = start().arg("token").arg("--user").arg("7").arg("--role").arg("admin").arg("--expires").arg("2m");
    let (code, token, _) = made.finished().await;
    assert_eq!(code, Some(0));
    Client::with_token(&server, 7, token.trim()).await;
    assert_eq!(server.call(Method::POST, "/api/v1/users/8/revoke", token.trim()).await.0, 200);
    let (code, _, log) = Start::on(&database).arg("token").arg("--user").arg("7").finished().await;
    assert_eq!(code, Some(1));
    assert!(log.contains("auth.hs256_secret is not set"), "{log}");
    for wrong in [["--user", "0"], ["--user", "me"], ["--role", "owner"], ["--expires", "soon"]] {
        let (code, ..) = start().arg("token").arg("--user=7").arg(wrong[0]).arg(wrong[1]).finished().await;
        assert_eq!(code, Some(2), "{wrong:?}");
    }
}

/// Whoever mistyped a server key is not sent to look for a fault in a token that they never had.
#[tokio::test]
async fn a_wrong_server_key_is_told_that_it_is_neither_a_key_nor_a_token() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = server(&database).await;
    for wrong in ["a key of the backen", "x.y.z"] {
        let (status, body) = server.call(Method::GET, "/api/v1/presence", wrong).await;
        let message = &body["error"]["message"];
        assert_eq!((status, message), (401, &json!("what stands in Authorization: Bearer is no server key, and no signed JWT")));
    }
    let (_, body) = server.get("/api/v1/presence?token=x").await;
    assert!(body.contains("the token is no signed JWT"), "{body}");
    let expired = Signer::Secret(SECRET.as_bytes()).token(None, &json!({ "sub": "7", "exp": 1 }));
    let (_, body) = server.call(Method::GET, "/api/v1/presence", &expired).await;
    assert_eq!(body["error"]["message"], "the token has expired");
}

/// A6: everything that is done with tokens, with a log that tells all it can.
#[tokio::test]
async fn no_log_ever_has_a_token() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = jwt_server(&database).env("NATTER_AUTH__ALLOWED_ORIGINS", r#"["https://app.example"]"#);
    let start = start.env("NATTER_API__KEYS", r#"["a key of the backend"]"#).env("RUST_LOG", "trace");
    let mut server = start.listening().await;
    let right = token(7, "admin");
    let wrong = Signer::Secret(b"another secret").token(None, &claims(7, "admin"));
    for token in [&right, &wrong] {
        let (bearer, cookie, query) = (format!("Bearer {token}"), format!("natter_token={token}"), format!("?token={token}"));
        let (offer, v1) = (format!("natter.v1, natter.token.{token}"), ("sec-websocket-protocol", "natter.v1"));
        greeted(&server, "", &[v1, ("authorization", &bearer)]).await;
        greeted(&server, "", &[v1, ("cookie", &cookie), ("origin", LISTED)]).await;
        greeted(&server, "", &[("sec-websocket-protocol", &offer)]).await;
        greeted(&server, &query, &[v1]).await;
        greeted(&server, &format!("{query}&userId=8&since=x"), &[v1]).await;
        for path in ["/api/v1/presence", "/api/v1/chats/1/messages", "/api/v1/chats/x/messages", "/nowhere"] {
            server.get(&format!("{path}{query}")).await;
            server.call(Method::GET, path, token).await;
        }
        server.call(Method::GET, "/api/v1/presence", "a key of the backend").await;
        server.call(Method::POST, "/api/v1/users/9/revoke", token).await;
        let mut client = Client::with_token(&server, 7, &right).await;
        for kind in ["REFRESH_TOKEN", "NEW_MESSAGE", token.as_str()] {
            client.request(json!({ "type": kind, "token": token, "chat_id": 1, "sender_id": 7, "content": "x" })).await;
        }
        client.send_text(&format!("{{\"type\":\"REFRESH_TOKEN\",\"token\":\"{token}\"")).await;
        client.expect_error("invalid_json").await;
        let mut socket = RawSocket::open(&server).await;
        socket.write(format!("GET /ws{query} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\n\r\n").as_bytes()).await;
        socket.read_head().await;
        socket.write(format!("{bearer}\r\n\r\n").as_bytes()).await;
    }
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
    let log = server.log();
    assert!(log.contains("TRACE") && log.contains("Connection refused"), "the log tells too little to show anything");
    for secret in [&right, &wrong, SECRET, "a key of the backend"] {
        let telling = secret.rsplit('.').next().expect("a part");
        let line = log.lines().find(|line| line.contains(secret) || line.contains(telling));
        assert_eq!(line, None, "the log has a secret");
    }
}

/// L4. `NATTER_TEST_CONNECTS=10000` is the whole of it, with a release build.
#[tokio::test(flavor = "multi_thread")]
async fn many_connect_with_tokens_at_once() {
    let connects = std::env::var("NATTER_TEST_CONNECTS").map_or(2_000, |count| count.parse().expect("a number"));
    rlimit::increase_nofile_limit(u64::MAX).expect("as many descriptors as there may be");
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = jwt_server(&database).env("NATTER_LIMITS__ENABLED", "false").env("RUST_LOG", "warn,natter::app=info");
    let server = start.listening().await;
    let tokens: Vec<_> = (1..=connects).map(|user| (user, token(user, "user"))).collect();
    let begun = Instant::now();
    let connecting = tokens.iter().map(|(user, token)| Client::with_token(&server, *user, token));
    let sessions: Vec<_> = stream::iter(connecting).buffer_unordered(256).collect().await;
    let took = begun.elapsed();
    eprintln!("{} sessions with tokens within {took:?}", sessions.len());
    assert!(took < Duration::from_secs(10), "it took {took:?}");
}
