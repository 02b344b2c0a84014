//! SQLite's write-ahead log is folded into the file while nobody waits.

use crate::harness::{Backend, Client, Kind, PATIENCE, Server, TestDatabase};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Of a log that SQLite folds by itself, within a commit that someone waits for: 1,000 pages with their headers.
const FOLDED_BY_SQLITE: u64 = 1_000 * (4_096 + 24);

const CONTENT: &str = "first heard, then folded";

/// Whether a file has the content in it.
fn has_it(file: &std::path::Path) -> bool {
    std::fs::read(file).expect("the file").windows(CONTENT.len()).any(|bytes| bytes == CONTENT.as_bytes())
}

/// Sends messages, each when the one before it was heard.
async fn send(server: &Server, count: u64) {
    let (mut client, _) = Client::natter_v1(server, 1).await;
    for number in 1..=count {
        client.post(Kind::Chat, 1, CONTENT).await;
        while client.next().await["seq"] != number {}
    }
}

#[tokio::test]
async fn the_write_ahead_log_is_folded_into_the_file_once_it_is_quiet() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    // Fewer than are folded as soon as nobody waits.
    send(&server, 20).await;
    let until = Instant::now() + PATIENCE;
    while !has_it(&database.folder.path().join("natter.db")) {
        assert!(Instant::now() < until, "what was stored stands in the log alone");
        sleep(Duration::from_millis(5)).await;
    }
    assert!(!server.log().contains("was not checkpointed"), "{}", server.log());
}

#[tokio::test]
async fn the_write_ahead_log_is_folded_before_a_commit_has_to_where_it_is_never_quiet() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    send(&server, 400).await;
    let log = std::fs::metadata(database.folder.path().join("natter.db-wal")).expect("a log");
    assert!(log.len() < FOLDED_BY_SQLITE, "{} bytes", log.len());
}
