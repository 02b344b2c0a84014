//! `natter load` with conversations that have members: each session is owed its own conversation's messages, and no others.

use crate::{
    harness::{
        Backend, Kind, Server, TestDatabase,
        server::{KEY, Start},
        tokens::{SECRET, jwt_server},
    },
    load::{load, refused, result},
};
use rstest::rstest;
use serde_json::Value;

/// A server that closes conversations without members, and has a key.
async fn closed(database: &TestDatabase) -> Server {
    Start::on(database).with_access("deny").unlimited().listening().await
}

/// Three conversations of four members.
fn arguments(kind: Kind, more: &str) -> String {
    let kind = kind.path().trim_end_matches('s').trim_end_matches("-chat");
    format!("--conversations 3 --members 4 --key {KEY} --kind {kind} {more}")
}

#[rstest]
#[tokio::test]
async fn each_member_is_told_everything_of_their_own_conversation(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
    #[values("--v1 --rate 60", "--classic --window 2", "--v1 --window 2 --senders 5")] how: &str,
) {
    let database = TestDatabase::new(backend).await;
    let server = closed(&database).await;
    // The second time, the members are there.
    for _ in 0..2 {
        let (code, result, log) = result(load(&database, &server.address, &arguments(kind, how))).await;
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(result["asked"]["sessions"], 12);
        let sent = result["messages"]["sent"].as_i64().expect("a count");
        assert!(sent > 10, "{result}");
        assert_eq!(result["deliveries"]["count"], sent * 4);
        for of in ["lost", "duplicated", "out_of_order", "strayed"] {
            assert_eq!(result["deliveries"][of], 0, "{of}");
        }
        assert_eq!(database.number("SELECT count(*) FROM members").await, 12);
    }
    let conversations = format!("SELECT count(DISTINCT {}) FROM {}", kind.id_field(), kind.table());
    assert_eq!(database.number(&conversations).await, 3);
}

#[tokio::test]
async fn members_with_tokens_are_added_and_told() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = jwt_server(&database).with_access("deny").unlimited().listening().await;
    let start = load(&database, &server.address, &arguments(Kind::Chat, "--first-user 500"));
    let (code, result, log) = result(start.arg(&format!("--token-secret={SECRET}"))).await;
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(result["deliveries"]["count"].as_i64(), result["messages"]["sent"].as_i64().map(|sent| sent * 4));
    assert_eq!(database.number("SELECT max(user_id) FROM members").await, 511);
}

#[rstest]
#[tokio::test]
async fn what_others_are_told_is_counted(#[values("--v1", "--classic")] dialect: &str) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = closed(&database).await;
    // Agents are told of all support chats, members or not.
    let url = format!("ws://{}/ws?userId={{user}}&role=agent", server.address);
    let of_agents = arguments(Kind::Support, &format!("{dialect} --senders 1 --seconds 1 --warm-up 0 --url {url}"));
    let start = of_agents.split_whitespace().fold(Start::on(&database).arg("load"), Start::arg);
    let (code, result, log) = result(start).await;
    assert_eq!(code, Some(1), "{log}");
    let sent = result["messages"]["sent"].as_i64().expect("a count");
    // The last one may still be on its way to those who are not owed it, when all others have it.
    let strayed = result["deliveries"]["strayed"].as_i64().expect("a count");
    assert!(((sent - 1) * 8..=sent * 8).contains(&strayed), "{result}");
    assert_eq!(result["deliveries"]["count"], sent * 4);
}

#[tokio::test]
async fn what_a_member_is_not_told_is_lost() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = closed(&database).await;
    let file = database.folder.path().join("result.json");
    let asked = arguments(Kind::Chat, "--senders 1 --rate 30 --seconds 3 --json");
    let mut loading = load(&database, &server.address, &asked).arg(&file.display().to_string()).spawned();
    server.logged("New message created").await;
    // The first conversation's members are the sessions 0, 3, 6 and 9, of the users 1, 4, 7 and 10; the first one writes.
    assert_eq!(server.backend("DELETE", "/api/v1/chats/1/members/10", None).await.0, 200);
    assert_eq!(loading.ended().await, Some(1));
    let result: Value = serde_json::from_str(&std::fs::read_to_string(file).expect("a file")).expect("JSON");
    let lost = result["deliveries"]["lost"].as_i64().expect("a count");
    let sent = result["messages"]["sent"].as_i64().expect("a count");
    assert!(0 < lost && lost < sent, "{result}");
    assert_eq!(result["deliveries"]["count"], sent * 4 - lost);
}

#[tokio::test]
async fn members_that_cant_be_added_are_told() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = closed(&database).await;
    let wrong = arguments(Kind::Chat, "").replace(KEY, "another");
    let log = refused(load(&database, &server.address, &wrong)).await;
    assert!(log.contains("can't set the members of conversation") && log.contains("--key wants one of"), "{log}");
    assert_eq!(server.backend("PUT", "/api/v1/chats/2/members/99", Some(serde_json::json!({ "role": "member" }))).await.0, 200);
    let log = refused(load(&database, &server.address, &arguments(Kind::Chat, ""))).await;
    assert!(log.contains("conversation 2: user 99 is a member, and not of this run"), "{log}");
    let log = refused(load(&database, "127.0.0.1:1", &arguments(Kind::Chat, ""))).await;
    assert!(log.contains("Start the server first"), "{log}");
}

/// `--first-user` may meet real people, whose bans and roles are not the run's to lift.
#[rstest]
#[case("member", "banned")]
#[case("member", "muted")]
#[case("reader", "active")]
#[case("owner", "active")]
#[tokio::test]
async fn whoever_is_not_a_plain_member_is_left_alone_and_ends_the_run(#[case] role: &str, #[case] state: &str) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = closed(&database).await;
    let member = serde_json::json!({ "role": role, "state": state });
    assert_eq!(server.backend("PUT", "/api/v1/chats/2/members/2", Some(member)).await.0, 200);
    let log = refused(load(&database, &server.address, &arguments(Kind::Chat, ""))).await;
    assert!(log.contains(&format!("conversation 2: user 2 is a member ({role}, {state})")), "{log}");
    let (_, members) = server.backend("GET", "/api/v1/chats/2/members", None).await;
    let kept = &members["members"][0];
    assert_eq!((&kept["role"], &kept["state"]), (&role.into(), &state.into()), "{members}");
}
