//! A PostgreSQL server of a test's own, for tests that stop, freeze and kill it; as `scripts/test` starts the one that all share.

use super::PATIENCE;
use nix::{sys::signal::Signal, unistd::Pid};
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// A running server; killed with all its processes when dropped.
pub(crate) struct PostgresServer {
    folder: TempDir,
    port: u16,
    postmaster: Child,
}

impl PostgresServer {
    /// A new cluster, serving.
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary folder")).await
    }

    /// The same, with all it keeps in `folder`.
    pub(crate) async fn start_in(folder: TempDir) -> Self {
        let mut initdb = unprivileged("initdb", folder.path());
        initdb.args(["-N", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-D"]).arg(folder.path().join("data"));
        let made = initdb.stdout(Stdio::null()).stderr(Stdio::null()).status().await.expect("initdb runs");
        assert!(made.success(), "initdb failed");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        drop(listener);
        let postmaster = spawn(folder.path(), port);
        Self { folder, port, postmaster }
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Every process of it stands still; its sockets stay open.
    pub(crate) fn freeze(&self) {
        self.signal_all(Signal::SIGSTOP);
    }

    /// The end of [`PostgresServer::freeze`].
    pub(crate) fn thaw(&self) {
        self.signal_all(Signal::SIGCONT);
    }

    /// Stops it in good order, without waiting for its clients.
    pub(crate) async fn stop(&mut self) {
        self.signal(Signal::SIGINT);
        timeout(PATIENCE, self.postmaster.wait()).await.expect("it stops").expect("its status");
    }

    /// `kill -9` of the postmaster; the others notice, and end.
    pub(crate) async fn kill(&mut self) {
        self.postmaster.kill().await.expect("it is killed");
    }

    /// Starts it again after [`PostgresServer::stop`] or [`PostgresServer::kill`]: as often as it takes, for it refuses while a
    /// process of the killed one is left.
    pub(crate) async fn start_again(&mut self) {
        timeout(PATIENCE, async {
            loop {
                self.postmaster = spawn(self.folder.path(), self.port);
                if self.is_up().await {
                    return;
                }
            }
        })
        .await
        .expect("it starts again");
    }

    /// Waits until it takes connections or has given up.
    async fn is_up(&mut self) -> bool {
        loop {
            let mut ready = Command::new(program("pg_isready"));
            ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
            if ready.status().await.expect("pg_isready runs").success() {
                return true;
            }
            if self.postmaster.try_wait().expect("its status").is_some() {
                return false;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        send(self.pid().expect("it runs"), signal);
    }

    /// The postmaster's.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.postmaster.id().and_then(|id| i32::try_from(id).ok())
    }

    /// The postmaster first, so that it makes no more processes.
    fn signal_all(&self, signal: Signal) {
        let Some(postmaster) = self.pid() else { return };
        send(postmaster, signal);
        for child in children(postmaster) {
            send(child, signal);
        }
    }
}

impl Drop for PostgresServer {
    /// A frozen process would stay for ever.
    fn drop(&mut self) {
        self.signal_all(Signal::SIGKILL);
    }
}

fn spawn(folder: &Path, port: u16) -> Child {
    let mut postgres = unprivileged("postgres", folder);
    postgres.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
    for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=100", "fsync=on"] {
        postgres.args(["-c", setting]);
    }
    postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    postgres.spawn().expect("PostgreSQL starts")
}

/// One of PostgreSQL's programs, which refuse to run as root.
fn unprivileged(name: &str, folder: &Path) -> Command {
    let mut command = if nix::unistd::geteuid().is_root() {
        let owned = std::process::Command::new("chown").arg("postgres:").arg(folder).status();
        assert!(owned.expect("chown runs").success(), "there is no user called postgres");
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program(name));
        command
    } else {
        Command::new(program(name))
    };
    command.current_dir(folder);
    command
}

/// Debian keeps them out of the path, by version.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<PathBuf> =
        versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).collect();
    found.sort();
    found.pop().unwrap_or_else(|| name.into())
}

fn children(parent: i32) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").expect("the processes").filter_map(Result::ok);
    let ids = processes.filter_map(|process| process.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    ids.filter(|id| parent_of(*id) == Some(parent)).collect()
}

fn parent_of(id: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
}

/// The process may have ended meanwhile.
fn send(id: i32, signal: Signal) {
    let _ = nix::sys::signal::kill(Pid::from_raw(id), signal);
}
