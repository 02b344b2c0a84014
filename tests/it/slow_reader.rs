//! L1: a peer that does not read is cut off with bounded memory, and nobody else notices.

use crate::harness::{Backend, Client, Kind, RawSocket, Server, TestDatabase, raw::client_frame, server::Start};
use flate2::{Compress, Compression, FlushCompress};
use rstest::rstest;
use serde_json::{Value, json};

const USERS: i64 = 50;

const COMPRESSED_TEXT: u8 = 0xc1;
const CLOSE: u8 = 0x88;

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut_off_and_nobody_else_loses_a_frame() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let mut others = Vec::new();
    for user in 1..=USERS {
        others.push(Client::natter_v1(&server, user).await.0);
    }
    let mut stalled = RawSocket::upgraded(&server, 99).await;
    let before = server.rss_kib();

    let content = "x".repeat(10_000);
    let mut sent = 0;
    while !server.log().contains("User 99 does not read: closed with") {
        assert!(sent < 2_000, "20 MB were sent, and the peer is still there");
        sent += 1;
        others[0].post(Kind::Chat, 1, &content).await;
        for other in &mut others {
            let frame = other.expect("MESSAGE").await;
            assert_eq!(frame["seq"], sent);
        }
    }
    let grown = server.rss_kib().saturating_sub(before);
    assert!(grown < 16 * 1_024, "grew by {grown} KiB");
    let line = server.logged("User 99 does not read").await;
    let waiting: u64 =
        line.split("closed with ").nth(1).and_then(|rest| rest.split(' ').next()).expect("bytes").parse().expect("a number");
    assert!(((1 << 20) - 20_000..=1 << 20).contains(&waiting), "{line}");

    // What the kernel had taken is still there to be read; then the connection ends, and the rest of the world goes on.
    let mut frames = 0;
    while stalled.frame().await.is_some() {
        frames += 1;
    }
    assert!(frames < sent, "{frames} of {sent}");
    server.logged("User 99 disconnected").await;
    others[0].post(Kind::Chat, 1, "on").await;
    others[1].expect("MESSAGE").await;
}

#[tokio::test]
async fn a_slow_reader_that_comes_back_in_time_is_told_why_it_was_closed() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let (mut sender, _) = Client::natter_v1(&server, 1).await;
    let mut stalled = RawSocket::upgraded(&server, 99).await;
    let content = "x".repeat(20_000);
    while !server.log().contains("User 99 does not read") {
        sender.post(Kind::Support, 1, &content).await;
        sender.expect("SUPPORT_MESSAGE").await;
    }
    let close = loop {
        let frame = stalled.frame().await.expect("a close frame comes before the end");
        if frame.opcode == 0x8 {
            break frame;
        }
    };
    assert_eq!(close.close_code(), 4100);
}

/// One client that sends much at once may not have those closed who read: it is slowed to its own pace of reading. The bound is
/// above what the kernel may hold for one of two equal readers and not for the other (6 MiB by default).
#[rstest]
#[case::long(2_000, &"x".repeat(10_000))]
#[case::six_bytes_each_as_json(500, &"\u{1}".repeat(10_000))]
#[tokio::test]
async fn a_burst_larger_than_an_outbox_reaches_everyone_who_reads(#[case] messages: usize, #[case] content: &str) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).unlimited().env("NATTER_LIMITS__OUTBOX_BYTES", &(16 << 20).to_string());
    let server = start.listening().await;
    let mut reader = Client::natter_v1(&server, 2).await.0;
    let (mut sender, mut echo) = Client::natter_v1(&server, 1).await.0.split();
    // Both read at the same pace: whoever floods is slowed to their own, and so to the other's.
    let reading = tokio::spawn(async move {
        for seq in 1..=messages {
            assert_eq!(reader.expect("MESSAGE").await["seq"], seq);
            assert_eq!(echo.next().await["seq"], seq);
        }
    });
    for _ in 0..messages {
        sender.post(Kind::Chat, 1, content).await;
    }
    reading.await.expect("both got everything");
}

