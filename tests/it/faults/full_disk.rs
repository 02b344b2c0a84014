//! The disk is full (D5): told to everyone, nothing acknowledged that is not stored, and over as soon as there is room again.

use super::{Place, ready};
use crate::harness::{
    Backend, Client, Crowd, Kind, PATIENCE, PostgresServer, Server, TestDatabase,
    checker::{Figures, check},
    new_message,
    server::Start,
    upload::picture,
};
use image::ImageFormat;
use serde_json::json;
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

/// What is told where the disk can't be made.
const HOW_TO_RUN: &str = "a small disk needs root, or user namespaces: sudo -E make test ARGS=full_disk";

/// A disk of a few megabytes, in memory.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    fn mounted_on(folder: &Path, size: &str) -> Self {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"]).arg(folder);
        assert!(mount.status().expect("mount runs").success(), "{HOW_TO_RUN}");
        Self { folder: folder.to_owned() }
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("a file");
        while ballast.write_all(&[0; 4_096]).is_ok() {}
    }

    /// Makes room again.
    fn free(&self) {
        std::fs::remove_file(self.ballast()).expect("the ballast goes");
    }
}

impl Drop for SmallDisk {
    /// Also while a process that was killed is still going.
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Runs this test once more, as the root of a user namespace of its own.
fn run_as_root(test: &str) {
    let mut again = Command::new("unshare");
    again.args(["--user", "--map-root-user", "--mount"]).arg(std::env::current_exe().expect("this program"));
    let passed = again.args(["--exact", test, "--nocapture"]).status().is_ok_and(|status| status.success());
    assert!(passed, "failed, or could not be run: {HOW_TO_RUN}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_sqlite_is_told_and_heals_without_a_restart() {
    if !is_root() {
        return run_as_root("faults::full_disk::a_full_disk_under_sqlite_is_told_and_heals_without_a_restart");
    }
    let database = TestDatabase::new(Backend::Sqlite).await;
    let disk = SmallDisk::mounted_on(database.folder.path(), "16m");
    fill_and_free(&disk, &database).await;
    assert_eq!(database.text("PRAGMA integrity_check").await, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_postgres_is_told_and_heals_without_a_restart() {
    if !is_root() {
        eprintln!("NOT SHOWN HERE: PostgreSQL on a full disk needs root: sudo -E make test ARGS=full_disk");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = SmallDisk::mounted_on(folder.path(), "96m");
    let postgres = PostgresServer::start_in(folder).await;
    let database = TestDatabase::of(&postgres);
    fill_and_free(&disk, &database).await;
}

/// The database has a disk of its own.
#[tokio::test]
async fn a_full_disk_under_uploads_is_told_leaves_nothing_and_heals_without_a_restart() {
    if !is_root() {
        return run_as_root("faults::full_disk::a_full_disk_under_uploads_is_told_leaves_nothing_and_heals_without_a_restart");
    }
    let (database, folder) = (TestDatabase::new(Backend::Sqlite).await, tempfile::tempdir().expect("a temporary folder"));
    let disk = SmallDisk::mounted_on(folder.path(), "8m");
    let start = Start::on(&database).unlimited().env("NATTER_UPLOADS__DIR", folder.path().to_str().expect("text"));
    let server = start.listening().await;
    let picture = picture(1_000, 1_000, ImageFormat::Png);
    for (name, content) in [("a.txt", b"x".repeat(1_000_000)), ("a.png", picture)] {
        server.uploaded(1, name, &content).await;
        disk.fill();
        let (status, body) = server.upload(1, name, &content).await;
        assert_eq!((status, body["error"]["code"].as_str()), (507, Some("unavailable")), "{body}");
        assert!(server.is_alive().await);
        disk.free();
        server.uploaded(1, name, &content).await;
    }
    let files = std::fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!((files, database.number("SELECT count(*) FROM uploads").await), (6, 4), "two texts, two pictures, two thumbnails");
}

/// The files have a disk of their own, where there is room.
#[tokio::test]
async fn uploads_whose_list_is_on_a_full_disk_are_refused_and_none_is_lost() {
    if !is_root() {
        return run_as_root("faults::full_disk::uploads_whose_list_is_on_a_full_disk_are_refused_and_none_is_lost");
    }
    let (database, folder) = (TestDatabase::new(Backend::Sqlite).await, tempfile::tempdir().expect("a temporary folder"));
    let disk = SmallDisk::mounted_on(database.folder.path(), "8m");
    let start = Start::on(&database).unlimited().env("NATTER_UPLOADS__DIR", folder.path().to_str().expect("text"));
    let server = start.listening().await;
    server.uploaded(1, "a.txt", b"before").await;
    disk.fill();
    for _ in 0..6 {
        let (status, body) = server.upload(1, "a.txt", b"meanwhile").await;
        assert_eq!((status, body["error"]["code"].as_str()), (503, Some("unavailable")), "{body}");
    }
    disk.free();
    server.uploaded(1, "a.txt", b"after").await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    assert_eq!(client.request(new_message(Kind::Chat, 1, 1, "x")).await["type"], "ACK");
    server.uploaded(1, "a.txt", b"after a message").await;
    assert_eq!(database.number("SELECT count(*) FROM uploads WHERE state = 2").await, 3);
}

/// The whole course, under a load of 200 messages a second.
async fn fill_and_free(disk: &SmallDisk, database: &TestDatabase) {
    let server = Place::new().server(database).await;
    let crowd = Crowd::gather(&server.address, 20, Duration::from_millis(100)).await;
    crowd.tally.acked_more(200).await;

    disk.fill();
    let refused = async {
        while crowd.tally.unavailable() < 100 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, refused).await.expect("the disk is full");
    let not_ready = async { while server.get("/readyz").await.0 != 503 {} };
    timeout(Duration::from_secs(5), not_ready).await.expect("/readyz tells");
    assert_eq!(server.get("/healthz").await.0, 200);
    history_can_be_read(&server).await;

    disk.free();
    let freed = Instant::now();
    crowd.tally.acked_more(20).await;
    ready(&server).await;
    let healed = freed.elapsed();
    assert!(healed < Duration::from_secs(5), "normal after {healed:?}");

    let tally = Arc::clone(&crowd.tally);
    let outcome = crowd.disperse(database).await;
    let (sent, unavailable, longest) = (tally.sent(), tally.unavailable(), tally.longest_refusal());
    let Figures { acked, stored, lost, duplicates, gaps } = check(database, &outcome.acked, &outcome.logs).await;
    eprintln!(
        "{:?}, disk full: {sent} sent, {acked} acked, {stored} stored, {lost} lost, {duplicates} duplicates, {gaps} gaps, \
         {unavailable} times unavailable after {longest:?} at most, normal {healed:?} after there was room",
        database.backend
    );
    assert_eq!(
        (acked as u64, tally.dropped()),
        (sent, 0),
        "every message was acknowledged in the end, and no client was cut off"
    );
}

async fn history_can_be_read(server: &Server) {
    let (mut reader, _) = Client::natter_v1(server, 99).await;
    let page = reader.request(json!({ "type": "GET_HISTORY", "chat_id": 1, "limit": 5 })).await;
    assert_eq!(page["payload"]["messages"].as_array().map(Vec::len), Some(5), "{page}");
}
