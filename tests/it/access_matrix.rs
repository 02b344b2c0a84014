//! A5: every command and every route, asked by everyone whom the policy tells apart. A command or a route without a row here does not
//! compile, and a row without its cells fails.

use crate::harness::{
    Backend, Client, Kind, Server, TestDatabase, new_message,
    server::{KEY, Start},
    upload::picture,
};
use entity::ConversationKind;
use image::ImageFormat;
use natter::{
    http::Route,
    protocol::{
        Command, Dialect, Limits,
        decode::{Asked, decode},
    },
};
use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

/// Who asks. The first nine are users 1 to 9.
const CALLERS: [&str; 11] =
    ["owner", "member", "reader", "muted", "ex-member", "stranger", "banned", "agent", "admin", "nobody", "key"];

/// `ok`: it is done. `no`: `forbidden`. `nf`: `not_found`. `who`: `unauthorized`. `-`: there is no such way to ask.
#[rustfmt::skip]
const TABLE: [(&str, &str, &str); 19] = [
    //                  owner member reader muted ex-member stranger banned agent admin nobody key
    ("post",           "ok    ok     no     no    nf        nf       nf     nf    nf    who    -",
                       "ok    ok     no     no    nf        nf       nf     ok    ok    who    -"),
    ("edit own",       "ok    ok     no     no    nf        nf       nf     nf    nf    who    -",
                       "ok    ok     no     no    nf        nf       nf     ok    ok    who    -"),
    ("edit other",     "no    no     no     no    nf        nf       nf     nf    nf    who    -",
                       "no    no     no     no    nf        nf       nf     no    no    who    -"),
    ("delete own",     "ok    ok     ok     ok    nf        nf       nf     nf    nf    who    -",
                       "ok    ok     ok     ok    nf        nf       nf     ok    ok    who    -"),
    ("delete other",   "ok    no     no     no    nf        nf       nf     nf    nf    who    -",
                       "no    no     no     no    nf        nf       nf     ok    ok    who    -"),
    ("history",        "ok    ok     ok     ok    nf        nf       nf     nf    nf    who    -",
                       "ok    ok     ok     ok    nf        nf       nf     ok    ok    who    -"),
    ("ping",           "ok    ok     ok     ok    ok        ok       ok     ok    ok    who    -",
                       "ok    ok     ok     ok    ok        ok       ok     ok    ok    who    -"),
    ("events",         "ok    ok     ok     ok    nf        nf       nf     nf    nf    -      -",
                       "ok    ok     ok     ok    nf        nf       nf     ok    ok    -      -"),
    ("GET messages",   "ok    ok     ok     ok    nf        nf       nf     nf    nf    who    ok",
                       "ok    ok     ok     ok    nf        nf       nf     ok    ok    who    ok"),
    ("GET members",    "no    no     no     no    nf        nf       nf     nf    ok    who    ok",
                       "no    no     no     no    nf        nf       nf     no    ok    who    ok"),
    ("PUT member",     "no    no     no     no    nf        nf       nf     nf    ok    who    ok",
                       "no    no     no     no    nf        nf       nf     no    ok    who    ok"),
    ("DELETE member",  "no    no     no     no    nf        nf       nf     nf    ok    who    ok",
                       "no    no     no     no    nf        nf       nf     no    ok    who    ok"),
    ("GET explain",    "no    no     no     no    nf        nf       nf     nf    ok    who    ok",
                       "no    no     no     no    nf        nf       nf     no    ok    who    ok"),
    ("GET presence",   "ok    ok     ok     ok    ok        ok       ok     ok    ok    who    ok",
                       "ok    ok     ok     ok    ok        ok       ok     ok    ok    who    ok"),
    ("POST revoke",    "no    no     no     no    no        no       no     no    ok    who    ok",
                       "no    no     no     no    no        no       no     no    ok    who    ok"),
    ("POST upload",    "ok    ok     ok     ok    ok        ok       ok     ok    ok    who    who",
                       "ok    ok     ok     ok    ok        ok       ok     ok    ok    who    who"),
    ("GET upload",     "ok    ok     ok     ok    nf        nf       nf     nf    nf    who    ok",
                       "ok    ok     ok     ok    nf        nf       nf     ok    ok    who    ok"),
    ("open to all",    "ok    ok     ok     ok    ok        ok       ok     ok    ok    ok     ok",
                       "ok    ok     ok     ok    ok        ok       ok     ok    ok    ok     ok"),
    ("connect",        "ok    ok     ok     ok    ok        ok       ok     ok    ok    who    who",
                       "ok    ok     ok     ok    ok        ok       ok     ok    ok    who    who"),
];

