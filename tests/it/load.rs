//! `natter load`: what it tells of a server is true, and where it can't measure, it says what to change.

use crate::harness::{
    Backend, Kind, Server, TestDatabase, WebServer,
    server::Start,
    tokens::{SECRET, jwt_server, token},
};
use futures_util::{SinkExt, StreamExt};
use nix::sys::signal::Signal;
use rstest::rstest;
use serde_json::Value;
use std::time::Duration;
use tokio::{
    net::{TcpListener, TcpStream},
    process::Command,
    sync::broadcast,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// `natter load` on the WebSocket at this address, for a second.
pub(crate) fn load(database: &TestDatabase, address: &str, arguments: &str) -> Start {
    let url = format!("ws://{address}/ws-online-status");
    let start = Start::on(database).arg("load").arg("--url").arg(&url).arg("--warm-up").arg("0");
    let start = if arguments.contains("--seconds") { start } else { start.arg("--seconds").arg("1") };
    arguments.split_whitespace().fold(start, Start::arg)
}

/// Runs it to its end: its exit code, the result, and what it said.
pub(crate) async fn result(start: Start) -> (Option<i32>, Value, String) {
    let (code, output, log) = start.arg("--json").arg("-").finished().await;
    (code, serde_json::from_str(&output).unwrap_or_default(), log)
}

/// Runs it where it can't measure: what it said.
pub(crate) async fn refused(start: Start) -> String {
    let (code, output, log) = start.finished().await;
    assert_eq!((code, output.as_str()), (Some(1), ""), "{log}");
    log
}

#[rstest]
#[tokio::test]
async fn everyone_is_told_everything_and_that_is_what_the_result_says(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Kind::Chat, Kind::Support)] kind: Kind,
    #[values("--v1", "--classic")] dialect: &str,
    #[values("--rate 40", "--window 4")] pace: &str,
) {
    let database = TestDatabase::new(backend).await;
    let server = Server::unlimited(&database).await;
    let kind_name = kind.path().trim_end_matches('s').trim_end_matches("-chat");
    let arguments = format!("--sessions 6 --senders 2 --chats 3 --kind {kind_name} --pid {} {dialect} {pace}", server.pid());
    let (code, result, log) = result(load(&database, &server.address, &arguments)).await;
    assert_eq!(code, Some(0), "{log}");
    let sent = result["messages"]["sent"].as_i64().expect("a count");
    assert!(sent > 10, "{result}");
    assert_eq!(result["messages"]["accepted"], sent);
    assert_eq!(result["deliveries"]["count"], sent * 6);
    for of in ["lost", "duplicated", "out_of_order"] {
        assert_eq!(result["deliveries"][of], 0);
    }
    let stored = database.number(&format!("SELECT count(*) FROM {}", kind.table())).await;
    assert_eq!(stored, sent);
    let conversations = format!("SELECT count(DISTINCT {}) FROM {}", kind.id_field(), kind.table());
    assert_eq!(database.number(&conversations).await, 3);
    for of in ["delivery", "answer"] {
        let latency = &result["latency_ms"][of];
        let ms = |quantile: &str| latency[quantile].as_f64().expect("a time");
        assert!(latency["count"].as_u64() > Some(0) && 0.0 < ms("p50") && ms("p50") <= ms("p99") && ms("p99") <= ms("max"));
    }
    assert_eq!(result["server"]["source"], "pid");
    assert!(result["server"]["cpu_us_per_delivery"].as_f64() > Some(0.0), "{result}");
}

#[tokio::test]
async fn without_a_process_id_the_server_tells_of_itself() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let (code, result, log) = result(load(&database, &server.address, "--sessions 20 --rate 0")).await;
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(result["server"]["source"], "metrics");
    assert_eq!(result["messages"]["sent"], 0);
    assert!(result["server"]["rss_kib_connected"].as_f64() > Some(1_024.0), "{result}");
    assert_eq!(result["connect"]["ms"]["count"], 20);
}

#[tokio::test]
async fn it_shows_people_a_table_and_leaves_the_json_in_a_file() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let file = database.folder.path().join("result.json");
    std::fs::write(&file, "a result that was longer".repeat(1_000)).expect("a file");
    let arguments = format!("--sessions 3 --rate 20 --pid {} --json", server.pid());
    let start = load(&database, &server.address, &arguments).arg(&file.display().to_string());
    let (code, table, log) = start.finished().await;
    assert_eq!(code, Some(0), "{log}");
    for part in [
        "sessions            3 by natter.v1",
        "0 lost, 0 duplicated, 0 out of order",
        "until delivered     p50 ",
        "µs a delivery",
    ] {
        assert!(table.contains(part), "{part:?} is not in\n{table}");
    }
    let json: Value = serde_json::from_str(&std::fs::read_to_string(file).expect("a file")).expect("JSON");
    assert_eq!(json["asked"]["sessions"], 3);
}

