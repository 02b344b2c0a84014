//! Who somebody is: tokens and the keys that they are checked with, server keys, and the origins that browsers may come from.

mod algorithm;
mod claims;
mod fault;
mod fitness;
mod issue;
mod jwks;
mod keys;
mod object;
mod origin;
mod server_keys;
mod unverified;
mod verifier;

pub use algorithm::Algorithm;
pub use claims::{ClaimName, NoClaimName, Rules};
pub use fault::TokenFault;
pub use issue::issue;
pub use jwks::{Fetcher, Jwks, Pace};
pub use keys::{Key, KeyFault, Keys};
pub use origin::{AllowedOrigin, AllowedOrigins, NoOrigin};
pub use server_keys::ServerKeys;
pub use unverified::Unverified;
pub use verifier::Verifier;

/// What decides who a request comes from.
#[derive(Debug)]
pub struct Gate {
    /// How a client says who it is.
    pub mode: Mode,
    /// The keys of the application's backend.
    pub server_keys: ServerKeys,
    /// Where browsers may come from.
    pub origins: AllowedOrigins,
}

impl Gate {
    /// What checks tokens, where there are any.
    #[must_use]
    pub fn verifier(&self) -> Option<Verifier> {
        match &self.mode {
            Mode::Trusted => None,
            Mode::Jwt(verifier) => Some(verifier.clone()),
        }
    }
}

/// How a client says who it is.
#[derive(Debug)]
pub enum Mode {
    /// `userId` is believed.
    Trusted,
    /// By a token, which this checks.
    Jwt(Verifier),
}
