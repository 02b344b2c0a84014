//! A1: which pages may connect, and which may read the HTTP API's answers.

use crate::harness::{
    Backend, Client, Server, TestDatabase,
    tokens::{jwt_server, token},
};
use reqwest::Method;
use rstest::rstest;

const LISTED: &str = "https://app.example";

async fn server(database: &TestDatabase) -> Server {
    let origins = r#"["https://app.example", "http://localhost:3000", "capacitor://localhost"]"#;
    jwt_server(database)
        .env("NATTER_AUTH__ALLOWED_ORIGINS", origins)
        .env("NATTER_API__KEYS", r#"["a key of the backend"]"#)
        .listening()
        .await
}

/// What becomes of a handshake with these headers; `None` is a session.
async fn refused(server: &Server, query: &str, headers: &[(&'static str, &str)]) -> Option<u16> {
    let url = format!("ws://{}/ws-online-status{query}", server.address);
    match Client::with_headers(&url, 7, headers).await {
        Ok(mut client) => {
            client.send(&serde_json::json!({ "type": "NEW_MESSAGE", "chat_id": 1, "sender_id": 7, "content": "x" })).await;
            client.expect("MESSAGE").await;
            None
        }
        Err(status) => Some(status),
    }
}

#[tokio::test]
async fn only_pages_of_exactly_the_listed_origins_connect() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = server(&database).await;
    let query = format!("?token={}", token(7, "user"));
    for origin in [LISTED, "http://localhost:3000", "capacitor://localhost"] {
        assert_eq!(refused(&server, &query, &[("origin", origin)]).await, None, "{origin}");
    }
    for origin in [
        "https://evil.example",
        "null",
        "",
        "*",
        "https://app.example.evil.example",
        "https://evil-app.example",
        "https://sub.app.example",
        "https://app.example:8443",
        "https://app.example:443",
        "https://app.example/",
        "https://app.example/path",
        "https://app.example.",
        "https://app.example@evil.example",
        "https://app.example#.evil.example",
        "http://app.example",
        "wss://app.example",
        "HTTPS://app.example",
        "https://APP.example",
        "app.example",
        "//app.example",
        "http://localhost",
        "http://localhost:3001",
        "http://127.0.0.1:3000",
        "https://app.example https://evil.example",
        "https://app.example, https://app.example",
    ] {
        assert_eq!(refused(&server, &query, &[("origin", origin)]).await, Some(403), "{origin:?}");
    }
    assert_eq!(refused(&server, &query, &[("origin", LISTED), ("origin", LISTED)]).await, Some(403), "two of them");
}

/// A browser sends its cookies along with whatever page's handshake, and always an `Origin`.
#[tokio::test]
async fn without_an_origin_a_token_may_not_come_by_a_cookie() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = server(&database).await;
    let token = token(7, "user");
    let cookie = format!("theme=dark; natter_token={token}");
    let bearer = format!("Bearer {token}");
    assert_eq!(refused(&server, "", &[("authorization", &bearer)]).await, None);
    assert_eq!(refused(&server, "", &[("cookie", &cookie)]).await, Some(403));
    assert_eq!(refused(&server, "", &[("cookie", &cookie), ("authorization", &bearer)]).await, Some(403));
    assert_eq!(refused(&server, "", &[("cookie", &cookie), ("origin", "https://evil.example")]).await, Some(403));
    assert_eq!(refused(&server, "", &[("cookie", &cookie), ("origin", LISTED)]).await, None);
}

/// A path is routed as it is decoded, so that is what must be looked at.
#[tokio::test]
async fn a_path_that_is_written_another_way_passes_by_no_check() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = server(&database).await;
    let cookie = format!("natter_token={}", token(7, "user"));
    for path in ["/ws", "/%77s", "/w%73", "/%77%73", "/ws%2Donline%2Dstatus", "/%77s-online-status"] {
        let url = format!("ws://{}{path}", server.address);
        for headers in [vec![("cookie", cookie.as_str()), ("origin", "https://evil.example")], vec![("cookie", &cookie)]] {
            let refused = Client::with_headers(&url, 7, &headers).await.err();
            assert_eq!(refused, Some(403), "{path}");
        }
        let listed = [("cookie", cookie.as_str()), ("origin", LISTED)];
        assert_eq!(Client::with_headers(&url, 7, &listed).await.err(), None, "{path}");
    }
    let headers = [("origin", LISTED), ("authorization", "Bearer x")];
    let refused = call(&server, Method::GET, "/%61pi/v1/presence", &headers).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()[ALLOW_ORIGIN]), (401, &LISTED.parse().expect("a header")));
}

