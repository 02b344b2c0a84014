//! permessage-deflate (RFC 7692) on the real socket: what is agreed, what travels, and what a compressed message may not do.

use crate::harness::{
    Backend, Client, Kind, RawSocket, Server, TestDatabase, new_message,
    raw::{CONTINUATION, LAST_CONTINUATION, RawFrame, TEXT, TEXT_TO_BE_CONTINUED, client_frame, client_header},
    server::Start,
};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use rstest::rstest;
use serde_json::Value;

const COMPRESSED: u8 = 0x40;
const PING: u8 = 0x89;

const BROWSER: &str = "permessage-deflate; client_max_window_bits";
const AGREED: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const NARROW: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9";

async fn server() -> (TestDatabase, Server) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    (database, server)
}

/// The extensions that an answer's head says were agreed on.
fn extensions(head: &str) -> Option<&str> {
    let value = |line: &'static str| head.lines().find_map(move |header| header.strip_prefix(line));
    value("sec-websocket-extensions: ")
}

/// A socket that compresses, as a browser's does.
async fn compressing(server: &Server, user: i64, dialect: &str) -> RawSocket {
    let headers = format!("{dialect}Sec-WebSocket-Extensions: {BROWSER}\r\n");
    let (socket, head) = RawSocket::upgraded_with(server, user, &headers).await;
    assert_eq!(extensions(&head), Some(AGREED), "{head}");
    socket
}

fn deflated(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 1_024);
    let mut compressor = Compress::new(Compression::best(), false);
    compressor.compress_vec(message, &mut out, FlushCompress::Sync).expect("deflate");
    assert_eq!(compressor.total_in(), message.len() as u64);
    out.truncate(out.len() - 4);
    out
}

/// The message, with a window no larger than was agreed.
fn inflated(payload: &[u8], window_bits: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 << 20);
    let whole = [payload, &[0, 0, 0xff, 0xff]].concat();
    let mut decompressor = Decompress::new_with_window_bits(false, window_bits);
    decompressor.decompress_vec(&whole, &mut out, FlushDecompress::Sync).expect("deflate");
    assert_eq!(decompressor.total_in(), whole.len() as u64);
    out
}

fn json(frame: &RawFrame, window_bits: u8) -> Value {
    assert_eq!(frame.opcode, 0x1, "{frame:?}");
    let text = if frame.compressed { inflated(&frame.payload, window_bits) } else { frame.payload.clone() };
    serde_json::from_slice(&text).expect("JSON")
}

fn message(kind: Kind, content: &str) -> Vec<u8> {
    new_message(kind, 1, 1, content).to_string().into_bytes()
}

#[rstest]
#[case::a_browser(BROWSER, Some(AGREED))]
#[case::the_least("permessage-deflate", Some(AGREED))]
#[case::a_smaller_window("permessage-deflate; server_max_window_bits=12", Some(NARROW))]
#[case::a_window_that_zlib_can_not_keep("permessage-deflate; server_max_window_bits=8", None)]
#[case::its_second_choice("permessage-deflate; server_max_window_bits=8, permessage-deflate", Some(AGREED))]
#[case::two_headers("x-other\r\nSec-WebSocket-Extensions: permessage-deflate", Some(AGREED))]
#[case::unknown_parameter("permessage-deflate; x=1", None)]
#[case::twice("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None)]
#[case::another_extension("x-webkit-deflate-frame", None)]
#[tokio::test]
async fn what_a_client_offers_is_answered(#[case] offers: &str, #[case] answer: Option<&str>) {
    let (_database, server) = server().await;
    let headers = format!("Sec-WebSocket-Extensions: {offers}\r\n");
    let (mut socket, head) = RawSocket::upgraded_with(&server, 1, &headers).await;
    assert_eq!(extensions(&head), answer, "{head}");
    // Compressed or not, the session works.
    let content = "never eat yellow snow, ".repeat(40);
    socket.write(&client_frame(TEXT, &message(Kind::Chat, &content))).await;
    let frame = socket.frame().await.expect("the message");
    assert_eq!(frame.compressed, answer.is_some());
    let window_bits = if answer == Some(NARROW) { 9 } else { 15 };
    assert_eq!(json(&frame, window_bits)["payload"]["content"], content);
}

