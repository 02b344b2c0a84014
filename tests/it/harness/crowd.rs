//! A crowd of `natter.v1` clients that keep posting at a steady rate, come back whenever the server does, and never give a message up.

use super::{
    Kind, PATIENCE, TestDatabase,
    checker::{Acked, ClientLog, Seen},
    new_message,
    refetch::Refetch,
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Interval, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use uuid::Uuid;

/// Between two tries to connect: the pace of clients that want to be back soon.
const COME_BACK: Duration = Duration::from_millis(20);

/// Messages of one client that may wait for their answers.
const IN_FLIGHT: usize = 16;

/// Who has still to read is told the next event within this; where not, the client itself says where it is.
const SILENCE: Duration = Duration::from_secs(15);

/// Of each kind.
const CONVERSATIONS: i64 = 7;

/// What the crowd has done so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Messages made, each counted once however often it was tried.
    sent: AtomicU64,
    acked: watch::Sender<u64>,
    unavailable: AtomicU64,
    /// Messages for conversations that were closed to their senders.
    denied: AtomicU64,
    /// The longest that anyone waited to be told `unavailable`, in milliseconds.
    longest_refusal: AtomicU64,
    /// Connections that ended.
    dropped: AtomicU64,
}

/// The crowd at work.
pub(crate) struct Crowd {
    size: usize,
    pub(crate) tally: Arc<Tally>,
    phase: watch::Sender<Phase>,
    settled: mpsc::Receiver<()>,
    clients: JoinSet<Outcome>,
}

/// What the crowd is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Posting,
    /// Nothing new is posted; what has no answer yet is tried again until it has.
    Settling,
    /// Each reads up to this event, and is done.
    ReadingUpTo(i64),
}

/// What the checker is given.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) acked: Vec<Acked>,
    pub(crate) logs: Vec<ClientLog>,
    /// Of each client that began afresh: what it holds in the end.
    pub(crate) held: Vec<HashMap<(Kind, i64), u64>>,
}

impl Tally {
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn acked(&self) -> u64 {
        *self.acked.borrow()
    }

    pub(crate) fn unavailable(&self) -> u64 {
        self.unavailable.load(Ordering::Relaxed)
    }

    pub(crate) fn denied(&self) -> u64 {
        self.denied.load(Ordering::Relaxed)
    }

    pub(crate) fn longest_refusal(&self) -> Duration {
        Duration::from_millis(self.longest_refusal.load(Ordering::Relaxed))
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until this many more are acknowledged than now.
    pub(crate) async fn acked_more(&self, more: u64) {
        let goal = self.acked() + more;
        let mut acked = self.acked.subscribe();
        timeout(PATIENCE, acked.wait_for(|acked| *acked >= goal)).await.expect("the load runs").expect("it is counted");
    }
}

impl Crowd {
    /// `size` clients of the server at `address`, each posting every `pace`, to chats and support chats in turn.
    pub(crate) async fn gather(address: &str, size: usize, pace: Duration) -> Self {
        let tally = Arc::new(Tally::default());
        let (phase, phases) = watch::channel(Phase::Posting);
        let (settle, settled) = mpsc::channel(size);
        let mut clients = JoinSet::new();
        for user in (1..).take(size) {
            let client = CrowdClient {
                address: address.to_owned(),
                user,
                log_id: None,
                log: ClientLog { user, ..ClientLog::default() },
                at: 0,
                heard: Instant::now(),
                unanswered: BTreeMap::new(),
                to_try: BTreeSet::new(),
                made: 0,
                acked: Vec::new(),
                refetch: None,
                tally: Arc::clone(&tally),
            };
            // Spread over the pace, so that the load is even.
            let start = pace * u32::try_from(user).expect("a small crowd") / u32::try_from(size).expect("a small crowd");
            clients.spawn(client.live(start, pace, phases.clone(), settle.clone()));
        }
        let crowd = Self { size, tally, phase, settled, clients };
        crowd.tally.acked_more(size as u64).await;
        crowd
    }

    /// Has every message answered and every client read the whole log. The server must be there.
    pub(crate) async fn disperse(mut self, database: &TestDatabase) -> Outcome {
        self.settle().await;
        self.read_to_the_end(database).await
    }

    /// Has every message answered. The server must be there.
    pub(crate) async fn settle(&mut self) {
        self.phase.send_replace(Phase::Settling);
        for _ in 0..self.size {
            timeout(PATIENCE, self.settled.recv()).await.expect("every message gets its answer").expect("a client lives");
        }
    }

