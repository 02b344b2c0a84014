//! Nothing lost, nothing twice, whatever breaks. A file a theme; each test of a load ends with the checker. Tests of tier N, which take
//! minutes, are ignored here and run by `make soak`.

mod burst;
mod doubt;
mod durable;
mod full_disk;
mod kill;
mod migration;
mod outage;
mod reconnect;
mod restore;
mod soak;
mod stalled;

use crate::harness::{PATIENCE, Server, TestDatabase, server::Start};
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};
use tokio::time::timeout;

const SENDERS: usize = 50;

/// Fifty senders at this pace offer 830 messages a second while the server is there.
const PACE: Duration = Duration::from_millis(60);

/// A server comes back where it was, so that its clients find it again.
struct Place {
    port: String,
}

impl Place {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self { port: listener.local_addr().expect("its address").port().to_string() }
    }

    /// A server in this place; it logs what concerns faults, not every message.
    async fn server(&self, database: &TestDatabase) -> Server {
        let start = Start::on(database).env("PORT", &self.port).unlimited();
        // Clients that are cut off again and again on a busy machine fall far behind; here they are to be told all of it.
        let start = start.env("NATTER_RESUME__MAX_EVENTS", "100000000");
        start.env("RUST_LOG", "warn,natter::app=info,natter::store=info").listening().await
    }
}

/// Waits for `GET /readyz` to say so: how long it took.
async fn ready(server: &Server) -> Duration {
    let asked = Instant::now();
    timeout(PATIENCE, async { while server.get("/readyz").await.0 != 200 {} }).await.expect("it becomes ready");
    asked.elapsed()
}

/// A number that the N tier raises, as `make soak` does.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Moments that are random and can be had again: the seed is printed.
fn seeded() -> fastrand::Rng {
    let seed = number("NATTER_TEST_SEED", fastrand::u64(..));
    eprintln!("NATTER_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
