//! One session with everything that a careful client keeps: its cursor, and a copy of the conversations made from frames alone.

use super::command::{Command, Outcome, Place};
use crate::harness::{Client, Kind, Server, checker::Seen};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A message, as a client or the server's history has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) conversation: i64,
    pub(super) version: i64,
    pub(super) content: String,
    pub(super) deleted: bool,
}

/// Messages by kind and id.
pub(super) type Copies = BTreeMap<(Kind, i64), Copy>;

/// A session, connected or away.
#[derive(Default)]
pub(super) struct Participant {
    pub(super) user: i64,
    client: Option<Client>,
    log_id: String,
    /// The last event that it has.
    pub(super) at: i64,
    /// Each event that it was told of, resumed ones included.
    pub(super) told: Vec<(Seen, Value)>,
    pub(super) copies: Copies,
    /// Commands of this connection, by number.
    unanswered: Vec<usize>,
}

impl Participant {
    pub(super) fn new(user: i64) -> Self {
        Self { user, ..Self::default() }
    }

    pub(super) fn is_here(&self) -> bool {
        self.client.is_some()
    }

    /// Connects with nothing, and loads what there is.
    pub(super) async fn begin(&mut self, server: &Server, places: &[Place]) {
        let (client, welcome) = Client::natter_v1(server, self.user).await;
        self.client = Some(client);
        welcome["payload"]["log_id"].as_str().expect("a log").clone_into(&mut self.log_id);
        self.begin_from(welcome["payload"]["seq"].as_i64().expect("a seq"), places).await;
    }

    /// Connects with its cursor, and is told what it missed, or begins anew where it is told to.
    pub(super) async fn resume(&mut self, server: &Server, places: &[Place]) {
        let (client, _) = Client::resuming(server, self.user, self.at, &self.log_id).await;
        self.client = Some(client);
        let from = self.at;
        loop {
            let frame = self.next().await;
            match frame["type"].as_str() {
                Some("RESUMED") => return assert_eq!(frame["payload"], json!({ "from": from, "to": self.at })),
                Some("RESET") => return self.begin_from(frame["payload"]["seq"].as_i64().expect("a seq"), places).await,
                _ => self.hear(&frame, &mut []),
            }
        }
    }

    async fn begin_from(&mut self, seq: i64, places: &[Place]) {
        self.at = seq;
        self.copies.clear();
        for (id, loaded) in self.history(places).await.into_iter().flatten() {
            self.take(id, loaded);
        }
    }

    /// What the server has of these conversations. Events that come meanwhile are taken.
    pub(super) async fn history(&mut self, places: &[Place]) -> Vec<Copies> {
        let mut histories = Vec::new();
        for (kind, conversation) in places {
            let ask = json!({ "type": "GET_HISTORY", kind.id_field(): conversation, "limit": 200, "request_id": "page" });
            self.client().send(&ask).await;
            let page = loop {
                let frame = self.next().await;
                if frame["type"] == "HISTORY" {
                    break frame["payload"].clone();
                }
                self.hear(&frame, &mut []);
            };
            assert_eq!(page["has_more"], false);
            let messages = page["messages"].as_array().expect("a list");
            histories.push(messages.iter().map(|message| (id(*kind, message, "id"), copy(*kind, message))).collect());
        }
        histories
    }

    fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("it is connected")
    }

    async fn next(&mut self) -> Value {
        self.client().next().await
    }

    /// Sends the command of this number.
    pub(super) async fn say(&mut self, commands: &[Command], number: usize) {
        self.client().send(&commands[number].frame(number)).await;
        self.unanswered.push(number);
    }

    /// Reads until each of its commands has its answer.
    pub(super) async fn answered(&mut self, commands: &mut [Command]) {
        while self.unanswered.iter().any(|number| commands[*number].outcome == Outcome::Unknown) {
            let frame = self.next().await;
            self.hear(&frame, commands);
        }
        self.unanswered.clear();
    }

    /// Reads until it has the event `seq`.
    pub(super) async fn reaches(&mut self, seq: i64) {
        while self.at < seq {
            let frame = self.next().await;
            self.hear(&frame, &mut []);
        }
    }

    fn hear(&mut self, frame: &Value, commands: &mut [Command]) {
        if let Some(seen) = Seen::of(frame) {
            assert_eq!(seen.seq, self.at + 1, "user {} was told out of turn: {frame}", self.user);
            self.at = seen.seq;
            self.apply(&seen, &frame["payload"]);
            self.told.push((seen, frame["payload"].clone()));
        } else if let Some(number) = frame["request_id"].as_str() {
            let number: usize = number.parse().expect("a number of ours");
            if let Some(command) = commands.get_mut(number) {
                command.answered(frame);
            }
        } else {
            panic!("nothing of this kind was expected: {frame}");
        }
    }

    fn apply(&mut self, seen: &Seen, payload: &Value) {
        let field = if payload["id"].is_null() { "message_id" } else { "id" };
        self.take(id(seen.kind, payload, field), copy(seen.kind, payload));
    }

    /// By version: what is loaded may be ahead of what is told, or behind it, because reads don't wait for commits.
    fn take(&mut self, id: (Kind, i64), copy: Copy) {
        let known = self.copies.entry(id).or_insert_with(|| copy.clone());
        if copy.version > known.version {
            *known = copy;
        }
    }

    /// Says goodbye.
    pub(super) async fn leave(&mut self) {
        if let Some(client) = self.client.take() {
            assert_eq!(client.close().await, 1000);
        }
        self.unanswered.clear();
    }

    /// Is gone, with whatever it was sent and did not read.
    pub(super) fn vanish(&mut self) {
        self.client = None;
        self.unanswered.clear();
    }

    /// Reads what it was still sent by a server that is gone.
    pub(super) async fn read_to_the_end(&mut self) {
        while let Some(frame) = self.client().next_if_any().await {
            self.hear(&frame, &mut []);
        }
        self.vanish();
    }
}

fn id(kind: Kind, payload: &Value, field: &str) -> (Kind, i64) {
    (kind, payload[field].as_i64().expect("an id"))
}

fn copy(kind: Kind, payload: &Value) -> Copy {
    Copy {
        conversation: payload[kind.id_field()].as_i64().expect("a conversation"),
        version: payload["version"].as_i64().expect("a version"),
        content: payload["content"].as_str().unwrap_or_default().to_owned(),
        deleted: payload["deleted_at"].is_string(),
    }
}
