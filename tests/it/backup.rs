//! A copy taken while the service works, put back, and clients that come back to it.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase, server::Start};
use serde_json::json;
use std::{
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::sleep;

#[tokio::test]
async fn a_copy_taken_under_load_is_whole_and_old_clients_begin_afresh() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Server::unlimited(&database).await;
    let (client, welcome) = Client::natter_v1(&server, 1).await;
    let (mut sender, mut echo) = client.split();
    let copied = Arc::new(AtomicBool::new(false));
    let is_copied = Arc::clone(&copied);
    let posting = tokio::spawn(async move {
        let mut posted = 0;
        while posted < 500 || !is_copied.load(Ordering::Relaxed) {
            let kind = if posted % 2 == 0 { Kind::Chat } else { Kind::Support };
            sender.post(kind, 1, "x").await;
            posted += 1;
            // No faster than it is read again afterwards.
            sleep(Duration::from_millis(1)).await;
        }
        (sender, posted)
    });
    while echo.next().await["seq"] != 200 {}
    let command = |arguments: &[&str]| arguments.iter().fold(Start::on(&database), |start, argument| start.arg(argument));
    let (code, told, log) = command(&["backup", "copy.db"]).finished().await;
    assert_eq!((code, log.as_str()), (Some(0), ""), "{told}");
    copied.store(true, Ordering::Relaxed);
    let (_sender, posted) = posting.await.expect("everything is sent");
    while echo.next().await["seq"] != posted {}
    server.kill().await;

    // Nothing is overwritten, neither a copy nor a database.
    for arguments in [["backup", "copy.db"], ["restore", "copy.db"]] {
        let (code, _, log) = command(&arguments).finished().await;
        assert_eq!(code, Some(1));
        assert!(log.contains("is there already"), "{log}");
    }
    // What is left of a database beside the place would be played into the copy.
    let old = database.folder.path().join("old");
    std::fs::create_dir(&old).expect("a folder");
    let away = |name: &str| std::fs::rename(database.folder.path().join(name), old.join(name)).expect("it was there");
    away("natter.db");
    let (code, _, log) = command(&["restore", "copy.db"]).finished().await;
    assert_eq!(code, Some(1));
    assert!(log.contains("natter.db-wal is there already"), "{log}");
    away("natter.db-wal");
    away("natter.db-shm");
    let mode = std::fs::metadata(database.folder.path().join("copy.db")).expect("the copy").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (code, told, log) = command(&["restore", "copy.db"]).finished().await;
    assert_eq!((code, log.as_str()), (Some(0), ""), "{told}");

    let server = Server::start(&database).await;
    let head = database.assert_gapless_log().await;
    assert!((200..=posted).contains(&head), "{head}");
    let old_log = welcome["payload"]["log_id"].as_str().expect("a log");
    let (mut back, again) = Client::resuming(&server, 1, 100, old_log).await;
    assert_ne!(again["payload"]["log_id"], old_log);
    assert_eq!(back.expect("RESET").await["payload"], json!({ "seq": head, "reason": "other_log" }));
    back.post(Kind::Chat, 1, "on").await;
    assert_eq!(back.expect("MESSAGE").await["seq"], head + 1);
}

/// A server that was killed leaves much of its database in the write-ahead log.
#[tokio::test]
async fn what_a_killed_server_left_is_restored_with_its_write_ahead_log() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Server::start(&database).await;
    let (mut author, _) = Client::natter_v1(&server, 1).await;
    author.post(Kind::Chat, 1, "in the log").await;
    author.expect("MESSAGE").await;
    server.kill().await;
    let folder = database.folder.path();
    // What an address would take for an escape.
    std::fs::create_dir(folder.join("100%25 left?")).expect("a folder");
    for name in ["natter.db", "natter.db-wal", "natter.db-shm"] {
        let mode = std::fs::metadata(folder.join(name)).expect("it was left").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name} is for the service alone");
        std::fs::rename(folder.join(name), folder.join("100%25 left?").join(name)).expect("it was left");
    }
    let (code, _, log) = Start::on(&database).arg("restore").arg("100%25 left?/natter.db").finished().await;
    assert_eq!((code, log.as_str()), (Some(0), ""));
    assert_eq!(database.number("SELECT count(*) FROM messages WHERE content = 'in the log'").await, 1);
}

#[tokio::test]
async fn what_is_no_copy_is_not_restored() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let folder = database.folder.path();
    std::fs::write(folder.join("text.db"), "not a database, but long enough to look at").expect("a file");
    std::fs::write(folder.join("empty.db"), "").expect("a file");
    for file in ["text.db", "empty.db", "missing.db"] {
        let (code, _, log) = Start::on(&database).arg("restore").arg(file).finished().await;
        assert_eq!(code, Some(1), "{file}");
        assert!(log.contains("is no sound copy of a Natter database"), "{log}");
        assert!(!folder.join("natter.db").exists());
    }
}

#[tokio::test]
async fn on_postgresql_the_log_is_renamed_after_a_restore_by_its_own_tools() {
    let database = TestDatabase::new(Backend::Postgres).await;
    let mut server = Server::start(&database).await;
    let (_, welcome) = Client::natter_v1(&server, 1).await;
    server.kill().await;
    for (arguments, code) in [(&["backup", "x"][..], 1), (&["restore", "x"], 1), (&["rename-log"], 0)] {
        let start = arguments.iter().fold(Start::on(&database), |start, argument| start.arg(argument));
        assert_eq!(start.finished().await.0, Some(code), "{arguments:?}");
    }
    let server = Server::start(&database).await;
    let (_, again) = Client::natter_v1(&server, 1).await;
    assert_ne!(again["payload"]["log_id"], welcome["payload"]["log_id"]);
}
