//! Nothing lost, nothing twice, whatever breaks: the server killed (D1), PostgreSQL killed (D2), the database away (D4), a COMMIT
//! without an answer, a row that spoils its batch, and keys that are raced. Each ends with the checker.

use crate::harness::{
    Backend, Client, Crowd, Kind, PATIENCE, PostgresServer, Server, TestDatabase,
    checker::{Acked, ClientLog, Figures, Seen, check},
    new_message,
    proxy::{Break, Proxy},
    server::Start,
};
use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::{
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

const SENDERS: usize = 50;

/// Fifty senders at this pace offer 830 messages a second while the server is there.
const PACE: Duration = Duration::from_millis(60);

/// A server comes back where it was, so that its clients find it again.
struct Place {
    port: String,
}

impl Place {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self { port: listener.local_addr().expect("its address").port().to_string() }
    }

    /// A server in this place; it logs what concerns faults, not every message.
    async fn server(&self, database: &TestDatabase) -> Server {
        let start = Start::on(database).env("PORT", &self.port).unlimited();
        start.env("RUST_LOG", "warn,natter::app=info,natter::store=info").listening().await
    }
}

/// Waits for `GET /readyz` to say so: how long it took.
async fn ready(server: &Server) -> Duration {
    let asked = Instant::now();
    timeout(PATIENCE, async { while server.get("/readyz").await.0 != 200 {} }).await.expect("it becomes ready");
    asked.elapsed()
}

