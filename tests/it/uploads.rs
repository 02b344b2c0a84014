//! A file's life: uploaded by one, read by those who may read its message, and gone with it.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase, new_message, server::Start, upload::picture};
use image::ImageFormat;
use rstest::rstest;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

/// A message that brings these uploads.
fn with_files(kind: Kind, sender: i64, uploads: &[&Value]) -> Value {
    let mut message = new_message(kind, 1, sender, "");
    message["attachments"] = uploads.iter().map(|upload| upload["id"].clone()).collect();
    message
}

/// A server of a closed world in which users 1 and 2 are in conversation 1.
async fn closed_world(database: &TestDatabase, kind: Kind) -> Server {
    let server = Start::on(database).unlimited().with_access("deny").listening().await;
    for user in [1, 2] {
        let path = format!("/api/v1/{}/1/members/{user}", kind.path());
        assert_eq!(server.backend("PUT", &path, Some(json!({ "role": "member" }))).await.0, 200);
    }
    server
}

fn path(upload: &Value, key: &str) -> String {
    upload[key].as_str().expect("a path").to_owned()
}

#[rstest]
#[tokio::test]
async fn a_file_is_for_its_uploader_until_it_is_posted_and_then_for_the_conversation_until_it_is_deleted(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = closed_world(&database, kind).await;
    let (mut sender, welcome) = Client::natter_v1(&server, 1).await;
    let (mut reader, _) = Client::natter_v1(&server, 2).await;
    let mut classic = Client::classic(&server, 2).await;
    let upload = server.uploaded(1, "holiday.png", &picture(640, 480, ImageFormat::Png)).await;
    assert_eq!((&upload["type"], &upload["width"], &upload["height"]), (&json!("image/png"), &json!(640), &json!(480)));
    let (file, thumbnail) = (path(&upload, "url"), path(&upload, "thumbnail"));
    let absent = server.download(3, "/api/v1/uploads/00000000-0000-4000-8000-000000000000").await;
    assert_eq!(absent.0, 404);
    for path in [&file, &thumbnail] {
        assert_eq!(server.download(1, path).await.0, 200, "its uploader, before it is posted");
        assert_eq!(server.download(2, path).await, absent, "another one, before it is posted");
    }

    let posted = sender.request(with_files(kind, 1, &[&upload])).await;
    assert_eq!(posted["type"], "ACK", "{posted}");
    let message = reader.expect(kind.frame()).await["payload"].clone();
    assert_eq!(message["attachments"], json!([upload]));
    let as_classic = classic.expect(kind.frame()).await["payload"].clone();
    assert_eq!((&as_classic["file_paths"], &as_classic["file_type"]), (&json!(file), &json!("image/png")));
    let stored = server.download(1, &file).await.1;
    assert_eq!(stored.len(), usize::try_from(upload["size"].as_u64().expect("a size")).expect("small"));
    for path in [&file, &thumbnail] {
        assert_eq!(server.download(2, path).await.0, 200, "a member");
        assert_eq!(server.download(3, path).await, absent, "a stranger is told what they are told of nothing");
    }
    assert_eq!(server.fetch(&file, &[]).await.status(), 401);
    assert_eq!(server.download(2, &file).await.1, stored);
    let page = reader.request(json!({ "type": "GET_HISTORY", kind.id_field(): 1 })).await;
    assert_eq!(page["payload"]["messages"][0]["attachments"], json!([upload]));
    let (seq, log) = (welcome["payload"]["seq"].as_i64().expect("a seq"), path(&welcome["payload"], "log_id"));
    let (mut back, _) = Client::resuming(&server, 2, seq, &log).await;
    assert_eq!(back.expect(kind.frame()).await["payload"], message);

    let delete = json!({ "type": "DELETE_MESSAGE", kind.id_field(): 1, "message_id": message["id"] });
    assert_eq!(sender.request(delete).await["type"], "ACK");
    for path in [&file, &thumbnail] {
        assert_eq!(server.download(1, path).await, absent);
    }
    let page = reader.request(json!({ "type": "GET_HISTORY", kind.id_field(): 1 })).await;
    let tombstone = &page["payload"]["messages"][0];
    assert_eq!((&tombstone["attachments"], &tombstone["file_paths"]), (&Value::Null, &Value::Null));
    database.has_no_uploads().await;
    let mode = std::fs::metadata(database.uploads()).expect("the folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "nobody else's");
}

#[rstest]
#[tokio::test]
async fn an_upload_is_attached_by_its_uploader_and_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = closed_world(&database, kind).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let upload = |user| server.uploaded(user, "a.txt", b"hello");
    let (first, second, of_another) = (upload(1).await, upload(1).await, upload(2).await);
    let unknown = json!({ "id": "00000000-0000-4000-8000-000000000000" });

    for (files, code) in [
        (vec![&of_another], "not_found"),
        (vec![&unknown], "not_found"),
        // All of them, or none.
        (vec![&first, &of_another], "not_found"),
        (vec![&first, &first], "invalid_field"),
    ] {
        let refused = client.request(with_files(kind, 1, &files)).await["payload"].clone();
        assert_eq!((&refused["code"], &refused["field"]), (&json!(code), &json!("attachments")), "{refused}");
    }
    let mut message = with_files(kind, 1, &[&first, &second]);
    message["client_id"] = json!("0190f3e2-7b1c-4d3a-9a50-6f1c2b7d8e90");
    let posted = client.request(message.clone()).await;
    assert_eq!(posted["payload"]["duplicate"], false, "{posted}");
    let again = client.request(message).await;
    assert_eq!((&again["payload"]["id"], &again["payload"]["duplicate"]), (&posted["payload"]["id"], &json!(true)));
    let taken = client.request(with_files(kind, 1, &[&second])).await;
    assert_eq!(taken["payload"]["code"], "conflict", "{taken}");

    // In one batch, too.
    let third = upload(1).await;
    let twice = ["one", "two"].map(|request_id| {
        let mut message = with_files(kind, 1, &[&third]);
        message["request_id"] = json!(request_id);
        message
    });
    client.send_together(&twice).await;
    assert_eq!(client.answer_to("one").await.expect("an answer")["type"], "ACK");
    assert_eq!(client.answer_to("two").await.expect("an answer")["payload"]["code"], "conflict");
    assert_eq!(database.number(&format!("SELECT count(*) FROM {}", kind.table())).await, 2);
}

