//! HTTP: the upgrade to a WebSocket, health, who is connected, and the built-in page.

mod asyncapi;
mod connections;
mod credentials;
pub mod gate;
mod handshake;
mod health;
mod history;
mod identity;
mod page;
mod presence;
mod problem;
mod revocation;
mod socket;
pub mod takeover;

pub use connections::Connections;
pub use socket::SessionPort;

use crate::{
    clock::Clock,
    identity::Gate,
    protocol::Revocations,
    server::Inspect,
    store::{Reader, Store},
};
use actix::Recipient;
use actix_web::{
    guard::{self, Guard},
    web,
};
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

/// The addresses of the WebSocket.
const SOCKETS: [&str; 2] = ["/ws-online-status", "/ws"];

/// Monitors ask with HEAD, too.
fn get_or_head() -> impl Guard {
    guard::Any(guard::Get()).or(guard::Head())
}

/// All routes.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource(SOCKETS).route(web::get().to(socket::upgrade)))
        .route("/", web::get().to(page::page))
        .route("/asyncapi.json", web::get().to(asyncapi::asyncapi))
        .route("/healthz", web::route().guard(get_or_head()).to(health::healthz))
        .route("/readyz", web::route().guard(get_or_head()).to(health::readyz))
        .route("/api/v1/chats/{id}/messages", web::get().to(history::chat_history))
        .route("/api/v1/support-chats/{id}/messages", web::get().to(history::support_history))
        .route("/api/v1/presence", web::get().to(presence::presence))
        .route("/api/v1/users/{id}/revoke", web::post().to(revocation::revoke));
}
