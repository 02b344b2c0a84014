//! What a message costs: its members, not the sessions. By hand, on a quiet machine, in release:
//! `cargo test --release --test it routing -- --ignored --nocapture`.

use crate::harness::{Backend, Client, Kind, RawSocket, Server, TestDatabase, new_message, server::Start};
use sea_orm::ConnectionTrait;
use serde_json::json;
use std::time::Instant;

const CONVERSATIONS: i64 = 1_000;
const MEMBERS: i64 = 10;
const MESSAGES: i64 = 19_200;

/// Messages that wait for their answers.
const IN_FLIGHT: i64 = 64;

/// Conversation `n` has ten members, spread evenly over all users; the first is user `n`.
fn members(conversation: i64, users: i64) -> impl Iterator<Item = i64> {
    (0..MEMBERS).map(move |number| (conversation - 1 + number * (users / MEMBERS)) % users + 1)
}

async fn enlist(database: &TestDatabase, users: i64) {
    let db = database.connect().await;
    let rows: Vec<String> = (1..=CONVERSATIONS)
        .flat_map(|conversation| {
            members(conversation, users).map(move |user| format!("(1, {conversation}, {user}, 3, 1, 'now', 'now')"))
        })
        .collect();
    for piece in rows.chunks(1_000) {
        let insert = "INSERT INTO members (kind, conversation_id, user_id, role, state, created_at, updated_at) VALUES";
        db.execute_unprepared(&format!("{insert} {}", piece.join(","))).await.expect("the rows");
    }
    db.close().await.expect("the connection closes");
}

/// CPU time of the server for each message, in microseconds, what it uses when idle taken off.
async fn cost(users: i64) -> f64 {
    let database = TestDatabase::new(Backend::Sqlite).await;
    assert_eq!(Start::on(&database).arg("migrate").arg("up").finished().await.0, Some(0));
    enlist(&database, users).await;
    let server =
        Start::on(&database).with_access("deny").env("RUST_LOG", "warn,natter=info").env("NATTER_LIMITS__ENABLED", "false");
    let server = server.listening().await;
    for user in 2..=users {
        let mut reader = RawSocket::upgraded(&server, user).await;
        tokio::spawn(async move { while reader.frame().await.is_some() {} });
    }
    let idle = ticks(server.cpu_ticks_of_a_second().await + server.cpu_ticks_of_a_second().await) / 2.0;
    post(&server, users, MESSAGES / 10).await;
    let (before, begun) = (server.cpu_ticks(), Instant::now());
    post(&server, users, MESSAGES).await;
    let used = ticks(server.cpu_ticks() - before) - idle * begun.elapsed().as_secs_f64();
    used * 10_000.0 / f64::from(u32::try_from(MESSAGES).expect("few"))
}

fn ticks(count: u64) -> f64 {
    f64::from(u32::try_from(count).expect("few"))
}

/// User 1 posts to the conversations that they are in, in turn.
async fn post(server: &Server, users: i64, messages: i64) {
    let own: Vec<i64> = (1..=CONVERSATIONS).filter(|conversation| members(*conversation, users).any(|user| user == 1)).collect();
    let (mut client, _) = Client::natter_v1(server, 1).await;
    for first in (0..messages).step_by(usize::try_from(IN_FLIGHT).expect("small")) {
        let frames: Vec<_> = (first..first + IN_FLIGHT)
            .map(|number| {
                let conversation = own[usize::try_from(number).expect("small") % own.len()];
                let mut frame = new_message(Kind::Chat, conversation, 1, "hello");
                frame["request_id"] = json!(number.to_string());
                frame
            })
            .collect();
        client.send_together(&frames).await;
        client.answer_to(&(first + IN_FLIGHT - 1).to_string()).await.expect("an answer");
    }
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: it needs a quiet machine and 20,000 descriptors"]
async fn the_cost_of_a_message_depends_on_its_members_and_not_on_the_sessions() {
    rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    let (few, many) = (cost(1_000).await, cost(10_000).await);
    eprintln!("1,000 sessions: {few:.1} us a message; 10,000 sessions: {many:.1} us; ratio {:.2}", many / few);
    assert!(many < few * 1.1, "it grew with the sessions");
}
