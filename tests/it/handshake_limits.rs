//! Who knocks too often: handshakes, and tokens that are refused, count for the address that they come from.

use crate::harness::{
    Backend, Client, Scrape, Server, TestDatabase,
    server::Start,
    tokens::{jwt_server, token},
};
use reqwest::{Method, Response};
use serde_json::Value;

/// A server that takes three handshakes of an address, and then one a second.
fn strict(start: Start) -> Start {
    start.env("NATTER_LIMITS__HANDSHAKES_PER_SECOND", "1").env("NATTER_LIMITS__HANDSHAKES_BURST", "3")
}

/// The answer to a handshake, right but for what `query` says.
async fn knock(server: &Server, query: &str, forwarded_for: Option<&str>) -> Response {
    let request = reqwest::Client::new().get(format!("http://{}/ws{query}", server.address));
    let request = request.header("connection", "Upgrade").header("upgrade", "websocket").header("sec-websocket-version", "13");
    let request = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let request = forwarded_for.into_iter().fold(request, |request, address| request.header("x-forwarded-for", address));
    request.send().await.expect("an answer")
}

/// Knocks until it is refused for its number: how often before that, and the refusal.
async fn until_limited(server: &Server, query: &str) -> (usize, Response) {
    for count in 0..1_000 {
        let answer = knock(server, query, None).await;
        if answer.status() == 429 {
            return (count, answer);
        }
    }
    panic!("a thousand handshakes, and none was one too many")
}

/// Asks until the answer is 429: how often before that.
async fn refused_after(most: usize, ask: impl AsyncFn(usize) -> u16) -> usize {
    for count in 0..most {
        if ask(count).await == 429 {
            return count;
        }
    }
    panic!("{most} times, and none was one too many")
}

#[tokio::test]
async fn an_address_that_knocks_too_often_is_told_when_to_come_back() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = strict(Start::on(&database)).listening().await;
    // Whether they say who they are or not.
    for query in ["?userId=1", "", "?userId=x"] {
        knock(&server, query, None).await;
    }
    let (_, refused) = until_limited(&server, "?userId=1").await;
    let header = |name: &str| refused.headers()[name].to_str().expect("text").to_owned();
    assert_eq!((header("retry-after").as_str(), header("ratelimit-policy").as_str()), ("1", "\"handshakes\";q=3;w=3"));
    assert_eq!(header("ratelimit"), "\"handshakes\";r=0;t=1");
    let body: Value = refused.json().await.expect("JSON");
    assert_eq!(body["error"]["code"], "rate_limited");
    assert!((1..=1_000).contains(&body["error"]["retry_after_ms"].as_u64().expect("a wait")), "{body}");
    assert!(Scrape::of(&server).await.count("natter_handshakes_refused_total{reason=\"rate_limited\"}") > 0);
    server.logged("Connection refused: address 127.0.0.1: ").await;
    // However the path is written, and whatever is asked for there.
    for path in ["/%77s?userId=1", "/ws-online-status?userId=1", "/ws"] {
        refused_after(1_000, async |_| server.get(path).await.0).await;
    }
    assert_eq!(server.get("/api/v1/chats/1/messages?userId=1").await.0, 200, "what is no handshake is not held up");
}

#[tokio::test]
async fn who_waits_as_long_as_told_gets_a_session() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = strict(Start::on(&database)).listening().await;
    let (_, refused) = until_limited(&server, "?userId=1").await;
    let body: Value = refused.json().await.expect("JSON");
    let wait = body["error"]["retry_after_ms"].as_u64().expect("a wait");
    // The wait is what is tested.
    tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
    assert_eq!(Client::natter_v1(&server, 1).await.1["type"], "WELCOME");
}

#[tokio::test]
async fn addresses_behind_a_trusted_proxy_count_each_for_itself() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = strict(Start::on(&database)).env("NATTER_SERVER__TRUSTED_PROXIES", r#"["127.0.0.1"]"#);
    let server = start.listening().await;
    // What a client wrote itself stands before the address that the proxy appends: another one each time is no other address.
    let forged = async |last: usize| knock(&server, "", Some(&format!("198.51.100.{last}, 192.0.2.1"))).await.status().as_u16();
    refused_after(255, forged).await;
    assert_eq!(knock(&server, "", Some("192.0.2.2")).await.status(), 101);
    // Without the header, all who come through the proxy are one, and that is told.
    until_limited(&server, "").await;
    server.logged("a WebSocket came from it without X-Forwarded-For").await;
}

#[tokio::test]
async fn a_header_of_a_proxy_that_is_not_named_is_told_once_and_counted() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    for address in ["192.0.2.1", "192.0.2.2"] {
        knock(&server, "", Some(address)).await;
    }
    let told = server.logged("127.0.0.1 sends X-Forwarded-For").await;
    assert!(told.contains("WARN") && told.contains(r#"server.trusted_proxies = ["127.0.0.1"]"#), "{told}");
    assert_eq!(Scrape::of(&server).await.count("natter_forwarded_for_ignored_total"), 2);
    assert_eq!(server.log().matches("sends X-Forwarded-For").count(), 1);
}

/// Guessing a key over HTTP is no way round the limit on handshakes.
#[tokio::test]
async fn tokens_and_keys_that_are_refused_count_as_handshakes_and_right_ones_do_not() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = strict(jwt_server(&database)).env("NATTER_LIMITS__HANDSHAKES_BURST", "100").listening().await;
    let right = token(7, "user");
    let ask = async |bearer: &str| server.call(Method::GET, "/api/v1/presence?user_ids=7", bearer).await.0;
    for _ in 0..60 {
        assert_eq!(ask(&right).await, 200);
        assert_eq!(server.get("/api/v1/presence").await.0, 401, "who brings nothing has guessed nothing");
    }
    for _ in 0..100 {
        assert_eq!(ask("a guess").await, 401);
    }
    refused_after(1_000, async |_| ask("another guess").await).await;
    assert_eq!(ask(&right).await, 200, "others at the address go on");
    assert!(until_limited(&server, &format!("?token={right}")).await.0 < 50, "what was guessed is not taken off");
}

/// What is refused before anyone looks at who asks costs as much as what is answered.
#[tokio::test]
async fn paths_and_methods_that_are_not_there_count_as_requests_of_the_address() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    for (method, path) in [("GET", "/api/v1/nowhere"), ("PATCH", "/api/v1/presence"), ("GET", "/%61pi/v1/presence")] {
        let start = jwt_server(&database).env("NATTER_LIMITS__ADDRESS_COMMANDS_PER_SECOND", "1");
        let mut server = start.env("NATTER_LIMITS__ADDRESS_COMMANDS_BURST", "3").listening().await;
        refused_after(1_000, async |_| server.ask(method, path, None, None).await.0).await;
        assert_eq!(server.get("/healthz").await.0, 200, "what is for anyone goes on");
        server.kill().await;
    }
}

/// Five thousand clients come back to a new server at once, twice each.
#[tokio::test]
async fn ten_thousand_handshakes_at_once_pass_by_default_and_a_flood_does_not() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let http = reqwest::Client::new();
    let url = format!("http://{}/ws", server.address);
    let ask = async |_| http.get(&url).send().await.expect("an answer").status().as_u16();
    let passed = refused_after(100_000, ask).await;
    assert!(passed >= 10_000, "{passed} passed");
}

#[tokio::test]
async fn no_handshake_is_too_many_where_limits_are_off() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = strict(Start::on(&database)).unlimited().listening().await;
    for _ in 0..50 {
        assert_eq!(knock(&server, "", None).await.status(), 101);
    }
}
