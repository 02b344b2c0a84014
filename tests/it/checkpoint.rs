//! SQLite's write-ahead log is folded into the file while nobody waits.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Far fewer messages than SQLite would fold by itself, within a commit that someone waits for: 1,000 pages, some 180 of them.
const MESSAGES: u64 = 20;

#[tokio::test]
async fn the_write_ahead_log_is_folded_once_it_is_quiet() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    for number in 1..=MESSAGES {
        client.post(Kind::Chat, 1, "first heard, then folded").await;
        while client.next().await["seq"] != number {}
    }
    let file = database.folder.path().join("natter.db");
    let until = Instant::now() + Duration::from_secs(30);
    while !std::fs::read(&file).expect("the file").windows(24).any(|bytes| bytes == b"first heard, then folded") {
        assert!(Instant::now() < until, "what was stored stands in the log alone");
        sleep(Duration::from_millis(5)).await;
    }
    assert!(!server.log().contains("was not checkpointed"), "{}", server.log());
}
