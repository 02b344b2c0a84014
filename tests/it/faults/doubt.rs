//! One batch, and what becomes of whom: a COMMIT without an answer, a row that spoils its batch, keys that are raced.

use crate::harness::{
    Backend, Client, Kind, Server, TestDatabase,
    checker::{Acked, ClientLog, Seen, check},
    new_message,
    proxy::{Break, Proxy},
};
use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use uuid::Uuid;

/// A COMMIT whose outcome nobody told: whoever waits gets the truth, and those who watch get the event, once.
#[rstest]
#[tokio::test]
async fn a_commit_without_an_answer_is_looked_up_and_then_told(
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
    #[values(Break::Answer, Break::Commit, Break::Silence)] fate: Break,
) {
    let (database, proxy) = Proxy::with_database().await;
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

/// What an application's database does with a content that it does not want.
#[derive(Clone, Copy, Debug)]
pub(super) enum Poison {
    /// The statement fails.
    Fails,
    /// So does the transaction, whatever the driver thinks.
    RollsBack,
    /// The row is left out, and nobody is told.
    IsSkipped,
}

/// Makes the database refuse one content.
pub(super) async fn refuse_poison(database: &TestDatabase, kind: Kind, content: &str, poison: Poison) {
    let table = kind.table();
    let sql = match (database.backend, poison) {
        (Backend::Postgres, Poison::Fails | Poison::RollsBack) => {
            format!("ALTER TABLE {table} ADD CONSTRAINT no_{content} CHECK (content <> '{content}')")
        }
        (Backend::Postgres, Poison::IsSkipped) => format!(
            "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
            CREATE TRIGGER no_{content} BEFORE INSERT ON {table} FOR EACH ROW WHEN (NEW.content = '{content}') EXECUTE FUNCTION skip()"
        ),
        (Backend::Sqlite, poison) => {
            let raise = match poison {
                Poison::Fails => "ABORT, 'poison'",
                Poison::RollsBack => "ROLLBACK, 'poison'",
                Poison::IsSkipped => "IGNORE",
            };
            format!(
                "CREATE TRIGGER no_{content} BEFORE INSERT ON {table} WHEN NEW.content = '{content}' BEGIN SELECT RAISE({raise}); END"
            )
        }
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
    #[values(Poison::Fails, Poison::RollsBack, Poison::IsSkipped)] poison: Poison,
) {
    const BATCH: usize = 20;
    const POISON: usize = 7;
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    refuse_poison(&database, kind, "poison", poison).await;
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

/// It comes alone, and the last number that its connection gave out is that of a row which the application has written itself.
#[rstest]
#[tokio::test]
async fn a_row_that_is_skipped_alone_is_taken_for_no_other(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::start(&database).await;
    refuse_poison(&database, kind, "poison", Poison::IsSkipped).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let post = |content: &str| new_message(kind, 3, 1, content);
    let first = client.request(post("first")).await;
    let (table, conversation) = (kind.table(), kind.id_field());
    let of_the_application = format!("INSERT INTO {table} (id, {conversation}, sender_id, content) VALUES (2, 3, 7, 'own')");
    let db = database.connect().await;
    db.execute_unprepared(&of_the_application).await.expect("a row");
    if backend == Backend::Postgres {
        let behind_it = format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), 2)");
        db.execute_unprepared(&behind_it).await.expect("the sequence");
    }
    db.close().await.expect("the connection closes");
    let second = client.request(post("second")).await;
    let skipped = client.request(post("poison")).await;
    assert_eq!(skipped["payload"]["code"], "internal", "{skipped}");
    let third = client.request(post("third")).await;
    assert_eq!([&first, &second, &third].map(|ack| ack["seq"].as_i64()), [Some(1), Some(2), Some(3)]);
    // The last number on SQLite is the second one's place in the log: the id of the application's row.
    assert_eq!([&first, &second].map(|ack| ack["payload"]["id"].as_i64()), [Some(1), Some(3)]);
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

/// After SQLite has ended a transaction by itself, the driver still counts it: what it begins then would never be committed.
#[tokio::test]
async fn what_is_acknowledged_after_a_trigger_rolled_back_is_stored() {
    let (database, kind) = (TestDatabase::new(Backend::Sqlite).await, Kind::Chat);
    let server = Server::start(&database).await;
    refuse_poison(&database, kind, "poison", Poison::RollsBack).await;
    refuse_poison(&database, kind, "venom", Poison::Fails).await;
    let (mut client, _) = Client::natter_v1(&server, 1).await;
    let mut acked = Vec::new();
    for content in ["one", "poison", "two", "venom", "three", "poison", "venom", "four"] {
        let mut frame = new_message(kind, 3, 1, content);
        frame["client_id"] = json!(Uuid::new_v4());
        let answer = client.request(frame).await;
        match content {
            "poison" | "venom" => assert_eq!(answer["payload"]["code"], "internal", "{content}: {answer}"),
            _ => acked.push(Acked::of(&answer, kind, 1)),
        }
    }
    let figures = check(&database, &acked, &[]).await;
    assert_eq!(figures.stored, 4);
}
