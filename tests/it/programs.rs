//! Programs that are not ours, run beside a server: Node with the clients of `tests/js`, and the databases' command-line tools.

use crate::harness::{Backend, Server, TestDatabase, server::Start};
use serde_json::Value;
use std::{
    fs::File,
    net::TcpListener,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

/// How long a program may run: a browser starts slowly on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// From this version on, Node has a WebSocket without being asked for it; 20.10 and later have it behind a flag.
const NODE_WITH_WEBSOCKET: u32 = 22;

/// Where the clients are.
const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/js");

/// Node with its own WebSocket, about to run `script`.
pub(crate) async fn node(script: &Path) -> Command {
    let version = output(Command::new("node").arg("--version")).await;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    let mut node = Command::new("node");
    if major.expect("a version") < NODE_WITH_WEBSOCKET {
        // The second says no word about the first.
        node.args(["--experimental-websocket", "--no-warnings"]);
    }
    node.arg(script);
    node
}

/// Node, about to run one of the clients of `tests/js`.
pub(crate) async fn client(name: &str) -> Command {
    node(&Path::new(CLIENTS).join(name)).await
}

/// Runs a program to its end, which is a good one: what it printed.
pub(crate) async fn output(command: &mut Command) -> String {
    let ended = timeout(PATIENCE, command.stdin(Stdio::null()).kill_on_drop(true).output());
    let output = ended.await.expect("the program ends").expect("the program is there: run scripts/setup");
    assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the program prints text")
}

/// The JSON values that were printed, one a line.
pub(crate) fn json_lines(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).expect("the line is JSON")).collect()
}

/// What the database's command-line tool prints for `sql`: a line a row, its values joined by `|`.
pub(crate) async fn query(database: &TestDatabase, sql: &str) -> String {
    let mut tool = match database.backend {
        Backend::Sqlite => {
            let mut sqlite3 = Command::new("sqlite3");
            sqlite3.arg(database.folder.path().join("natter.db"));
            sqlite3
        }
        Backend::Postgres => {
            let mut psql = Command::new("psql");
            psql.args(["--no-psqlrc", "--tuples-only", "--no-align", &database.url, "--command"]);
            psql
        }
    };
    output(tool.arg(sql)).await
}

/// A server on the port that existing clients have written in them. One at a time: the others wait for it to be dropped.
pub(crate) struct ServerOn3001 {
    pub(crate) server: Server,
    /// Let go of after the server, which stands before it, is dropped.
    _turn: File,
}

impl ServerOn3001 {
    pub(crate) async fn start(database: &TestDatabase) -> Self {
        let turn = File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/port-3001.lock")).expect("a file to lock");
        turn.lock().expect("the turn comes");
        // Whoever had the turn before has killed its server, which may take a moment to be gone.
        let until = Instant::now() + Duration::from_secs(5);
        while TcpListener::bind(("127.0.0.1", 3001)).is_err() {
            let note =
                "this test needs port 3001, which its client has written in it, and another program listens there: stop that";
            assert!(Instant::now() < until, "{note}");
            sleep(Duration::from_millis(10)).await;
        }
        let server = Start::on(database).env("PORT", "3001").listening().await;
        Self { server, _turn: turn }
    }
}
