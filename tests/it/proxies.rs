//! Behind nginx, `HAProxy` and Caddy, as `docs/proxies` configures them: everything that works without a proxy works through it.

use crate::harness::{
    Backend, Client, Kind, RawSocket, Server, TestDatabase, new_message,
    raw::{TEXT, client_frame},
    reverse_proxy::{Edit, ReverseProxy, Software},
    server::Start,
    tokens::{jwt_server, token},
};
use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const PING: u8 = 0x89;
const PONG: u8 = 0xa;

#[rstest]
#[tokio::test]
async fn the_file_is_taken_as_it_stands_with_tls(
    #[values(Software::Nginx, Software::Haproxy, Software::Caddy)] software: Software,
) {
    assert_eq!(software.complaint().await, None);
}

#[rstest]
#[tokio::test]
async fn a_websocket_passes_with_its_subprotocol_and_its_compression(
    #[values(Software::Nginx, Software::Haproxy, Software::Caddy)] software: Software,
) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Server::start(&database).await;
    let _proxy = ReverseProxy::before(&mut server, software).await;
    let offers = "Sec-WebSocket-Protocol: natter.v1\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
    let (mut socket, head) = RawSocket::upgraded_with(&server, 7, offers).await;
    let head = head.to_lowercase();
    assert!(head.contains("\r\nsec-websocket-protocol: natter.v1\r\n"), "{head}");
    assert!(head.contains("\r\nsec-websocket-extensions: permessage-deflate;"), "{head}");
    socket.frame().await.expect("the welcome");
    let long = new_message(Kind::Chat, 1, 7, &"long ".repeat(1_000)).to_string();
    socket.write(&client_frame(TEXT, long.as_bytes())).await;
    let message = socket.frame().await.expect("the message");
    assert!(message.compressed && message.payload.len() < 1_000, "{} bytes", message.payload.len());
}

/// Ten thousand characters more than a buffer of any of them holds, up and down; the API in both directions; and close codes.
#[rstest]
#[tokio::test]
async fn large_frames_the_api_and_close_codes_pass(
    #[values(Software::Nginx, Software::Haproxy, Software::Caddy)] software: Software,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Start::on(&database).with_access("open").listening().await;
    let _proxy = ReverseProxy::before(&mut server, software).await;
    let (mut client, _) = Client::natter_v1(&server, 7).await;
    let contents: Vec<String> = (0..10).map(|number| format!("{number}{}", "中".repeat(19_999))).collect();
    for content in &contents {
        client.post(kind, 1, content).await;
        assert_eq!(client.expect(kind.frame()).await["payload"]["content"], *content);
    }
    let (status, page) = server.get(&format!("/api/v1/{}/1/messages?userId=7&limit=3", kind.path())).await;
    assert_eq!(status, 200);
    assert!(page.contains(&contents[9]) && page.len() > 120_000, "{} bytes", page.len());
    let (status, member) =
        server.backend("PUT", &format!("/api/v1/{}/1/members/7", kind.path()), Some(json!({ "role": "owner" }))).await;
    assert_eq!((status, &member["role"]), (200, &json!("owner")));
    assert_eq!(client.expect("MEMBER").await["payload"]["user_id"], 7);
    assert_eq!(server.get("/api/v1/presence").await.0, 401);
    client.send_text(&"x".repeat(65_537)).await;
    assert_eq!(client.closed().await.0, 1009);
}

/// The limit on silence that the file sets; Caddy has none.
fn silence(software: Software) -> Option<(&'static str, &'static str)> {
    match software {
        Software::Nginx => Some(("proxy_read_timeout 90s;", "proxy_read_timeout 2s;")),
        Software::Haproxy => Some(("timeout tunnel 90s", "timeout tunnel 2s")),
        Software::Caddy => None,
    }
}

