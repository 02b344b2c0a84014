//! The keys by which the application's own backend calls the HTTP API.

use std::fmt;
use subtle::{Choice, ConstantTimeEq};

/// `api.keys`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ServerKeys(Vec<String>);

impl ServerKeys {
    /// Below this, in bytes, a key can be guessed.
    pub const SAFE_BYTES: usize = 16;

    /// These keys.
    #[must_use]
    pub fn new(keys: Vec<String>) -> Self {
        Self(keys)
    }

    /// Whether `text` is one of them. How long the answer takes tells nothing but the keys' lengths.
    #[must_use]
    pub fn contain(&self, text: &str) -> bool {
        let compared = self.0.iter().map(|key| key.as_bytes().ct_eq(text.as_bytes()));
        compared.fold(Choice::from(0), |found, same| found | same).into()
    }

    /// Whether one of them can be guessed.
    #[must_use]
    pub fn have_short(&self) -> bool {
        self.0.iter().any(|key| key.len() < Self::SAFE_BYTES)
    }
}

impl fmt::Debug for ServerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerKeys({})", self.0.len())
    }
}
