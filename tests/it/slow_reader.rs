//! L1: a peer that does not read is cut off with bounded memory, and nobody else notices.

use crate::harness::{Backend, Client, Kind, RawSocket, Server, TestDatabase, server::Start};
use rstest::rstest;

const USERS: i64 = 50;

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

/// A page larger than an outbox is no reason to close who reads it, whatever else comes meanwhile.
#[tokio::test]
async fn who_reads_a_large_page_is_not_closed_for_what_comes_behind_it() {
    const MESSAGES: usize = 150;
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let (mut author, _) = Client::natter_v1(&server, 1).await;
    for _ in 0..MESSAGES {
        author.post(Kind::Chat, 1, &"x".repeat(20_000)).await;
        author.expect("MESSAGE").await;
    }
    let mut reader = Client::natter_v1(&server, 2).await.0;
    reader.send(&serde_json::json!({ "type": "GET_HISTORY", "chat_id": 1, "limit": 200, "request_id": "page" })).await;
    // The page is on its way when others go on talking.
    server.logged("from user 2: GET_HISTORY").await;
    for number in 0..20 {
        author.post(Kind::Chat, 1, &number.to_string()).await;
        author.expect("MESSAGE").await;
    }
    let page = reader.answer_to("page").await.expect("the session stays open");
    assert_eq!(page["payload"]["messages"].as_array().expect("a list").len(), MESSAGES);
    author.post(Kind::Chat, 1, "after").await;
    while reader.expect("MESSAGE").await["payload"]["content"] != "after" {}
}
