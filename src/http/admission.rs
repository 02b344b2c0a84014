//! Whether a request of the API is carried out: who asks, and whether they, or their address, have asked for too much.

use super::{Site, address::address, identity, problem::Problem};
use crate::{
    limits::{Exceeded, Limiter, Network},
    protocol::{Caller, Refusal},
};
use actix_web::HttpRequest;

/// The user who asks. An address pays before it is known who asks: guessing who one is costs, too.
pub(super) fn admit(request: &HttpRequest, site: &Site) -> Result<Caller, Problem> {
    let limiter: &Limiter = &site.limiter;
    limiter.from_address(Network::of(address(request, &site.trusted_proxies)))?;
    let caller = identity::caller(request)?;
    limiter.by_user(caller.user)?;
    Ok(caller)
}

impl From<Exceeded> for Problem {
    fn from(exceeded: Exceeded) -> Self {
        Self::limited(exceeded.quota, Refusal::from(exceeded))
    }
}
