//! The sessions' tokens: signed here, or read from a file.

use super::{LoadFault, options::Load};
use crate::{
    clock::Clock,
    identity::{Rules, issue},
    protocol::{Caller, Role, UserId},
};
use std::{path::Path, time::Duration};

/// How long a token holds beyond the run.
const SPARE: Duration = Duration::from_hours(1);

/// What the settings say about signing.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// `auth.hs256_secret`, where it is set.
    pub secret: Option<&'a [u8]>,
    /// What a token must say.
    pub rules: &'a Rules,
    /// When it begins to hold.
    pub clock: Clock,
}

/// One token a session, or none where the server believes `userId`.
pub(super) struct Tokens(Vec<String>);

impl Tokens {
    pub(super) fn new(load: &Load, signer: &Signer<'_>) -> Result<Self, LoadFault> {
        match (&load.token_secret, &load.token_file) {
            (Some(secret), _) => signed(load, signer, secret).map(Self),
            (None, Some(file)) => read(file).map(Self),
            (None, None) => Ok(Self(Vec::new())),
        }
    }

    /// Where there are fewer than sessions, they are used again.
    pub(super) fn of(&self, number: u32) -> Option<&str> {
        self.0.get(number as usize % self.0.len().max(1)).map(String::as_str)
    }
}

fn signed(load: &Load, signer: &Signer<'_>, secret: &str) -> Result<Vec<String>, LoadFault> {
    let secret = if secret.is_empty() { signer.secret.ok_or(LoadFault::NoSecret)? } else { secret.as_bytes() };
    let (now, lifetime) = (signer.clock.now(), SPARE + Duration::from_secs(load.seconds + load.warm_up));
    let token = |number: u32| {
        let caller = Caller { user: UserId(i64::from(load.first_user) + i64::from(number)), role: Role::User };
        Ok(issue(secret, signer.rules, caller, now, lifetime)?)
    };
    (0..load.sessions()).map(token).collect()
}

fn read(file: &Path) -> Result<Vec<String>, LoadFault> {
    let fault = |problem: String| LoadFault::Tokens { file: file.to_owned(), problem };
    let text = std::fs::read_to_string(file).map_err(|error| fault(error.to_string()))?;
    let tokens: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if tokens.is_empty() { Err(fault("it has none; it wants one a line".to_owned())) } else { Ok(tokens) }
}
