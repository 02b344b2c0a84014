//! A server that many cases share, one after the other, and a witness who reads its log from the first event to the last.

use super::participant::Participant;
use crate::harness::{
    Backend, Server, TestDatabase,
    checker::{Acked, ClientLog, Seen, check},
    server::Start,
};
use serde_json::Value;
use std::collections::HashMap;

/// Events that a client may have missed: few, so that `RESET` is reached.
const MAX_MISSED: &str = "12";

const WITNESS: i64 = 1_000_000_000;

/// A database, a server, and what is known of them.
pub(super) struct World {
    database: TestDatabase,
    pub(super) server: Server,
    witness: Participant,
    /// Sessions of each user that ended since the server was started.
    ended: HashMap<i64, usize>,
    /// Cases so far.
    pub(super) cases: i64,
    acked: Vec<Acked>,
    log: ClientLog,
}

impl World {
    pub(super) async fn new(backend: Backend) -> Self {
        let database = TestDatabase::new(backend).await;
        let server = start(&database).await;
        let mut witness = Participant::new(WITNESS);
        witness.begin(&server, &[]).await;
        Self { database, server, witness, ended: HashMap::new(), cases: 0, acked: Vec::new(), log: ClientLog::default() }
    }

    /// SIGKILL, and a new start. Whatever was connected is not any more.
    pub(super) async fn kill(&mut self) {
        self.server.kill().await;
        self.witness.read_to_the_end().await;
        self.server = start(&self.database).await;
        self.ended.clear();
        self.witness.resume(&self.server, &[]).await;
    }

    /// A session of this user has ended, or is about to.
    pub(super) fn ends(&mut self, user: i64) {
        *self.ended.entry(user).or_default() += 1;
    }

    /// Waits until the server has heard of every session's end: what it had sent is in the queue by then, or will never be.
    pub(super) async fn settled(&self) {
        for (user, sessions) in &self.ended {
            self.server.logged_times(&format!("User {user} disconnected"), *sessions).await;
        }
    }

    /// Every event of the case, the last of which is `last`.
    pub(super) async fn witnessed(&mut self, last: i64) -> Vec<(Seen, Value)> {
        self.witness.reaches(last).await;
        self.witness.copies.clear();
        let told = std::mem::take(&mut self.witness.told);
        self.log.seen.extend(told.iter().map(|(seen, _)| seen.clone()));
        told
    }

    /// A case is over.
    pub(super) fn judged(&mut self, acked: impl Iterator<Item = Acked>) {
        self.acked.extend(acked);
        self.ended.clear();
        self.cases += 1;
    }

    /// All rows, the whole log, and everything that was acknowledged in any case.
    pub(super) async fn check(mut self) {
        self.server.terminate();
        assert_eq!(self.server.ended().await, Some(0));
        let figures = check(&self.database, &self.acked, &[self.log]).await;
        eprintln!("{} cases: {figures:?}", self.cases);
    }
}

async fn start(database: &TestDatabase) -> Server {
    // Little is logged, because much is looked through.
    let filter = "warn,natter::app=info,natter::server::chat_server=info";
    Start::on(database).unlimited().env("NATTER_RESUME__MAX_EVENTS", MAX_MISSED).env("RUST_LOG", filter).listening().await
}