#[tokio::test]
async fn nothing_is_agreed_where_nothing_is_offered_or_the_operator_says_no() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).env("NATTER_SERVER__COMPRESSION", "false").listening().await;
    for headers in ["", "Sec-WebSocket-Extensions: permessage-deflate\r\n"] {
        let (mut socket, head) = RawSocket::upgraded_with(&server, 1, headers).await;
        assert_eq!(extensions(&head), None);
        socket.write(&client_frame(TEXT | COMPRESSED, &deflated(b"{}"))).await;
        assert_eq!(socket.closed().await, 1002);
    }
    let (_database, server) = self::server().await;
    let (_, head) = RawSocket::upgraded_with(&server, 1, "").await;
    assert_eq!(extensions(&head), None);
}

/// A message goes in compressed and comes out to all: as they agreed, in their dialect.
#[rstest]
#[tokio::test]
async fn everyone_gets_it_as_they_agreed(#[values(Kind::Chat, Kind::Support)] kind: Kind, #[values(5, 5_000)] length: usize) {
    const NATTER_V1: &str = "Sec-WebSocket-Protocol: natter.v1\r\n";
    let (_database, server) = server().await;
    let mut plain = Client::classic(&server, 9).await;
    let (mut plain_v1, _) = Client::natter_v1(&server, 8).await;
    let mut v1 = compressing(&server, 7, NATTER_V1).await;
    assert_eq!(json(&v1.frame().await.expect("a greeting"), 15)["type"], "WELCOME");
    let mut classic = compressing(&server, 1, "").await;

    let content: String = "κόσμε, never eat yellow snow 👩‍👧 ".chars().cycle().take(length).collect();
    classic.write(&client_frame(TEXT | COMPRESSED, &deflated(&message(kind, &content)))).await;
    let of_classic = classic.frame().await.expect("the message");
    let of_v1 = v1.frame().await.expect("the message");
    for frame in [&of_classic, &of_v1] {
        assert_eq!(frame.compressed, length > 512);
        assert_eq!(json(frame, 15)["type"], kind.frame());
        assert_eq!(json(frame, 15)["payload"]["content"], content);
    }
    assert_eq!(json(&of_classic, 15), plain.next().await);
    assert_eq!(json(&of_v1, 15), plain_v1.next().await);
    assert_eq!(json(&of_v1, 15)["seq"], 1);
}

