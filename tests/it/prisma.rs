//! An application that has its messages by Prisma: Natter takes its database over, and both go on beside each other.

use crate::{
    harness::{Backend, Client, Kind, PATIENCE, Server, TestDatabase},
    programs::{client, json_lines, output},
};
use rstest::rstest;
use serde_json::Value;
use std::{collections::BTreeMap, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout},
    time::timeout,
};

const KINDS: [Kind; 2] = [Kind::Chat, Kind::Support];

/// The application, with the real Prisma client.
pub(crate) struct Prisma {
    url: String,
}

/// All rows of the two tables by table, as Prisma's client gives them.
pub(crate) type Rows = BTreeMap<String, Vec<Value>>;

impl Prisma {
    pub(crate) fn on(database: &TestDatabase) -> Self {
        let url = match database.backend {
            Backend::Sqlite => format!("file:{}", database.folder.path().join("natter.db").display()),
            Backend::Postgres => database.url.clone(),
        };
        Self { url }
    }

    /// Makes the two tables as Prisma's own migration does.
    pub(crate) async fn create_tables(&self) {
        assert_eq!(self.run(&["create"]).await, "");
    }

    /// Inserts `count` rows into each table, one by one.
    pub(crate) async fn insert(&self, count: usize) -> Rows {
        let mut rows = Rows::new();
        for pair in json_lines(&self.run(&["insert", &count.to_string()]).await) {
            add(&mut rows, &pair);
        }
        rows
    }

    /// Starts inserting into both tables, one row after the other.
    async fn start_inserting(&self) -> Inserting {
        let mut node = client("prisma.mjs").await;
        node.arg("insert").env("DATABASE_URL", &self.url).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = node.spawn().expect("Node starts");
        let printed = BufReader::new(process.stdout.take().expect("its output")).lines();
        Inserting { process, printed, rows: Rows::new() }
    }

    /// All rows, by id.
    async fn list(&self) -> Rows {
        serde_json::from_str(&self.run(&["list"]).await).expect("the rows")
    }

    async fn run(&self, arguments: &[&str]) -> String {
        output(client("prisma.mjs").await.args(arguments).env("DATABASE_URL", &self.url)).await
    }
}

/// The application at work, until it is told to stop.
struct Inserting {
    process: Child,
    printed: Lines<BufReader<ChildStdout>>,
    /// What it was seen to insert.
    rows: Rows,
}

impl Inserting {
    /// Waits for one more row of each table; `false` where it has ended.
    async fn one_more(&mut self) -> bool {
        let line = timeout(PATIENCE, self.printed.next_line()).await.expect("Prisma inserts").expect("a line");
        if let Some(line) = &line {
            add(&mut self.rows, &serde_json::from_str(line).expect("a pair of rows"));
        }
        line.is_some()
    }

    /// Has it finish what it is at: all that it inserted.
    async fn stop(mut self) -> Rows {
        drop(self.process.stdin.take());
        while self.one_more().await {}
        assert!(self.process.wait().await.expect("its status").success());
        self.rows
    }
}

/// Adds one row of each table to `rows`.
fn add(rows: &mut Rows, pair: &Value) {
    for kind in KINDS {
        rows.entry(kind.table().to_owned()).or_default().push(pair[kind.table()].clone());
    }
}

/// Posts one message of each kind and adds to `rows` what everyone is shown of them.
async fn post_both(client: &mut Client, rows: &mut Rows) {
    for kind in KINDS {
        client.post(kind, 1, "Natter's row: naïve 🙂").await;
        let payload = client.expect(kind.frame()).await["payload"].clone();
        rows.entry(kind.table().to_owned()).or_default().push(payload);
    }
}

/// The rows of all parts, by id.
fn merged(parts: &[&Rows]) -> Rows {
    let of_table = |table: &str| {
        let mut rows: Vec<Value> = parts.iter().flat_map(|part| part[table].clone()).collect();
        rows.sort_by_key(|row| row["id"].as_i64());
        (table.to_owned(), rows)
    };
    KINDS.iter().map(|kind| of_table(kind.table())).collect()
}

#[rstest]
#[tokio::test]
async fn a_database_that_prisma_made_is_taken_over_without_losing_a_row(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = TestDatabase::new(backend).await;
    let prisma = Prisma::on(&database);
    prisma.create_tables().await;
    let before = prisma.insert(20).await;
    assert_eq!(before["messages"].len(), 20);
    assert_eq!(before["support_messages"].len(), 20);

    let server = Server::start(&database).await;

    assert_eq!(prisma.list().await, before);
    let mut natters = Rows::new();
    post_both(&mut Client::classic(&server, 7).await, &mut natters).await;
    assert_eq!(natters["messages"][0]["id"], 21);
    assert_eq!(natters["support_messages"][0]["id"], 21);
}

#[rstest]
#[tokio::test]
async fn prisma_goes_on_reading_and_writing_while_natter_writes(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(true, false)] prisma_made_it: bool,
) {
    let database = TestDatabase::new(backend).await;
    let prisma = Prisma::on(&database);
    if prisma_made_it {
        prisma.create_tables().await;
    }
    let server = Server::start(&database).await;
    let mut client = Client::classic(&server, 7).await;

    let mut inserting = prisma.start_inserting().await;
    let mut natters = Rows::new();
    assert!(inserting.one_more().await);
    for _ in 0..50 {
        post_both(&mut client, &mut natters).await;
    }
    assert!(inserting.one_more().await);
    let prismas = inserting.stop().await;

    // A message is shown with the words of its row, so what was shown and what Prisma reads are equal as they stand.
    assert_eq!(prisma.list().await, merged(&[&prismas, &natters]));
    assert_eq!(database.assert_gapless_log().await, 100);
}