/// What the table says of a row, caller by caller.
fn cells(row: &str, kind: Kind) -> Vec<&'static str> {
    let (_, chat, support) = TABLE.iter().find(|(name, ..)| *name == row).unwrap_or_else(|| panic!("no row {row:?}"));
    let cells: Vec<&str> = match kind {
        Kind::Chat => chat.split_whitespace().collect(),
        Kind::Support => support.split_whitespace().collect(),
    };
    assert_eq!(cells.len(), CALLERS.len(), "{row}");
    cells
}

/// The rows of a command: a new one has its own here.
fn rows_of(command: &Command) -> &'static [&'static str] {
    match command {
        Command::Post(_) => &["post"],
        Command::Edit(_) => &["edit own", "edit other"],
        Command::Delete(_) => &["delete own", "delete other"],
        Command::GetHistory(_) => &["history"],
        Command::Ping => &["ping"],
    }
}

/// The row of a route: a new one has its own here.
fn row_of(route: Route) -> &'static str {
    match route {
        Route::Socket => "connect",
        Route::Page | Route::Asyncapi | Route::Healthz | Route::Readyz | Route::Metrics => "open to all",
        Route::Presence => "GET presence",
        Route::Explain => "GET explain",
        Route::Revoke => "POST revoke",
        Route::Upload => "POST upload",
        Route::Download(_) | Route::Link => "GET upload",
        Route::History(_) => "GET messages",
        Route::Members(_) => "GET members",
        Route::SetMember(_) => "PUT member",
        Route::RemoveMember(_) => "DELETE member",
    }
}

/// Whether a route is about conversations of this kind, or of none.
fn concerns(route: Route, kind: Kind) -> bool {
    match route {
        Route::Socket
        | Route::Page
        | Route::Asyncapi
        | Route::Healthz
        | Route::Readyz
        | Route::Metrics
        | Route::Presence
        | Route::Explain
        | Route::Revoke
        | Route::Upload
        | Route::Download(_)
        | Route::Link => true,
        Route::History(of) | Route::Members(of) | Route::SetMember(of) | Route::RemoveMember(of) => {
            (of == ConversationKind::Chat) == (kind == Kind::Chat)
        }
    }
}

/// Messages that stand there from the beginning, in each conversation: for each of the nine one to edit and one to delete, and as many
/// of user 99's to be deleted, and one more of theirs.
const OF_EACH: i64 = 9;

/// What a command does, to a conversation and for a user.
fn frame(row: &str, kind: Kind, conversation: i64, user: i64) -> Value {
    let change =
        |r#type: &str, id: i64| json!({ "type": r#type, kind.id_field(): conversation, "message_id": id, "content": "changed" });
    match row {
        "post" => new_message(kind, conversation, user, "x"),
        "edit own" => change("EDIT_MESSAGE", user),
        "edit other" => change("EDIT_MESSAGE", 3 * OF_EACH + 1),
        "delete own" => change("DELETE_MESSAGE", OF_EACH + user),
        "delete other" => change("DELETE_MESSAGE", 2 * OF_EACH + user),
        "history" => json!({ "type": "GET_HISTORY", kind.id_field(): conversation }),
        "ping" => json!({ "type": "PING" }),
        other => panic!("no command for {other:?}"),
    }
}