#[tokio::test]
async fn answers_and_resumed_events_are_compressed_as_well() {
    let (_database, server) = server().await;
    let (mut writer, welcome) = Client::natter_v1(&server, 1).await;
    let content = "never eat yellow snow, ".repeat(40);
    for _ in 0..3 {
        writer.post(Kind::Chat, 1, &content).await;
        writer.expect("MESSAGE").await;
    }
    let log_id = welcome["payload"]["log_id"].as_str().expect("a name");
    let headers = format!("Sec-WebSocket-Protocol: natter.v1\r\nSec-WebSocket-Extensions: {BROWSER}\r\n");
    let mut socket = RawSocket::open(&server).await;
    let handshake = crate::harness::raw::HANDSHAKE;
    let request = format!("GET /ws?userId=2&since=0&log={log_id} HTTP/1.1\r\n{handshake}{headers}\r\n");
    socket.write(request.as_bytes()).await;
    assert_eq!(extensions(&socket.read_head().await), Some(AGREED));
    let mut types = Vec::new();
    for _ in 0..5 {
        let frame = socket.frame().await.expect("a frame");
        let json = json(&frame, 15);
        assert_eq!(frame.compressed, json["type"] == "MESSAGE");
        types.push(json["type"].as_str().expect("a type").to_owned());
    }
    assert_eq!(types, ["WELCOME", "MESSAGE", "MESSAGE", "MESSAGE", "RESUMED"]);
    socket.write(&client_frame(TEXT | COMPRESSED, &deflated(br#"{"type":"GET_HISTORY","chat_id":1}"#))).await;
    let frame = socket.frame().await.expect("an answer");
    assert!(frame.compressed);
    assert_eq!(json(&frame, 15)["payload"]["messages"].as_array().expect("a page").len(), 3);
}

#[tokio::test]
async fn a_compressed_message_may_come_in_fragments_and_beside_plain_ones() {
    let (_database, server) = server().await;
    let mut socket = compressing(&server, 1, "").await;
    let payload = deflated(&message(Kind::Chat, "in pieces"));
    let mut frames = client_frame(TEXT, &message(Kind::Chat, "plain"));
    frames.extend(client_frame(TEXT_TO_BE_CONTINUED | COMPRESSED, &payload[..1]));
    for byte in &payload[1..] {
        frames.extend(client_frame(PING, b""));
        frames.extend(client_frame(CONTINUATION, &[*byte]));
    }
    frames.extend(client_frame(LAST_CONTINUATION, b""));
    frames.extend(client_frame(TEXT | COMPRESSED, &deflated(&message(Kind::Chat, "whole"))));
    frames.extend(client_frame(TEXT, &message(Kind::Chat, "plain again")));
    for byte in frames {
        socket.write(&[byte]).await;
    }
    for content in ["plain", "in pieces", "whole", "plain again"] {
        let frame = loop {
            let frame = socket.frame().await.expect("a frame");
            if frame.opcode == 0x1 {
                break frame;
            }
        };
        assert_eq!(json(&frame, 15)["payload"]["content"], content);
    }
}

/// W6: a gigabyte of zeros in a megabyte.
#[tokio::test]
async fn a_bomb_is_closed_with_1009_and_costs_no_memory() {
    let (_database, server) = server().await;
    let mut compressor = Compress::new(Compression::best(), false);
    let mut bomb = Vec::with_capacity(2 << 20);
    let zeros = vec![0; 1 << 20];
    for _ in 0..1_024 {
        let before = compressor.total_in();
        compressor.compress_vec(&zeros, &mut bomb, FlushCompress::None).expect("deflate");
        assert_eq!(compressor.total_in() - before, 1 << 20);
    }
    compressor.compress_vec(&[], &mut bomb, FlushCompress::Sync).expect("deflate");
    assert!(((1 << 19)..(1 << 21)).contains(&bomb.len()), "{}", bomb.len());
    let bomb_of_allowed_size = deflated(&vec![0; 60 << 20]);
    assert!(bomb_of_allowed_size.len() < 65_536);

    let mut warm = compressing(&server, 1, "").await;
    warm.write(&client_frame(TEXT | COMPRESSED, &deflated(&message(Kind::Chat, "warm")))).await;
    warm.frame().await.expect("a message");
    let before = server.rss_kib();
    for bytes in [
        client_frame(TEXT | COMPRESSED, &bomb),
        client_frame(TEXT | COMPRESSED, &bomb_of_allowed_size),
        [
            client_frame(TEXT_TO_BE_CONTINUED | COMPRESSED, &bomb_of_allowed_size[..30_000]),
            client_frame(LAST_CONTINUATION, &bomb_of_allowed_size[30_000..]),
        ]
        .concat(),
    ] {
        let mut socket = compressing(&server, 1, "").await;
        let _ = socket.write_until_refused(&bytes).await;
        assert_eq!(socket.frame().await.expect("a close frame").close_code(), 1009);
    }
    let grown = server.rss_kib().saturating_sub(before);
    assert!(grown < 2_048, "grew by {grown} KiB");
    assert!(server.is_alive().await);
}

/// W6, with the limit high enough that the whole megabyte is taken in and only its inflating tells.
#[tokio::test]
async fn the_limit_counts_what_is_inflated() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).env("NATTER_LIMITS__FRAME_BYTES", "100000").listening().await;
    let padded = |length: usize| {
        let mut message = message(Kind::Chat, "fits");
        message.resize(length, b' ');
        client_frame(TEXT | COMPRESSED, &deflated(&message))
    };
    let mut socket = compressing(&server, 1, "").await;
    socket.write(&padded(100_000)).await;
    assert_eq!(json(&socket.frame().await.expect("a message"), 15)["payload"]["content"], "fits");
    socket.write(&padded(100_001)).await;
    assert_eq!(socket.closed().await, 1009);
}

/// What fits into one packet may inflate to many megabytes of commands: no more of it is taken than of a plain client's.
#[tokio::test]
async fn many_small_bombs_at_once_are_refused_or_stored_and_cost_little_memory() {
    const MESSAGES: usize = 400;
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let mut socket = compressing(&server, 1, "").await;
    let frame = client_frame(TEXT | COMPRESSED, &deflated(&message(Kind::Chat, &"x".repeat(20_000))));
    assert!(frame.len() * MESSAGES < 65_536, "{}", frame.len());
    socket.write(&frame).await;
    socket.frame().await.expect("the message");
    let before = server.rss_kib();
    socket.write(&frame.repeat(MESSAGES)).await;
    let mut refused = 0;
    for _ in 0..MESSAGES {
        let json = json(&socket.frame().await.expect("an answer"), 15);
        if json["type"] != "MESSAGE" {
            assert_eq!(json["payload"]["code"], "unavailable");
            refused += 1;
        }
    }
    let grown = server.rss_kib().saturating_sub(before);
    assert!(grown < 8_192, "grew by {grown} KiB, {refused} refused");
    assert!(refused < MESSAGES, "some of it is stored");
}

#[tokio::test]
async fn what_is_not_deflate_or_not_utf8_is_closed_with_1007() {
    let (_database, server) = server().await;
    let whole = deflated(&message(Kind::Chat, "cut short"));
    let cases = [
        client_frame(TEXT | COMPRESSED, &[0xff; 40]),
        client_frame(TEXT | COMPRESSED, &whole[..whole.len() / 2]),
        client_frame(TEXT | COMPRESSED, b""),
        client_frame(TEXT | COMPRESSED, &deflated(b"\xce\xba\xff")),
        [client_frame(TEXT_TO_BE_CONTINUED | COMPRESSED, &[0xff]), client_frame(LAST_CONTINUATION, &[0xff; 40])].concat(),
    ];
    for bytes in cases {
        let mut socket = compressing(&server, 1, "").await;
        socket.write(&bytes).await;
        assert_eq!(socket.closed().await, 1007, "{bytes:02x?}");
    }
    // A worker's decompressor forgets it all.
    let mut socket = compressing(&server, 1, "").await;
    socket.write(&client_frame(TEXT | COMPRESSED, &whole)).await;
    assert_eq!(json(&socket.frame().await.expect("a message"), 15)["payload"]["content"], "cut short");
}

/// W3: RSV1 is for the first frame of a message, of those who agreed on it.
#[rstest]
#[case::ping(client_frame(PING | COMPRESSED, b""))]
#[case::pong(client_frame(0x8a | COMPRESSED, b""))]
#[case::close(client_frame(0x88 | COMPRESSED, b"\x03\xe8"))]
#[case::reserved_bit_2(client_frame(TEXT | COMPRESSED | 0x20, b""))]
#[case::continuation([client_frame(TEXT_TO_BE_CONTINUED | COMPRESSED, b""), client_frame(LAST_CONTINUATION | COMPRESSED, b"")].concat())]
#[case::a_message_within_a_message([client_frame(TEXT_TO_BE_CONTINUED | COMPRESSED, b""), client_frame(TEXT | COMPRESSED, b"")].concat())]
#[tokio::test]
async fn rsv1_elsewhere_is_closed_with_1002(#[case] bytes: Vec<u8>) {
    let (_database, server) = server().await;
    let mut socket = compressing(&server, 1, "").await;
    socket.write(&bytes).await;
    assert_eq!(socket.closed().await, 1002);
}

#[tokio::test]
async fn rsv1_without_an_agreement_is_closed_with_1002() {
    let (_database, server) = server().await;
    for bytes in [client_frame(TEXT | COMPRESSED, &deflated(b"{}")), client_header(TEXT | COMPRESSED, 60_000)] {
        let mut socket = RawSocket::upgraded(&server, 1).await;
        socket.write(&bytes).await;
        assert_eq!(socket.closed().await, 1002);
    }
}

#[tokio::test]
async fn a_compressed_binary_message_is_closed_with_1003() {
    let (_database, server) = server().await;
    let mut socket = compressing(&server, 1, "").await;
    socket.write(&client_frame(0x82 | COMPRESSED, &deflated(b"bytes"))).await;
    assert_eq!(socket.closed().await, 1003);
}
