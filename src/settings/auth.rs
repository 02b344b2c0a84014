//! `[auth]`: how a client says who it is.

use super::{ServerSettings, source::Source};
use std::str::FromStr;

/// How a client says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The way.
    pub mode: AuthMode,
}

/// The ways to say who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// `userId` is believed.
    Trusted,
}

impl FromStr for AuthMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "trusted" => Ok(Self::Trusted),
            _ => Err("\"trusted\""),
        }
    }
}

impl Auth {
    pub(super) fn read(source: &mut Source, server: &ServerSettings) -> Self {
        let mode = source.parsed("auth.mode").unwrap_or(AuthMode::Trusted);
        let allow_public_trusted = source.boolean("auth.allow_public_trusted");
        match mode {
            AuthMode::Trusted if !server.host.is_loopback() && !allow_public_trusted => source.fault(
                "server.host",
                "must be a loopback address such as 127.0.0.1, because auth.mode \"trusted\" believes every userId; \
                 auth.allow_public_trusted = true lets everyone who can connect be anyone",
            ),
            AuthMode::Trusted => {}
        }
        Self { mode }
    }
}
