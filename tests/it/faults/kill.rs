//! The server killed under load (D1), and PostgreSQL killed under it (D2).

use super::{PACE, Place, SENDERS, number, ready, seeded};
use crate::harness::{
    Backend, Crowd, PostgresServer, Server, TestDatabase,
    checker::{Figures, check},
};
use rstest::rstest;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Kills the server `kills` times at random moments of a running load: how long each took from its start to being ready.
async fn kill_again_and_again(
    kills: u64,
    place: &Place,
    mut server: Server,
    database: &TestDatabase,
    crowd: &Crowd,
) -> (Server, Vec<Duration>) {
    let mut random = seeded();
    let mut times = Vec::new();
    for _ in 0..kills {
        crowd.tally.acked_more(50).await;
        sleep(Duration::from_millis(random.u64(0..1_000))).await;
        server.kill().await;
        let started = Instant::now();
        server = place.server(database).await;
        ready(&server).await;
        times.push(started.elapsed());
        assert!(started.elapsed() < Duration::from_secs(3), "ready after {:?}", started.elapsed());
    }
    (server, times)
}

/// D1, and the first half of D2: fewer kills on PostgreSQL, where the server's death is the same and the database's is another test.
/// Tier N: `NATTER_TEST_KILLS=200`.
#[rstest]
#[case(Backend::Sqlite, 20)]
#[case(Backend::Postgres, 8)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_loses_nothing_and_repeats_nothing(#[case] backend: Backend, #[case] kills: u64) {
    let kills = number("NATTER_TEST_KILLS", kills);
    let database = TestDatabase::new(backend).await;
    let place = Place::new();
    let server = place.server(&database).await;
    let crowd = Crowd::gather(&server.address, SENDERS, PACE).await;
    let (began, before) = (Instant::now(), crowd.tally.sent());
    let (_server, times) = kill_again_and_again(kills, &place, server, &database, &crowd).await;
    crowd.tally.acked_more(50).await;

    let offered = u128::from(crowd.tally.sent() - before) * 1_000 / began.elapsed().as_millis();
    let tally = Arc::clone(&crowd.tally);
    let outcome = crowd.disperse(&database).await;
    let (sent, dropped) = (tally.sent(), tally.dropped());
    let Figures { acked, stored, lost, duplicates, gaps } = check(&database, &outcome.acked, &outcome.logs).await;
    eprintln!(
        "{backend:?}: {kills} kills, {sent} sent ({offered} a second, downtime included), {acked} acked, {stored} stored, \
         {lost} lost, {duplicates} duplicates, {gaps} gaps, {dropped} connections cut, median time to ready {:?}, longest {:?}",
        median(times.clone()),
        times.iter().max().expect("a kill"),
    );
    assert_eq!(acked as u64, sent, "every message was acknowledged in the end");
    if backend == Backend::Sqlite {
        assert_eq!(database.text("PRAGMA integrity_check").await, "ok");
    }
}

/// The second half of D2. Tier N: `NATTER_TEST_KILLS=200`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_killed_under_load_loses_nothing_and_the_server_finds_it_again() {
    let kills = number("NATTER_TEST_KILLS", 5);
    let mut postgres = PostgresServer::start().await;
    let database = TestDatabase::of(&postgres);
    let server = Place::new().server(&database).await;
    let crowd = Crowd::gather(&server.address, SENDERS, PACE).await;
    let mut random = seeded();
    let mut times = Vec::new();
    for _ in 0..kills {
        crowd.tally.acked_more(50).await;
        sleep(Duration::from_millis(random.u64(0..1_000))).await;
        postgres.kill().await;
        postgres.start_again().await;
        let is_up = Instant::now();
        crowd.tally.acked_more(SENDERS as u64).await;
        times.push(is_up.elapsed());
        assert!(is_up.elapsed() < Duration::from_secs(5), "reconnected after {:?}", is_up.elapsed());
    }
    let tally = Arc::clone(&crowd.tally);
    let outcome = crowd.disperse(&database).await;
    let (sent, dropped, unavailable) = (tally.sent(), tally.dropped(), tally.unavailable());
    let Figures { acked, stored, lost, duplicates, gaps } = check(&database, &outcome.acked, &outcome.logs).await;
    eprintln!(
        "postmaster: {kills} kills, {sent} sent, {acked} acked, {stored} stored, {lost} lost, {duplicates} duplicates, {gaps} gaps, \
         {unavailable} times unavailable, median time from up to reconnected {:?}",
        median(times),
    );
    assert_eq!((acked as u64, dropped), (sent, 0), "every message was acknowledged in the end, and no client was cut off");
}