/// Stores the messages beside the server, as an application would.
async fn fill(database: &TestDatabase, kind: Kind) {
    let senders = (1..=OF_EACH).chain(1..=OF_EACH).chain(std::iter::repeat_n(99, 10));
    let db = database.connect().await;
    let (table, conversation) = (kind.table(), kind.id_field());
    for sender in senders {
        let row = format!("INSERT INTO {table} ({conversation}, sender_id, content) VALUES (1, {sender}, 'x')");
        db.execute_unprepared(&row).await.expect("a row");
    }
    db.close().await.expect("the connection closes");
}

/// Makes each of the nine what they are called, in conversation 1, and all of them members of conversation 2.
async fn enlist(server: &Server, kind: Kind) {
    let members = |conversation: i64, user: i64| format!("/api/v1/{}/{conversation}/members/{user}", kind.path());
    let put = async |conversation: i64, user: i64, member: Value| {
        let (status, body) = server.backend("PUT", &members(conversation, user), Some(member)).await;
        assert_eq!(status, 200, "{body}");
    };
    put(1, 1, json!({ "role": "owner" })).await;
    put(1, 2, json!({ "role": "member" })).await;
    put(1, 3, json!({ "role": "reader" })).await;
    put(1, 4, json!({ "role": "member", "state": "muted" })).await;
    put(1, 5, json!({ "role": "admin" })).await;
    assert_eq!(server.backend("DELETE", &members(1, 5), None).await.0, 200);
    put(1, 7, json!({ "role": "member", "state": "banned" })).await;
    for user in 1..=OF_EACH {
        put(2, user, json!({ "role": "member" })).await;
    }
}

fn role(caller: &str) -> &str {
    if ["agent", "admin"].contains(&caller) { caller } else { "user" }
}

fn socket_url(server: &Server, user: i64, caller: &str) -> String {
    format!("{}&role={}", server.ws_url(user), role(caller))
}

/// What an answer on the socket is called in the table.
fn outcome(answer: &Value) -> &'static str {
    match answer["payload"]["code"].as_str() {
        None => "ok",
        Some("forbidden") => "no",
        Some("not_found") => "nf",
        Some(other) => panic!("{other}: {answer}"),
    }
}

fn outcome_of_status(status: u16) -> &'static str {
    match status {
        200 | 201 => "ok",
        401 => "who",
        403 => "no",
        404 => "nf",
        other => panic!("status {other}"),
    }
}

fn users() -> impl Iterator<Item = (i64, &'static str)> {
    (1..=OF_EACH).zip(CALLERS)
}

fn place(user: i64) -> usize {
    usize::try_from(user).expect("a user") - 1
}

/// A server of a closed world with everyone in their places.
async fn world(database: &TestDatabase, kind: Kind) -> Server {
    assert_eq!(Start::on(database).arg("migrate").arg("up").finished().await.0, Some(0));
    fill(database, kind).await;
    let server = Start::on(database).unlimited().with_access("deny").listening().await;
    enlist(&server, kind).await;
    server
}

#[rstest]
#[tokio::test]
async fn every_command_is_for_whom_the_table_says(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = world(&database, kind).await;
    let limits = Limits { content_chars: 100, frame_bytes: 1_000, messages_per_second: None };
    let mut asserted = 0;
    for (user, caller) in users() {
        let url = socket_url(&server, user, caller);
        let mut client = Client::connect(&url, user, Some("natter.v1")).await;
        client.expect("WELCOME").await;
        for first in ["post", "edit own", "delete own", "history", "ping"] {
            let text = frame(first, kind, 1, user).to_string();
            let Asked::Command(command) = decode(&text, Dialect::NatterV1, &limits).expect("a frame").asked else {
                panic!("no command: {text}")
            };
            assert_eq!(rows_of(&command)[0], first);
            for row in rows_of(&command) {
                let answer = client.request(frame(row, kind, 1, user)).await;
                assert_eq!(outcome(&answer), cells(row, kind)[place(user)], "{row} by the {caller}: {answer}");
                asserted += 1;
                // Nobody learns from the answer whether there is such a conversation; a support chat is there for who asks first.
                if outcome(&answer) == "nf" && (kind, *row) != (Kind::Support, "post") {
                    let absent = client.request(frame(row, kind, 1_000 + user, user)).await;
                    assert_eq!(absent["payload"], answer["payload"], "{row} by the {caller}");
                }
            }
        }
    }
    assert_eq!(asserted, 7 * 9);
}

