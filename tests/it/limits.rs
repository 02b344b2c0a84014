//! L7, L8, L9: nobody takes more than their share, by whatever way, and nobody else notices those who try.

use crate::harness::{
    Backend, Client, Kind, RawSocket, Server, TestDatabase, new_message,
    raw::{HANDSHAKE, TEXT, client_frame},
    server::Start,
};
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// What the server has for a socket that does not say who it is, or says nothing.
const CUT: Duration = Duration::from_secs(10);

/// A server that accepts few messages of a user, and so is soon met by a test.
async fn limited(database: &TestDatabase) -> Server {
    let start = Start::on(database).env("NATTER_LIMITS__MESSAGES_PER_SECOND", "1");
    start.env("NATTER_LIMITS__MESSAGES_BURST", "3").listening().await
}

/// Posts for as long as it is told, each message to the next conversation: accepted, and what the refused were told.
async fn flood(mut client: Client, kind: Kind, until: Instant) -> (u32, Vec<Value>) {
    let (mut accepted, mut refused) = (0, Vec::new());
    for conversation in 1.. {
        if Instant::now() >= until {
            break;
        }
        let answer = client.request(new_message(kind, conversation, client.user, "spam")).await;
        match answer["type"].as_str() {
            Some("ACK") => accepted += 1,
            _ => refused.push(answer["payload"].clone()),
        }
    }
    (accepted, refused)
}

/// L8: by many connections and many conversations at once.
#[rstest]
#[tokio::test]
async fn a_user_is_accepted_as_often_as_allowed_however_many_connections_and_conversations_they_use(
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    const PER_SECOND: u32 = 20;
    const BURST: u32 = 40;
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).env("NATTER_LIMITS__MESSAGES_PER_SECOND", &PER_SECOND.to_string());
    let start = start.env("NATTER_LIMITS__MESSAGES_BURST", &BURST.to_string());
    // What is refused is what this test counts, and it asks for nothing else.
    let unmet = ["REFUSALS_BURST", "COMMANDS_BURST", "ADDRESS_COMMANDS_BURST"];
    let start = unmet.into_iter().fold(start, |start, key| start.env(&format!("NATTER_LIMITS__{key}"), "1000000"));
    let server = start.listening().await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(Client::natter_v1(&server, 1).await.0);
    }
    let begun = Instant::now();
    let until = begun + Duration::from_secs(3);
    let outcomes = join_all(clients.into_iter().map(|client| flood(client, kind, until))).await;
    let allowed = f64::from(PER_SECOND) * begun.elapsed().as_secs_f64() + f64::from(BURST);
    let accepted: u32 = outcomes.iter().map(|(accepted, _)| accepted).sum();
    assert!((allowed * 0.95..=allowed * 1.05).contains(&f64::from(accepted)), "{accepted} accepted, {allowed} allowed");
    let stored = database.number(&format!("SELECT count(*) FROM {}", kind.table())).await;
    assert_eq!(stored, i64::from(accepted));
    let refused: Vec<&Value> = outcomes.iter().flat_map(|(_, refused)| refused).collect();
    assert!(!refused.is_empty());
    for payload in refused {
        assert_eq!(payload["code"], "rate_limited");
        assert_eq!(payload["message"], "at most 20 messages a second");
        assert!((1..=50).contains(&payload["retry_after_ms"].as_u64().expect("a wait")), "{payload}");
    }
}

#[rstest]
#[tokio::test]
async fn who_waits_as_long_as_told_is_accepted(#[values(None, Some("natter.v1"))] subprotocol: Option<&str>) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = limited(&database).await;
    let mut client = Client::connect(&server.ws_url(1), 1, subprotocol).await;
    let message = new_message(Kind::Chat, 1, 1, "again");
    let refused = loop {
        let answer = client.request(message.clone()).await;
        if answer["type"] == "ERROR" {
            break answer["payload"].clone();
        }
    };
    assert_eq!(refused["code"], "rate_limited");
    let wait = Duration::from_millis(refused["retry_after_ms"].as_u64().expect("a wait"));
    // The wait is what is tested.
    tokio::time::sleep(wait).await;
    assert_eq!(client.request(message).await["type"], "ACK");
}

