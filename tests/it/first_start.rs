//! What someone sees who starts it for the first time, and something is in the way: what it is, and what to do.

use crate::harness::{
    Backend, Server, TestDatabase,
    server::Start,
    tokens::{SECRET, token},
};
use nix::sys::signal::Signal;
use rstest::rstest;
use std::net::TcpListener;

/// Starts it where it can't work: what it said, on one line.
async fn refused(start: Start) -> String {
    let (code, output, log) = start.finished().await;
    assert_eq!((code, output.as_str()), (Some(1), ""), "{log}");
    log
}

#[rstest]
#[tokio::test]
async fn a_port_that_is_taken_is_told_before_the_database_is_touched(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = TestDatabase::new(backend).await;
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let log = refused(Start::on(&database).env("PORT", &port.to_string())).await;
    for part in [
        format!("can't listen on 127.0.0.1:{port}: another program listens on port {port}"),
        format!("sport = :{port}"),
        "PORT=".to_owned(),
    ] {
        assert!(log.contains(&part), "{part:?} is missing:\n{log}");
    }
    let (_, steps, _) = Start::on(&database).arg("migrate").arg("status").finished().await;
    assert!(steps.lines().all(|step| step.starts_with("missing")), "{steps}");
    drop(taken);
}

#[tokio::test]
async fn an_address_of_another_machine_is_told() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).env("HOST", "192.0.2.1").env("NATTER_AUTH__ALLOW_PUBLIC_TRUSTED", "true");
    let log = refused(start).await;
    assert!(log.contains("this machine does not have the address 192.0.2.1"), "{log}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told_and_left_alone() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let letter = database.folder.path().join("letter.txt");
    let text = "Dear all, this is a letter and no database, however long it gets. ".repeat(20);
    std::fs::write(&letter, &text).expect("a file");
    let on_letter = || Start::on(&database).env("DATABASE_URL", &format!("sqlite://{}", letter.display()));
    for command in ["serve", "migrate up", "migrate status", "rename-log", "demo", "backup copy.db"] {
        let log = refused(command.split(' ').fold(on_letter(), Start::arg)).await;
        assert!(log.contains(&format!("{} is no SQLite database", letter.display())), "{command}: {log}");
        assert!(!log.contains("reached") && !log.contains("Error"), "{command}: {log}");
    }
    let log = refused(Start::on(&database).arg("restore").arg("letter.txt")).await;
    assert!(log.contains("letter.txt is no sound copy of a Natter database: it is no SQLite database"), "{log}");
    assert_eq!(std::fs::read_to_string(&letter).expect("the file"), text);
}

/// Even where the file was moved away under the server, which would go on writing to it.
#[tokio::test]
async fn nothing_is_restored_beside_a_running_server() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Server::start(&database).await;
    assert_eq!(Start::on(&database).arg("backup").arg("copy.db").finished().await.0, Some(0));
    let file = |name: &str| database.folder.path().join(name);
    let restore = || Start::on(&database).arg("restore").arg("copy.db");
    let log = refused(restore()).await;
    assert!(log.contains("a running natter serves the database") && log.contains("stop it first"), "{log}");
    for end in ["", "-wal", "-shm"] {
        std::fs::rename(file(&format!("natter.db{end}")), file(&format!("away.db{end}"))).expect("it is moved");
    }
    let log = refused(restore()).await;
    assert!(log.contains("a running natter serves the database"), "{log}");
    server.signal(Signal::SIGKILL);
    server.ended().await;
    let (code, _, log) = restore().finished().await;
    assert_eq!(code, Some(0), "{log}");
}

#[tokio::test]
async fn how_long_a_token_holds_is_asked_for_in_words_that_are_explained() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let make = |expires: &str| {
        let start = Start::on(&database).env("NATTER_AUTH__HS256_SECRET", SECRET);
        start.arg("token").arg("--user").arg("7").arg("--expires").arg(expires).finished()
    };
    for faulty in ["soon", "", "1", "0s", "-1h", "3651days", "99999999999999999999years", "1 fortnight"] {
        let (code, output, log) = make(faulty).await;
        assert_eq!((code, output.as_str()), (Some(2), ""), "{faulty}: {log}");
        assert!(log.contains("such as 90s, 15m, 1h or 30days"), "{faulty}: {log}");
    }
    for good in ["90s", "15m", "1h", "30days", "3650days"] {
        let (code, output, log) = make(good).await;
        assert_eq!(code, Some(0), "{good}: {log}");
        assert_eq!(output.split('.').count(), token(7, "user").split('.').count());
    }
}