    /// Has every client read up to the last event, which must be for all of them.
    pub(crate) async fn read_to_the_end(mut self, database: &TestDatabase) -> Outcome {
        let head = database.number("SELECT CAST(seq AS BIGINT) FROM log_head").await;
        self.phase.send_replace(Phase::ReadingUpTo(head));
        let mut all = Outcome::default();
        // Whoever was cut off again and again may have much to read: as long as it goes on, see `SILENCE`.
        while let Some(client) = self.clients.join_next().await {
            let mut client = client.expect("a client lives");
            all.acked.append(&mut client.acked);
            all.logs.append(&mut client.logs);
            all.held.append(&mut client.held);
        }
        all
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One of the crowd.
struct CrowdClient {
    address: String,
    user: i64,
    /// Told by the first `WELCOME`.
    log_id: Option<String>,
    log: ClientLog,
    /// The last event that it was told of.
    at: i64,
    /// When it was told anything.
    heard: Instant,
    /// Messages without an `ACK`, by request.
    unanswered: BTreeMap<u64, Unanswered>,
    /// Those of them that must be sent, for the first time or again.
    to_try: BTreeSet<u64>,
    /// Messages so far.
    made: u64,
    acked: Vec<Acked>,
    /// Since it was told to begin afresh.
    refetch: Option<Refetch>,
    tally: Arc<Tally>,
}

struct Unanswered {
    kind: Kind,
    frame: Value,
    /// When it was last sent.
    tried: Instant,
}

impl CrowdClient {
    async fn live(
        mut self,
        start: Duration,
        pace: Duration,
        mut phase: watch::Receiver<Phase>,
        settle: mpsc::Sender<()>,
    ) -> Outcome {
        sleep(start).await;
        let mut pace = interval(pace);
        pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut settle = Some(settle);
        loop {
            if let Some(mut socket) = self.connect().await {
                if self.take_part(&mut socket, &mut pace, &mut phase, &mut settle).await {
                    let held = self.refetch.into_iter().map(|refetch| refetch.held).collect();
                    return Outcome { acked: self.acked, logs: vec![self.log], held };
                }
                self.tally.dropped.fetch_add(1, Ordering::Relaxed);
            }
            sleep(COME_BACK).await;
        }
    }

    /// Connects, with its cursor if it has one. What has no answer is tried again.
    async fn connect(&mut self) -> Option<Socket> {
        let cursor = self.log_id.as_ref().map(|log_id| format!("&since={}&log={log_id}", self.at)).unwrap_or_default();
        let url = format!("ws://{}/ws?userId={}{cursor}", self.address, self.user);
        let mut request = url.into_client_request().expect("an address");
        request.headers_mut().insert("sec-websocket-protocol", "natter.v1".parse().expect("a header"));
        let (socket, _) = timeout(PATIENCE, connect_async(request)).await.expect("an answer, or none at all").ok()?;
        self.to_try = self.unanswered.keys().copied().collect();
        self.refetch.iter_mut().for_each(Refetch::ask_again);
        Some(socket)
    }

    /// Posts and reads until the connection ends, or until everything is done: then it is true.
    async fn take_part(
        &mut self,
        socket: &mut Socket,
        pace: &mut Interval,
        phase: &mut watch::Receiver<Phase>,
        settle: &mut Option<mpsc::Sender<()>>,
    ) -> bool {
        loop {
            let now = *phase.borrow_and_update();
            match now {
                Phase::Settling if self.is_settled() => drop(settle.take().map(|settle| settle.try_send(()))),
                Phase::ReadingUpTo(head) if self.at >= head => return true,
                Phase::Posting | Phase::Settling | Phase::ReadingUpTo(_) => {}
            }
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.hear(&serde_json::from_str(&text).expect("a frame is JSON")),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    _ => return false,
                },
                _ = pace.tick() => {
                    if now == Phase::Posting && self.unanswered.len() < IN_FLIGHT {
                        self.make();
                    }
                    if !self.send(socket).await {
                        return false;
                    }
                }
                changed = phase.changed() => changed.expect("the crowd is there"),
                () = sleep_until((self.heard + SILENCE).into()), if matches!(now, Phase::ReadingUpTo(_)) => {
                    panic!("user {} is at event {} of {now:?}, and was told nothing for {SILENCE:?}", self.user, self.at)
                }
            }
        }
    }

