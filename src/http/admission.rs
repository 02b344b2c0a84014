//! Whether a request of the API is carried out: who asks, and whether they, or their address, have asked for too much.

use super::{Site, address::address, identity, problem::Problem};
use crate::{
    limits::{Exceeded, Network},
    metrics::{self, HandshakeFault},
    protocol::{Principal, Refusal, UserId},
};
use actix_web::HttpRequest;

/// Whether the API may be asked for something from where this comes from, whoever it is.
pub(super) fn admit_request(request: &HttpRequest, site: &Site) -> Result<(), Problem> {
    Ok(site.limiter.from_address(network(request, site))?)
}

/// Who asks. The application's backend asks for all its users, and is not limited as one of them.
pub(super) fn admit(request: &HttpRequest, site: &Site) -> Result<Principal, Problem> {
    let principal = identity::principal(request)?;
    match principal {
        Principal::User(caller) => site.limiter.by_user(caller.user)?,
        Principal::ServerKey => {}
    }
    Ok(principal)
}

/// Whether a WebSocket may be asked for from where this comes from.
pub(super) fn admit_handshake(request: &HttpRequest, site: &Site) -> Result<(), Problem> {
    pay_for_handshake(request, site).inspect_err(|problem| {
        metrics::handshake_refused(HandshakeFault::RateLimited);
        log::info!(cause = "too_many_handshakes"; "🚫 WS: Connection refused: address {}: {problem}", network(request, site));
    })
}

/// Whether one whose token or key was refused is told so: who guesses is held up as who knocks at the WebSocket.
pub(super) fn admit_refused(request: &HttpRequest, site: &Site) -> Result<(), Problem> {
    pay_for_handshake(request, site)
}

fn pay_for_handshake(request: &HttpRequest, site: &Site) -> Result<(), Problem> {
    Ok(site.limiter.handshake(network(request, site))?)
}

fn network(request: &HttpRequest, site: &Site) -> Network {
    Network::of(address(request, &site.trusted_proxies))
}

/// Whether a user may upload one file more.
pub(super) fn admit_upload(user: UserId, site: &Site) -> Result<(), Problem> {
    Ok(site.limiter.upload(user)?)
}

impl From<Exceeded> for Problem {
    fn from(exceeded: Exceeded) -> Self {
        Self::limited(exceeded.quota, Refusal::from(exceeded))
    }
}
