//! The database away for a while: frozen or stopped under load (D4), restarted unnoticed, away while the server stops.

use super::{Place, number, ready};
use crate::harness::{
    Client, Crowd, Kind, PostgresServer, Server, TestDatabase,
    checker::{Figures, check},
    new_message,
};
use rstest::rstest;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// In which way the database is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    /// Its sockets stay open, and nothing comes.
    Frozen,
    Stopped,
}

/// D4. Tier N: `NATTER_TEST_OUTAGE_SECONDS=30`.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_told_to_everyone_and_heals_without_a_restart(
    #[values(Away::Frozen, Away::Stopped)] away: Away,
) {
    let outage = Duration::from_secs(number("NATTER_TEST_OUTAGE_SECONDS", 8));
    let mut postgres = PostgresServer::start().await;
    let database = TestDatabase::of(&postgres);
    let server = Place::new().server(&database).await;
    // 200 messages a second.
    let crowd = Crowd::gather(&server.address, 40, Duration::from_millis(200)).await;
    crowd.tally.acked_more(200).await;
    let rss_before = server.rss_kib();

    let left = Instant::now();
    match away {
        Away::Frozen => postgres.freeze(),
        Away::Stopped => postgres.stop().await,
    }
    // From here on the lane knows; what was committed before is acknowledged.
    server.logged("changes").await;
    let acked_before = crowd.tally.acked();
    assert_eq!(server.get("/readyz").await.0, 503);
    assert!(left.elapsed() < Duration::from_secs(5), "not ready after {:?}", left.elapsed());
    assert_eq!(server.get("/healthz").await.0, 200);
    let (mut reader, _) = Client::natter_v1(&server, 99).await;
    let history = reader.request(json!({ "type": "GET_HISTORY", "chat_id": 1 })).await;
    assert_eq!(history["payload"]["code"], "unavailable", "{history}");
    sleep(outage.saturating_sub(left.elapsed())).await;
    assert_eq!(crowd.tally.acked(), acked_before, "acknowledged without a database");
    let rss_growth = server.rss_kib().saturating_sub(rss_before);
    match away {
        Away::Frozen => postgres.thaw(),
        Away::Stopped => postgres.start_again().await,
    }
    let back = Instant::now();
    crowd.tally.acked_more(40).await;
    ready(&server).await;
    let healed = back.elapsed();

    let tally = Arc::clone(&crowd.tally);
    let outcome = crowd.disperse(&database).await;
    let (sent, dropped) = (tally.sent(), tally.dropped());
    let (unavailable, longest) = (tally.unavailable(), tally.longest_refusal());
    let Figures { acked, stored, lost, duplicates, gaps } = check(&database, &outcome.acked, &outcome.logs).await;
    eprintln!(
        "{away:?} for {outage:?}: {sent} sent, {acked} acked, {stored} stored, {lost} lost, {duplicates} duplicates, {gaps} gaps, \
         {unavailable} times unavailable after {longest:?} at most, {dropped} connections cut, RSS grew by {rss_growth} KiB, \
         healed after {healed:?}"
    );
    assert_eq!((acked as u64, dropped), (sent, 0), "every message was acknowledged in the end, and no client was cut off");
    assert!(unavailable > 0 && longest < Duration::from_secs(2), "told unavailable after {longest:?}");
    assert!(rss_growth < 64 * 1024, "it grew by {rss_growth} KiB");
    assert!(healed < Duration::from_secs(5), "normal after {healed:?}");
}

#[tokio::test]
async fn a_restart_of_postgres_that_nobody_noticed_costs_nobody_an_error() {
    /// From here on a connection is asked before it is used.
    const IDLE: Duration = Duration::from_secs(1);
    let mut postgres = PostgresServer::start().await;
    let database = TestDatabase::of(&postgres);
    let server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let message = new_message(Kind::Chat, 1, 1, "x");
    assert_eq!(client.request(message.clone()).await["type"], "ACK");
    let last = Instant::now();
    postgres.stop().await;
    postgres.start_again().await;
    sleep(IDLE.saturating_sub(last.elapsed())).await;
    assert_eq!(client.request(message).await["seq"], 2);
    assert_eq!(server.get("/readyz").await.0, 200);
}

#[tokio::test]
async fn a_server_whose_database_is_away_still_stops_in_time() {
    let postgres = PostgresServer::start().await;
    let database = TestDatabase::of(&postgres);
    let mut server = Server::start(&database).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    postgres.freeze();
    client.post(Kind::Chat, 1, "x").await;
    assert_eq!(client.expect_error("unavailable").await["field"], Value::Null);
    let told = Instant::now();
    server.terminate();
    assert_eq!(client.closed().await.0, 1001);
    assert_eq!(server.ended().await, Some(0), "{}", server.log());
    assert!(told.elapsed() < Duration::from_secs(10), "it took {:?}", told.elapsed());
    postgres.thaw();
}
