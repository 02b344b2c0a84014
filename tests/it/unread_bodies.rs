//! No connection outlives its request: whatever is left of a body that nobody reads, the server ends it soon after the answer.

use crate::harness::{Backend, RawSocket, Server, TestDatabase};
use futures_util::future::join_all;
use natter::http::Route;
use std::time::Duration;
use tokio::time::timeout;

/// Until the connection has ended, counted from the answer.
const SOON: Duration = Duration::from_secs(10);

/// Every route by its method, and what no route takes: each as nobody and, where it matters, as a user.
fn asked() -> Vec<(String, String)> {
    let filled = |path: &str| path.replace("{id}", "1").replace("{user_id}", "7");
    let known = Route::ALL.into_iter().map(|route| (route.method().to_string(), filled(route.path())));
    let as_a_user = known.clone().map(|(method, path)| (method, format!("{path}?userId=7")));
    let others = [
        ("GET", "/nowhere"),
        ("POST", "/api/v1/nowhere"),
        ("POST", "/healthz"),
        ("HEAD", "/healthz"),
        ("PATCH", "/api/v1/chats/1/members/7"),
        ("OPTIONS", "/api/v1/presence"),
        ("OPTIONS", "*"),
    ];
    known.chain(as_a_user).chain(others.map(|(method, path)| (method.to_owned(), path.to_owned()))).collect()
}

/// Asks, reads the head of the answer, and waits for the end.
async fn is_ended(server: &Server, request: &str) {
    let mut socket = RawSocket::open(server).await;
    socket.write(request.as_bytes()).await;
    let head = socket.read_head().await;
    assert!(head.starts_with("HTTP/1.1 "), "{head} to {request}");
    assert!(timeout(SOON, socket.ended()).await.is_ok(), "open after the answer to {request}");
}

#[tokio::test]
async fn a_body_that_nobody_reads_ends_its_connection_soon_after_the_answer() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let preflight = "Origin: https://page.example\r\nAccess-Control-Request-Method: POST\r\n";
    let mut requests = Vec::new();
    for (method, path) in asked() {
        for headers in ["Connection: close\r\n", preflight, ""] {
            for body in
                ["Content-Length: 9\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"]
            {
                requests.push(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}{body}"));
            }
        }
    }
    join_all(requests.iter().map(|request| is_ended(&server, request))).await;
}

#[tokio::test]
async fn a_connection_without_an_unread_body_is_kept_for_the_next_request() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let mut socket = RawSocket::open(&server).await;
    let set_member = "PUT /api/v1/chats/1/members/7?userId=7 HTTP/1.1\r\nHost: localhost\r\n";
    let requests = [
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /nowhere/else HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        format!("{set_member}Content-Length: 2\r\n\r\n{{}}"),
        format!("{set_member}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
    ];
    for request in requests {
        socket.write(request.as_bytes()).await;
        let head = socket.read_head().await;
        assert!(head.starts_with("HTTP/1.1 ") && !head.contains("connection: close"), "{head} to {request}");
        socket.read_body(&head).await;
    }
}

/// Whoever has had one answer has no more time for the head of the next request than for the first, and what they may idle.
#[tokio::test]
async fn a_second_head_that_does_not_end_is_cut_off() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let mut socket = RawSocket::open(&server).await;
    socket.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let head = socket.read_head().await;
    socket.read_body(&head).await;
    for dripped in [&b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: "[..], b"x", b"x"] {
        socket.write(dripped).await;
    }
    assert!(timeout(SOON + SOON / 2, socket.ended()).await.is_ok(), "open with half a head");
}