/// Messages of 20 KB each, in one chat.
async fn large_messages(server: &Server, count: usize) -> (Client, Value) {
    let (mut author, welcome) = Client::natter_v1(server, 1).await;
    for _ in 0..count {
        author.post(Kind::Chat, 1, &"x".repeat(20_000)).await;
        author.expect("MESSAGE").await;
    }
    (author, welcome)
}

/// Pages that a client asks for are no reason to close it while it reads, however many it asks for and whatever else comes.
#[tokio::test]
async fn who_reads_is_not_closed_for_the_pages_that_it_asked_for() {
    const PAGES: usize = 12;
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let (mut author, _) = large_messages(&server, 60).await;
    let mut reader = Client::natter_v1(&server, 2).await.0;
    let asked: Vec<Value> = (0..PAGES)
        .map(|page| json!({ "type": "GET_HISTORY", "chat_id": 1, "limit": 200, "request_id": page.to_string() }))
        .collect();
    reader.send_together(&asked).await;
    // The first page is on its way when others go on talking.
    server.logged("from user 2: GET_HISTORY").await;
    for number in 0..20 {
        author.post(Kind::Chat, 1, &number.to_string()).await;
        author.expect("MESSAGE").await;
    }
    let mut pages = 0;
    while pages < PAGES {
        let page = reader.next().await;
        if page["type"] != "HISTORY" {
            continue;
        }
        pages += 1;
        let messages = page["payload"]["messages"].as_array().expect("a list").len();
        assert!((10..=33).contains(&messages), "{messages} of 20 KB each");
        assert_eq!(page["payload"]["has_more"], true);
    }
    author.post(Kind::Chat, 1, "after").await;
    while reader.next().await["payload"]["content"] != "after" {}
}

#[tokio::test]
async fn who_reads_is_not_closed_for_asking_for_pages_while_it_is_told_what_it_missed() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let (_author, welcome) = large_messages(&server, 200).await;
    let log_id = welcome["payload"]["log_id"].as_str().expect("a log");
    let (mut returning, _) = Client::resuming(&server, 2, 0, log_id).await;
    let page = json!({ "type": "GET_HISTORY", "chat_id": 1, "limit": 200 });
    returning.send_together(&[page.clone(), page.clone(), page]).await;
    let (mut missed, mut pages) = (0, 0);
    while (missed, pages) != (200, 3) {
        match returning.next().await["type"].as_str().expect("a type") {
            "MESSAGE" => missed += 1,
            "HISTORY" => pages += 1,
            "RESUMED" => assert_eq!(missed, 200),
            other => panic!("{other}"),
        }
    }
}

/// What one client sends in one read may inflate to a thousand times as much: others have their turns in between.
#[tokio::test]
async fn who_sends_much_in_little_waits_for_its_turns() {
    const FRAMES: usize = 400;
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).env("NATTER_SERVER__WORKERS", "1").env("NATTER_LIMITS__ENABLED", "false").listening().await;
    let (mut flooder, head) = RawSocket::upgraded_with(&server, 1, "Sec-WebSocket-Extensions: permessage-deflate\r\n").await;
    assert!(head.contains("permessage-deflate"), "{head}");
    let mut other = Client::natter_v1(&server, 2).await.0;
    // 65,000 spaces behind a type that is not known: 65 KB in a hundred bytes.
    let text = format!("{{\"type\":\"X\"{}}}", " ".repeat(65_000));
    let frame = client_frame(COMPRESSED_TEXT, &deflated(text.as_bytes()));
    flooder.write(&frame.repeat(FRAMES)).await;
    other.send(&json!({ "type": "PING" })).await;
    other.expect("PONG").await;
    // Every one of them is answered, in the end, and the connection lives.
    for _ in 0..FRAMES {
        assert_eq!(flooder.frame().await.expect("an answer").opcode, 0x1);
    }
    flooder.write(&client_frame(CLOSE, &[])).await;
    assert_eq!(flooder.frame().await.expect("a close frame").opcode, 0x8);
}

fn deflated(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    Compress::new(Compression::default(), false).compress_vec(text, &mut out, FlushCompress::Sync).expect("deflate");
    out.truncate(out.len() - 4);
    out
}
