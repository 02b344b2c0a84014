//! A8 in all places: wherever an id may stand, it is 1 to 2^53-1, and everything else is told and changes nothing.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase, new_message, server::Start};
use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

/// Written as JSON.
const NO_IDS: [&str; 12] = [
    "-1",
    "0",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "1.5",
    "1e16",
    "\"1\"",
    "true",
    "[1]",
    "{}",
];

/// Written into an address.
const NO_IDS_IN_ADDRESSES: [&str; 16] = [
    "-1",
    "0",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551617",
    "1.0",
    "1e3",
    "%221%22",
    "null",
    "true",
    "%201",
    "1%20",
    "0x1",
    "%D9%A1",
    "1%00",
];

const LAST: i64 = (1 << 53) - 1;

/// Every command with an id in it, and the fields that are one.
fn commands(kind: Kind) -> Vec<(Value, Vec<&'static str>)> {
    let conversation = kind.id_field();
    let about = |r#type: &str| json!({ "type": r#type, conversation: 1, "message_id": 1, "content": "x" });
    let mut post = vec![conversation, "sender_id"];
    post.extend((kind == Kind::Chat).then_some("selected_chat_id"));
    let history = json!({ "type": "GET_HISTORY", conversation: 1 });
    vec![
        (new_message(kind, 1, 1, "x"), post),
        (about("EDIT_MESSAGE"), vec![conversation, "message_id"]),
        (about("DELETE_MESSAGE"), vec![conversation, "message_id"]),
        (history, vec![conversation, "before", "after", "around"]),
    ]
}

/// The command with `id` in one of its fields, as it is written.
fn written(command: &Value, field: &str, id: &str) -> String {
    let mut command = command.clone();
    command[field] = json!("HERE");
    command["request_id"] = json!("asked");
    command.to_string().replace("\"HERE\"", id)
}

#[rstest]
#[tokio::test]
async fn no_command_takes_what_is_no_id(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::unlimited(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    for (command, fields) in commands(kind) {
        for field in fields {
            for id in NO_IDS {
                client.send_text(&written(&command, field, id)).await;
                let answer = client.answer_to("asked").await.expect("the session stays open");
                let (code, named) = (&answer["payload"]["code"], &answer["payload"]["field"]);
                assert_eq!((code, named), (&json!("invalid_field"), &json!(field)), "{id} as {field} of {command}");
            }
            client.send_text(&written(&command, field, &LAST.to_string())).await;
            let answer = client.answer_to("asked").await.expect("the session stays open");
            assert_ne!(answer["payload"]["code"], "invalid_field", "the last as {field} of {command}");
        }
    }
    assert!(server.is_alive().await);
}

/// Each place in an address, with `ID` where one stands, and how it is asked for.
fn addresses(kind: Kind) -> Vec<(&'static str, String)> {
    let (path, field) = (kind.path(), if kind == Kind::Chat { "chat" } else { "support_chat" });
    vec![
        ("GET", format!("/api/v1/{path}/ID/messages")),
        ("GET", format!("/api/v1/{path}/1/messages?before=ID")),
        ("GET", format!("/api/v1/{path}/1/messages?after=ID")),
        ("GET", format!("/api/v1/{path}/1/messages?around=ID")),
        ("GET", format!("/api/v1/{path}/ID/members")),
        ("GET", format!("/api/v1/{path}/1/members?after=ID")),
        ("PUT", format!("/api/v1/{path}/ID/members/1")),
        ("PUT", format!("/api/v1/{path}/1/members/ID")),
        ("DELETE", format!("/api/v1/{path}/ID/members/1")),
        ("DELETE", format!("/api/v1/{path}/1/members/ID")),
        ("GET", format!("/api/v1/explain?user=ID&action=post&{field}=1")),
        ("GET", format!("/api/v1/explain?user=1&action=post&{field}=ID")),
        ("POST", "/api/v1/users/ID/revoke".to_owned()),
    ]
}

#[rstest]
#[tokio::test]
async fn no_route_takes_what_is_no_id(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Start::on(&database).unlimited().with_access("open").listening().await;
    let member = || Some(json!({ "role": "member" }));
    for (method, address) in addresses(kind) {
        for id in NO_IDS_IN_ADDRESSES {
            let (status, body) = server.backend(method, &address.replace("ID", id), member()).await;
            assert_eq!(status, 400, "{method} {address} with {id}: {body}");
        }
        let (status, body) = server.backend(method, &address.replace("ID", &LAST.to_string()), member()).await;
        assert!([200, 404].contains(&status), "{method} {address} with the last: {status} {body}");
    }
    for id in NO_IDS_IN_ADDRESSES {
        assert_eq!(server.get(&format!("/api/v1/presence?userId={id}")).await.0, 401, "{id}");
    }
    assert_eq!(server.get(&format!("/api/v1/presence?userId={LAST}")).await.0, 200);
}

#[rstest]
#[tokio::test]
async fn where_the_application_has_used_up_the_ids_nothing_more_is_stored(
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
    #[values(LAST, i64::MAX)] last: i64,
) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (table, conversation) = (kind.table(), kind.id_field());
    let row = format!("INSERT INTO {table} (id, {conversation}, sender_id, content) VALUES ({last}, 1, 2, 'x')");
    let db = database.connect().await;
    db.execute_unprepared(&row).await.expect("a row of the application");
    db.close().await.expect("the connection closes");
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let alone = client.request(new_message(kind, 1, 1, "x")).await;
    assert_eq!((&alone["type"], &alone["payload"]["code"]), (&json!("ERROR"), &json!("internal")), "{alone}");
    server.logged(&format!("{table} has no id left: the last one is {last}")).await;
    client.send_together(&[1, 2].map(|_| new_message(kind, 1, 1, "x"))).await;
    for _ in 1..=2 {
        client.expect_error("internal").await;
    }
    let other = if kind == Kind::Chat { Kind::Support } else { Kind::Chat };
    client.post(other, 1, "the first").await;
    let first = client.next().await;
    assert_eq!((&first["payload"]["id"], &first["seq"]), (&json!(1), &json!(1)), "{first}");
}
