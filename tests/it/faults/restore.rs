//! A copy taken under load and put back elsewhere (D9): clients of the old log begin afresh, and hold what is stored.

use super::{PACE, Place, SENDERS};
use crate::{
    harness::{
        Backend, Crowd, TestDatabase,
        checker::{Figures, check, inconsistent},
        server::Start,
    },
    programs::output,
};
use rstest::rstest;
use tokio::process::Command;

/// Copies the database while it is written to, by the tool that an operator has: what puts the copy into another one.
async fn back_up(database: &TestDatabase) {
    match database.backend {
        Backend::Sqlite => natter(database, &["backup", "copy"]).await,
        Backend::Postgres => {
            let mut dump = Command::new("pg_dump");
            output(dump.arg("--file").arg(database.folder.path().join("copy")).arg(&database.url)).await;
        }
    }
}

/// Puts the copy of `database` in the place of `elsewhere`, where nothing is yet.
async fn restore(database: &TestDatabase, elsewhere: &TestDatabase) {
    let copy = database.folder.path().join("copy");
    match database.backend {
        Backend::Sqlite => natter(elsewhere, &["restore", copy.to_str().expect("text")]).await,
        Backend::Postgres => {
            let mut psql = Command::new("psql");
            output(psql.args(["--quiet", "--set", "ON_ERROR_STOP=1", &elsewhere.url, "--file"]).arg(copy)).await;
            natter(elsewhere, &["rename-log"]).await;
        }
    }
}

async fn natter(database: &TestDatabase, arguments: &[&str]) {
    let start = arguments.iter().fold(Start::on(database), |start, argument| start.arg(argument));
    let (code, told, log) = start.finished().await;
    assert_eq!(code, Some(0), "{told}{log}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_database_that_was_put_back_hold_what_is_stored(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = TestDatabase::new(backend).await;
    let place = Place::new();
    let mut server = place.server(&database).await;
    let crowd = Crowd::gather(&server.address, SENDERS, PACE).await;
    crowd.tally.acked_more(500).await;
    back_up(&database).await;
    // These are acknowledged, and not in the copy.
    crowd.tally.acked_more(500).await;
    server.kill().await;

    let elsewhere = TestDatabase::new(backend).await;
    restore(&database, &elsewhere).await;
    let copied = elsewhere.assert_gapless_log().await;
    assert!(copied >= 500 && copied < database.assert_gapless_log().await, "{copied} in the copy");
    let _server = place.server(&elsewhere).await;
    crowd.tally.acked_more(500).await;
    let outcome = crowd.disperse(&elsewhere).await;
    let Figures { stored, lost, duplicates, gaps, .. } = check(&elsewhere, &outcome.acked, &outcome.logs).await;
    let mut differing = 0;
    for held in &outcome.held {
        differing += inconsistent(&elsewhere, held).await;
    }
    eprintln!(
        "{backend:?}: {copied} messages in a copy taken under load, {stored} in the end, {} clients began afresh, {differing} \
         messages inconsistent, {lost} lost, {duplicates} duplicates, {gaps} gaps",
        outcome.held.len()
    );
    assert_eq!((outcome.held.len(), differing), (SENDERS, 0));
}
