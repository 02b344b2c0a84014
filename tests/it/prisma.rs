//! An application that has its messages by Prisma: Natter takes its database over, and both go on beside each other.

use crate::{
    harness::{Backend, Client, Kind, Server, TestDatabase},
    programs::{client, output},
};
use rstest::rstest;
use serde_json::Value;
use std::collections::BTreeMap;

const KINDS: [Kind; 2] = [Kind::Chat, Kind::Support];

/// The application, with the real Prisma client.
#[derive(Clone)]
struct Prisma {
    url: String,
}

/// All rows of the two tables by table, as Prisma's client gives them.
type Rows = BTreeMap<String, Vec<Value>>;

impl Prisma {
    fn on(database: &TestDatabase) -> Self {
        let url = match database.backend {
            Backend::Sqlite => format!("file:{}", database.folder.path().join("natter.db").display()),
            Backend::Postgres => database.url.clone(),
        };
        Self { url }
    }

    /// Makes the two tables as Prisma's own migration does.
    async fn create_tables(&self) {
        assert_eq!(self.run(&["create"]).await, "");
    }

    /// Inserts `count` rows into each table, one by one: the rows.
    async fn insert(&self, count: usize) -> Rows {
        serde_json::from_str(&self.run(&["insert", &count.to_string()]).await).expect("the rows")
    }

    /// All rows, by id.
    async fn list(&self) -> Rows {
        serde_json::from_str(&self.run(&["list"]).await).expect("the rows")
    }

    async fn run(&self, arguments: &[&str]) -> String {
        output(client("prisma.mjs").await.args(arguments).env("DATABASE_URL", &self.url)).await
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

    let application = prisma.clone();
    let inserting = tokio::spawn(async move { application.insert(20).await });
    let mut natters = Rows::new();
    while !inserting.is_finished() {
        post_both(&mut client, &mut natters).await;
    }
    let prismas = inserting.await.expect("Prisma's rows");

    // A message is shown with the words of its row, so what was shown and what Prisma reads are equal as they stand.
    assert_eq!(prisma.list().await, merged(&[&prismas, &natters]));
    let posted = natters.values().map(Vec::len).sum::<usize>();
    assert_eq!(database.assert_gapless_log().await, i64::try_from(posted).expect("a count"));
}
