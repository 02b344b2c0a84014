//! `natter load`: many sessions on a running server, how soon each is told what the others write, and what it costs the server.

mod bench;
mod connect;
mod fault;
mod ledger;
mod marker;
mod options;
mod outcome;
mod pacer;
mod progress;
mod report;
mod seen;
mod session;
mod text;
mod tokens;
mod usage;

use bench::Bench;
pub use fault::LoadFault;
pub use options::{Kind, Load};
pub use report::Report;
pub use tokens::Signer;
use tokens::Tokens;

/// Open files beside the sessions' sockets.
const OTHER_FILES: u64 = 64;

/// Loads the server until the time is over, or `interrupted` resolves.
///
/// # Errors
/// Where the server can't be reached, refuses, or ends the sessions for a reason that holds for all: it says what to change.
pub async fn run(load: &Load, signer: &Signer<'_>, interrupted: impl Future<Output = ()>) -> Result<Report, LoadFault> {
    allow_descriptors(load.sessions)?;
    let tokens = Tokens::new(load, signer)?;
    let mut interrupted = std::pin::pin!(interrupted);
    let mut bench = Bench::new(load).await?;
    tokio::select! {
        connected = bench.connect(&tokens) => connected?,
        () = &mut interrupted => return Err(LoadFault::Interrupted),
    }
    let report = bench.measure(interrupted).await;
    bench.progress.end();
    bench.leave().await;
    report
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