#[tokio::test]
async fn a_pipe_takes_the_json_as_well() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let pipe = database.folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let read = tokio::spawn(tokio::fs::read_to_string(pipe.clone()));
    let start = load(&database, &server.address, "--sessions 2 --rate 20 --json").arg(&pipe.display().to_string());
    let (code, _, log) = start.finished().await;
    assert_eq!(code, Some(0), "{log}");
    let json: Value = serde_json::from_str(&read.await.expect("no panic").expect("text")).expect("JSON");
    assert_eq!(json["asked"]["sessions"], 2);
}

#[rstest]
#[tokio::test]
async fn sessions_have_tokens_where_the_server_wants_them(#[values("--v1", "--classic")] dialect: &str) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = jwt_server(&database).unlimited().listening().await;
    let asked = || load(&database, &server.address, &format!("--sessions 4 --rate 20 {dialect}"));
    let given = asked().arg(&format!("--token-secret={SECRET}"));
    let of_the_settings = asked().env("NATTER_AUTH__HS256_SECRET", SECRET).arg("--token-secret");
    for start in [given, of_the_settings] {
        let (code, result, log) = result(start).await;
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(result["deliveries"]["count"].as_i64(), result["messages"]["sent"].as_i64().map(|sent| sent * 4));
    }
    let log = refused(asked().arg("--token-secret=another secret than the server has, of any length")).await;
    assert!(log.contains("4001") && log.contains("--token-secret"), "{log}");
    let log = refused(asked().arg("--token-secret")).await;
    assert!(log.contains("auth.hs256_secret is not set"), "{log}");
    let log = refused(asked()).await;
    assert!(log.contains("give --token-secret or --token-file"), "{log}");
}

#[tokio::test]
async fn tokens_can_come_from_a_file() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = jwt_server(&database).unlimited().listening().await;
    let file = database.folder.path().join("tokens");
    let asked = || load(&database, &server.address, "--sessions 3 --rate 20 --token-file").arg(&file.display().to_string());
    assert!(refused(asked()).await.contains("can't take tokens from"));
    std::fs::write(&file, "\n").expect("a file");
    assert!(refused(asked()).await.contains("it wants one a line"));
    std::fs::write(&file, [71, 72].map(|user| token(user, "user")).join("\n")).expect("a file");
    let (code, _, log) = result(asked()).await;
    assert_eq!(code, Some(0), "{log}");
    let senders = database.number("SELECT count(DISTINCT sender_id) FROM messages WHERE sender_id IN (71, 72)").await;
    assert_eq!(senders, 2);
}

/// What is in the way, how it is asked for, and what is said to do about it.
#[rstest]
#[case("limits.connections_per_address", "--sessions 250 --classic", "NATTER_LIMITS__ENABLED=false")]
#[case("limits.connections_per_address", "--sessions 250", "NATTER_LIMITS__ENABLED=false")]
#[case("limits.conversation_messages_per_second", "--sessions 1 --rate 2000", "NATTER_LIMITS__ENABLED=false")]
#[case("limits.conversation_messages_per_second", "--sessions 1 --rate 2000 --classic", "NATTER_LIMITS__ENABLED=false")]
#[tokio::test]
async fn a_limit_that_is_in_the_way_is_named(#[case] setting: &str, #[case] arguments: &str, #[case] advice: &str) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let log = refused(load(&database, &server.address, arguments)).await;
    assert!(log.contains(setting) && log.contains(advice), "{log}");
}

#[tokio::test]
async fn too_many_handshakes_are_told_and_how_to_switch_limits_off() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).env("NATTER_LIMITS__HANDSHAKES_BURST", "3").env("NATTER_LIMITS__HANDSHAKES_PER_SECOND", "1");
    let server = start.listening().await;
    let log = refused(load(&database, &server.address, "--sessions 50")).await;
    assert!(log.contains("429") && log.contains("limits.handshakes_per_second"), "{log}");
    assert!(log.contains("NATTER_LIMITS__ENABLED=false"), "{log}");
}

/// The status is the same where there is no room, and where the server is not there yet or no more.
#[tokio::test]
async fn a_server_that_takes_nobody_is_told_with_all_its_reasons() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let busy = WebServer::answering(answer.to_owned()).await;
    let address = busy.url.trim_start_matches("http://").trim_end_matches("/keys");
    let log = refused(load(&database, address, "--sessions 1")).await;
    assert!(log.contains("503") && log.contains("server.max_connections") && log.contains("starting or stopping"), "{log}");
}

#[tokio::test]
async fn closed_conversations_are_told() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Start::on(&database).with_access("deny").unlimited().listening().await;
    let log = refused(load(&database, &server.address, "--sessions 2")).await;
    assert!(log.contains("access.unlisted"), "{log}");
}