    /// Every message has its answer, and every page has come.
    fn is_settled(&self) -> bool {
        self.unanswered.is_empty() && self.refetch.as_ref().is_none_or(Refetch::is_done)
    }

    /// One more message, under a key of its own.
    fn make(&mut self) {
        self.made += 1;
        let kind = if self.made.is_multiple_of(2) { Kind::Chat } else { Kind::Support };
        let mut frame = new_message(kind, self.user % CONVERSATIONS + 1, self.user, &format!("{} of {}", self.made, self.user));
        frame["client_id"] = json!(Uuid::new_v4());
        frame["request_id"] = json!(self.made.to_string());
        self.unanswered.insert(self.made, Unanswered { kind, frame, tried: Instant::now() });
        self.to_try.insert(self.made);
        self.tally.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Sends what is to be tried; false where the connection has ended.
    async fn send(&mut self, socket: &mut Socket) -> bool {
        for number in std::mem::take(&mut self.to_try) {
            let Some(message) = self.unanswered.get_mut(&number) else { continue };
            message.tried = Instant::now();
            if socket.send(Message::text(message.frame.to_string())).await.is_err() {
                return false;
            }
        }
        match self.refetch.as_mut().and_then(Refetch::request) {
            Some(request) => socket.send(Message::text(request.to_string())).await.is_ok(),
            None => true,
        }
    }

    fn hear(&mut self, frame: &Value) {
        self.heard = Instant::now();
        match frame["type"].as_str().expect("a type") {
            "WELCOME" => {
                let is_first = self.log_id.is_none();
                self.log_id = frame["payload"]["log_id"].as_str().map(str::to_owned);
                if is_first {
                    self.begin_at(&frame["payload"]);
                }
            }
            "RESET" => {
                assert_eq!(frame["payload"]["reason"], "other_log");
                self.begin_at(&frame["payload"]);
                // What was acknowledged in the other log is not promised in this one.
                self.acked.clear();
                self.refetch = Some(Refetch::of(1..=CONVERSATIONS));
            }
            "HISTORY" => self.refetch.iter_mut().for_each(|refetch| refetch.take(&frame["payload"])),
            "ERROR" if frame["request_id"] == Refetch::REQUEST => self.refetch.iter_mut().for_each(Refetch::ask_again),
            "RESUMED" => {}
            "ACK" => self.acknowledged(frame),
            "ERROR" => self.refused(frame),
            _ => {
                let seen = Seen::of(frame).unwrap_or_else(|| panic!("an event was expected: {frame}"));
                self.at = seen.seq;
                self.refetch.iter_mut().for_each(|refetch| refetch.told(&seen));
                self.log.seen.push(seen);
            }
        }
    }

    /// Its log begins at the head that a `WELCOME` or `RESET` names.
    fn begin_at(&mut self, head: &Value) {
        self.at = head["seq"].as_i64().expect("a seq");
        self.log = ClientLog { user: self.user, since: self.at, seen: Vec::new() };
    }

    fn acknowledged(&mut self, frame: &Value) {
        // Tried twice, answered twice: the first answer took it away.
        let Some(message) = self.unanswered.remove(&number(frame)) else { return };
        self.acked.push(Acked::of(frame, message.kind, self.user));
        self.tally.acked.send_modify(|acked| *acked += 1);
    }

    /// It is tried again with the next beat, unless the conversation is closed to the sender.
    fn refused(&mut self, frame: &Value) {
        let number = number(frame);
        if ["not_found", "forbidden"].contains(&frame["payload"]["code"].as_str().expect("a code")) {
            self.unanswered.remove(&number);
            self.tally.denied.fetch_add(1, Ordering::Relaxed);
            return;
        }
        assert_eq!(frame["payload"]["code"], "unavailable", "{frame}");
        if let Some(message) = self.unanswered.get(&number) {
            let waited = u64::try_from(message.tried.elapsed().as_millis()).expect("not that long");
            self.tally.longest_refusal.fetch_max(waited, Ordering::Relaxed);
            self.tally.unavailable.fetch_add(1, Ordering::Relaxed);
            self.to_try.insert(number);
        }
    }
}

/// The request that a frame answers.
fn number(frame: &Value) -> u64 {
    frame["request_id"].as_str().and_then(|text| text.parse().ok()).expect("a request of ours")
}