#[tokio::test]
async fn edits_and_deletions_count_as_messages_and_other_commands_do_not() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = limited(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    client.request(new_message(Kind::Chat, 1, 1, "first")).await;
    let edit = json!({ "type": "EDIT_MESSAGE", "chat_id": 1, "message_id": 1, "content": "second" });
    while client.request(edit.clone()).await["type"] == "ACK" {}
    let delete = json!({ "type": "DELETE_MESSAGE", "chat_id": 1, "message_id": 1 });
    let answers = [client.request(delete).await, client.request(json!({ "type": "PING" })).await];
    assert_eq!(answers[0]["payload"]["code"], "rate_limited", "{}", answers[0]);
    assert_eq!(answers[1]["type"], "PONG");
}

#[rstest]
#[tokio::test]
async fn a_conversation_has_its_own_limit_whoever_writes_to_it(#[values(Kind::Chat, Kind::Support)] kind: Kind) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).env("NATTER_LIMITS__CONVERSATION_MESSAGES_PER_SECOND", "1");
    let server = start.env("NATTER_LIMITS__CONVERSATION_MESSAGES_BURST", "3").listening().await;
    let mut clients = Vec::new();
    for user in 1..=3 {
        clients.push(Client::natter_v1(&server, user).await.0);
    }
    let refused = 'refused: loop {
        for client in &mut clients {
            let answer = client.request(new_message(kind, 7, client.user, "all at once")).await;
            if answer["type"] == "ERROR" {
                break 'refused answer;
            }
        }
    };
    assert_eq!(refused["payload"]["message"], "at most 1 messages a second in one conversation");
    for client in &mut clients {
        assert_eq!(client.request(new_message(kind, client.user + 7, client.user, "elsewhere")).await["type"], "ACK");
    }
}

#[rstest]
#[tokio::test]
async fn strangers_take_nothing_of_what_a_conversation_may_have(#[values(Kind::Chat, Kind::Support)] kind: Kind) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).with_access("deny").env("NATTER_LIMITS__CONVERSATION_MESSAGES_PER_SECOND", "1");
    let server = start.env("NATTER_LIMITS__CONVERSATION_MESSAGES_BURST", "3").listening().await;
    let path = format!("/api/v1/{}/7/members/1", if kind == Kind::Chat { "chats" } else { "support-chats" });
    assert_eq!(server.backend("PUT", &path, Some(json!({ "role": "member" }))).await.0, 200);
    let (mut stranger, _) = Client::natter_v1(&server, 2).await;
    for _ in 0..20 {
        let answer = stranger.request(new_message(kind, 7, 2, "let me in")).await;
        assert_eq!(answer["payload"]["code"], "not_found");
    }
    let (mut member, _) = Client::natter_v1(&server, 1).await;
    for _ in 0..3 {
        assert_eq!(member.request(new_message(kind, 7, 1, "among us")).await["type"], "ACK");
    }
    assert_eq!(member.request(new_message(kind, 7, 1, "one more")).await["payload"]["code"], "rate_limited");
}

#[tokio::test]
async fn commands_are_limited_by_user_over_sockets_and_http_together_and_by_address_for_all() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).env("NATTER_LIMITS__COMMANDS_PER_SECOND", "1").env("NATTER_LIMITS__COMMANDS_BURST", "3");
    let start = start.env("NATTER_LIMITS__ADDRESS_COMMANDS_PER_SECOND", "1");
    let server = start.env("NATTER_LIMITS__ADDRESS_COMMANDS_BURST", "30").listening().await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    while client.request(json!({ "type": "PING" })).await["type"] == "PONG" {}
    let get = async |user: i64| {
        let url = format!("http://{}/api/v1/chats/1/messages?userId={user}", server.address);
        reqwest::get(url).await.expect("an answer")
    };
    let refused = get(1).await;
    assert_eq!(refused.status(), 429);
    let header = |name: &str| refused.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("ratelimit-policy"), "\"user\";q=3;w=3");
    assert_eq!((header("ratelimit").as_str(), header("retry-after").as_str()), ("\"user\";r=0;t=1", "1"));
    let body: Value = refused.json().await.expect("JSON");
    assert_eq!(
        (&body["error"]["code"], &body["error"]["message"]),
        (&json!("rate_limited"), &json!("at most 1 commands a second"))
    );
    // Each of the others asks for the first time, until their address has asked for too much.
    let mut others = 2..200;
    let refused = loop {
        let answer = get(others.next().expect("an address has its limit")).await;
        if answer.status() == 429 {
            break answer;
        }
    };
    assert_eq!(refused.headers()["ratelimit-policy"], "\"address\";q=30;w=30");
}