#[rstest]
#[tokio::test]
async fn every_route_is_for_whom_the_table_says(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = world(&database, kind).await;
    let field = if kind == Kind::Chat { "chat" } else { "support_chat" };
    let upload = posted_upload(&server, kind).await;
    for route in Route::ALL.into_iter().filter(|route| concerns(*route, kind) && *route != Route::Socket) {
        for (at, caller) in CALLERS.into_iter().enumerate() {
            let ask = async |conversation: i64| {
                let id = match route {
                    Route::Download(_) | Route::Link if conversation == 1 => upload.clone(),
                    _ => conversation.to_string(),
                };
                let path = route.path().replace("{id}", &id).replace("{user_id}", "50");
                let who = match caller {
                    "nobody" | "key" => String::new(),
                    _ => format!("&userId={}&role={}", at + 1, role(caller)),
                };
                let path = format!("{path}?{field}={conversation}&user=2&action=read{who}");
                let key = (caller == "key").then_some(KEY);
                if route == Route::Upload {
                    return (server.upload_as(&path, key).await, Value::Null);
                }
                server.ask(route.method().as_str(), &path, key, Some(json!({ "role": "member" }))).await
            };
            let (status, body) = ask(1).await;
            assert_eq!(outcome_of_status(status), cells(row_of(route), kind)[at], "{route:?} by the {caller}: {body}");
            if status == 404 {
                assert_eq!(ask(1_000).await, (status, body), "{route:?} by the {caller}");
            }
        }
    }
}

/// An upload that a member has posted to conversation 1.
async fn posted_upload(server: &Server, kind: Kind) -> String {
    let upload = server.uploaded(2, "a.png", &picture(10, 10, ImageFormat::Png)).await["id"].clone();
    let mut message = new_message(kind, 1, 2, "");
    message["attachments"] = json!([upload]);
    let (mut member, _) = Client::natter_v1(server, 2).await;
    assert_eq!(member.request(message).await["type"], "ACK");
    upload.as_str().expect("an id").to_owned()
}

/// Live, and after coming back; and who is nobody gets no session at all.
#[rstest]
#[tokio::test]
async fn events_reach_whom_the_table_says(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = world(&database, kind).await;
    let mut clients = Vec::new();
    let mut cursor = Value::Null;
    for (user, caller) in users() {
        let mut client = Client::connect(&socket_url(&server, user, caller), user, Some("natter.v1")).await;
        cursor = client.expect("WELCOME").await["payload"].clone();
        clients.push(client);
    }
    clients[0].post(kind, 1, "for some").await;
    clients[0].post(kind, 2, "for all").await;
    for ((user, caller), client) in users().zip(&mut clients) {
        let seen = if cells("events", kind)[place(user)] == "ok" { vec!["for some", "for all"] } else { vec!["for all"] };
        for content in &seen {
            assert_eq!(client.expect(kind.frame()).await["payload"]["content"], *content, "the {caller}, live");
        }
        let (since, log) = (&cursor["seq"], cursor["log_id"].as_str().expect("a log"));
        let url = format!("{}&since={since}&log={log}", socket_url(&server, user, caller));
        let mut back = Client::connect(&url, user, Some("natter.v1")).await;
        back.expect("WELCOME").await;
        for content in &seen {
            assert_eq!(back.expect(kind.frame()).await["payload"]["content"], *content, "the {caller}, back again");
        }
        back.expect("RESUMED").await;
    }
    let url = format!("ws://{}/ws", server.address);
    let mut nobody = Client::connect(&url, 0, Some("natter.v1")).await;
    nobody.expect_error("unauthorized").await;
    assert_eq!(nobody.closed().await.0, 4001);
    // Who has no session has no command either.
    for row in ["connect", "post", "edit own", "edit other", "delete own", "delete other", "history", "ping"] {
        assert_eq!(cells(row, kind)[9], "who", "{row}");
    }
}