#[tokio::test]
async fn without_a_list_no_page_connects() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = jwt_server(&database).listening().await;
    let query = format!("?token={}", token(7, "user"));
    for origin in [LISTED, "http://localhost:3000", "null"] {
        assert_eq!(refused(&server, &query, &[("origin", origin)]).await, Some(403), "{origin}");
    }
    assert_eq!(refused(&server, &query, &[]).await, None);
}

/// Where `userId` is believed there is nothing to protect; a page under development connects from anywhere.
#[tokio::test]
async fn in_the_mode_trusted_every_page_connects() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    assert_eq!(refused(&server, "?userId=7", &[("origin", "https://anywhere.example")]).await, None);
}

async fn call(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request = reqwest::Client::new().request(method, format!("http://{}{path}", server.address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

const ALLOW_ORIGIN: &str = "access-control-allow-origin";

#[tokio::test]
async fn listed_pages_read_the_answers_of_the_http_api_and_others_do_not() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = server(&database).await;
    let bearer = format!("Bearer {}", token(7, "user"));
    let asked = [("access-control-request-method", "POST"), ("access-control-request-headers", "authorization,content-type")];
    for (origin, may) in [(LISTED, true), ("https://evil.example", false), ("null", false)] {
        let preflight = [&asked[..], &[("origin", origin)]].concat();
        let preflight = call(&server, Method::OPTIONS, "/api/v1/users/7/revoke", &preflight).await;
        assert_eq!(preflight.status(), if may { 204 } else { 403 }, "{origin}");
        let answer =
            call(&server, Method::GET, "/api/v1/presence?user_ids=7", &[("origin", origin), ("authorization", &bearer)]).await;
        assert_eq!(answer.status(), 200);
        for response in [preflight, answer] {
            let allowed = response.headers().get(ALLOW_ORIGIN).map(|value| value.to_str().expect("text"));
            assert_eq!(allowed, may.then_some(origin));
            assert_eq!(response.headers()["vary"], "Origin");
            assert_eq!(response.headers().contains_key("access-control-allow-credentials"), may);
        }
    }
    // An answer that refuses can be read, too.
    let refused = call(&server, Method::GET, "/api/v1/presence", &[("origin", LISTED)]).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()[ALLOW_ORIGIN]), (401, &LISTED.parse().expect("a header")));
}

/// A form of any page can be sent with the user's cookies.
#[rstest]
#[case::no_origin(None, 403)]
#[case::another(Some("https://evil.example"), 403)]
#[case::null(Some("null"), 403)]
#[case::listed(Some(LISTED), 200)]
#[tokio::test]
async fn what_changes_something_by_a_cookie_must_come_from_a_listed_page(#[case] origin: Option<&str>, #[case] status: u16) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = server(&database).await;
    let cookie = format!("natter_token={}", token(1, "admin"));
    let mut headers = vec![("cookie", cookie.as_str())];
    headers.extend(origin.map(|origin| ("origin", origin)));
    assert_eq!(call(&server, Method::POST, "/api/v1/users/7/revoke", &headers).await.status(), status);
    assert_eq!(
        call(&server, Method::GET, "/api/v1/presence", &headers).await.status(),
        200,
        "what only reads is guarded by CORS"
    );
}