#[tokio::test]
async fn a_server_that_is_none_is_told() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let log = refused(load(&database, "127.0.0.1:1", "--sessions 1")).await;
    assert!(log.contains("can't connect to ws://127.0.0.1:1/"), "{log}");
    assert!(log.contains("Start the server first") && log.contains("--url"), "{log}");
    let server = Server::unlimited(&database).await;
    let path = format!("{}/nowhere?", server.address);
    let log = refused(load(&database, &path, "--sessions 1")).await;
    assert!(log.contains("HTTP 404") && log.contains("/ws-online-status"), "{log}");
    let log = refused(load(&database, &server.address, "--sessions 1 --pid 4194304")).await;
    assert!(log.contains("there is no process 4194304") && log.contains("--pid wants the server's"), "{log}");
    let mut shell = Command::new("sleep").arg("600").kill_on_drop(true).spawn().expect("a process that does nothing");
    let pid = format!("--sessions 2 --rate 20 --pid {}", shell.id().expect("it runs"));
    let log = refused(load(&database, &server.address, &pid)).await;
    assert!(log.contains("used no CPU while the server answered"), "{log}");
    shell.kill().await.expect("it ends");
    let (address, _) = peer(|_, _| 1).await;
    let log = refused(load(&database, &address, "--sessions 1")).await;
    assert!(log.contains("does not speak natter.v1: say --classic"), "{log}");
}

#[tokio::test]
async fn too_few_descriptors_are_told_before_anything_is_opened() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 100; exec \"$@\"", "sh"]);
    let log = refused(load(&database, "127.0.0.1:1", "--sessions 90").by(shell)).await;
    assert!(log.contains("ulimit -n 154"), "{log}");
}

#[tokio::test]
async fn faulty_arguments_are_told_and_the_help_teaches() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    for (arguments, said) in [
        ("--sessions 0", "1..=1000000"),
        ("--rate -1", "it must be 0, or from 0.001"),
        ("--rate 5 --window 5", "cannot be used with"),
        ("--url http://localhost", "ws://HOST:PORT/PATH"),
        ("--url wss://localhost", "TLS is not spoken"),
        ("--v1 --classic", "cannot be used with"),
        ("--senders 5 --sessions 3", "--senders 5 are more than the 3 sessions"),
        ("--senders 5 --sessions 3", "Usage: natter load"),
        ("--conversations 3 --members 4 --key k --sessions 10", "12 sessions"),
        ("--conversations 3 --members 4", "--key"),
        ("--conversations 3 --key k", "--members"),
        ("--conversations 3 --members 4 --key k --chats 2", "cannot be used with"),
        ("--conversations 1000000 --members 50000 --key k", "50000000000 sessions"),
    ] {
        let start = arguments.split_whitespace().fold(Start::on(&database).arg("load"), Start::arg);
        let (code, _, log) = start.finished().await;
        assert_eq!(code, Some(2), "{arguments}: {log}");
        assert!(log.contains(said), "{arguments}: {log}");
    }
    // Before anything is loaded: nobody listens there.
    let unwritable = Start::on(&database).arg("load").arg("--url=ws://127.0.0.1:1/").arg("--json=/nowhere/result.json");
    assert!(refused(unwritable).await.contains("can't write to /nowhere/result.json"));
    let file = database.folder.path().join("result.json");
    let in_vain = || Start::on(&database).arg("load").arg("--url=ws://127.0.0.1:1/").arg(&format!("--json={}", file.display()));
    refused(in_vain()).await;
    assert!(!file.exists(), "there was no result");
    std::fs::write(&file, "the one before").expect("a file");
    refused(in_vain()).await;
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), "the one before");
    let (code, help, _) = Start::on(&database).arg("load").arg("--help").finished().await;
    assert_eq!(code, Some(0));
    for part in ["NATTER_LIMITS__ENABLED=false", "--rate 50 --senders 1", "Raise --rate until p99"] {
        assert!(help.contains(part), "{part:?} is not in\n{help}");
    }
}

#[tokio::test]
async fn where_the_server_is_stands_in_the_settings() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let (_, port) = server.address.split_once(':').expect("a port");
    let asked = || "load --sessions 2 --rate 0 --seconds 1 --warm-up 0".split_whitespace().fold(Start::on(&database), Start::arg);
    let everywhere = || asked().env("HOST", "0.0.0.0").env("NATTER_AUTH__ALLOW_PUBLIC_TRUSTED", "true");
    for start in [asked().env("PORT", port), everywhere().arg("--port").arg(port)] {
        let (code, result, log) = result(start).await;
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(result["asked"]["url"], format!("ws://127.0.0.1:{port}/ws-online-status"));
    }
    assert!(refused(asked()).await.contains("server.port is 0"));
}

