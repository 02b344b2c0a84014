//! The real binary as a child process: started, listened to, stopped and killed as an operator would.

use super::{PATIENCE, TestDatabase};
use nix::{sys::signal::Signal, unistd::Pid};
use serde_json::Value;
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

/// The key of the application's backend, where a test gives the server one.
pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A running server; killed when dropped.
pub(crate) struct Server {
    process: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    log: watch::Receiver<Vec<String>>,
}

/// A server that is about to be started.
pub(crate) struct Start {
    command: Command,
}

impl Start {
    /// On `database`, on a free port, with nothing of the surrounding environment that would configure it.
    pub(crate) fn on(database: &TestDatabase) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_natter"));
        command.current_dir(database.folder.path()).env("DATABASE_URL", &database.url).env("PORT", "0");
        for name in ["HOST", "RUST_LOG"] {
            command.env_remove(name);
        }
        Self { command }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Without limits on rates and connections: the load is what is tested.
    pub(crate) fn unlimited(self) -> Self {
        self.env("NATTER_LIMITS__ENABLED", "false")
    }

    /// With a key for the application's backend, and conversations without members open or closed.
    pub(crate) fn with_access(self, unlisted: &str) -> Self {
        self.env("NATTER_API__KEYS", &format!("[\"{KEY}\"]")).env("NATTER_ACCESS__UNLISTED", unlisted)
    }

    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// The same, run by `wrapper`: strace, say, which is given its arguments before and the program after.
    pub(crate) fn by(self, mut wrapper: Command) -> Self {
        let program = self.command.as_std();
        wrapper.arg(program.get_program()).args(program.get_args());
        wrapper.current_dir(program.get_current_dir().expect("a folder"));
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => wrapper.env(name, value),
                None => wrapper.env_remove(name),
            };
        }
        Self { command: wrapper }
    }

    /// Starts it and waits until it listens.
    pub(crate) async fn listening(self) -> Server {
        let mut server = self.spawned();
        let line = server.logged(" listens on http://").await;
        line.split("http://").nth(1).expect("an address").trim().clone_into(&mut server.address);
        server
    }

    /// Starts it; it may still be waiting for its database.
    pub(crate) fn spawned(mut self) -> Server {
        let mut process = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(process.stderr.take().expect("its log")).lines();
        let (log_sender, log) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log_sender.send_modify(|log| log.push(line));
            }
        });
        Server { process, address: String::new(), log }
    }

    /// Runs it to its end: exit code, standard output, log.
    pub(crate) async fn finished(mut self) -> (Option<i32>, String, String) {
        let output = timeout(PATIENCE, self.command.kill_on_drop(true).output()).await.expect("it ends").expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    }
}

impl Drop for Server {
    /// No test wants a server that panics, whatever else it looks at.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let panicked = self.log.borrow().iter().any(|line| line.contains("💥 a panic") || line.contains("panicked at"));
            assert!(!panicked, "the server panicked:\n{}", self.log());
        }
    }
}

impl Server {
    /// A server with the defaults on `database`.
    pub(crate) async fn start(database: &TestDatabase) -> Self {
        Start::on(database).listening().await
    }

    /// A server without limits on rates and connections.
    pub(crate) async fn unlimited(database: &TestDatabase) -> Self {
        Start::on(database).unlimited().listening().await
    }

    /// Waits for a log line with `part` in it, however long ago it was written.
    pub(crate) async fn logged(&self, part: &str) -> String {
        let mut log = self.log.clone();
        let found = |lines: &Vec<String>| lines.iter().any(|line| line.contains(part));
        match timeout(PATIENCE, log.wait_for(found)).await {
            Ok(Ok(lines)) => lines.iter().find(|line| line.contains(part)).cloned().expect("the line"),
            _ => panic!("{part:?} was not logged:\n{}", self.log()),
        }
    }

    /// Waits until so many log lines with `part` in them were written since it was started.
    pub(crate) async fn logged_times(&self, part: &str, times: usize) {
        let mut log = self.log.clone();
        let found = |lines: &Vec<String>| lines.iter().filter(|line| line.contains(part)).nth(times - 1).is_some();
        let logged = matches!(timeout(PATIENCE, log.wait_for(found)).await, Ok(Ok(_)));
        assert!(logged, "{part:?} was not logged {times} times:\n{}", self.log());
    }

    /// Everything that was logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.borrow().join("\n")
    }

    /// The address of the WebSocket, for this user.
    pub(crate) fn ws_url(&self, user: i64) -> String {
        format!("ws://{}/ws-online-status?userId={user}", self.address)
    }

    /// `GET path`: status and body.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let response = reqwest::get(format!("http://{}{path}", self.address)).await.expect("an answer");
        (response.status().as_u16(), response.text().await.expect("a body"))
    }

    /// Asks as the application's backend, by [`KEY`]: status and body.
    pub(crate) async fn backend(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.ask(method, path, Some(KEY), body).await
    }

    /// Asks over HTTP: status and body, null where there is none.
    pub(crate) async fn ask(&self, method: &str, path: &str, key: Option<&str>, body: Option<Value>) -> (u16, Value) {
        let method = method.parse().expect("a method");
        let mut request = reqwest::Client::new().request(method, format!("http://{}{path}", self.address));
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.expect("a body")).unwrap_or_default())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().expect("it runs")
    }

    /// Sends SIGTERM; see [`Server::ended`].
    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("a process id"));
        nix::sys::signal::kill(pid, signal).expect("the signal is sent");
    }

    /// Waits until it has ended: its exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        timeout(PATIENCE, self.process.wait()).await.expect("it ends").expect("its status").code()
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.expect("it is killed");
    }

    /// Resident memory, in KiB.
    pub(crate) fn rss_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// The most resident memory that it ever had, in KiB.
    pub(crate) fn peak_rss_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    fn memory_kib(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("its memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Open files and sockets.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("its descriptors").count()
    }

    /// CPU time that it uses in a second, in ticks of the system's clock (10 ms). The second is what is measured, not a wait for
    /// anything.
    pub(crate) async fn cpu_ticks_of_a_second(&self) -> u64 {
        let before = self.cpu_ticks();
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.cpu_ticks() - before
    }

    /// CPU time that it has used, in ticks of the system's clock (10 ms).
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("its statistics");
        let after_name = stat.rsplit(") ").next().expect("fields");
        after_name.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("ticks")).sum()
    }

    /// Whether it still answers.
    pub(crate) async fn is_alive(&self) -> bool {
        let alive = async { self.get("/healthz").await.0 == 200 };
        timeout(Duration::from_secs(5), alive).await.unwrap_or(false)
    }
}
