//! Every bad input gets a clear error, changes nothing, and leaves the session open.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase, new_message};
use rstest::rstest;
use serde_json::{Value, json};

/// After whatever was refused: the session goes on, and the next message is the first that is stored.
async fn assert_nothing_was_stored(database: &TestDatabase, client: &mut Client) {
    client.post(Kind::Chat, 1, "still here").await;
    assert_eq!(client.expect("MESSAGE").await["payload"]["content"], "still here");
    let stored = database.number("SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM support_messages)").await;
    assert_eq!(stored, 1);
    assert_eq!(database.assert_gapless_log().await, 1);
}

#[tokio::test]
async fn what_is_not_one_json_object_is_refused() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let mut client = Client::classic(&server, 1).await;
    let many_keys = (0..1_000).map(|key| format!(r#""{key}":0"#)).collect::<Vec<_>>().join(",");
    let frames = [
        String::new(),
        "hello".to_owned(),
        "null".to_owned(),
        "42".to_owned(),
        r#""NEW_MESSAGE""#.to_owned(),
        r#"[{"type":"NEW_MESSAGE","chat_id":1,"sender_id":1,"content":"x"}]"#.to_owned(),
        r#"{"type":"NEW_MESSAGE""#.to_owned(),
        r#"{"type":"NEW_MESSAGE","chat_id":1,"sender_id":1,"content":"x"} {}"#.to_owned(),
        r#"{"type":"NEW_MESSAGE","chat_id":1,"chat_id":2,"sender_id":1,"content":"x"}"#.to_owned(),
        r#"{"type":"NEW_MESSAGE","chat_id":1,"sender_id":1,"content":"\ud800"}"#.to_owned(),
        r#"{"type":"NEW_MESSAGE","chat_id":1,"sender_id":1,"content":"\udc00\ud800"}"#.to_owned(),
        format!("{}{}", "[".repeat(20_000), "]".repeat(20_000)),
        format!("{{{many_keys}}}"),
    ];
    for frame in frames {
        client.send_text(&frame).await;
        let error = client.expect("ERROR").await;
        let code = &error["payload"]["code"];
        assert!(code == "invalid_json", "{code} for {}", &frame[..frame.len().min(80)]);
        assert!(error["payload"]["message"].as_str().expect("a message").starts_with("a frame must be one JSON object"));
    }
    assert_nothing_was_stored(&database, &mut client).await;
}

#[rstest]
#[case::missing(json!({}), "invalid_field")]
#[case::null(json!({ "type": null }), "invalid_field")]
#[case::number(json!({ "type": 1 }), "invalid_field")]
#[case::unknown(json!({ "type": "DROP_TABLE" }), "unknown_type")]
#[case::case(json!({ "type": "new_message" }), "unknown_type")]
#[case::of_the_other_dialect(json!({ "type": "PING" }), "unknown_type")]
#[case::of_the_server(json!({ "type": "MESSAGE", "payload": {} }), "unknown_type")]
#[tokio::test]
async fn a_wrong_type_is_refused(#[case] frame: Value, #[case] code: &str) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let mut client = Client::classic(&server, 1).await;
    client.send(&frame).await;
    assert_eq!(client.expect_error(code).await["field"], "type");
    assert_nothing_was_stored(&database, &mut client).await;
}

/// Each field with values that it can't have.
fn faulty_fields(kind: Kind) -> Vec<(&'static str, Vec<Value>)> {
    let not_ids = || vec![json!(null), json!("1"), json!(true), json!([1]), json!({}), json!(0), json!(-1), json!(1.5)];
    let too_long = |chars: usize| json!("ä".repeat(chars + 1));
    let mut fields = vec![
        (kind.id_field(), not_ids()),
        ("sender_id", not_ids()),
        ("content", vec![json!(null), json!(1), json!([]), json!(""), json!("a\0b"), too_long(20_000)]),
        ("file_type", vec![json!(1), json!({}), json!("a\0"), json!("a\nb"), too_long(255)]),
        (
            "file_paths",
            vec![
                json!(["a.png"]),
                json!("a\0"),
                json!("../../etc/passwd"),
                json!("uploads/../../x"),
                json!("uploads\\..\\x"),
                json!("a.png,../b.png"),
                json!("JavaScript:alert(1)"),
                json!("[\"data:text/html,x\"]"),
                too_long(4_096),
            ],
        ),
        ("request_id", vec![json!(1), json!(""), json!("x".repeat(65))]),
    ];
    if kind == Kind::Chat {
        fields.push(("selected_chat_id", not_ids().into_iter().skip(1).collect()));
    }
    fields
}

#[rstest]
#[tokio::test]
async fn a_faulty_field_is_named_with_its_limit(#[values(Kind::Chat, Kind::Support)] kind: Kind) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let mut client = Client::classic(&server, 1).await;
    for (field, values) in faulty_fields(kind) {
        for value in values {
            let mut message = new_message(kind, 1, 1, "x");
            message[field] = value.clone();
            client.send(&message).await;
            let error = client.expect_error("invalid_field").await;
            assert_eq!(error["field"], field, "{value}");
            assert!(error["message"].as_str().expect("a message").contains(field), "{error}");
        }
    }
    for field in [kind.id_field(), "sender_id", "content"] {
        let mut message = new_message(kind, 1, 1, "x");
        message.as_object_mut().expect("an object").remove(field);
        client.send(&message).await;
        assert_eq!(client.expect_error("invalid_field").await["field"], field);
    }
    assert_nothing_was_stored(&database, &mut client).await;
}

#[tokio::test]
async fn a_client_id_must_be_a_uuid() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    for value in [json!(1), json!(""), json!("not-a-uuid"), json!([])] {
        let mut message = new_message(Kind::Chat, 1, 1, "x");
        message["client_id"] = value;
        client.send(&message).await;
        assert_eq!(client.expect_error("invalid_field").await["field"], "client_id");
    }
    assert_nothing_was_stored(&database, &mut client).await;
}

