//! Uploads over HTTP: parts of files, links, and what there is no room for.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase, new_message, server::Start, upload::picture};
use image::ImageFormat;
use rstest::rstest;
use serde_json::{Value, json};

fn path(upload: &Value, key: &str) -> String {
    upload[key].as_str().expect("a path").to_owned()
}

#[tokio::test]
async fn a_player_is_given_the_parts_that_it_asks_for() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let content: Vec<u8> = (0..100_000).map(|number: u32| b'a' + u8::try_from(number % 26).expect("a letter")).collect();
    let upload = server.uploaded(1, "a.txt", &content).await;
    let url = format!("{}?userId=1", path(&upload, "url"));
    let tag = format!("\"{}\"", path(&upload, "id"));
    let another = "\"another\"";
    for (headers, status, range, body) in [
        (vec![("range", "bytes=0-9")], 206, Some("bytes 0-9/100000"), &content[..10]),
        (vec![("range", "bytes=99990-")], 206, Some("bytes 99990-99999/100000"), &content[99_990..]),
        (vec![("range", "bytes=-5")], 206, Some("bytes 99995-99999/100000"), &content[99_995..]),
        (vec![("range", "bytes=500-999999")], 206, Some("bytes 500-99999/100000"), &content[500..]),
        (vec![("range", "bytes=0-9"), ("if-range", &tag)], 206, Some("bytes 0-9/100000"), &content[..10]),
        (vec![("range", "bytes=0-9"), ("if-range", another)], 200, None, &content[..]),
        (vec![("range", "bytes=100000-")], 416, Some("bytes */100000"), &content[..0]),
        (vec![("range", "bytes=-0")], 416, Some("bytes */100000"), &content[..0]),
        (vec![("range", "bytes=0-1,5-6")], 200, None, &content[..]),
        (vec![("range", "lines=1-2")], 200, None, &content[..]),
        (vec![("if-none-match", &tag)], 304, None, &content[..0]),
        (vec![], 200, None, &content[..]),
    ] {
        let response = server.fetch(&url, &headers).await;
        let told = response.headers().get("content-range").map(|value| value.to_str().expect("ASCII").to_owned());
        assert_eq!((response.status().as_u16(), told.as_deref()), (status, range), "{headers:?}");
        assert_eq!(response.bytes().await.expect("a body"), body, "{headers:?}");
    }
    let head = reqwest::Client::new().head(format!("http://{}{url}", server.address)).send().await.expect("an answer");
    assert_eq!((head.status().as_u16(), head.headers()["content-length"].as_bytes()), (200, &b"100000"[..]));
}