#[rstest]
#[tokio::test]
async fn a_support_chat_does_not_become_theirs_whose_message_is_refused(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = TestDatabase::new(backend).await;
    let server = Start::on(&database).with_access("deny").listening().await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let refused = client.request(with_files(Kind::Support, 1, &[&json!({ "id": "00000000-0000-4000-8000-000000000000" })])).await;
    assert_eq!(refused["payload"]["code"], "not_found");
    assert_eq!(database.number("SELECT count(*) FROM members").await, 0);
}

#[rstest]
#[tokio::test]
async fn a_classic_client_attaches_an_upload_by_its_path(#[values(Kind::Chat, Kind::Support)] kind: Kind) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = closed_world(&database, kind).await;
    let (mut reader, _) = Client::natter_v1(&server, 2).await;
    let mut classic = Client::classic(&server, 1).await;
    let files = [server.uploaded(1, "a.txt", b"one").await, server.uploaded(1, "b.txt", b"two").await];
    let paths = json!(files.each_ref().map(|file| path(file, "url"))).to_string();
    let mut message = new_message(kind, 1, 1, "");
    message["file_paths"] = json!(paths);
    classic.send(&message).await;
    assert_eq!(classic.expect(kind.frame()).await["payload"]["file_paths"], paths);
    assert_eq!(reader.expect(kind.frame()).await["payload"]["attachments"], json!(files));
    assert_eq!(server.download(2, &path(&files[1], "url")).await, (200, b"two".to_vec()));
    classic.send(&message).await;
    assert_eq!(classic.expect_error("conflict").await["field"], "attachments");
}

#[rstest]
#[tokio::test]
async fn files_outlive_a_restart_and_those_that_nobody_posted_do_not_stay(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = TestDatabase::new(backend).await;
    let mut server = Server::unlimited(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let (posted, left) = (server.uploaded(1, "a.txt", b"posted").await, server.uploaded(1, "b.txt", b"left").await);
    assert_eq!(client.request(with_files(Kind::Chat, 1, &[&posted])).await["type"], "ACK");
    server.kill().await;

    let mut server = Server::unlimited(&database).await;
    assert_eq!(server.download(1, &path(&posted, "url")).await, (200, b"posted".to_vec()));
    assert_eq!(server.download(1, &path(&left, "url")).await, (200, b"left".to_vec()));
    server.kill().await;

    let server = Start::on(&database).unlimited().env("NATTER_UPLOADS__KEEP_UNATTACHED_SECONDS", "1").listening().await;
    server.logged("1 uploads that no message has are taken away").await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let late = client.request(with_files(Kind::Chat, 1, &[&left])).await;
    assert_eq!(late["payload"]["code"], "not_found");
    assert_eq!(server.download(1, &path(&posted, "url")).await, (200, b"posted".to_vec()));
    assert_eq!(client.request(json!({ "type": "DELETE_MESSAGE", "chat_id": 1, "message_id": 1 })).await["type"], "ACK");
    database.has_no_uploads().await;
}
