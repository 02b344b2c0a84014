//! The reverse proxies that operators use, run with the very files of `docs/proxies`, but for addresses and certificates.

use super::{PATIENCE, Server};
use std::{fs::File, net::TcpListener, path::Path, process::Stdio, time::Duration};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/keys/localhost.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/keys/localhost.key.pem");

/// What a line of a file is changed to.
pub(crate) type Edit<'a> = (&'a str, &'a str);

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Software {
    Nginx,
    Haproxy,
    Caddy,
}

impl Software {
    /// Its file as operators get it.
    pub(crate) fn snippet(self) -> &'static str {
        match self {
            Self::Nginx => include_str!("../../../docs/proxies/nginx.conf"),
            Self::Haproxy => include_str!("../../../docs/proxies/haproxy.cfg"),
            Self::Caddy => include_str!("../../../docs/proxies/Caddyfile"),
        }
    }

    /// The file with a certificate that is there.
    fn certified(self, folder: &Path) -> String {
        match self {
            Self::Nginx => {
                let certificates = [("/etc/ssl/chat.app.example.pem", CERTIFICATE), ("/etc/ssl/chat.app.example.key", KEY)];
                let logs = format!("{}/", folder.display());
                edited(&edited(self.snippet(), &certificates), &[("/var/log/nginx/", &logs)])
            }
            Self::Haproxy => {
                let both = folder.join("both.pem");
                let read = |path| std::fs::read_to_string(path).expect("a file");
                std::fs::write(&both, read(CERTIFICATE) + &read(KEY)).expect("a file");
                edited(self.snippet(), &[("/etc/haproxy/chat.app.example.pem", &both.display().to_string())])
            }
            // It gets one where there is a name to get one for.
            Self::Caddy => edited(self.snippet(), &[("\tlog default {", "\tadmin off\n\tlog default {")]),
        }
    }

    /// The file without TLS, on `address` before `server`.
    fn in_the_clear(self, folder: &Path, address: &str, server: &str) -> String {
        let file = edited(&self.certified(folder), &[("127.0.0.1:3001", server)]);
        let (port, listen) = (address.rsplit(':').next().expect("a port"), format!("listen {address};"));
        match self {
            Self::Nginx => edited(&file, &[("listen 443 ssl http2;", &listen), ("listen [::]:443 ssl http2;", "")]),
            Self::Haproxy => {
                let (from, _) = file.split_once("bind ").expect("a line that binds");
                let line = file[from.len()..].lines().next().expect("a line");
                // So many descriptors as the file asks for are not everyone's.
                edited(&file, &[(line, &format!("bind {address}")), ("maxconn 20000", "maxconn 100")])
            }
            Self::Caddy => edited(&file, &[("chat.app.example {", &format!("http://:{port} {{\n\tbind 127.0.0.1"))]),
        }
    }

    /// The program, about to run `file`, or only to check it.
    fn command(self, folder: &Path, file: &str, only_check: bool) -> Command {
        let path = folder.join("config");
        std::fs::write(&path, self.whole(folder, file)).expect("a file");
        let mut command = Command::new(self.program());
        match self {
            Self::Nginx => command.arg("-p").arg(folder).arg("-c").arg(&path).args(only_check.then_some("-t")),
            Self::Haproxy => command.arg("-db").arg("-f").arg(&path).args(only_check.then_some("-c")),
            Self::Caddy => {
                let what = if only_check { "validate" } else { "run" };
                command.arg(what).args(["--adapter", "caddyfile", "--config"]).arg(&path)
            }
        };
        // Where Caddy keeps what it is not told to keep elsewhere.
        command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// nginx's file is a part of another one; those of the others stand for themselves.
    fn whole(self, folder: &Path, file: &str) -> String {
        match self {
            Self::Nginx => {
                let place = folder.display();
                let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
                let temporary = temporary.map(|name| format!("{name}_temp_path {place}/{name};\n")).concat();
                let main =
                    format!("daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log {place}/main.log;\nevents {{}}\n");
                format!("{main}http {{\n{temporary}{file}}}\n")
            }
            Self::Haproxy | Self::Caddy => file.to_owned(),
        }
    }

    /// Debian keeps servers out of everyone's path.
    fn program(self) -> String {
        let name = match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
        };
        let in_sbin = format!("/usr/sbin/{name}");
        if Path::new(&in_sbin).exists() { in_sbin } else { name.to_owned() }
    }

    /// What the program says against its file as it stands, TLS included.
    pub(crate) async fn complaint(self) -> Option<String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = self.command(folder.path(), &self.certified(folder.path()), true);
        let output = timeout(PATIENCE, command.output()).await.expect("it ends").expect("it is there: run scripts/setup");
        (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A proxy that runs; killed when dropped.
pub(crate) struct ReverseProxy {
    folder: TempDir,
    _process: Child,
}

impl ReverseProxy {
    /// Puts one before `server`, which is then spoken to through it.
    pub(crate) async fn before(server: &mut Server, software: Software) -> Self {
        Self::changed(server, software, &[]).await
    }

    /// The same with some lines of its file changed.
    pub(crate) async fn changed(server: &mut Server, software: Software, edits: &[Edit<'_>]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("its address").to_string();
        let file = edited(&software.in_the_clear(folder.path(), &address, &server.address), edits);
        let log = File::create(folder.path().join("output.log")).expect("a file");
        let mut command = software.command(folder.path(), &file, false);
        command.stdout(log.try_clone().expect("the file")).stderr(log);
        drop(free);
        let proxy = Self { _process: command.spawn().expect("it is there: run scripts/setup"), folder };
        server.address = address;
        proxy.listens(&server.address).await;
        proxy
    }

    async fn listens(&self, address: &str) {
        let connected = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(timeout(PATIENCE, connected).await.is_ok(), "it does not listen:\n{}", self.log());
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> String {
        let files = std::fs::read_dir(self.folder.path()).expect("its folder").filter_map(Result::ok);
        let logs = files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
    }

    /// Waits until so many of its log's lines have `part` in them.
    pub(crate) async fn logged(&self, part: &str, times: usize) {
        let logged = async {
            while self.log().lines().filter(|line| line.contains(part)).count() < times {
                sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(timeout(PATIENCE, logged).await.is_ok(), "{part:?} was not logged {times} times:\n{}", self.log());
    }
}

/// The text with each of these changed, every one of which must stand there.
fn edited(text: &str, edits: &[Edit<'_>]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} is not in the file");
        text.replace(from, to)
    })
}