/// As 90 s are to the server's pings every 25 s, 2 s are to those of a client every half second. Everything else that limits time in
/// the file is made as short.
#[rstest]
#[tokio::test]
async fn a_socket_lives_by_pings_alone_and_without_them_ends_as_the_file_says(
    #[values(Software::Nginx, Software::Haproxy, Software::Caddy)] software: Software,
) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Server::start(&database).await;
    let mut edits: Vec<Edit<'_>> = silence(software).into_iter().collect();
    if software == Software::Haproxy {
        edits.extend([("timeout client 30s", "timeout client 1s"), ("timeout server 30s", "timeout server 1s")]);
        edits.push(("inter 2s", "inter 100ms"));
    }
    let proxy = ReverseProxy::changed(&mut server, software, &edits).await;
    let mut socket = RawSocket::upgraded(&server, 7).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        socket.write(&client_frame(PING, b"")).await;
        assert_eq!(socket.frame().await.map(|frame| frame.opcode), Some(PONG), "after {:?}", begun.elapsed());
        // The pace is what is tested.
        sleep(Duration::from_millis(500)).await;
    }
    assert!(!proxy.log().contains("DOWN"), "{}", proxy.log());
    if silence(software).is_some() {
        let silent = Instant::now();
        assert_eq!(socket.frame().await, None);
        assert!((1..10).contains(&silent.elapsed().as_secs()), "cut after {:?}", silent.elapsed());
        server.logged("User 7 disconnected").await;
    }
}

#[rstest]
#[tokio::test]
async fn the_files_let_a_socket_be_silent_for_three_pings(#[values(Software::Nginx, Software::Haproxy)] software: Software) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (_, welcome) = Client::natter_v1(&server, 7).await;
    let (line, _) = silence(software).expect("a limit");
    assert!(software.snippet().contains(line));
    let seconds: u64 = line.chars().filter(char::is_ascii_digit).collect::<String>().parse().expect("seconds");
    assert!(seconds * 1_000 > 3 * welcome["payload"]["heartbeat_ms"].as_u64().expect("milliseconds"));
}

/// L7: through a real proxy that is trusted, an address is one's own, whatever one writes into the header.
#[rstest]
#[tokio::test]
async fn who_comes_through_a_trusted_proxy_counts_by_their_own_address_whatever_they_write(
    #[values(Software::Nginx, Software::Haproxy, Software::Caddy)] software: Software,
) {
    // As many may be on their way out at once: one for each that is turned away here.
    const OF_ADDRESS: i64 = 6;
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).env("NATTER_LIMITS__CONNECTIONS_PER_ADDRESS", &OF_ADDRESS.to_string());
    let mut server = start.env("NATTER_SERVER__TRUSTED_PROXIES", r#"["127.0.0.1"]"#).listening().await;
    let _proxy = ReverseProxy::before(&mut server, software).await;
    let connect =
        async |address: [u8; 4], user: i64, headers: &str| RawSocket::upgraded_from(address.into(), &server, user, headers).await;
    let mut open = Vec::new();
    for user in 1..=OF_ADDRESS {
        open.push(connect([127, 0, 0, 2], user, "").await);
        server.logged(&format!("User {user} connected")).await;
    }
    for forged in ["192.0.2.1", "192.0.2.1, 127.0.0.1", "127.0.0.1", "192.0.2.1\r\nX-Forwarded-For: 192.0.2.2", "junk", "ÿ"] {
        let headers = format!("X-Forwarded-For: {forged}\r\nX-Real-IP: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n");
        assert_eq!(connect([127, 0, 0, 2], 7, &headers).await.closed().await, 4005, "{forged}");
    }
    // Nobody can take another's place by their name.
    let _other = connect([127, 0, 0, 3], 8, "X-Forwarded-For: 127.0.0.2\r\n").await;
    server.logged("User 8 connected").await;
}

/// A proxy that is not named is a client like any other: what it forwards is passed over.
#[rstest]
#[tokio::test]
async fn all_who_come_through_a_proxy_that_is_not_trusted_are_one_address(
    #[values(Software::Nginx, Software::Haproxy, Software::Caddy)] software: Software,
) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).env("NATTER_LIMITS__CONNECTIONS_PER_ADDRESS", "1");
    let mut server = start.env("NATTER_SERVER__TRUSTED_PROXIES", r#"["127.0.0.9"]"#).listening().await;
    let _proxy = ReverseProxy::before(&mut server, software).await;
    let _first = RawSocket::upgraded_from([127, 0, 0, 2].into(), &server, 1, "").await;
    server.logged("User 1 connected").await;
    let mut second = RawSocket::upgraded_from([127, 0, 0, 3].into(), &server, 2, "").await;
    assert_eq!(second.closed().await, 4005);
}

