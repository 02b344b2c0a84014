//! HTTP: the upgrade to a WebSocket, health, who is connected, and the built-in page.

mod address;
mod admission;
mod asyncapi;
mod connections;
mod handshake;
mod health;
mod history;
mod identity;
mod metrics;
mod observe;
mod page;
mod presence;
mod problem;
mod socket;
pub mod takeover;

pub use connections::{Bounds, Connections};
pub use observe::observe;
pub use socket::SessionPort;

use crate::{
    limits::Limiter,
    server::Inspect,
    store::{Reader, Store, Writer},
};
use actix::Recipient;
use actix_web::{
    guard::{self, Guard},
    web,
};
use ipnet::IpNet;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// What the routes need; one for all workers.
pub struct Site {
    /// Asked by `/readyz`.
    pub store: Store,
    /// Reads pages of conversations.
    pub reader: Reader,
    /// Asked how much waits for the database.
    pub writer: Writer,
    /// Asked who is connected.
    pub inspect: Recipient<Inspect>,
    /// How many sockets there are, and may be.
    pub connections: Arc<Connections>,
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

/// Monitors ask with HEAD, too.
fn get_or_head() -> impl Guard {
    guard::Any(guard::Get()).or(guard::Head())
}

/// All routes.
pub fn routes(config: &mut web::ServiceConfig) {
    observe::declare();
    config
        .service(web::resource(["/ws-online-status", "/ws"]).route(web::get().to(socket::upgrade)))
        .route("/", web::get().to(page::page))
        .route("/asyncapi.json", web::get().to(asyncapi::asyncapi))
        .route("/healthz", web::route().guard(get_or_head()).to(health::healthz))
        .route("/metrics", web::get().to(metrics::metrics))
        .route("/readyz", web::route().guard(get_or_head()).to(health::readyz))
        .route("/api/v1/chats/{id}/messages", web::get().to(history::chat_history))
        .route("/api/v1/support-chats/{id}/messages", web::get().to(history::support_history))
        .route("/api/v1/presence", web::get().to(presence::presence));
}