/// A4: nobody speaks for another.
#[rstest]
#[tokio::test]
async fn a_foreign_sender_is_refused(#[values(Kind::Chat, Kind::Support)] kind: Kind) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let mut client = Client::classic(&server, 1).await;
    let mut message = new_message(kind, 1, 2, "as another");
    message["request_id"] = json!("mine");
    client.send(&message).await;
    let frame = client.expect("ERROR").await;
    assert_eq!(frame["request_id"], "mine");
    assert_eq!(frame["payload"]["code"], "sender_mismatch");
    assert_eq!(frame["payload"]["field"], "sender_id");
    assert_nothing_was_stored(&database, &mut client).await;
}

/// A8: ids are 1 to 2^53-1, however they are written, and never wrap.
#[rstest]
#[tokio::test]
async fn an_id_is_within_what_javascript_holds(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let mut client = Client::classic(&server, 1).await;
    let written = |id: &str| format!(r#"{{"type":"{}","{}":{id},"sender_id":1,"content":"x"}}"#, kind.command(), kind.id_field());
    let huge = "9".repeat(10_000);
    let refused = [
        "-1",
        "0",
        "-0.0",
        "0.5",
        "9007199254740992",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "1e16",
        "1e308",
        "\"1\"",
        "null",
        "true",
        "[]",
        "1.0000001",
        &huge[..300],
    ];
    for id in refused {
        client.send_text(&written(id)).await;
        assert_eq!(client.expect_error("invalid_field").await["field"], kind.id_field(), "{id}");
    }
    for not_a_number in ["1e400", "-1e999", huge.as_str(), "01", "1e", "0x10", "NaN"] {
        client.send_text(&written(not_a_number)).await;
        client.expect_error("invalid_json").await;
    }
    for (written_as, id) in [
        ("1", 1_i64),
        ("1.0", 1),
        ("1e3", 1_000),
        ("2147483648", 1 << 31),
        ("9007199254740991", (1 << 53) - 1),
        ("9007199254740991.0", (1 << 53) - 1),
    ] {
        client.send_text(&written(written_as)).await;
        assert_eq!(client.expect(kind.frame()).await["payload"][kind.id_field()], id, "{written_as}");
    }
    let stored = format!("SELECT CAST(max({}) AS BIGINT) FROM {}", kind.id_field(), kind.table());
    assert_eq!(database.number(&stored).await, (1 << 53) - 1);
}

/// A9: the same answer on both databases; what is accepted comes back byte for byte.
#[rstest]
#[tokio::test]
async fn unicode_comes_back_as_it_was_sent(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let mut client = Client::classic(&server, 1).await;
    let controls: String = (1..32_u8).map(char::from).collect();
    let texts = [
        controls,
        "\u{7f}\u{80}\u{85}\u{2028}\u{2029}\u{feff}".to_owned(),
        "\u{202e}txt.exe\u{202c} \u{2066}x\u{2069}".to_owned(),
        "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽".to_owned(),
        format!("a{}", "\u{0301}".repeat(10_000)),
        "\u{1d7d9}\u{10ffff}\u{fffe}\u{e000}".to_owned(),
        "quote \" backslash \\ slash / 'single' `back`".to_owned(),
        "'; DROP TABLE messages; --".to_owned(),
        "ä".repeat(20_000),
        "中".repeat(20_000),
        " ".to_owned(),
    ];
    for text in &texts {
        client.post(kind, 1, text).await;
        assert_eq!(client.expect(kind.frame()).await["payload"]["content"], *text);
    }
    client.post(kind, 1, "a\0b").await;
    client.expect_error("invalid_field").await;
    for lone in [r"\ud800", r"\udfff", r"\ud83d!", r"\ude00\ud83d"] {
        let frame = new_message(kind, 1, 1, "LONE").to_string().replace("LONE", lone);
        client.send_text(&frame).await;
        client.expect_error("invalid_json").await;
    }
    let (mut reader, _) = Client::natter_v1(&server, 2).await;
    for (id, text) in (1..).zip(&texts) {
        let page = json!({ "type": "GET_HISTORY", kind.id_field(): 1, "before": id + 1, "limit": 1 });
        assert_eq!(reader.request(page).await["payload"]["messages"][0]["content"], *text);
    }
    let stored = database.text(&format!("SELECT content FROM {} WHERE id = 1", kind.table())).await;
    assert_eq!(stored, texts[0]);
}

#[tokio::test]
async fn a_field_that_nobody_knows_is_ignored() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let mut client = Client::classic(&server, 1).await;
    let mut message = new_message(Kind::Chat, 1, 1, "still here");
    message["mood"] = json!({ "deep": [1, { "x": null }] });
    message["client_id"] = json!("a classic client may call its own fields what it likes");
    client.send(&message).await;
    client.expect("MESSAGE").await;
}
