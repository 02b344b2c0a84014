//! `natter load`: many sessions on a running server, how soon each is told what the others write, and what it costs the server.

mod bench;
mod connect;
mod fault;
mod handshake;
mod ledger;
mod marker;
mod members;
mod options;
mod outcome;
mod pacer;
mod progress;
mod report;
mod result_file;
mod rooms;
mod seen;
mod session;
mod socket;
mod text;
mod tokens;
mod usage;

use bench::Bench;
pub use fault::LoadFault;
pub use options::{Kind, Load};
use progress::Progress;
pub use report::Report;
pub use result_file::ResultFile;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
pub use tokens::Signer;
use tokens::Tokens;
use url::Url;

/// Open files beside the sessions' sockets.
const OTHER_FILES: u64 = 64;

/// Loads the server until the time is over, or `interrupted` resolves. Where `load` has no address, it is the server that the
/// settings have listen on `listening`.
///
/// # Errors
/// Where the server can't be reached, refuses, or ends the sessions for a reason that holds for all: it says what to change.
pub async fn run(
    load: &Load,
    listening: SocketAddr,
    signer: &Signer<'_>,
    interrupted: impl Future<Output = ()>,
) -> Result<Report, LoadFault> {
    allow_descriptors(load.sessions())?;
    let url = load.url.clone().map_or_else(|| server_on(listening), Ok)?;
    let tokens = Tokens::new(load, signer)?;
    let mut interrupted = std::pin::pin!(interrupted);
    let mut bench = tokio::select! {
        bench = connected(load, url, &tokens) => bench?,
        () = &mut interrupted => return Err(LoadFault::Interrupted),
    };
    let report = bench.measure(interrupted).await;
    bench.progress.end();
    bench.leave().await;
    report
}

/// A run with all its sessions open, each in its conversation.
async fn connected<'a>(load: &'a Load, url: Url, tokens: &Tokens) -> Result<Bench<'a>, LoadFault> {
    connect::knock(&url).await?;
    let mut progress = Progress::begin();
    members::set_up(load, &url, &mut progress).await?;
    let mut bench = Bench::new(load, url, progress).await?;
    bench.connect(tokens).await?;
    Ok(bench)
}

/// The WebSocket of a server that listens there, as seen from this machine.
fn server_on(listening: SocketAddr) -> Result<Url, LoadFault> {
    let host = match listening.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    let server = SocketAddr::new(host, listening.port());
    let url = Url::parse(&format!("ws://{server}/ws-online-status")).ok();
    url.filter(|_| server.port() != 0).ok_or(LoadFault::NoPort)
}

fn descriptors_for(sessions: u32) -> u64 {
    u64::from(sessions) + OTHER_FILES
}

fn allow_descriptors(sessions: u32) -> Result<(), LoadFault> {
    let needed = descriptors_for(sessions);
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(allowed) if allowed < needed => Err(LoadFault::Descriptors { sessions, needed, allowed }),
        // Where it can't be known, connecting will tell.
        Ok(_) | Err(_) => Ok(()),
    }
}