#[rstest]
#[tokio::test]
async fn a_link_is_enough_for_one_file_while_it_holds(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = TestDatabase::new(backend).await;
    let server = Start::on(&database).unlimited().env("NATTER_UPLOADS__LINK_SECONDS", "2").listening().await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let upload = server.uploaded(1, "a.png", &picture(10, 10, ImageFormat::Png)).await;
    let ask = format!("{}/link", path(&upload, "url"));
    assert_eq!(server.get(&ask).await.0, 401);
    assert_eq!(server.get(&format!("{ask}?userId=2")).await.0, 404);
    let links: Value = serde_json::from_str(&server.get(&format!("{ask}?userId=1")).await.1).expect("JSON");
    let (file, thumbnail) = (path(&links, "url"), path(&links, "thumbnail"));
    for link in [&file, &thumbnail] {
        assert_eq!(server.fetch(link, &[]).await.status(), 200);
    }
    let other = server.uploaded(1, "b.png", &picture(10, 10, ImageFormat::Png)).await;
    let (_, query) = file.split_once('?').expect("a query");
    for wrong in [
        format!("{}?{query}", path(&other, "url")),
        format!("{}?{query}", path(&upload, "thumbnail")),
        format!("{file}x"),
        file.replace("expires=", "expires=1"),
        format!("{}?expires=1", path(&upload, "url")),
        format!("{}?signature=x", path(&upload, "url")),
        format!("{}?expires=x&signature=x", path(&upload, "url")),
    ] {
        assert_eq!(server.fetch(&wrong, &[]).await.status(), 403, "{wrong}");
    }
    let mut message = new_message(Kind::Chat, 1, 1, "");
    message["attachments"] = json!([other["id"]]);
    let posted = client.request(message).await["payload"]["id"].clone();
    let links: Value =
        serde_json::from_str(&server.get(&format!("{}/link?userId=2", path(&other, "url"))).await.1).expect("JSON");
    client.request(json!({ "type": "DELETE_MESSAGE", "chat_id": 1, "message_id": posted })).await;
    assert_eq!(server.fetch(&path(&links, "url"), &[]).await.status(), 404, "it ends with its message");
    let begun = std::time::Instant::now();
    while server.fetch(&file, &[]).await.status() != 403 {
        assert!(begun.elapsed().as_secs() < 10, "the link still holds");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[rstest]
#[tokio::test]
async fn a_users_files_hold_no_more_than_they_may(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = TestDatabase::new(backend).await;
    let server = Start::on(&database).unlimited().env("NATTER_UPLOADS__USER_BYTES", "12000").listening().await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let first = server.uploaded(1, "a.txt", &[b'x'; 6_000]).await;
    // At the same time, too: one of them has room.
    let both = [server.upload(1, "b.txt", &[b'x'; 5_000]), server.upload(1, "c.txt", &[b'x'; 5_000])];
    let mut statuses = futures_util::future::join_all(both).await;
    statuses.sort_by_key(|(status, _)| *status);
    assert_eq!((statuses[0].0, statuses[1].0), (201, 507));
    assert_eq!(statuses[1].1["error"]["code"], "too_large", "{}", statuses[1].1);
    assert_eq!(server.upload(2, "d.txt", &[b'x'; 10_000]).await.0, 201, "another has room of their own");
    let mut message = new_message(Kind::Chat, 1, 1, "");
    message["attachments"] = json!([first["id"]]);
    let posted = client.request(message).await["payload"]["id"].clone();
    client.request(json!({ "type": "DELETE_MESSAGE", "chat_id": 1, "message_id": posted })).await;
    while server.upload(1, "e.txt", &[b'x'; 6_000]).await.0 != 201 {}
}

#[rstest]
#[tokio::test]
async fn a_user_has_no_more_files_than_there_is_room_for_however_small_they_are(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = TestDatabase::new(backend).await;
    let server = Start::on(&database).unlimited().env("NATTER_UPLOADS__USER_BYTES", "12288").listening().await;
    for expected in [201, 201, 201, 507] {
        let (status, body) = server.upload(1, "a.txt", b"x").await;
        assert_eq!(status, expected, "{body}");
    }
    let (_, body) = server.upload(1, "a.txt", b"x").await;
    let told = "your files may hold 12288 bytes together, each counted as 4096 at least, and 0 are left";
    assert_eq!((&body["error"]["code"], &body["error"]["message"]), (&json!("too_large"), &json!(told)));
}

#[tokio::test]
async fn a_user_uploads_as_often_as_allowed() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).env("NATTER_LIMITS__UPLOADS_BURST", "2").listening().await;
    for expected in [201, 201, 429] {
        let (status, body) = server.upload(1, "a.txt", b"x").await;
        assert_eq!(status, expected, "{body}");
    }
    assert_eq!(server.upload(2, "a.txt", b"x").await.0, 201);
}

#[tokio::test]
async fn a_file_is_as_large_as_may_be_and_no_larger() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).unlimited().env("NATTER_UPLOADS__MAX_BYTES", "100000").listening().await;
    assert_eq!(server.upload(1, "a.txt", &b"x".repeat(100_000)).await.0, 201);
    for length in [100_001, 200_000, 3_000_000] {
        let (status, body) = server.upload(1, "a.txt", &vec![b'x'; length]).await;
        assert_eq!((status, body["error"]["code"].as_str()), (413, Some("too_large")), "{body}");
    }
}
