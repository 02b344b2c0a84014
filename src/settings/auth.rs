//! `[auth]`: how a client says who it is.

use super::{ServerSettings, source::Source};
use crate::identity::{AllowedOrigin, AllowedOrigins, ClaimName, Key, Keys, NoOrigin, Rules};
use std::{fmt, str::FromStr};
use url::{Host, Url};

/// How a client says who it is.
#[derive(Clone, Debug)]
pub struct Auth {
    /// The way.
    pub mode: AuthMode,
    /// The secret that tokens are signed with, where it is one.
    pub secret: Option<Secret>,
    /// The keys that tokens are checked with: the secret, and a public key.
    pub keys: Keys,
    /// Where more keys are fetched from.
    pub jwks_url: Option<Url>,
    /// What tokens must say.
    pub rules: Rules,
    /// Where browsers may come from.
    pub allowed_origins: AllowedOrigins,
}

/// The ways to say who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// `userId` is believed.
    Trusted,
    /// By a token.
    Jwt,
}

/// What `auth.mode` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"trusted\" or \"jwt\"")]
pub struct TrustedOrJwt;

impl FromStr for AuthMode {
    type Err = TrustedOrJwt;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "trusted" => Ok(Self::Trusted),
            "jwt" => Ok(Self::Jwt),
            _ => Err(TrustedOrJwt),
        }
    }
}

/// A secret, which is never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// Below this, in bytes, whoever has a token can find the secret by trying (RFC 7518, section 3.2).
    const SAFE_BYTES: usize = 32;

    /// The secret, for whoever signs or checks by it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether it can be found by trying.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.0.len() < Self::SAFE_BYTES
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Auth {
    pub(super) fn read(source: &mut Source, server: &ServerSettings) -> Self {
        let mode = source.parsed("auth.mode").unwrap_or(AuthMode::Trusted);
        let allow_public_trusted = source.boolean("auth.allow_public_trusted");
        let secret = source.text_or_file("auth.hs256_secret").map(Secret);
        let public_key = public_key(source);
        let jwks_url = jwks_url(source);
        let keys = secret.iter().map(|secret| Key::from_secret(secret.as_bytes())).chain(public_key).collect();
        let auth = Self { mode, secret, keys, jwks_url, rules: rules(source), allowed_origins: allowed_origins(source) };
        match mode {
            AuthMode::Trusted if !server.host.is_loopback() && !allow_public_trusted => source.fault(
                "server.host",
                "must be a loopback address such as 127.0.0.1, because auth.mode \"trusted\" believes every userId; \
                 auth.allow_public_trusted = true lets everyone who can connect be anyone",
            ),
            AuthMode::Trusted => {}
            AuthMode::Jwt => auth.check_keys(source, server),
        }
        auth
    }

    fn check_keys(&self, source: &mut Source, server: &ServerSettings) {
        if self.keys.is_empty() && self.jwks_url.is_none() {
            source.fault("auth.mode", "\"jwt\" needs auth.hs256_secret, auth.public_key or auth.jwks_url to check tokens with");
        }
        if self.secret.as_ref().is_some_and(Secret::is_short) && !server.host.is_loopback() {
            source.fault(
                "auth.hs256_secret",
                "must have 32 bytes or more where server.host is no loopback address: shorter ones can be guessed",
            );
        }
    }
}

/// Where a key stands on one line, as in many an `.env`, its lines are parted by `\n` written out.
fn public_key(source: &mut Source) -> Option<Key> {
    let pem = source.text_or_file("auth.public_key")?.replace("\\n", "\n");
    Key::from_pem(&pem).map_err(|fault| source.fault("auth.public_key", fault.to_string())).ok()
}

fn jwks_url(source: &mut Source) -> Option<Url> {
    let allow_http = source.boolean("auth.jwks_allow_http");
    let text = source.optional_text("auth.jwks_url")?;
    let url = Url::parse(&text).ok().filter(|url| match url.scheme() {
        "https" => true,
        "http" => allow_http || !is_in_the_clear(url),
        _ => false,
    });
    if url.is_none() {
        source.fault("auth.jwks_url", "must be an https address; http is for loopback, or where auth.jwks_allow_http is true");
    }
    let has_secrets = url.as_ref().is_some_and(|url| !url.username().is_empty() || url.password().is_some());
    if has_secrets {
        source.fault("auth.jwks_url", "must not hold a name or a password: it is written to the log, and keys are public");
    }
    url
}

/// Whether whoever is on the way there can change the answer.
pub(super) fn is_in_the_clear(url: &Url) -> bool {
    url.scheme() == "http" && !is_loopback(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn rules(source: &mut Source) -> Rules {
    Rules {
        issuer: source.optional_text("auth.issuer"),
        audience: source.optional_text("auth.audience"),
        leeway_seconds: source.integer("auth.leeway_seconds", 0..=300),
        user: claim_name(source, "auth.user_claim"),
        role: claim_name(source, "auth.role_claim"),
    }
}

/// Where it is at fault, nothing is started, and whatever stands in its place is never asked for.
fn claim_name(source: &mut Source, key: &str) -> ClaimName {
    source.parsed(key).unwrap_or_default()
}

fn allowed_origins(source: &mut Source) -> AllowedOrigins {
    let mut origins: Vec<AllowedOrigin> = Vec::new();
    for text in source.list("auth.allowed_origins") {
        match text.parse() {
            Ok(origin) => origins.push(origin),
            Err(NoOrigin) => source.fault("auth.allowed_origins", format!("each must be {NoOrigin}")),
        }
    }
    AllowedOrigins::new(origins)
}
