//! What a server that strangers can reach must not have set: the table of `natter check-config --production`.

use super::{AuthMode, Fault, Secret, Settings, auth::is_in_the_clear, source::origin};
use crate::access::Unlisted;
use std::fmt;

/// The key that the documentation shows: everyone has it.
const PUBLISHED_KEY: &str = "0123456789abcdef0123456789abcdef";

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It must be changed.
    Unsafe,
    /// It may be meant so.
    Warning,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsafe => "unsafe",
            Self::Warning => "warning",
        })
    }
}

/// One row: what is looked for, and what to do about it.
#[derive(Clone, Copy)]
pub struct Check {
    /// The key to change.
    pub key: &'static str,
    /// How bad it is.
    pub verdict: Verdict,
    finds: fn(&Settings) -> bool,
    /// What is wrong, and what to set instead.
    pub advice: &'static str,
}

const fn refuse(key: &'static str, finds: fn(&Settings) -> bool, advice: &'static str) -> Check {
    Check { key, verdict: Verdict::Unsafe, finds, advice }
}

const fn warn(key: &'static str, finds: fn(&Settings) -> bool, advice: &'static str) -> Check {
    Check { key, verdict: Verdict::Warning, finds, advice }
}

/// All of it, in the order of docs/operations.md. What can never be right, such as an origin with a `*`, is a fault at every start.
pub const CHECKS: [Check; 16] = [
    refuse(
        "auth.mode",
        |settings| settings.auth.mode == AuthMode::Trusted,
        "\"trusted\" believes every userId: set \"jwt\", and a key to check tokens with",
    ),
    refuse(
        "auth.hs256_secret",
        |settings| settings.auth.secret.as_ref().is_some_and(Secret::is_short),
        "has less than 32 bytes, and whoever has a token can find it out: set what `openssl rand -hex 32` prints",
    ),
    refuse(
        "auth.jwks_url",
        |settings| settings.auth.jwks_url.as_ref().is_some_and(is_in_the_clear),
        "is fetched in the clear, and whoever is on the way can be anyone: set an https address, and leave auth.jwks_allow_http",
    ),
    refuse(
        "auth.issuer",
        |settings| settings.auth.jwks_url.is_some() && !names_its_tokens(settings),
        "is not set, nor is auth.audience: tokens that the same keys sign for other applications are taken, too. Set one of them",
    ),
    refuse(
        "auth.user_claim",
        |settings| settings.auth.rules.user.is_the_users_own(),
        "lies where users write themselves, and everyone can be anyone: take it from app_metadata, or public_metadata",
    ),
    refuse(
        "auth.role_claim",
        |settings| settings.auth.rules.role.is_the_users_own(),
        "lies where users write themselves, and everyone can be an admin: take it from app_metadata, or public_metadata",
    ),
    refuse(
        "auth.allowed_origins",
        |settings| settings.auth.allowed_origins.have_insecure(),
        "has an http origin, whose pages anyone on their way can change: list https origins alone",
    ),
    refuse(
        "api.keys",
        |settings| settings.api.keys.have_short(),
        "has a key of less than 16 bytes, which can be guessed: set what `openssl rand -hex 32` prints",
    ),
    refuse(
        "api.keys",
        |settings| settings.api.keys.contain(PUBLISHED_KEY),
        "has the key that the documentation shows, which everyone knows: set what `openssl rand -hex 32` prints",
    ),
    refuse(
        "access.unlisted",
        |settings| settings.access.unlisted == Unlisted::Open,
        "\"open\" lets everyone read and write conversations without members: add the members of your chats, then set \"deny\"",
    ),
    refuse(
        "limits.enabled",
        |settings| !settings.limits.enabled,
        "false lets one client take everything: set true, and raise the limit that is in the way",
    ),
    refuse(
        "server.trusted_proxies",
        |settings| settings.server.trusted_proxies.iter().any(|network| network.prefix_len() == 0),
        "believes everyone's X-Forwarded-For, and no limit by address holds: name your proxies' addresses",
    ),
    warn(
        "server.trusted_proxies",
        |settings| settings.server.trusted_proxies.is_empty(),
        "is empty: behind a proxy all clients count as one address, and without one there is no TLS. Name the proxy's address",
    ),
    warn(
        "auth.allowed_origins",
        |settings| settings.auth.allowed_origins.is_empty(),
        "is empty: no page can connect. List the origins of your pages, unless all clients are applications",
    ),
    warn(
        "logging.filter",
        |settings| settings.logging.is_verbose(),
        "has debug or trace, which is slow and tells more than an operator needs: set \"warn\" or \"info\"",
    ),
    warn(
        "database.url",
        is_named_like_the_demo,
        "is named like what `natter demo` fills, and users would meet people who are not there: give the service one of its own",
    ),
];

/// Whether tokens for other applications can be told from those for this one.
fn names_its_tokens(settings: &Settings) -> bool {
    settings.auth.rules.issuer.is_some() || settings.auth.rules.audience.is_some()
}

/// As `natter demo --help` names its databases.
fn is_named_like_the_demo(settings: &Settings) -> bool {
    settings.database.url.to_string().rsplit('/').next().is_some_and(|name| name.starts_with("demo"))
}

impl Settings {
    /// What is not fit for production, by key, with where the value came from and what to change.
    #[must_use]
    pub fn for_production(&self) -> Vec<(Verdict, Fault)> {
        let fault = |check: &Check| Fault {
            key: check.key.to_owned(),
            origin: origin(&self.origins, check.key).to_owned(),
            problem: check.advice.to_owned(),
        };
        CHECKS.iter().filter(|check| (check.finds)(self)).map(|check| (check.verdict, fault(check))).collect()
    }
}
