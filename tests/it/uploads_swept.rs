//! What nobody needs is taken away, and what is in use meanwhile is neither waited for nor touched.

use crate::harness::{Backend, PATIENCE, Server, TestDatabase, server::Start};
use sea_orm::{ConnectionTrait, TransactionTrait};
use std::{
    fs::File,
    time::{Duration, Instant, SystemTime},
};
use tokio::time::sleep;

/// Waits until so many files are kept.
async fn keeps(database: &TestDatabase, files: usize) {
    let begun = Instant::now();
    while database.kept_files().len() != files {
        assert!(begun.elapsed() < PATIENCE, "{:?} are kept", database.kept_files());
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_upload_that_is_just_being_attached_is_passed_over_and_others_go() {
    let database = TestDatabase::new(Backend::Postgres).await;
    let server = Start::on(&database).unlimited().env("NATTER_UPLOADS__KEEP_UNATTACHED_SECONDS", "2").listening().await;
    let held = server.uploaded(1, "a.txt", b"held").await;
    let other = database.connect().await;
    let attaching = other.begin().await.expect("a transaction");
    let lock = format!("SELECT id FROM uploads WHERE id = '{}' FOR UPDATE", held["id"].as_str().expect("an id"));
    attaching.execute_unprepared(&lock).await.expect("locked");
    for user in 1..=150 {
        server.uploaded(user, "b.txt", b"left").await;
    }
    keeps(&database, 1).await;
    assert_eq!(server.download(1, held["url"].as_str().expect("a path")).await, (200, b"held".to_vec()));
    assert!(!server.log().contains("were not taken away"), "{}", server.log());
    attaching.rollback().await.expect("let go");
    keeps(&database, 0).await;
    other.close().await.expect("closed");
}

#[tokio::test]
async fn what_a_killed_server_left_half_written_goes_once_it_is_old() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Server::unlimited(&database).await;
    assert_eq!(server.upload(1, "a.txt", b"x").await.0, 201);
    server.kill().await;
    let whole = database.kept_files();
    for (name, minutes) in [("cut-off#1", 61), ("being-written#1", 59)] {
        let file = File::create(database.uploads().join(name)).expect("a file");
        file.set_modified(SystemTime::now() - Duration::from_mins(minutes)).expect("its time");
    }
    let _server = Server::unlimited(&database).await;
    keeps(&database, 2).await;
    assert!(database.kept_files().is_superset(&whole));
    assert!(database.kept_files().contains("being-written#1"));
}
