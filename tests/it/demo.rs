//! `natter demo`: a database that looks lived in, keeps every guarantee, and is the same for the same seed.

use crate::{
    harness::{Backend, Client, Kind, Server, TestDatabase, checker::check, server::Start},
    programs::query,
};
use rstest::rstest;

/// Runs `natter demo` with these arguments: its exit code, what it printed, and its log.
async fn demo(database: &TestDatabase, arguments: &str) -> (Option<i32>, String, String) {
    let start = Start::on(database).arg("demo");
    arguments.split_whitespace().fold(start, Start::arg).finished().await
}

#[rstest]
#[tokio::test]
async fn what_it_makes_keeps_the_guarantees_and_is_served(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = TestDatabase::new(backend).await;
    let (code, _, log) = demo(&database, "--messages 3000 --conversations 12 --users 30 --seed 7").await;
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("3000 messages in"), "{log}");
    assert_eq!(check(&database, &[], &[]).await.stored, 3_000);
    for kind in [Kind::Chat, Kind::Support] {
        assert!(database.number(&format!("SELECT count(*) FROM {}", kind.table())).await > 100);
    }
    for kind in [2, 3] {
        assert!(database.number(&format!("SELECT count(*) FROM events WHERE kind = {kind}")).await > 0);
    }
    let goes_back = "SELECT count(*) FROM events a JOIN events b ON b.seq = a.seq + 1 WHERE b.created_at < a.created_at";
    assert_eq!(database.number(goes_back).await, 0);

    let server = Server::start(&database).await;
    let (mut client, welcome) = Client::natter_v1(&server, 1).await;
    for kind in [Kind::Chat, Kind::Support] {
        client.send(&serde_json::json!({ "type": "GET_HISTORY", kind.id_field(): 1 })).await;
        let page = client.expect("HISTORY").await;
        assert_eq!(page["payload"]["messages"].as_array().map(Vec::len), Some(50), "{page}");
    }
    let head = welcome["payload"]["seq"].as_i64().expect("a seq");
    let log_id = welcome["payload"]["log_id"].as_str().expect("a log");
    let (mut back, _) = Client::resuming(&server, 2, 0, log_id).await;
    for seq in 1..=head {
        assert_eq!(back.next().await["seq"], seq);
    }
    back.expect("RESUMED").await;
    for kind in [Kind::Chat, Kind::Support] {
        back.post(kind, 1, "after it").await;
        back.expect(kind.frame()).await;
    }
}

/// Who said what where, in the order of the log.
async fn said(database: &TestDatabase) -> String {
    let of = |kind: Kind| {
        let (table, conversation) = (kind.table(), kind.id_field());
        format!("SELECT seq, id, {conversation}, sender_id, content, file_paths, version FROM {table}")
    };
    let said = format!("{} UNION ALL {} ORDER BY seq", of(Kind::Chat), of(Kind::Support));
    query(database, &said).await
}

#[tokio::test]
async fn the_same_seed_says_the_same_on_both_databases() {
    let make = async |backend: Backend, seed: u32| {
        let database = TestDatabase::new(backend).await;
        let (code, _, log) = demo(&database, &format!("--messages 500 --seed {seed}")).await;
        assert_eq!(code, Some(0), "{log}");
        said(&database).await
    };
    let first = make(Backend::Sqlite, 7).await;
    assert_eq!(first.lines().count(), 500);
    assert_eq!(first, make(Backend::Sqlite, 7).await);
    assert_eq!(first, make(Backend::Postgres, 7).await);
    assert_ne!(first, make(Backend::Sqlite, 8).await);
}

#[rstest]
#[tokio::test]
async fn it_does_not_touch_a_database_that_has_messages(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
) {
    let database = TestDatabase::new(backend).await;
    let mut server = Server::start(&database).await;
    let (mut author, _) = Client::natter_v1(&server, 1).await;
    author.post(kind, 1, "mine").await;
    author.expect(kind.frame()).await;
    if backend == Backend::Sqlite {
        let (code, _, log) = demo(&database, "").await;
        assert_eq!(code, Some(1));
        assert!(log.contains("another natter already serves the database"), "{log}");
    }
    author.close().await;
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
    let (code, _, log) = demo(&database, "").await;
    assert_eq!(code, Some(1));
    assert!(log.contains("has messages already: the demo fills an empty one only"), "{log}");
    assert_eq!(database.assert_gapless_log().await, 1);
}

#[rstest]
#[tokio::test]
async fn interrupted_it_leaves_a_sound_database(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = TestDatabase::new(backend).await;
    let mut filling = Start::on(&database).arg("demo").arg("--messages").arg("100000000").spawned();
    filling.logged(" of 100000000 messages, ").await;
    filling.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(filling.ended().await, Some(1));
    filling.logged("interrupted: ").await;
    assert!(check(&database, &[], &[]).await.stored >= 2_000);
}

#[tokio::test]
async fn faulty_arguments_are_told() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    for (arguments, fault) in [("--messages 0", "--messages"), ("--users 1", "--users"), ("--conversations x", "--conversations")]
    {
        let (code, _, log) = demo(&database, arguments).await;
        assert_eq!(code, Some(2));
        assert!(log.contains(fault), "{log}");
    }
    let (code, help, _) = demo(&database, "--help").await;
    assert_eq!(code, Some(0));
    assert!(help.contains("--messages 1000000 --conversations 1000"), "{help}");
}
