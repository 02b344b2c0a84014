//! A client that was away for long costs the others nothing: neither memory nor time.

use crate::harness::{Backend, Client, Kind, Server, TestDatabase, server::Start};
use futures_util::future::join_all;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Events that are resumed; `NATTER_TEST_RESUME_EVENTS=100000` for as many as the default allows.
fn events() -> i64 {
    std::env::var("NATTER_TEST_RESUME_EVENTS").map_or(15_000, |number| number.parse().expect("a number of events"))
}

const MIB: u64 = 1024;

async fn filled(backend: Backend, messages: i64) -> (TestDatabase, Server) {
    let database = TestDatabase::new(backend).await;
    let messages = messages.to_string();
    let (code, _, log) = Start::on(&database).arg("demo").arg("--messages").arg(&messages).finished().await;
    assert_eq!(code, Some(0), "{log}");
    let server = Start::on(&database).unlimited().env("NATTER_RESUME__MAX_EVENTS", "1000000").listening().await;
    (database, server)
}

/// Posts one message after the other until `resumed`: how long each took to come back.
async fn times_of_others(mut other: Client, mut resumed: tokio::sync::oneshot::Receiver<()>) -> Vec<Duration> {
    let mut times = Vec::new();
    while resumed.try_recv().is_err() {
        let posted = Instant::now();
        other.post(Kind::Chat, 1, "meanwhile").await;
        other.expect("MESSAGE").await;
        times.push(posted.elapsed());
    }
    times.sort_unstable();
    times
}

#[rstest::rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_long_resume_takes_no_memory_and_holds_nobody_up(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, server) = filled(backend, events()).await;
    let (other, welcome) = Client::natter_v1(&server, 1).await;
    let log_id = welcome["payload"]["log_id"].as_str().expect("a log").to_owned();
    let before = server.rss_kib();
    let (resumed, is_resumed) = tokio::sync::oneshot::channel();
    let times = tokio::spawn(times_of_others(other, is_resumed));

    let (mut back, _) = Client::resuming(&server, 2, 0, &log_id).await;
    let (begun, mut at, mut most) = (Instant::now(), 0, before);
    loop {
        let frame: Value = back.next().await;
        if frame["type"] == "RESUMED" {
            break;
        }
        at += 1;
        assert_eq!(frame["seq"], at);
        if at % 500 == 0 {
            most = most.max(server.rss_kib());
        }
    }
    resumed.send(()).expect("the other one is still there");
    let times = times.await.expect("the other one was served");
    let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    eprintln!(
        "{backend:?}: {at} events in {:?}; {} KiB more; {} messages meanwhile, median {median:?}, p99 {p99:?}",
        begun.elapsed(),
        most - before,
        times.len()
    );
    assert!(at >= events());
    assert!(most - before < 16 * MIB, "{} KiB more", most - before);
    assert!(p99 < Duration::from_millis(500), "p99 {p99:?}, median {median:?}");
}

/// Pages of what was missed are bounded in bytes, too.
#[tokio::test(flavor = "multi_thread")]
async fn many_who_resume_large_messages_slowly_take_little_memory() {
    const MESSAGES: i64 = 160;
    const CLIENTS: i64 = 6;
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let (mut author, welcome) = Client::natter_v1(&server, 1).await;
    let log_id = welcome["payload"]["log_id"].as_str().expect("a log");
    let large = "\u{20ac}".repeat(20_000);
    for number in 0..MESSAGES {
        let kind = if number % 2 == 0 { Kind::Chat } else { Kind::Support };
        author.post(kind, 1, &large).await;
        author.expect(kind.frame()).await;
    }
    let before = server.rss_kib();
    let mut clients: Vec<Client> =
        join_all((0..CLIENTS).map(async |user| Client::resuming(&server, 2 + user, 0, log_id).await.0)).await;
    let mut most = before;
    for _ in 0..MESSAGES {
        for client in &mut clients {
            client.next_text().await;
        }
        most = most.max(server.rss_kib());
    }
    for client in &mut clients {
        client.expect("RESUMED").await;
    }
    eprintln!("{} KiB more", most - before);
    assert!(most - before < 40 * MIB, "{} KiB more", most - before);
}
