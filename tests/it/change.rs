//! Editing and deleting: who may, what everyone is told, and what stays in the database.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase};
use rstest::rstest;
use serde_json::{Value, json};

fn edit(kind: Kind, message: i64, content: &str) -> Value {
    json!({ "type": "EDIT_MESSAGE", kind.id_field(): 1, "message_id": message, "content": content })
}

fn delete(kind: Kind, message: i64) -> Value {
    json!({ "type": "DELETE_MESSAGE", kind.id_field(): 1, "message_id": message })
}

#[rstest]
#[tokio::test]
async fn an_edit_reaches_everyone_and_earlier_versions_are_kept(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let (mut author, _) = Client::natter_v1(&server, 1).await;
    let (mut other, _) = Client::natter_v1(&server, 2).await;
    let mut classic = Client::classic(&server, 3).await;
    author.post(kind, 1, "first").await;
    for (version, content) in [(2, "second"), (3, "third")] {
        let ack = author.request(edit(kind, 1, content)).await;
        assert_eq!((&ack["type"], &ack["seq"]), (&json!("ACK"), &json!(version)));
        assert_eq!(ack["payload"], json!({ "message_id": 1, "version": version }));
    }
    other.expect(kind.frame()).await;
    for (version, content) in [(2, "second"), (3, "third")] {
        let frame = other.expect("MESSAGE_EDITED").await;
        let payload = &frame["payload"];
        assert_eq!(frame["seq"], version);
        assert_eq!((&payload["message_id"], &payload[kind.id_field()]), (&json!(1), &json!(1)));
        assert_eq!((&payload["version"], &payload["content"]), (&json!(version), &json!(content)));
        assert_eq!(payload["edited_by"], 1);
        assert!(payload["edited_at"].as_str().expect("a time").ends_with('Z'));
    }
    // The classic dialect has no words for it.
    classic.expect(kind.frame()).await;
    author.post(kind, 1, "next").await;
    assert_eq!(classic.expect(kind.frame()).await["payload"]["content"], "next");

    let table = kind.table();
    assert_eq!(database.text(&format!("SELECT content FROM {table} WHERE id = 1")).await, "third");
    assert_eq!(database.number("SELECT count(*) FROM message_versions").await, 2);
    assert_eq!(database.text("SELECT content FROM message_versions WHERE version = 1").await, "first");
    assert_eq!(database.assert_gapless_log().await, 4);
}

/// A freed page of SQLite keeps what stood in it, unless it is overwritten.
#[tokio::test]
async fn what_is_deleted_stands_nowhere_in_the_file_once_the_server_has_ended() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Server::unlimited(&database).await;
    let (mut author, _) = Client::natter_v1(&server, 1).await;
    // More than a page: its overflow pages are freed.
    let secrets = |length: usize| "a secret ".repeat(length);
    let kinds = [Kind::Chat, Kind::Support];
    for kind in kinds {
        author.request(crate::harness::new_message(kind, 1, 1, &secrets(1_000))).await;
        author.request(edit(kind, 1, &secrets(10))).await;
    }
    let folder = database.folder.path();
    let stands_there = || {
        let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
        files.filter(|file| file.is_file()).any(|file| {
            let bytes = std::fs::read(file).expect("its content");
            bytes.windows(9).any(|window| window == b"a secret ")
        })
    };
    assert!(stands_there());
    for kind in kinds {
        author.request(delete(kind, 1)).await;
    }
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
    assert!(!stands_there());
}

#[rstest]
#[tokio::test]
async fn a_deletion_leaves_a_tombstone_and_no_content_in_any_table(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let (mut author, _) = Client::natter_v1(&server, 1).await;
    let (mut other, _) = Client::natter_v1(&server, 2).await;
    let mut message = crate::harness::new_message(kind, 1, 1, "a secret");
    message["file_paths"] = json!("secret.png");
    author.send(&message).await;
    author.request(edit(kind, 1, "a secret too")).await;
    let ack = author.request(delete(kind, 1)).await;
    assert_eq!(ack["payload"], json!({ "message_id": 1, "version": 3 }));
    other.expect(kind.frame()).await;
    other.expect("MESSAGE_EDITED").await;
    let payload = other.expect("MESSAGE_DELETED").await["payload"].clone();
    assert_eq!((&payload["message_id"], &payload["version"], &payload["deleted_by"]), (&json!(1), &json!(3), &json!(1)));
    let table = kind.table();
    let gone = format!("SELECT count(*) FROM {table} WHERE content = '' AND file_paths IS NULL AND deleted_at IS NOT NULL");
    assert_eq!(database.number(&gone).await, 1);
    assert_eq!(database.number("SELECT count(*) FROM message_versions").await, 0);
    for again in [edit(kind, 1, "back"), delete(kind, 1)] {
        assert_eq!(author.request(again).await["payload"]["code"], "conflict");
    }
    assert_eq!(database.assert_gapless_log().await, 3);
}

#[rstest]
#[tokio::test]
async fn only_its_sender_changes_a_message_and_only_where_it_stands(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    let (mut author, _) = Client::natter_v1(&server, 1).await;
    let (mut other, _) = Client::natter_v1(&server, 2).await;
    author.post(kind, 1, "mine").await;
    author.expect(kind.frame()).await;
    for command in [edit(kind, 1, "theirs"), delete(kind, 1)] {
        assert_eq!(other.request(command).await["payload"]["code"], "forbidden");
    }
    let other_kind = if kind == Kind::Chat { Kind::Support } else { Kind::Chat };
    let mut elsewhere = edit(kind, 1, "x");
    elsewhere[kind.id_field()] = json!(2);
    for absent in [edit(kind, 2, "x"), delete(kind, 9_007_199_254_740_991), edit(other_kind, 1, "x"), elsewhere] {
        assert_eq!(author.request(absent).await["payload"]["code"], "not_found");
    }
    assert_eq!(database.assert_gapless_log().await, 1);
    assert_eq!(database.text(&format!("SELECT content FROM {}", kind.table())).await, "mine");
}

#[tokio::test]
async fn a_faulty_change_is_refused_with_its_field() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let mut both = edit(Kind::Chat, 1, "x");
    both["support_chat_id"] = json!(1);
    let faulty = [
        (both, "chat_id"),
        (json!({ "type": "DELETE_MESSAGE", "message_id": 1 }), "chat_id"),
        (json!({ "type": "DELETE_MESSAGE", "chat_id": 1 }), "message_id"),
        (edit(Kind::Chat, 0, "x"), "message_id"),
        (edit(Kind::Chat, 1, ""), "content"),
        (edit(Kind::Chat, 1, "a\0"), "content"),
        (edit(Kind::Chat, 1, &"x".repeat(20_001)), "content"),
    ];
    for (command, field) in faulty {
        let payload = client.request(command).await["payload"].clone();
        assert_eq!((&payload["code"], &payload["field"]), (&json!("invalid_field"), &json!(field)));
    }
    assert_eq!(database.assert_gapless_log().await, 0);
}
