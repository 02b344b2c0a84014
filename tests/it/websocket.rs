//! RFC 6455 on the real socket: bounds before buffers, the right close codes, nothing that spins or grows.

use crate::harness::{
    Backend, Client, Kind, RawSocket, Server, TestDatabase,
    raw::{CONTINUATION, LAST_CONTINUATION, TEXT, TEXT_TO_BE_CONTINUED, client_frame, client_header},
};
use rstest::rstest;
use std::time::{Duration, Instant};

const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

async fn server() -> (TestDatabase, Server) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    (database, server)
}

fn message(content: &str) -> String {
    format!(r#"{{"type":"NEW_MESSAGE","chat_id":1,"sender_id":1,"content":"{content}"}}"#)
}

/// W2: the limit is looked at before a byte is kept.
#[rstest]
#[case::just_over(65_537)]
#[case::a_gigabyte(1 << 30)]
#[case::almost_all_of_it((1 << 63) - 1)]
#[case::the_highest_bit(1 << 63)]
#[tokio::test]
async fn a_frame_that_announces_too_much_is_closed_with_1009(#[case] announced: u64) {
    let (_database, server) = server().await;
    let mut socket = RawSocket::upgraded(&server, 1).await;
    let before = server.rss_kib();
    let sent = Instant::now();
    socket.write(&client_header(TEXT, announced)).await;
    assert_eq!(socket.frame().await.expect("a close frame").close_code(), 1009);
    assert!(sent.elapsed() < Duration::from_secs(1), "it took {:?}", sent.elapsed());
    assert!(server.rss_kib() < before + 1_024, "grew by {} KiB", server.rss_kib() - before);
}

#[tokio::test]
async fn fragments_together_may_not_exceed_the_limit_either() {
    let (_database, server) = server().await;
    let mut socket = RawSocket::upgraded(&server, 1).await;
    socket.write(&client_frame(TEXT_TO_BE_CONTINUED, &b" ".repeat(40_000))).await;
    socket.write(&client_header(CONTINUATION, 40_000)).await;
    assert_eq!(socket.closed().await, 1009);
}

/// W3: a million empty continuations cost no memory, but would cost a core.
#[rstest]
#[case::empty_continuations(client_frame(CONTINUATION, b""))]
#[case::one_byte_each(client_frame(CONTINUATION, b" "))]
#[tokio::test]
async fn a_message_in_countless_fragments_is_closed(#[case] fragment: Vec<u8>) {
    let (_database, server) = server().await;
    let mut socket = RawSocket::upgraded(&server, 1).await;
    let before = server.rss_kib();
    socket.write(&client_frame(TEXT_TO_BE_CONTINUED, b"")).await;
    let _ = socket.write_until_refused(&fragment.repeat(1_000_000)).await;
    assert_eq!(socket.frame().await.expect("a close frame").close_code(), 1009);
    assert!(server.rss_kib() < before + 2_048, "grew by {} KiB", server.rss_kib() - before);
    assert_eq!(socket.frame().await, None, "the connection ends");
    assert!(server.cpu_ticks_of_a_second().await < 20, "it spins");
    assert!(server.is_alive().await);
}

#[tokio::test]
async fn ten_thousand_pings_neither_grow_nor_kill_it() {
    let (_database, server) = server().await;
    let mut socket = RawSocket::upgraded(&server, 1).await;
    let before = server.rss_kib();
    let _ = socket.write_until_refused(&client_frame(PING, &[7; 125]).repeat(10_000)).await;
    assert!(server.rss_kib() < before + 2_048, "grew by {} KiB", server.rss_kib() - before);
    assert!(server.is_alive().await);
}

#[rstest]
#[case::reserved_bit_1(0xc1)]
#[case::reserved_bit_2(0xa1)]
#[case::reserved_bit_3(0x91)]
#[case::reserved_data_opcode(0x83)]
#[case::reserved_control_opcode(0x8b)]
#[case::continuation_of_nothing(LAST_CONTINUATION)]
#[case::fragmented_ping(0x09)]
#[case::fragmented_close(0x08)]
#[tokio::test]
async fn a_frame_against_the_rfc_is_closed_with_1002(#[case] first: u8) {
    let (_database, server) = server().await;
    let mut socket = RawSocket::upgraded(&server, 1).await;
    socket.write(&client_frame(first, b"")).await;
    assert_eq!(socket.closed().await, 1002);
    assert!(server.is_alive().await);
}

#[tokio::test]
async fn more_violations_of_the_rfc_are_closed_with_1002() {
    let (_database, server) = server().await;
    let unmasked = [&[TEXT, 2][..], b"hi"].concat();
    let long_ping = client_header(PING, 126);
    let text_in_text = [client_frame(TEXT_TO_BE_CONTINUED, b"a"), client_frame(TEXT, b"b")].concat();
    for bytes in [unmasked, long_ping, text_in_text] {
        let mut socket = RawSocket::upgraded(&server, 1).await;
        socket.write(&bytes).await;
        assert_eq!(socket.closed().await, 1002);
    }
    assert!(server.is_alive().await);
}

/// W5
#[tokio::test]
async fn a_binary_frame_is_closed_with_1003() {
    let (_database, server) = server().await;
    let mut client = Client::classic(&server, 1).await;
    client.send_binary(message("x").as_bytes()).await;
    assert_eq!(client.closed().await.0, 1003);
    let mut socket = RawSocket::upgraded(&server, 1).await;
    socket.write(&[client_frame(0x02, b"a"), client_frame(LAST_CONTINUATION, b"b")].concat()).await;
    assert_eq!(socket.closed().await, 1003);
    let mut socket = RawSocket::upgraded(&server, 1).await;
    socket.write(&client_frame(BINARY, b"")).await;
    assert_eq!(socket.closed().await, 1003);
}

/// W5: found as soon as it is there, not at the end of the message.
#[tokio::test]
async fn text_that_is_not_utf8_is_closed_with_1007() {
    let (_database, server) = server().await;
    let whole = client_frame(TEXT, b"\xce\xba\xff");
    let surrogate = client_frame(TEXT, b"\xed\xa0\x80");
    let overlong = client_frame(TEXT, b"\xc0\xaf");
    let truncated = client_frame(TEXT, b"\xce");
    let split = [client_frame(TEXT_TO_BE_CONTINUED, b"\xce"), client_frame(LAST_CONTINUATION, b"\x28")].concat();
    let before_the_end = client_frame(TEXT_TO_BE_CONTINUED, b"ok\xff");
    let within_a_frame_that_goes_on = client_frame(TEXT, &[&b"\xff"[..], &[b' '; 100]].concat())[..12].to_vec();
    for bytes in [whole, surrogate, overlong, truncated, split, before_the_end, within_a_frame_that_goes_on] {
        let mut socket = RawSocket::upgraded(&server, 1).await;
        socket.write(&bytes).await;
        assert_eq!(socket.closed().await, 1007, "{bytes:02x?}");
    }
    assert!(server.is_alive().await);
}

#[tokio::test]
async fn a_character_may_be_cut_by_a_frame_and_by_a_packet() {
    let (_database, server) = server().await;
    let mut socket = RawSocket::upgraded(&server, 1).await;
    let text = message("κόσμε 👩‍👧");
    let bytes = text.as_bytes();
    let mut frames = client_frame(TEXT_TO_BE_CONTINUED, &bytes[..1]);
    for byte in &bytes[1..] {
        frames.extend(client_frame(CONTINUATION, &[*byte]));
        frames.extend(client_frame(PING, b"between"));
    }
    frames.extend(client_frame(LAST_CONTINUATION, b""));
    for byte in frames {
        socket.write(&[byte]).await;
    }
    let answer = loop {
        let frame = socket.frame().await.expect("a frame");
        if frame.opcode == 0x1 {
            break String::from_utf8(frame.payload).expect("text");
        }
        assert_eq!((frame.opcode, frame.payload.as_slice()), (0xa, &b"between"[..]));
    };
    assert!(answer.contains("κόσμε 👩‍👧"), "{answer}");
}

#[tokio::test]
async fn a_ping_is_answered_with_its_payload_and_a_pong_is_ignored() {
    let (_database, server) = server().await;
    let mut socket = RawSocket::upgraded(&server, 1).await;
    socket.write(&client_frame(PONG, b"unasked")).await;
    for payload in [&b""[..], b"hello", &[0xff; 125]] {
        socket.write(&client_frame(PING, payload)).await;
        let pong = socket.frame().await.expect("a pong");
        assert_eq!((pong.opcode, pong.payload.as_slice()), (0xa, payload));
    }
}

/// W5: every code from 0 to 5000.
#[tokio::test]
async fn a_close_is_answered_if_its_code_may_be_sent() {
    let (_database, server) = server().await;
    for code in 0..=5_000_u16 {
        let mut socket = RawSocket::upgraded(&server, 1).await;
        socket.write(&client_frame(CLOSE, &code.to_be_bytes())).await;
        let may_be_sent = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        assert_eq!(socket.closed().await, if may_be_sent { 1000 } else { 1002 }, "{code}");
    }
    assert!(server.is_alive().await);
}

#[tokio::test]
async fn a_close_frame_may_be_empty_but_not_half_a_code() {
    let (_database, server) = server().await;
    for (payload, answer) in [(&b""[..], 1000), (b"\x03", 1002), (b"\x03\xe8bye", 1000), (b"\x03\xe8\xff", 1007)] {
        let mut socket = RawSocket::upgraded(&server, 1).await;
        socket.write(&client_frame(CLOSE, payload)).await;
        assert_eq!(socket.closed().await, answer, "{payload:02x?}");
    }
}

#[tokio::test]
async fn what_comes_with_the_handshake_is_read() {
    let (_database, server) = server().await;
    let mut socket = RawSocket::open(&server).await;
    let handshake = format!("GET /ws?userId=1 HTTP/1.1\r\n{}\r\n", crate::harness::raw::HANDSHAKE);
    socket.write(&[handshake.as_bytes(), &client_frame(TEXT, message("early").as_bytes())].concat()).await;
    assert!(socket.read_head().await.starts_with("HTTP/1.1 101 "));
    let frame = socket.frame().await.expect("the message");
    assert!(String::from_utf8(frame.payload).expect("text").contains("early"));
}

#[tokio::test]
async fn many_commands_of_one_packet_are_answered_in_order() {
    let (_database, server) = server().await;
    let mut socket = RawSocket::upgraded(&server, 1).await;
    let frames: Vec<u8> = (0..100).flat_map(|number| client_frame(TEXT, message(&format!("n{number}")).as_bytes())).collect();
    socket.write(&frames).await;
    for number in 0..100 {
        let frame = socket.frame().await.expect("a message");
        let text = String::from_utf8(frame.payload).expect("text");
        assert!(text.contains(&format!(r#""content":"n{number}""#)), "{text}");
    }
}

#[tokio::test]
async fn a_closed_session_is_forgotten() {
    let (_database, server) = server().await;
    let client = Client::classic(&server, 42).await;
    server.logged("User 42 connected, 1 users online").await;
    assert_eq!(client.close().await, 1000);
    server.logged("User 42 disconnected, 0 users online").await;
    // One that vanishes without a goodbye, too.
    let socket = RawSocket::upgraded(&server, 43).await;
    server.logged("User 43 connected, 1 users online").await;
    drop(socket);
    server.logged("User 43 disconnected, 0 users online").await;
    let mut client = Client::classic(&server, 44).await;
    client.post(Kind::Chat, 1, "x").await;
    client.expect("MESSAGE").await;
    server.logged("sent to 1 users").await;
}