/// L7: one user with many connections, then one address with many users.
#[tokio::test]
async fn a_user_has_twenty_connections_and_an_address_a_hundred() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(Client::natter_v1(&server, 1).await.0);
    }
    for _ in 0..30 {
        let mut refused = Client::connect(&server.ws_url(1), 1, Some("natter.v1")).await;
        assert_eq!(refused.closed().await, (4005, "too many connections".to_owned()));
    }
    for user in 2..82 {
        open.push(Client::classic(&server, user).await);
    }
    let mut refused = Client::connect(&server.ws_url(82), 82, None).await;
    assert_eq!(refused.closed().await.0, 4005);
    // A place is free again as soon as its connection has ended.
    assert_eq!(open.pop().expect("the last").close().await, 1000);
    server.logged("User 81 disconnected").await;
    let mut last = Client::classic(&server, 82).await;
    last.post(Kind::Chat, 1, "in").await;
    last.expect("MESSAGE").await;
}

/// L7: a header that anyone can write is no new address.
#[tokio::test]
async fn a_forged_x_forwarded_for_is_passed_over_unless_it_comes_from_a_trusted_proxy() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    // Two, so that two may be on their way out at once.
    let two_an_address = || Start::on(&database).env("NATTER_LIMITS__CONNECTIONS_PER_ADDRESS", "2");
    let connect = async |server: &Server, user: i64, forwarded_for: &str| {
        let header = format!("X-Forwarded-For: {forwarded_for}\r\n");
        RawSocket::upgraded_with(server, user, &header).await.0
    };
    let mut server = two_an_address().listening().await;
    let _first = connect(&server, 1, "192.0.2.1").await;
    let _second = connect(&server, 2, "192.0.2.2").await;
    for user in [1, 2] {
        server.logged(&format!("User {user} connected")).await;
    }
    assert_eq!(connect(&server, 3, "192.0.2.3").await.closed().await, 4005);
    server.kill().await;

    let server = two_an_address().env("NATTER_SERVER__TRUSTED_PROXIES", r#"["127.0.0.1", "10.0.0.0/8"]"#).listening().await;
    let mut open = Vec::new();
    for (user, forwarded_for) in [(1, "192.0.2.1"), (2, "192.0.2.2, 10.0.0.7"), (3, "2001:db8:0:1::1")] {
        for user in [user, user + 10] {
            open.push(connect(&server, user, forwarded_for).await);
            server.logged(&format!("User {user} connected")).await;
        }
    }
    for same in ["198.51.100.1, 192.0.2.1", "ÿ, 192.0.2.1", "192.0.2.2", "2001:db8:0:1:ffff::9"] {
        assert_eq!(connect(&server, 9, same).await.closed().await, 4005, "{same}");
    }
    // What a client writes that is no text neither makes it the proxy nor another client.
    let _other = connect(&server, 4, "ÿ, 192.0.2.4").await;
    server.logged("User 4 connected").await;
    let _another = connect(&server, 5, "ÿ, 192.0.2.5").await;
    server.logged("User 5 connected").await;
}

