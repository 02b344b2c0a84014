//! Everyone comes back at once after a restart (L5).

use super::{Place, number};
use crate::harness::{
    Backend, Crowd, Follower, PATIENCE, TestDatabase,
    checker::{Figures, check},
    follower::last_event,
};
use rstest::rstest;
use std::time::{Duration, Instant};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

/// A first wait is random below this, and each further one below its double, up to [`LONGEST_WAIT`]: back-off with full jitter.
const FIRST_WAIT: Duration = Duration::from_secs(1);

const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Reads, comes back whenever it is cut off and tells so, and ends with the event that is told once it is known.
async fn live(mut follower: Follower, back: mpsc::UnboundedSender<Instant>, last: watch::Receiver<Option<i64>>) {
    let goal = last_event(last);
    tokio::pin!(goal);
    let goal = loop {
        tokio::select! {
            goal = &mut goal => break goal,
            read = follower.read() => if read.is_err() {
                come_back(&mut follower).await;
                back.send(Instant::now()).expect("the test goes on");
            },
        }
    };
    follower.read_up_to(goal).await;
}

async fn come_back(follower: &mut Follower) {
    let mut bound = FIRST_WAIT;
    loop {
        sleep(bound.mul_f64(fastrand::f64())).await;
        if follower.join().await {
            return;
        }
        bound = (bound * 2).min(LONGEST_WAIT);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tier N: make soak"]
async fn five_thousand_clients_come_back_at_once_and_lose_nothing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let clients = i64::try_from(number("NATTER_TEST_CLIENTS_BACK", 5_000)).expect("a number");
    let database = TestDatabase::new(backend).await;
    let place = Place::new();
    let mut server = place.server(&database).await;
    let (told, last) = watch::channel(None);
    let (tell, mut back) = mpsc::unbounded_channel();
    let mut followers = JoinSet::new();
    for follower in Follower::gather(&server.address, 100..100 + clients, None).await {
        followers.spawn(live(follower, tell.clone(), last.clone()));
    }
    // Four messages a second, which five thousand clients are to be told each.
    let crowd = Crowd::gather(&server.address, 4, Duration::from_secs(1)).await;
    crowd.tally.acked_more(8).await;

    server.kill().await;
    let killed = Instant::now();
    let _server = place.server(&database).await;
    let mut times = Vec::new();
    for _ in 0..clients {
        let at = timeout(2 * PATIENCE, back.recv()).await;
        let at = at.unwrap_or_else(|_| panic!("{} of {clients} came back", times.len())).expect("they live");
        times.push(at.duration_since(killed));
    }
    times.sort_unstable();
    crowd.tally.acked_more(8).await;
    let outcome = crowd.disperse(&database).await;
    let Figures { acked, stored, lost, duplicates, gaps } = check(&database, &outcome.acked, &outcome.logs).await;
    told.send_replace(Some(database.assert_gapless_log().await));
    followers.join_all().await;
    let (most, all) = (times[times.len() * 95 / 100], times.last().expect("clients"));
    eprintln!(
        "{backend:?}: {clients} clients back after a restart: 95 % within {most:?}, all within {all:?}; {acked} acked, {stored} stored, \
         {lost} lost, {duplicates} duplicates, {gaps} gaps, and every follower saw all of them once"
    );
    assert!(most < Duration::from_secs(25), "95 % were back after {most:?}");
}