/// A number that the N tier raises, as `make soak` does.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Moments that are random and can be had again: the seed is printed.
fn seeded() -> fastrand::Rng {
    let seed = number("NATTER_TEST_SEED", fastrand::u64(..));
    eprintln!("NATTER_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

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

/// A COMMIT whose outcome nobody told: whoever waits gets the truth, and those who watch get the event, once.
#[rstest]
#[tokio::test]
async fn a_commit_without_an_answer_is_looked_up_and_then_told(
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
    #[values(Break::Answer, Break::Commit, Break::Silence)] fate: Break,
) {
    let mut database = TestDatabase::new(Backend::Postgres).await;
    let proxy = Proxy::to(&database).await;
    database.url.clone_from(&proxy.url);
    let server = Server::start(&database).await;
    let (mut watcher, _) = Client::natter_v1(&server, 2).await;
    let (mut sender, _) = Client::natter_v1(&server, 1).await;
    let mut message = new_message(kind, 3, 1, "in doubt");
    message["client_id"] = json!(Uuid::new_v4());
    assert_eq!(sender.request(message.clone()).await["type"], "ACK");

    message["client_id"] = json!(Uuid::new_v4());
    proxy.strike(fate);
    let answer = sender.request(message.clone()).await;
    let mut acked = Vec::new();
    match fate {
        Break::Answer | Break::Silence => assert_eq!((&answer["type"], &answer["seq"]), (&json!("ACK"), &json!(2)), "{answer}"),
        Break::Commit => assert_eq!(answer["payload"]["code"], "unavailable", "{answer}"),
    }
    // A retry finds what is stored, or stores it.
    let again = sender.request(message).await;
    assert_eq!((&again["seq"], &again["payload"]["duplicate"]), (&json!(2), &json!(fate != Break::Commit)), "{again}");
    acked.push(Acked::of(&again, kind, 1));

    let seen = [watcher.next().await, watcher.next().await].iter().filter_map(Seen::of).collect();
    let figures = check(&database, &acked, &[ClientLog { user: 1, since: 0, seen }]).await;
    assert_eq!(figures.stored, 2);
}

/// Makes the database refuse one content.
async fn refuse_poison(database: &TestDatabase, kind: Kind) {
    let table = kind.table();
    let sql = match database.backend {
        Backend::Postgres => format!("ALTER TABLE {table} ADD CONSTRAINT no_poison CHECK (content <> 'poison')"),
        Backend::Sqlite => format!(
            "CREATE TRIGGER no_poison BEFORE INSERT ON {table} WHEN NEW.content = 'poison' BEGIN SELECT RAISE(ABORT, 'poison'); END"
        ),
    };
    let db = database.connect().await;
    db.execute_unprepared(&sql).await.expect("a constraint");
    db.close().await.expect("the connection closes");
}

#[rstest]
#[tokio::test]
async fn a_row_that_spoils_its_batch_costs_only_its_own_sender(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    const BATCH: usize = 20;
    const POISON: usize = 7;
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    refuse_poison(&database, kind).await;
    let (mut poisoner, _) = Client::natter_v1(&server, 1).await;
    let (mut bystander, _) = Client::natter_v1(&server, 2).await;
    let frames = |user: i64, poison: Option<usize>| -> Vec<Value> {
        let frame = |number: usize| {
            let content = if poison == Some(number) { "poison".to_owned() } else { number.to_string() };
            let mut frame = new_message(kind, 3, user, &content);
            frame["client_id"] = json!(Uuid::new_v4());
            frame["request_id"] = json!(number.to_string());
            frame
        };
        (0..BATCH).map(frame).collect()
    };
    poisoner.send_together(&frames(1, Some(POISON))).await;
    bystander.send_together(&frames(2, None)).await;

    let mut acked = Vec::new();
    let mut logs = Vec::new();
    for (client, posted) in [(&mut poisoner, BATCH - 1), (&mut bystander, BATCH)] {
        let (mut seen, mut answered) = (Vec::new(), 0);
        while seen.len() < 2 * BATCH - 1 || answered < BATCH {
            let frame = client.next().await;
            match frame["type"].as_str() {
                Some("ACK") => acked.push(Acked::of(&frame, kind, client.user)),
                Some("ERROR") => {
                    let told = (&frame["request_id"], &frame["payload"]["code"], client.user);
                    assert_eq!(told, (&json!(POISON.to_string()), &json!("internal"), 1), "{frame}");
                }
                _ => seen.extend(Seen::of(&frame)),
            }
            answered += usize::from(!frame["request_id"].is_null());
        }
        assert_eq!(acked.iter().filter(|acked| acked.sender == client.user).count(), posted);
        logs.push(ClientLog { user: 1, since: 0, seen });
    }
    let figures = check(&database, &acked, &logs).await;
    assert_eq!(figures.stored, 2 * BATCH - 1);
}

#[rstest]
#[tokio::test]
async fn a_key_that_is_raced_and_repeated_stands_for_one_message(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    const KEYS: usize = 30;
    let database = TestDatabase::new(backend).await;
    let mut server = Server::unlimited(&database).await;
    let (mut watcher, _) = Client::natter_v1(&server, 9).await;
    let messages: Vec<Value> = (0..KEYS)
        .map(|number| {
            let mut message = new_message(kind, 3, 1, &number.to_string());
            message["client_id"] = json!(Uuid::new_v4());
            message["request_id"] = json!(number.to_string());
            message
        })
        .collect();
    // In one batch twice, and from two sessions of the user at once.
    let twice: Vec<Value> = messages.iter().flat_map(|message| [message.clone(), message.clone()]).collect();
    let (mut first, _) = Client::natter_v1(&server, 1).await;
    let (mut second, _) = Client::natter_v1(&server, 1).await;
    tokio::join!(first.send_together(&twice), second.send_together(&twice));
    let mut acks = acks(&mut first, 2 * KEYS).await;
    acks.extend(self::acks(&mut second, 2 * KEYS).await);
    assert_eq!(acks.iter().filter(|ack| ack["payload"]["duplicate"] == false).count(), KEYS);
    let mut seen = Vec::new();
    while seen.len() < KEYS {
        seen.extend(Seen::of(&watcher.next().await));
    }

    server.kill().await;
    let server = Server::unlimited(&database).await;
    let (mut third, _) = Client::natter_v1(&server, 1).await;
    third.send_together(&messages).await;
    let late = self::acks(&mut third, KEYS).await;
    assert!(late.iter().all(|ack| ack["payload"]["duplicate"] == true));
    acks.extend(late);

    for ack in &acks {
        let of_same_key = acks.iter().filter(|other| other["request_id"] == ack["request_id"]);
        let told = |ack: &Value| (ack["seq"].clone(), ack["payload"]["id"].clone(), ack["payload"]["created_at"].clone());
        assert!(of_same_key.map(told).all(|other| other == told(ack)), "{ack}");
    }
    let acked: Vec<Acked> = acks.iter().map(|ack| Acked::of(ack, kind, 1)).collect();
    let figures = check(&database, &acked, &[ClientLog { user: 1, since: 0, seen }]).await;
    assert_eq!(figures.stored, KEYS);
}

/// The next acknowledgements of a session; events in between are passed over.
async fn acks(client: &mut Client, count: usize) -> Vec<Value> {
    let mut acks = Vec::new();
    while acks.len() < count {
        let frame = client.next().await;
        assert_ne!(frame["type"], "ERROR", "{frame}");
        if frame["type"] == "ACK" {
            acks.push(frame);
        }
    }
    acks
}