/// L7: 2,000 sockets each that say nothing, that never end the head of their request, that send no body, and that do not say who
/// they are.
#[rstest]
#[case::nothing("")]
#[case::half_a_head("GET /ws?userId=1 HTTP/1.1\r\nHost: localhost\r\n")]
#[case::half_a_body("PUT /api/v1/chats/1/members/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx")]
#[case::half_a_body_of_a_user(
    "PUT /api/v1/chats/1/members/1?userId=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx"
)]
#[case::nobody(&format!("GET /ws HTTP/1.1\r\n{HANDSHAKE}\r\n"))]
#[tokio::test]
async fn two_thousand_sockets_that_do_not_say_who_they_are_are_gone_within_ten_seconds(#[case] said: &str) {
    rlimit::increase_nofile_limit(8_192).expect("descriptors");
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let mut sockets = Vec::new();
    for _ in 0..2_000 {
        let mut socket = RawSocket::open(&server).await;
        // Some are refused before they have said everything.
        let _ = socket.write_until_refused(said.as_bytes()).await;
        sockets.push(socket);
    }
    let gone = join_all(sockets.iter_mut().map(RawSocket::ended));
    timeout(CUT, gone).await.expect("all are gone in time");
    assert!(server.is_alive().await);
}

/// Frames that cost much to send and must cost little to refuse.
fn hostile_frames() -> Vec<(&'static str, String)> {
    let message = |content: &str| format!(r#"{{"type":"NEW_MESSAGE","chat_id":1,"sender_id":1,"content":{content}}}"#);
    vec![
        ("64 KiB that are no JSON", "x".repeat(65_536)),
        ("nesting", format!(r#"{{"a":{}"#, "[".repeat(65_000))),
        ("nested objects", r#"{"a":"#.repeat(13_000)),
        ("keys", format!("{{{}}}", (0..5_000).map(|key| format!(r#""{key}":0"#)).collect::<Vec<_>>().join(","))),
        ("a million keys, as far as they go", format!("{{{}", r#""":0,"#.repeat(13_000))),
        ("a long number", message(&"9".repeat(65_000))),
        ("a long fraction", message(&format!("0.{}", "1".repeat(65_000)))),
        ("duplicate keys", format!("{{{}}}", [r#""a":0"#; 10_000].join(","))),
        ("a long key", format!(r#"{{"{}":0}}"#, "k".repeat(65_000))),
        ("escapes", message(&format!(r#""{}"#, r"\u0000".repeat(10_000)))),
        ("an open string", message(&format!("\"{}", "a".repeat(65_000)))),
    ]
}

/// L9
#[tokio::test]
async fn a_hostile_frame_is_refused_at_once() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    for (what, frame) in hostile_frames() {
        let mut fastest = Duration::MAX;
        for _ in 0..5 {
            let begun = Instant::now();
            client.send_text(&frame).await;
            let error = client.expect("ERROR").await;
            fastest = fastest.min(begun.elapsed());
            assert!(["invalid_json", "invalid_field"].contains(&error["payload"]["code"].as_str().expect("a code")), "{error}");
        }
        assert!(fastest < Duration::from_millis(10), "{what}: {fastest:?}");
    }
    let (too_deep, too_many) = ("[".repeat(100_000), r#"{"a":0,"#.repeat(1_000_000));
    for frame in [too_deep, too_many] {
        let mut socket = RawSocket::upgraded(&server, 2).await;
        let begun = Instant::now();
        let _ = socket.write_until_refused(&client_frame(TEXT, frame.as_bytes())).await;
        assert_eq!(socket.frame().await.expect("a close frame").close_code(), 1009);
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}

/// L9: flooders are closed, the log stays readable, and the others' messages go through.
#[tokio::test]
async fn whoever_floods_is_closed_and_nobody_else_notices() {
    const FLOODERS: i64 = 8;
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).env("RUST_LOG", "info,natter=debug").listening().await;
    let (mut bystander, _) = Client::natter_v1(&server, 100).await;
    let garbage = client_frame(TEXT, "x".repeat(65_536).as_bytes());
    let mut floods = tokio::task::JoinSet::new();
    for user in 1..=FLOODERS {
        let (mut socket, garbage) = (RawSocket::upgraded(&server, user).await, garbage.clone());
        floods.spawn(async move {
            while socket.write_until_refused(&garbage).await.is_ok() {}
            loop {
                match socket.frame().await {
                    Some(frame) if frame.opcode == 0x8 => return Some(frame.close_code()),
                    Some(_) => {}
                    None => return None,
                }
            }
        });
    }
    let mut latencies = Vec::new();
    while !floods.is_empty() {
        let begun = Instant::now();
        assert_eq!(bystander.request(new_message(Kind::Chat, 1, 100, "hello")).await["type"], "ACK");
        latencies.push(begun.elapsed());
        // At the pace of a person who types fast.
        if let Ok(Some(code)) = timeout(Duration::from_millis(150), floods.join_next()).await {
            // One that goes on writing may be cut off before it has read why.
            assert!(matches!(code.expect("a flooder"), Some(4101) | None));
        }
    }
    latencies.sort();
    let p99 = latencies[latencies.len() * 99 / 100];
    assert!(p99 < Duration::from_millis(500), "{p99:?} of {}", latencies.len());
    for user in 1..=FLOODERS {
        server.logged(&format!("User {user} disconnected")).await;
    }
    // A line of the same cause has room again after a fifth of a second, and tells of those that had none.
    tokio::time::sleep(Duration::from_millis(250)).await;
    bystander.send_text("no JSON").await;
    bystander.expect_error("invalid_json").await;
    server.logged("like this left out)").await;
    let log = server.log();
    assert!(log.contains("floods: closed"), "{log}");
    for cause in ["refused a frame", "floods: closed"] {
        let busiest = lines_a_second(&log, cause).into_values().max().expect("some lines");
        assert!(busiest <= 10, "{busiest} lines a second: {cause}");
    }
}

/// How many lines with this in them each second of the log has.
fn lines_a_second(log: &str, part: &str) -> std::collections::BTreeMap<String, usize> {
    let mut seconds = std::collections::BTreeMap::new();
    for line in log.lines().filter(|line| line.contains(part)) {
        let second = line.split(['[', ' ']).nth(1).expect("a time").to_owned();
        *seconds.entry(second).or_default() += 1;
    }
    seconds
}

/// After a flood, another connection of the same user is no new start.
#[tokio::test]
async fn a_flooder_that_comes_back_is_closed_at_its_first_fault() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).env("NATTER_LIMITS__REFUSALS_PER_SECOND", "1");
    let server = start.env("NATTER_LIMITS__REFUSALS_BURST", "3").listening().await;
    let mut flooder = Client::classic(&server, 1).await;
    for _ in 0..4 {
        flooder.send_text("no JSON").await;
        flooder.expect_error("invalid_json").await;
    }
    assert_eq!(flooder.closed().await, (4101, "flooding: too many of your frames were refused".to_owned()));
    let mut again = Client::classic(&server, 1).await;
    again.send_text("no JSON").await;
    again.expect_error("invalid_json").await;
    assert_eq!(again.closed().await.0, 4101);
    let mut other = Client::classic(&server, 2).await;
    other.send_text("no JSON").await;
    other.expect_error("invalid_json").await;
    other.post(Kind::Chat, 1, "x").await;
    other.expect("MESSAGE").await;
}

#[tokio::test]
async fn nothing_is_limited_where_limits_are_off_and_welcome_says_so() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (_, welcome) = Client::natter_v1(&server, 1).await;
    assert_eq!(welcome["payload"]["limits"]["messages_per_second"], 10);
    drop(server);
    let server = Server::unlimited(&database).await;
    let mut clients = Vec::new();
    for _ in 0..150 {
        clients.push(Client::natter_v1(&server, 1).await);
    }
    let (mut client, welcome) = clients.pop().expect("the last");
    assert_eq!(welcome["payload"]["limits"]["messages_per_second"], Value::Null);
    for number in 0..600 {
        client.send_text("no JSON").await;
        client.expect_error("invalid_json").await;
        assert_eq!(client.request(new_message(Kind::Chat, 1, 1, &number.to_string())).await["type"], "ACK");
    }
}