/// As large as may be, received by Natter while it comes, and handed out again, by parts too.
#[rstest]
#[tokio::test]
async fn the_largest_file_passes_both_ways_and_a_larger_one_is_refused_by_natter(
    #[values(Software::Nginx, Software::Haproxy, Software::Caddy)] software: Software,
) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Start::on(&database).with_access("open").listening().await;
    let _proxy = ReverseProxy::before(&mut server, software).await;
    let largest: Vec<u8> = (0..26_214_400_u32).map(|at| b'a' + u8::try_from(at % 26).expect("a letter")).collect();
    let upload = server.uploaded(7, "large.txt", &largest).await;
    let url = upload["url"].as_str().expect("a path");
    assert!(server.download(7, url).await == (200, largest.clone()));
    let part = server.fetch(&format!("{url}?userId=7"), &[("range", "bytes=26000000-26000009")]).await;
    assert_eq!((part.status().as_u16(), &part.bytes().await.expect("a body")[..]), (206, &largest[26_000_000..26_000_010]));
    let (status, body) = server.upload(7, "larger.txt", &[&largest[..], b"x"].concat()).await;
    assert_eq!((status, body["error"]["code"].as_str()), (413, Some("too_large")), "{body}");
}

#[rstest]
#[tokio::test]
async fn the_metrics_are_not_for_those_who_come_through_the_proxy(
    #[values(Software::Nginx, Software::Haproxy, Software::Caddy)] software: Software,
) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Server::start(&database).await;
    assert!(server.get("/metrics").await.1.contains("natter_sessions"));
    let _proxy = ReverseProxy::before(&mut server, software).await;
    assert_eq!(server.get("/healthz").await.0, 200);
    for path in ["/metrics", "/%6Detrics", "/metric%73", "//metrics", "/x/../metrics", "/metrics?x=1", "/METRICS", "/metrics/"] {
        let mut socket = RawSocket::open(&server).await;
        socket.write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).await;
        assert!(socket.read_head().await.starts_with("HTTP/1.1 404 "), "{path}");
    }
}

#[rstest]
#[tokio::test]
async fn browsers_are_told_to_come_by_tls_alone(
    #[values(Software::Nginx, Software::Haproxy, Software::Caddy)] software: Software,
) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Server::start(&database).await;
    let _proxy = ReverseProxy::before(&mut server, software).await;
    for (path, status) in [("/", 200), ("/api/v1/presence", 401), ("/nowhere", 404)] {
        let answer = reqwest::get(format!("http://{}{path}", server.address)).await.expect("an answer");
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000; includeSubDomains", "{path}");
    }
}

/// A6, as far as the proxy goes: what it logs names the path, and no token, also where Natter is away.
#[rstest]
#[tokio::test]
async fn no_token_stands_in_the_proxys_log(#[values(Software::Nginx, Software::Haproxy, Software::Caddy)] software: Software) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = jwt_server(&database).env("NATTER_AUTH__ALLOWED_ORIGINS", r#"["https://app.example"]"#);
    let mut server = start.listening().await;
    let proxy = ReverseProxy::before(&mut server, software).await;
    let token = token(7, "user");
    let (bearer, cookie) = (format!("Bearer {token}"), format!("natter_token={token}"));
    let offer = format!("natter.v1, natter.token.{token}");
    let (url, v1) = (format!("ws://{}/ws", server.address), ("sec-websocket-protocol", "natter.v1"));
    let with_query = server.ws_url_with(&token);
    let ask = async |server: &Server| {
        server.call(Method::GET, "/api/v1/presence?user_ids=7", &token).await;
        server.get(&format!("/api/v1/presence?user_ids=7&token={token}")).await
    };
    for (url, headers) in [
        (&with_query, vec![v1]),
        (&url, vec![("sec-websocket-protocol", offer.as_str())]),
        (&url, vec![v1, ("authorization", &bearer)]),
        (&url, vec![v1, ("cookie", &cookie), ("origin", "https://app.example")]),
    ] {
        let mut client = Client::with_headers(url, 7, &headers).await.expect("a WebSocket");
        client.expect("WELCOME").await;
        assert_eq!(client.close().await, 1000);
    }
    assert_eq!(ask(&server).await.0, 200);
    server.kill().await;
    assert!(ask(&server).await.0 >= 502);
    proxy.logged("/ws", 4).await;
    proxy.logged("/api/v1/presence", 4).await;
    let telling = token.rsplit('.').next().expect("its signature");
    let log = proxy.log();
    assert_eq!(log.lines().find(|line| line.contains(telling)), None);
}
