//! Before the WebSocket: which handshakes are taken, and what the others are told.

use crate::harness::{Backend, Client, RawSocket, Server, TestDatabase, raw::HANDSHAKE};
use rstest::rstest;

async fn server() -> (TestDatabase, Server) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    (database, server)
}

/// The handshake's headers without the one of this name.
fn without(name: &str) -> String {
    HANDSHAKE.split_inclusive("\r\n").filter(|line| !line.starts_with(name)).collect()
}

/// W4: never 101, never 5xx.
#[tokio::test]
async fn a_wrong_handshake_is_refused_with_4xx() {
    let (_database, server) = server().await;
    let get = |headers: &str| format!("GET /ws-online-status?userId=1 HTTP/1.1\r\n{headers}\r\n");
    let version = |version: &str| HANDSHAKE.replace("Version: 13", &format!("Version: {version}"));
    let key = |key: &str| HANDSHAKE.replace("dGhlIHNhbXBsZSBub25jZQ==", key);
    let requests = [
        get(&version("7")),
        get(&version("8")),
        get(&version("14")),
        get(&version("13, 8")),
        get(&without("Sec-WebSocket-Version")),
        get(&key("")),
        get(&key("short==")),
        get(&key("dGhlIHNhbXBsZSBub25jZR==")),
        get(&key("*GhlIHNhbXBsZSBub25jZQ==")),
        get(&without("Sec-WebSocket-Key")),
        get(&format!("{HANDSHAKE}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")),
        get(&without("Upgrade")),
        get(&without("Connection")),
        get(&HANDSHAKE.replace("Upgrade: websocket", "Upgrade: h2c")),
        get(&without("Host")),
        get(&format!("{HANDSHAKE}Host: elsewhere\r\n")),
        get(&format!("{HANDSHAKE}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
        get(&format!("{HANDSHAKE}Content-Length: 0\r\n")),
        get(HANDSHAKE).replace("HTTP/1.1", "HTTP/1.0"),
        get(HANDSHAKE).replace("GET", "POST"),
        get(HANDSHAKE).replace("GET", "PUT"),
        get(HANDSHAKE).replace("/ws-online-status", "/elsewhere"),
    ];
    for request in requests {
        let mut socket = RawSocket::open(&server).await;
        socket.write(request.as_bytes()).await;
        let head = socket.read_head().await;
        assert!(head.starts_with("HTTP/1.1 4") || head.starts_with("HTTP/1.0 4"), "{request}\n{head}");
    }
    assert!(server.is_alive().await);
}

#[tokio::test]
async fn a_plain_request_is_told_to_upgrade() {
    let (_database, server) = server().await;
    let (status, body) = server.get("/ws?userId=1").await;
    assert_eq!(status, 426);
    assert!(body.contains("WebSocket"), "{body}");
}

/// The answer is given on the socket, where a browser can read it.
#[rstest]
#[case::none("")]
#[case::empty("?userId=")]
#[case::zero("?userId=0")]
#[case::negative("?userId=-1")]
#[case::plus("?userId=%2B1")]
#[case::fraction("?userId=1.0")]
#[case::exponent("?userId=1e3")]
#[case::too_large("?userId=9007199254740992")]
#[case::wraps("?userId=18446744073709551617")]
#[case::text("?userId=me")]
#[case::space("?userId=%201")]
#[case::nul("?userId=1%00")]
#[case::twice("?userId=1&userId=2")]
#[case::other_case("?userid=1")]
#[tokio::test]
async fn a_wrong_user_id_is_told_and_closed_with_4001(#[case] query: &str) {
    let (database, server) = server().await;
    let url = format!("ws://{}/ws-online-status{query}", server.address);
    for subprotocol in [None, Some("natter.v1")] {
        let mut client = Client::connect(&url, 0, subprotocol).await;
        let error = client.expect_error("unauthorized").await;
        assert_eq!(error["field"], "userId");
        assert!(error["message"].as_str().expect("a message").contains("from 1 to 9007199254740991"), "{error}");
        assert_eq!(client.closed().await.0, 4001);
    }
    assert_eq!(database.assert_gapless_log().await, 0);
}

#[rstest]
#[case::unknown("role=owner")]
#[case::empty("role=")]
#[case::other_case("role=Admin")]
#[case::twice("role=agent&role=admin")]
#[tokio::test]
async fn a_wrong_role_is_told_and_closed_with_4001(#[case] query: &str) {
    let (_database, server) = server().await;
    let mut client = Client::connect(&format!("ws://{}/ws?userId=1&{query}", server.address), 1, None).await;
    assert_eq!(client.expect_error("unauthorized").await["field"], "role");
    assert_eq!(client.closed().await.0, 4001);
}

#[tokio::test]
async fn both_addresses_are_the_same_endpoint_and_other_subprotocols_are_passed_over() {
    let (_database, server) = server().await;
    let mut on_ws = Client::connect(&format!("ws://{}/ws?userId=1", server.address), 1, None).await;
    let mut client = Client::classic(&server, 2).await;
    client.post(crate::harness::Kind::Chat, 1, "x").await;
    on_ws.expect("MESSAGE").await;
    let mut socket = RawSocket::open(&server).await;
    let request = format!("GET /ws?userId=1 HTTP/1.1\r\n{HANDSHAKE}Sec-WebSocket-Protocol: chat, natter.v1\r\n\r\n");
    socket.write(request.as_bytes()).await;
    assert!(socket.read_head().await.to_lowercase().contains("sec-websocket-protocol: natter.v1\r\n"));
}

#[tokio::test]
async fn one_connection_too_many_is_refused_until_another_ends() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = crate::harness::server::Start::on(&database).env("NATTER_SERVER__MAX_CONNECTIONS", "2").listening().await;
    let first = Client::classic(&server, 1).await;
    let _second = Client::classic(&server, 2).await;
    let mut socket = RawSocket::open(&server).await;
    socket.write(format!("GET /ws?userId=3 HTTP/1.1\r\n{HANDSHAKE}\r\n").as_bytes()).await;
    assert!(socket.read_head().await.starts_with("HTTP/1.1 503 "));
    assert_eq!(first.close().await, 1000);
    server.logged("User 1 disconnected").await;
    let _third = Client::classic(&server, 3).await;
}

#[tokio::test]
async fn health_and_the_page_are_served() {
    let (_database, server) = server().await;
    assert_eq!(server.get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(server.get("/readyz").await, (200, "ready\n".to_owned()));
    let monitor = reqwest::Client::new().head(format!("http://{}/healthz", server.address));
    assert_eq!(monitor.send().await.expect("an answer").status(), 200);
    let (status, page) = server.get("/").await;
    assert_eq!(status, 200);
    assert!(page.contains("<title>Natter"), "{page}");
    assert_eq!(server.get("/nowhere").await.0, 404);
}