#[tokio::test]
async fn interrupted_it_ends() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let mut loading = load(&database, &server.address, "--sessions 2 --seconds 600").spawned();
    server.logged("2 users online").await;
    loading.signal(Signal::SIGINT);
    assert_eq!(loading.ended().await, Some(1));
    loading.logged("interrupted").await;
}

#[tokio::test]
async fn where_the_server_goes_it_ends_and_says_so() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Server::unlimited(&database).await;
    let mut loading = load(&database, &server.address, "--sessions 2 --seconds 600").spawned();
    server.logged("2 users online").await;
    server.kill().await;
    assert_eq!(loading.ended().await, Some(1));
    loading.logged("the server closed all 2 sessions before the run was over, the last one with 1006").await;
}

/// A server of another make, which hands each message to every session so many times: `copies(session, message)`.
async fn peer(copies: impl Fn(usize, usize) -> usize + Copy + Send + 'static) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (everyone, _) = broadcast::channel::<(usize, String)>(4_096);
    let serving = tokio::spawn(async move {
        for session in 0.. {
            let Ok((socket, _)) = listener.accept().await else { return };
            tokio::spawn(serve(socket, session, everyone.clone(), copies));
        }
    });
    (address, serving)
}

async fn serve(
    socket: TcpStream,
    session: usize,
    everyone: broadcast::Sender<(usize, String)>,
    copies: impl Fn(usize, usize) -> usize + Copy + Send,
) {
    let mut told = everyone.subscribe();
    let Ok(mut socket) = accept_async(socket).await else { return };
    let mut posted = 0;
    loop {
        tokio::select! {
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).expect("JSON");
                    let frame = serde_json::json!({ "type": "MESSAGE", "payload": { "content": message["content"] } });
                    everyone.send((posted, frame.to_string())).expect("somebody listens");
                    posted += 1;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            Ok((number, frame)) = told.recv() => {
                for _ in 0..copies(session, number) {
                    if socket.send(Message::text(frame.clone())).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

#[rstest]
#[case::lost(|session, message| usize::from(session != 2 || message % 5 != 0), "lost")]
#[case::twice(|session, message| 1 + usize::from(session == 2 && message % 5 == 0), "duplicated")]
#[tokio::test]
async fn what_a_server_loses_or_repeats_is_counted(#[case] copies: fn(usize, usize) -> usize, #[case] fault: &str) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let (address, serving) = peer(copies).await;
    // The /metrics of this one ends the connection.
    let arguments = "--sessions 3 --senders 1 --rate 50 --classic";
    let (code, result, log) = result(load(&database, &address, arguments)).await;
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("not every session got everything once and in order"), "{log}");
    let sent = result["messages"]["sent"].as_u64().expect("a count");
    let counted = result["deliveries"][fault].as_u64().expect("a count");
    // Who has the last message of all ends the run: whether its second copy has come by then is not decided.
    let undecided = u64::from(fault == "duplicated" && sent % 5 == 1);
    assert!((sent.div_ceil(5) - undecided..=sent.div_ceil(5)).contains(&counted), "{result}");
    assert_eq!(result["server"], Value::Null);
    serving.abort();
}

/// Whoever stalls, the messages of that time were due in it: their users would have waited, and are in the figures.
#[rstest]
#[tokio::test]
async fn a_stall_is_in_the_figures_of_all_who_would_have_waited(
    #[values("--v1", "--classic")] dialect: &str,
    #[values("server", "generator")] stalled: &str,
) {
    const STALL: Duration = Duration::from_secs(1);
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::unlimited(&database).await;
    let file = database.folder.path().join("result.json");
    let arguments = format!("--sessions 2 --senders 1 --rate 50 --seconds 3 {dialect} --json");
    let mut loading = load(&database, &server.address, &arguments).arg(&file.display().to_string()).spawned();
    server.logged("New message created").await;
    let signal = |signal| if stalled == "server" { server.signal(signal) } else { loading.signal(signal) };
    signal(Signal::SIGSTOP);
    // The stall is what is measured.
    tokio::time::sleep(STALL).await;
    signal(Signal::SIGCONT);
    assert_eq!(loading.ended().await, Some(0), "{}", loading.log());
    let result: Value = serde_json::from_str(&std::fs::read_to_string(file).expect("a file")).expect("JSON");
    // Of three seconds one is stalled: a third of all messages waits, some 500 ms on average. A generator that waited for answers,
    // or counted from its own writes, would have one such message, or none.
    let latency = &result["latency_ms"]["delivery"];
    assert!(latency["p90"].as_f64() > Some(400.0) && latency["mean"].as_f64() > Some(100.0), "{latency}");
    let late = result["generator"]["late_ms"].as_f64().expect("a time");
    assert!(stalled == "server" || late > 900.0, "{late}");
}
