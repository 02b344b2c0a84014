//! SQLite's write-ahead log is folded into the file while nobody waits.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase};

/// Of a log that SQLite folds by itself, within a commit that someone waits for: 1,000 pages with their headers.
const FOLDED_BY_SQLITE: u64 = 1_000 * (4_096 + 24);

#[tokio::test]
async fn the_write_ahead_log_is_folded_before_a_commit_has_to() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    for number in 1..=400 {
        client.post(Kind::Chat, 1, "alone").await;
        while client.next().await["seq"] != number {}
    }
    let log = std::fs::metadata(database.folder.path().join("natter.db-wal")).expect("a log");
    assert!(log.len() < FOLDED_BY_SQLITE, "{} bytes", log.len());
    assert!(!server.log().contains("was not checkpointed"), "{}", server.log());
}
