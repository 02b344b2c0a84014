//! From the settings to what decides who a request comes from.

use crate::{
    clock::Clock,
    identity::{Fetcher, Gate, Mode, Pace, Verifier, issue},
    protocol::{Caller, Revocations},
    settings::{Auth, AuthMode, Secret, Settings},
};
use anyhow::{Context, bail};
use std::time::Duration;
use tokio::sync::watch;

/// What decides, and the task that fetches keys, where they are fetched.
pub(super) fn gate(
    settings: &Settings,
    revocations: watch::Receiver<Revocations>,
    clock: Clock,
) -> anyhow::Result<(Gate, Option<Fetcher>)> {
    let Auth { mode, keys, jwks_url, rules, allowed_origins, .. } = settings.auth.clone();
    let (mode, fetcher) = match mode {
        AuthMode::Trusted => (Mode::Trusted, None),
        AuthMode::Jwt => {
            let by_address = jwks_url.map(|url| Fetcher::new(url, Pace::default())).transpose().context("can't fetch keys")?;
            let (fetcher, jwks) = by_address.unzip();
            (Mode::Jwt(Verifier { keys, jwks, rules, revocations, clock }), fetcher)
        }
    };
    Ok((Gate { mode, server_keys: settings.api.keys.clone(), origins: allowed_origins }, fetcher))
}

/// A token for development, as the settings want it.
///
/// # Errors
/// Where there is no secret to sign it with.
pub fn development_token(settings: &Settings, caller: Caller, lifetime: Duration) -> anyhow::Result<String> {
    let Some(secret) = &settings.auth.secret else {
        bail!(
            "auth.hs256_secret is not set, with which a token for development is signed: make one (openssl rand -hex 32), and give the \
             same one to the server and to this command, by NATTER_AUTH__HS256_SECRET or by --config"
        );
    };
    Ok(issue(secret.as_bytes(), &settings.auth.rules, caller, Clock::system().now(), lifetime)?)
}

/// Says what is set and is not safe.
pub(super) fn warn_of(settings: &Settings) {
    let auth = &settings.auth;
    match auth.mode {
        AuthMode::Trusted => log::warn!(
            "auth.mode is \"trusted\": whoever can connect to {} can be any user. For development only",
            settings.server.host
        ),
        AuthMode::Jwt => warn_of_tokens(auth),
    }
    if settings.api.keys.have_short() {
        log::warn!("api.keys has one of less than 16 bytes: it can be guessed");
    }
}

fn warn_of_tokens(auth: &Auth) {
    if auth.secret.as_ref().is_some_and(Secret::is_short) {
        log::warn!("auth.hs256_secret has less than 32 bytes: whoever has a token can find it out, and be any user");
    }
    if auth.jwks_url.is_some() && auth.rules.issuer.is_none() && auth.rules.audience.is_none() {
        log::warn!(
            "auth.issuer and auth.audience are not set: a token that these keys signed for another application is taken, too"
        );
    }
}
