//! Whether a request of the API is carried out: who asks, and whether they, or their address, have asked for too much.

use super::{Site, address::address, identity, problem::Problem};
use crate::{
    limits::{Exceeded, Limiter, Network},
    protocol::{Principal, Refusal},
};
use actix_web::HttpRequest;

/// Who asks. An address pays before it is known who asks: guessing who one is costs, too. The application's backend asks for all its
/// users, and is not limited as one of them.
pub(super) fn admit(request: &HttpRequest, site: &Site) -> Result<Principal, Problem> {
    let limiter: &Limiter = &site.limiter;
    limiter.from_address(Network::of(address(request, &site.trusted_proxies)))?;
    let principal = identity::principal(request)?;
    match principal {
        Principal::User(caller) => limiter.by_user(caller.user)?,
        Principal::ServerKey => {}
    }
    Ok(principal)
}

impl From<Exceeded> for Problem {
    fn from(exceeded: Exceeded) -> Self {
        Self::limited(exceeded.quota, Refusal::from(exceeded))
    }
}
