//! HTTP: the upgrade to a WebSocket, health, who is connected, and the built-in page.

mod address;
mod admission;
mod asyncapi;
mod body;
mod connections;
mod credentials;
mod download;
mod explain;
pub mod gate;
mod handshake;
mod health;
mod history;
mod identity;
mod members;
mod metrics;
mod observe;
mod page;
mod path;
mod presence;
mod problem;
mod revocation;
mod route;
mod socket;
pub mod takeover;
mod timed;
mod unread;
mod upload;

pub use connections::{Bounds, Connections};
pub use observe::observe;
pub use route::{Needs, Route, routes};
pub use socket::SessionPort;
pub use timed::Timed;
pub use unread::keep_unread;

use crate::{
    clock::Clock,
    identity::Gate,
    limits::Limiter,
    protocol::Revocations,
    server::Inspect,
    store::{Reader, Store, Writer},
    uploads::Uploads,
};
use actix::Recipient;
use ipnet::IpNet;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::watch;

/// What the routes need; one for all workers.
pub struct Site {
    /// Asked by `/readyz`.
    pub store: Store,
    /// Reads pages of conversations.
    pub reader: Reader,
    /// Takes changes of who belongs to a conversation; asked how much waits for the database.
    pub writer: Writer,
    /// Asked who is connected.
    pub inspect: Recipient<Inspect>,
    /// Decides who a request comes from.
    pub gate: Gate,
    /// Whose tokens were revoked; whoever checks tokens or has sessions hears of it at once.
    pub revocations: watch::Sender<Revocations>,
    /// Tells when something was revoked.
    pub clock: Clock,
    /// How many sockets there are, and may be.
    pub connections: Arc<Connections>,
    /// Takes files in and hands them out.
    pub uploads: Arc<Uploads>,
    /// How often clients may do what.
    pub limiter: Arc<Limiter>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Set once the server is going away.
    pub draining: AtomicBool,
}

impl Site {
    /// Whether the server is going away: it takes no new sessions, and says so to load balancers.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
