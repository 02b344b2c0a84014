//! What a database or a full-text index takes for syntax is data here, wherever a client may write it: A7.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase, new_message};
use rstest::rstest;
use serde_json::{Value, json};

/// Contents of a run; `NATTER_TEST_CONTENTS=25000` for 100,000 on both databases and in both kinds of conversation.
const CONTENTS: usize = 500;

/// Posted before they are read back, all in one write.
const TOGETHER: usize = 50;

/// What SQL, LIKE, FTS5, `tsquery` and placeholders give a meaning to, and what joins it.
const SYNTAX: [&str; 44] = [
    "'",
    "''",
    "\"",
    "`",
    ";",
    "--",
    "/*",
    "*/",
    "\\",
    "\\'",
    "%",
    "_",
    "*",
    "(",
    ")",
    "NEAR(",
    "NEAR/2",
    "AND",
    "OR",
    "NOT",
    "-x",
    "^",
    "col:",
    "content:",
    "{a b}",
    "+",
    "&",
    "|",
    "!",
    "<->",
    ":*",
    "'a':1",
    "?",
    "?1",
    "$1",
    ":name",
    "@x",
    "$$",
    "E'\\x27'",
    "U&'\\0027'",
    "DROP TABLE messages",
    "UNION SELECT",
    "x",
    " ",
];

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

fn content(random: &mut fastrand::Rng) -> String {
    let text: String = (0..random.usize(1..12)).map(|_| *random.choice(&SYNTAX).expect("some")).collect();
    // Blank alone, it would be no content.
    format!("{text}.")
}

fn contents(random: &mut fastrand::Rng, count: usize) -> Vec<String> {
    (0..count).map(|_| content(random)).collect()
}

#[rstest]
#[tokio::test]
async fn what_a_database_takes_for_syntax_comes_back_as_it_was_written(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::unlimited(&database).await;
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let count = number("NATTER_TEST_CONTENTS", CONTENTS);
    for _ in 0..count / TOGETHER {
        let contents = contents(&mut random, TOGETHER);
        let frames: Vec<Value> = contents.iter().map(|content| with_paths(new_message(kind, 1, 1, content), content)).collect();
        client.send_together(&frames).await;
        for content in &contents {
            let told = client.expect(kind.frame()).await;
            assert_eq!((told["payload"]["content"].as_str(), &told["payload"]["file_type"]), (Some(&**content), &json!(content)));
        }
        let page = json!({ "type": "GET_HISTORY", kind.id_field(): 1, "limit": TOGETHER });
        let answer = client.request(page).await;
        let stored = answer["payload"]["messages"].as_array().expect("messages").iter().map(|message| &message["content"]);
        assert!(stored.eq(contents.iter().map(|content| json!(content)).collect::<Vec<_>>().iter()));
    }
    let stored = database.number(&format!("SELECT count(*) FROM {}", kind.table())).await;
    assert_eq!(stored, i64::try_from(count / TOGETHER * TOGETHER).expect("a number"));
    assert_eq!(database.assert_gapless_log().await, stored);
}

/// The same text as the type of a file, which is another column.
fn with_paths(mut frame: Value, text: &str) -> Value {
    frame["file_type"] = json!(text);
    frame
}

#[rstest]
#[tokio::test]
async fn what_a_database_takes_for_syntax_is_no_id_and_no_fault_of_the_server(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::unlimited(&database).await;
    let mut random = fastrand::Rng::with_seed(7);
    for text in contents(&mut random, number("NATTER_TEST_CONTENTS", CONTENTS) / 10) {
        let text: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        for path in [
            format!("/api/v1/chats/{text}/messages?userId=1"),
            format!("/api/v1/chats/1/messages?userId=1&before={text}"),
            format!("/api/v1/presence?userId=1&user_ids={text}"),
            format!("/api/v1/explain?userId=1&role=admin&user=1&action={text}&chat=1"),
            format!("/api/v1/uploads/{text}?userId=1"),
        ] {
            let (status, body) = server.get(&path).await;
            assert!((400..500).contains(&status), "{path}: {status} {body}");
        }
    }
}
