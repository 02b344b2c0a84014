//! `[api]`: who may call the HTTP API beside users.

use super::{ServerSettings, source::Source};
use crate::identity::ServerKeys;

/// Who may call the HTTP API beside users.
#[derive(Clone, Debug)]
pub struct Api {
    /// The keys of the application's backend.
    pub keys: ServerKeys,
}

impl Api {
    pub(super) fn read(source: &mut Source, server: &ServerSettings) -> Self {
        let keys = ServerKeys::new(source.list("api.keys"));
        if keys.have_short() && !server.host.is_loopback() {
            source.fault(
                "api.keys",
                "must each have 16 bytes or more where server.host is no loopback address: shorter ones can be guessed",
            );
        }
        Self { keys }
    }
}
