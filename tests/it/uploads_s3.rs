//! Files with an S3-compatible service: `scripts/test-s3` starts one, and says where by `NATTER_TEST_S3`.

use crate::harness::{Backend, Client, Kind, PATIENCE, Server, TestDatabase, new_message, server::Start, upload::picture};
use image::ImageFormat;
use serde_json::json;
use std::time::{Duration, Instant};

/// The service, and a bucket of the test's own.
struct Bucket {
    endpoint: String,
    name: String,
}

impl Bucket {
    async fn new() -> Self {
        let endpoint = std::env::var("NATTER_TEST_S3").expect("NATTER_TEST_S3: run scripts/test-s3");
        let name = format!("natter-{}", uuid::Uuid::new_v4());
        let made = reqwest::Client::new().put(format!("{endpoint}/{name}")).send().await.expect("the service answers");
        assert_eq!(made.status(), 200);
        Self { endpoint, name }
    }

    /// A server that keeps its files in it, under a prefix.
    async fn server(&self, database: &TestDatabase) -> Server {
        let start = Start::on(database).unlimited().env("NATTER_UPLOADS__DIR", &format!("s3://{}/natter/files", self.name));
        let start = start.env("AWS_ENDPOINT_URL", &self.endpoint).env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "us-east-1");
        start.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").listening().await
    }

    /// How many objects there are, all of them under the prefix.
    async fn objects(&self) -> usize {
        let list = reqwest::get(format!("{}/{}?list-type=2", self.endpoint, self.name)).await.expect("an answer");
        let list = list.text().await.expect("text");
        assert_eq!(list.matches("<Key>").count(), list.matches("<Key>natter/files/").count(), "{list}");
        list.matches("<Key>").count()
    }
}

#[tokio::test]
async fn files_lie_in_a_bucket_and_go_from_it() {
    let (database, bucket) = (TestDatabase::new(Backend::Sqlite).await, Bucket::new().await);
    let server = bucket.server(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    // More than the service takes as one piece.
    let large: Vec<u8> = (0..12_000_000_u32).map(|number| b'a' + u8::try_from(number % 26).expect("a letter")).collect();
    let files =
        [server.uploaded(1, "large.txt", &large).await, server.uploaded(1, "a.png", &picture(640, 480, ImageFormat::Png)).await];
    assert_eq!(bucket.objects().await, 3, "a text, a picture, its thumbnail");
    let path = |at: usize, key: &str| files[at][key].as_str().expect("a path").to_owned();
    assert_eq!(server.download(1, &path(0, "url")).await, (200, large.clone()));
    let part = server.fetch(&format!("{}?userId=1", path(0, "url")), &[("range", "bytes=6000000-6000099")]).await;
    assert_eq!((part.status().as_u16(), &part.bytes().await.expect("a body")[..]), (206, &large[6_000_000..6_000_100]));
    assert_eq!(server.download(1, &path(1, "thumbnail")).await.0, 200);

    let mut message = new_message(Kind::Chat, 1, 1, "");
    message["attachments"] = json!([files[0]["id"], files[1]["id"]]);
    let posted = client.request(message).await["payload"]["id"].clone();
    client.request(json!({ "type": "DELETE_MESSAGE", "chat_id": 1, "message_id": posted })).await;
    let begun = Instant::now();
    while bucket.objects().await > 0 {
        assert!(begun.elapsed() < PATIENCE, "objects are left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_and_nothing_is_listed() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let absent = Bucket { name: "natter-absent".to_owned(), ..Bucket::new().await };
    let server = absent.server(&database).await;
    let (status, body) = server.upload(1, "a.txt", b"x").await;
    assert_eq!((status, body["error"]["code"].as_str()), (503, Some("unavailable")), "{body}");
    assert!(!body.to_string().contains("absent"), "{body}");
    assert_eq!(database.number("SELECT count(*) FROM uploads").await, 0);
    assert!(server.is_alive().await);
}
