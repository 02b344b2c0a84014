//! What is acknowledged is on disk by then (D3): the order of the system calls, as the kernel saw them.

use crate::harness::{
    Backend, Client, Kind, PostgresServer, TestDatabase,
    checker::{Acked, check},
    new_message,
    server::Start,
    strace::{Call, Trace},
};
use rstest::rstest;
use serde_json::json;
use uuid::Uuid;

/// PostgreSQL's own processes are watched, too, which takes its time.
fn messages(backend: Backend) -> usize {
    match backend {
        Backend::Sqlite => 200,
        Backend::Postgres => 50,
    }
}

/// What the file is called to which a COMMIT goes first.
fn wal(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "natter.db-wal>",
        Backend::Postgres => "/pg_wal/",
    }
}

/// More than a page of either log.
const PAGE: usize = 9_000;

/// The content of a message: eight times the same words, so that one of them is whole in some page.
fn marker(number: usize) -> String {
    format!("<durable {number:04}>")
}

/// Whether `call` writes to a socket or pipe of any kind.
fn tells(call: &Call) -> bool {
    ["write", "writev", "sendto", "sendmsg"].contains(&call.name.as_str())
}

/// Where `calls` go on after the first word of the message under `key` to anyone, before which its content was written to the log and
/// the log to the disk.
fn told_after_the_sync<'a>(calls: &'a [Call], wal: &str, marker: &str, key: &str) -> Result<&'a [Call], String> {
    let told = calls.iter().position(|call| tells(call) && call.arguments.contains(key)).ok_or("nobody was told")?;
    let (before, after) = calls.split_at(told);
    let in_wal = |call: &&Call| call.arguments.contains(wal);
    let written = before.iter().filter(in_wal).find(|call| call.name == "pwrite64" && call.arguments.contains(marker));
    let written = written.ok_or("its content was not in the log")?;
    let synced = before.iter().filter(in_wal).find(|call| {
        let is_sync = ["fdatasync", "fsync"].contains(&call.name.as_str()) && call.result == "0";
        is_sync && call.began > written.ended && call.ended < after[0].began
    });
    synced.map(|_| after).ok_or_else(|| "the log was not on disk".to_owned())
}

/// On PostgreSQL its own processes are watched beside Natter, in one trace.
#[rstest]
#[tokio::test]
async fn nobody_is_told_of_a_message_before_it_is_on_disk(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let mut postgres = match backend {
        Backend::Sqlite => None,
        Backend::Postgres => Some(PostgresServer::start().await),
    };
    let database = match &postgres {
        None => TestDatabase::new(backend).await,
        Some(postgres) => TestDatabase::of(postgres),
    };
    let trace = Trace::into(database.folder.path().join("trace"));
    let postmaster = postgres.as_ref().and_then(PostgresServer::pid);
    let strace = trace.of("fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg", PAGE, postmaster);
    let mut server = Start::on(&database).unlimited().env("RUST_LOG", "warn,natter::app=info").by(strace).listening().await;
    let natter = server.pid();

    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let mut acked = Vec::new();
    let count = messages(backend);
    for number in 0..count {
        let kind = if number % 2 == 0 { Kind::Chat } else { Kind::Support };
        let mut message = new_message(kind, 1, 1, &marker(number).repeat(8));
        message["client_id"] = json!(Uuid::new_v4());
        acked.push(Acked::of(&client.request(message).await, kind, 1));
    }
    check(&database, &acked, &[]).await;
    server.terminate();
    assert_eq!(server.ended().await, Some(0), "{}", server.log());
    if let Some(postgres) = &mut postgres {
        postgres.stop().await;
    }

    let calls = trace.calls(natter).await;
    let mut rest = calls.as_slice();
    for (number, acked) in acked.iter().enumerate() {
        let after = told_after_the_sync(rest, wal(backend), &marker(number), &acked.client_id.to_string());
        rest = after.unwrap_or_else(|what| panic!("message {number} of {count} was told of, and {what}"));
    }
    eprintln!("{backend:?}: {count} of {count} messages were on disk before anyone was told, in {} system calls", calls.len());
}
