//! Hours of the same (D10): memory and descriptors stay where they are.

use super::{Place, number};
use crate::harness::{
    Backend, Crowd, Follower, Server, TestDatabase,
    checker::{Figures, check},
    follower::last_event,
};
use rstest::rstest;
use std::time::{Duration, Instant};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{interval, sleep, sleep_until},
};

const CLIENTS: i64 = 1_000;

/// A client stays so long on average: one in a hundred leaves every second.
const STAY: Duration = Duration::from_secs(100);

/// Memory is still finding its level before that.
const WARM_UP: Duration = Duration::from_mins(20);

/// Shorter than this, a slope says nothing.
const LONG_ENOUGH: Duration = Duration::from_hours(1);

/// What is measured of the server at a moment.
struct Sample {
    hours: f64,
    rss_mib: f64,
    descriptors: f64,
}

fn sample(server: &Server, began: Instant) -> Sample {
    let rss_mib = f64::from(u32::try_from(server.rss_kib()).expect("not that large")) / 1_024.0;
    let descriptors = f64::from(u32::try_from(server.descriptors()).expect("not that many"));
    Sample { hours: began.elapsed().as_secs_f64() / 3_600.0, rss_mib, descriptors }
}

/// The slope of the straight line nearest to all samples, an hour.
fn slope(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let count = f64::from(u32::try_from(samples.len()).expect("not that many"));
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (middle, level) = (mean(&|sample| sample.hours), mean(&of));
    let rise: f64 = samples.iter().map(|sample| (sample.hours - middle) * (of(sample) - level)).sum();
    rise / samples.iter().map(|sample| (sample.hours - middle).powi(2)).sum::<f64>()
}

/// Reads, leaves without a word after a while and comes back, until it is told the last event.
async fn live(mut follower: Follower, last: watch::Receiver<Option<i64>>) {
    let goal = last_event(last);
    tokio::pin!(goal);
    let stay = || tokio::time::Instant::now() + STAY.mul_f64(2.0 * fastrand::f64());
    let mut leave = stay();
    let goal = loop {
        tokio::select! {
            goal = &mut goal => break goal,
            read = follower.read() => assert_eq!(read, Ok(()), "user {} was closed", follower.user),
            () = sleep_until(leave) => {
                follower.leave();
                sleep(Duration::from_millis(fastrand::u64(0..1_000))).await;
                assert!(follower.join().await, "user {} can come back", follower.user);
                leave = stay();
            }
        }
    };
    follower.read_up_to(goal).await;
}

/// `NATTER_TEST_SOAK_SECONDS`: two hours without.
#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tier N: make soak"]
async fn memory_and_descriptors_stay_where_they_are(#[case] backend: Backend) {
    let duration = Duration::from_secs(number("NATTER_TEST_SOAK_SECONDS", 7_200));
    let database = TestDatabase::new(backend).await;
    let server = Place::new().server(&database).await;
    let (told, last) = watch::channel(None);
    let mut followers = JoinSet::new();
    for follower in Follower::gather(&server.address, 100..100 + CLIENTS, None).await {
        followers.spawn(live(follower, last.clone()));
    }
    // 200 messages a second.
    let crowd = Crowd::gather(&server.address, 4, Duration::from_millis(20)).await;

    let began = Instant::now();
    let mut samples = Vec::new();
    let mut beat = interval((duration / 240).max(Duration::from_secs(1)));
    while began.elapsed() < duration {
        beat.tick().await;
        samples.push(sample(&server, began));
    }
    let outcome = crowd.disperse(&database).await;
    told.send_replace(Some(database.assert_gapless_log().await));
    followers.join_all().await;
    let Figures { acked, stored, lost, duplicates, gaps } = check(&database, &outcome.acked, &outcome.logs).await;

    let warm = WARM_UP.min(duration / 3).as_secs_f64() / 3_600.0;
    samples.retain(|sample| sample.hours >= warm);
    let (rss, descriptors) = (slope(&samples, |sample| sample.rss_mib), slope(&samples, |sample| sample.descriptors));
    let end = samples.last().expect("samples");
    eprintln!(
        "{backend:?}, {duration:?}: {acked} acked, {stored} stored, {lost} lost, {duplicates} duplicates, {gaps} gaps; memory {:.1} MiB, \
         {rss:+.2} MiB an hour; {} descriptors, {descriptors:+.1} an hour",
        end.rss_mib, end.descriptors
    );
    if duration >= LONG_ENOUGH {
        assert!(rss < 1.0, "memory grows by {rss} MiB an hour");
        assert!(descriptors < 10.0, "descriptors grow by {descriptors} an hour");
    }
}
