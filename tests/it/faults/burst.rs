//! A burst, whose batches follow close on each other. On PostgreSQL one is written while the one before it is handed out, and begins
//! with its COMMIT.

use super::{
    doubt::{Poison, refuse_poison},
    ready,
};
use crate::harness::{
    Backend, Client, Kind, Server, TestDatabase,
    checker::{Acked, ClientLog, Seen, check},
    new_message,
    proxy::{Break, Proxy},
};
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use uuid::Uuid;

const SENDERS: i64 = 8;

/// How often it is tried to have more wait when a batch is committed, which is in no test's hand.
const TRIES: usize = 20;

/// Messages of each, written at once: all together are more than a batch takes where it leaves half for the next.
const EACH: usize = 80;

/// One who writes, and what it was told.
struct Sender {
    client: Client,
    acked: Vec<Acked>,
    seen: Vec<Seen>,
}

impl Sender {
    async fn connect_all(server: &Server) -> Vec<Self> {
        let mut all = Vec::new();
        for user in 1..=SENDERS {
            let (client, _) = Client::natter_v1(server, user).await;
            all.push(Self { client, acked: Vec::new(), seen: Vec::new() });
        }
        all
    }

    fn messages(&self, kind: Kind) -> Vec<Value> {
        let message = |number: usize| {
            let mut message = new_message(kind, 3, self.client.user, &number.to_string());
            message["client_id"] = json!(Uuid::new_v4());
            message["request_id"] = json!(number.to_string());
            message
        };
        (0..EACH).map(message).collect()
    }

    /// Writes them, and reads the answers: the messages that were refused, of which nothing is stored.
    async fn post(&mut self, kind: Kind, messages: &[Value]) -> Vec<Value> {
        self.client.send_together(messages).await;
        let refused = self.read_answers(kind, messages.len()).await;
        messages.iter().filter(|message| refused.contains(&message["request_id"])).cloned().collect()
    }

    /// Reads until so many requests are answered: which ones were refused for the time being.
    async fn read_answers(&mut self, kind: Kind, count: usize) -> Vec<Value> {
        let (mut answered, mut refused) = (0, Vec::new());
        while answered < count {
            let frame = self.client.next().await;
            match frame["type"].as_str() {
                Some("ACK") => {
                    // What was refused before was not stored then.
                    assert_eq!(frame["payload"]["duplicate"], false, "{frame}");
                    self.acked.push(Acked::of(&frame, kind, self.client.user));
                }
                Some("ERROR") => {
                    assert_eq!(frame["payload"]["code"], "unavailable", "{frame}");
                    refused.push(frame["request_id"].clone());
                }
                _ => self.seen.extend(Seen::of(&frame)),
            }
            answered += usize::from(!frame["request_id"].is_null());
        }
        refused
    }

    async fn read_events(&mut self, count: usize) {
        while self.seen.len() < count {
            self.seen.extend(Seen::of(&self.client.next().await));
        }
    }
}

/// Everything that was acknowledged is stored, everybody was told of it, and nothing else is there.
async fn check_all(database: &TestDatabase, senders: Vec<Sender>, stored: usize) {
    let (mut acked, mut logs) = (Vec::new(), Vec::new());
    for mut sender in senders {
        sender.read_events(stored).await;
        acked.extend(sender.acked);
        logs.push(ClientLog { user: sender.client.user, since: 0, seen: sender.seen });
    }
    let figures = check(database, &acked, &logs).await;
    assert_eq!((figures.acked, figures.stored), (stored, stored));
}

/// Whoever waits gets the truth of a COMMIT that nobody answered, also where the next batch began with it; who comes behind it is
/// refused, and its retry is stored.
#[rstest]
#[tokio::test]
async fn a_commit_with_which_the_next_batch_began_is_looked_up_too(
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
    #[values(Break::Answer, Break::Commit, Break::Silence)] fate: Break,
) {
    let (database, proxy) = Proxy::with_database().await;
    let server = Server::unlimited(&database).await;
    let mut senders = Sender::connect_all(&server).await;
    proxy.strike_with_more_to_come(fate);
    let (mut stored, mut all_refused) = (0, 0);
    for _ in 0..TRIES {
        let bursts: Vec<Vec<Value>> = senders.iter().map(|sender| sender.messages(kind)).collect();
        let posting = senders.iter_mut().zip(&bursts).map(|(sender, burst)| sender.post(kind, burst));
        let refused = join_all(posting).await;
        ready(&server).await;
        for (sender, refused) in senders.iter_mut().zip(refused) {
            all_refused += refused.len();
            assert!(sender.post(kind, &refused).await.is_empty());
        }
        stored += senders.len() * EACH;
        if !proxy.is_armed() {
            break;
        }
    }
    assert!(!proxy.is_armed(), "no batch began with the COMMIT of the one before it");
    assert!(all_refused > 0 || fate != Break::Commit, "what was not committed was not refused");
    check_all(&database, senders, stored).await;
}

/// Which of a sender's messages spoils its batch: each sender's another one.
fn poisoned(place: usize) -> usize {
    place * 10 + 9
}

/// What a sender had stored before it is told before a row of its own is refused, though it may not be handed out yet when the next batch
/// fails.
#[rstest]
#[tokio::test]
async fn a_row_is_refused_after_what_its_sender_had_stored_before(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::unlimited(&database).await;
    refuse_poison(&database, kind, "poison", Poison::Fails).await;
    let mut senders = Sender::connect_all(&server).await;
    let bursts: Vec<Vec<Value>> = senders.iter().map(|sender| sender.messages(kind)).collect();
    for (place, (sender, mut burst)) in senders.iter_mut().zip(bursts).enumerate() {
        burst[poisoned(place)]["content"] = json!("poison");
        sender.client.send_together(&burst).await;
    }
    for (place, sender) in senders.iter_mut().enumerate() {
        let mut own = 0;
        for number in 0..EACH {
            let answer = loop {
                let frame = sender.client.next().await;
                if !frame["request_id"].is_null() {
                    break frame;
                }
                own += usize::from(frame["payload"]["sender_id"] == sender.client.user);
                sender.seen.extend(Seen::of(&frame));
            };
            let is_poison = number == poisoned(place);
            let expected = (json!(number.to_string()), json!(if is_poison { "ERROR" } else { "ACK" }));
            assert_eq!((&answer["request_id"], &answer["type"]), (&expected.0, &expected.1), "{answer}");
            if is_poison {
                assert_eq!(answer["payload"]["code"], "internal", "{answer}");
                assert_eq!(own, number, "events that came before the refusal");
            } else {
                sender.acked.push(Acked::of(&answer, kind, sender.client.user));
            }
        }
    }
    let stored = senders.len() * (EACH - 1);
    check_all(&database, senders, stored).await;
}
