//! Making a token, for development: in production the application's own backend or its identity provider does.

use super::Rules;
use crate::protocol::{Caller, Role, Timestamp};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Map, Value};
use std::time::Duration;

/// A token that these rules take, signed with `secret` by HS256.
///
/// # Errors
/// Where it can't be signed.
pub fn issue(
    secret: &[u8],
    rules: &Rules,
    caller: Caller,
    now: Timestamp,
    lifetime: Duration,
) -> jsonwebtoken::errors::Result<String> {
    let iat = now.unix_ms() / 1_000;
    let exp = iat.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX));
    let mut claims: Map<String, Value> = Map::from_iter([("iat".to_owned(), iat.into()), ("exp".to_owned(), exp.into())]);
    let texts = [("iss", &rules.issuer), ("aud", &rules.audience)];
    claims.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text.clone()?.into()))));
    // A claim is looked for by its whole name first, so one that is set as a path is found, too.
    claims.insert(rules.user.as_str().to_owned(), caller.user.to_string().into());
    if caller.role != Role::default() {
        claims.insert(rules.role.as_str().to_owned(), caller.role.as_str().into());
    }
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret))
}
