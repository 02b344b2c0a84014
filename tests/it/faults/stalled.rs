//! One client in ten does not read (L2): memory stays bounded, each is closed with 4100, and comes back without losing anything.

use super::{Place, number};
use crate::harness::{
    Backend, Client, Follower, Kind, PATIENCE, Server, TestDatabase,
    checker::{Acked, check},
    follower::last_event,
    new_message,
};
use rstest::rstest;
use serde_json::json;
use tokio::{sync::watch, task::JoinSet, time::timeout};
use uuid::Uuid;

/// Little, so that what waits for a client that does not read waits in the server.
const RECEIVE_BUFFER: u32 = 4_096;

const MIB: u64 = 1_024;

/// Once the first is given up, so many messages more bring every other one to the same point.
const MORE: usize = 10;

/// Not each has a line: there are at most ten a second.
fn one_is_given_up(server: &Server) -> bool {
    server.log().contains("does not read")
}

/// Reads up to an event that is told once it is known.
async fn follow(mut follower: Follower, last: watch::Receiver<Option<i64>>) {
    let goal = last_event(last);
    tokio::pin!(goal);
    let goal = loop {
        tokio::select! {
            goal = &mut goal => break goal,
            read = follower.read() => assert_eq!(read, Ok(()), "user {} reads, and was closed", follower.user),
        }
    };
    follower.read_up_to(goal).await;
}

/// Tier N: `NATTER_TEST_CLIENTS=1000`.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenth_of_all_clients_may_stall_and_memory_stays_bounded(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let clients = i64::try_from(number("NATTER_TEST_CLIENTS", 150)).expect("a number");
    let count = clients / 10;
    let database = TestDatabase::new(backend).await;
    let server = Place::new().server(&database).await;
    let (told, last) = watch::channel(None);
    let mut readers = JoinSet::new();
    for follower in Follower::gather(&server.address, 1..=clients - count, None).await {
        readers.spawn(follow(follower, last.clone()));
    }
    let stalled = Follower::gather(&server.address, clients - count + 1..=clients, Some(RECEIVE_BUFFER)).await;
    let (mut author, _) = Client::natter_v1(&server, clients + 1).await;

    let before = server.rss_kib();
    let (mut acked, mut peak) = (Vec::new(), before);
    let mut more = MORE;
    while more > 0 {
        assert!(acked.len() < 500, "5 MB were sent to each, and nobody was given up");
        more -= usize::from(one_is_given_up(&server));
        let kind = if acked.len() % 2 == 0 { Kind::Chat } else { Kind::Support };
        let mut message = new_message(kind, 1, author.user, &"x".repeat(10_000));
        message["client_id"] = json!(Uuid::new_v4());
        acked.push(Acked::of(&author.request(message).await, kind, author.user));
        peak = peak.max(server.rss_kib());
    }
    let grown = (peak - before) / MIB;
    let bound = stalled.len() as u64 * 5 / 4 + 32;

    let head = acked.last().expect("messages").seq;
    told.send_replace(Some(head));
    let mut back = JoinSet::new();
    for follower in stalled {
        back.spawn(come_back(follower, head));
    }
    let codes = back.join_all().await;
    let told_why = codes.iter().filter(|code| **code == 4100).count();
    readers.join_all().await;
    check(&database, &acked, &[]).await;
    eprintln!(
        "{backend:?}: {count} of {clients} stalled and were closed, {told_why} read 4100, all came back with 0 of {head} messages lost; \
         resident memory grew by {grown} MiB, {bound} are allowed"
    );
    assert_eq!(told_why, codes.len(), "{codes:?}");
    assert!(grown < bound, "grew by {grown} MiB");
}

/// Reads what is left, then what was missed: the code with which it was closed.
async fn come_back(mut follower: Follower, head: i64) -> u16 {
    let code = loop {
        if let Err(code) = timeout(PATIENCE, follower.read()).await.expect("it was closed") {
            break code;
        }
    };
    assert!(follower.join().await, "it can come back");
    follower.read_up_to(head).await;
    code
}
