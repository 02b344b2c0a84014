//! From the claims of a token whose signature is right to who its user is, and until when. Pure: the time is an argument.

use super::{TokenFault, object::Object};
use crate::protocol::{Caller, Grant, Role, Timestamp, UserId, Validity, fields::MAX_ID};
use serde_json::Value;
use std::str::FromStr;

/// What a token must say, and where it says who its user is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `iss` must be this; without it, `iss` is not looked at.
    pub issuer: Option<String>,
    /// `aud` must have this; without it, a token with an `aud` is meant for someone else.
    pub audience: Option<String>,
    /// Seconds by which the clocks of those who issue tokens may differ from ours.
    pub leeway_seconds: i64,
    /// The claim that is the user's id.
    pub user: ClaimName,
    /// The claim that is the user's role, or a list with it.
    pub role: ClaimName,
}

/// A claim's name, or a path to it: `app_metadata.role`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimName(String);

impl Default for ClaimName {
    /// Where RFC 7519 has the user.
    fn default() -> Self {
        Self("sub".to_owned())
    }
}

/// It names no claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a claim, such as sub or app_metadata.role")]
pub struct NoClaimName;

impl FromStr for ClaimName {
    type Err = NoClaimName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let is_name = !name.is_empty() && name.chars().all(|letter| !letter.is_control());
        if is_name { Ok(Self(name.to_owned())) } else { Err(NoClaimName) }
    }
}

impl ClaimName {
    /// The name as it was set.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it lies in what issuers let users change themselves: Supabase's `user_metadata`, Clerk's `unsafe_metadata`.
    #[must_use]
    pub fn is_the_users_own(&self) -> bool {
        ["user_metadata", "unsafe_metadata"].contains(&self.0.split('.').next().unwrap_or_default())
    }

    /// The claim. Names may have dots themselves (`https://app.example/role`), so the whole name comes first.
    fn of<'a>(&self, claims: &'a Object) -> Option<&'a Value> {
        let by_path = || {
            let (first, rest) = self.0.split_once('.')?;
            rest.split('.').try_fold(claims.get(first)?, |value, name| value.get(name))
        };
        claims.get(&self.0).or_else(by_path).filter(|value| !value.is_null())
    }
}

impl Rules {
    /// Who claims that were read from elsewhere name, if they hold at the moment `now`.
    ///
    /// # Errors
    /// Which of them is at fault.
    pub fn read(&self, json: &[u8], now: Timestamp) -> Result<Grant, TokenFault> {
        self.grant(&Object::read(json).ok_or(TokenFault::Malformed)?, now)
    }

    /// Who the claims say that somebody is, if they hold at the moment `now`.
    pub(super) fn grant(&self, claims: &Object, now: Timestamp) -> Result<Grant, TokenFault> {
        let validity = self.validity(claims, now)?;
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        Ok(Grant { caller: Caller { user: self.user(claims)?, role: self.role(claims)? }, validity })
    }

    fn validity(&self, claims: &Object, now: Timestamp) -> Result<Validity, TokenFault> {
        let leeway_ms = self.leeway_seconds * 1_000;
        let expires_at = moment(claims, "exp", leeway_ms)?.ok_or(TokenFault::BadClaim("exp"))?;
        if expires_at <= now {
            return Err(TokenFault::Expired);
        }
        for name in ["nbf", "iat"] {
            if moment(claims, name, -leeway_ms)?.is_some_and(|from| from > now) {
                return Err(TokenFault::NotYet(name));
            }
        }
        Ok(Validity { issued_at: moment(claims, "iat", 0)?, expires_at: Some(expires_at) })
    }

    fn check_issuer(&self, claims: &Object) -> Result<(), TokenFault> {
        let Some(issuer) = &self.issuer else { return Ok(()) };
        let is_ours = claims.get("iss").and_then(Value::as_str) == Some(issuer);
        if is_ours { Ok(()) } else { Err(TokenFault::AnotherIssuer) }
    }

    /// RFC 7519: who is not in `aud` must refuse the token, also where one does not know what one is called.
    fn check_audience(&self, claims: &Object) -> Result<(), TokenFault> {
        match (claims.get("aud"), &self.audience) {
            (None, None) => Ok(()),
            (Some(aud), Some(audience)) if texts(aud).any(|text| text == audience) => Ok(()),
            (Some(_), None) => Err(TokenFault::UnsetAudience),
            (Some(_) | None, Some(_)) => Err(TokenFault::AnotherAudience),
        }
    }

    /// An id as a number, or in decimal digits: `sub` is a string by RFC 7519.
    fn user(&self, claims: &Object) -> Result<UserId, TokenFault> {
        let id = match self.user.of(claims) {
            Some(Value::Number(number)) => number.as_i64(),
            // Written in one way alone: no sign, no leading zero.
            Some(Value::String(text)) => text.parse().ok().filter(|id: &i64| id.to_string() == *text),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
        };
        let id = id.filter(|id| (1..=MAX_ID).contains(id));
        id.map(UserId).ok_or_else(|| TokenFault::NoUser(self.user.0.clone()))
    }

    /// The highest of the roles that are named. Those of other systems, such as Supabase's `authenticated`, give nothing here.
    fn role(&self, claims: &Object) -> Result<Role, TokenFault> {
        let Some(named) = self.role.of(claims) else { return Ok(Role::default()) };
        if !named.is_string() && !named.is_array() {
            return Err(TokenFault::BadClaim("role"));
        }
        Ok(texts(named).filter_map(|name| name.parse().ok()).max().unwrap_or_default())
    }
}

/// The texts that a claim is: one, or a list of them.
fn texts(claim: &Value) -> impl Iterator<Item = &str> {
    let list = claim.as_array().map(Vec::as_slice).unwrap_or_default();
    claim.as_str().into_iter().chain(list.iter().filter_map(Value::as_str))
}

/// A moment in seconds since 1970, which may have a fraction, moved by `shift_ms`.
#[expect(clippy::cast_possible_truncation, reason = "a cast from f64 saturates, and what lies beyond the calendar is refused")]
fn moment(claims: &Object, name: &'static str, shift_ms: i64) -> Result<Option<Timestamp>, TokenFault> {
    let Some(claim) = claims.get(name) else { return Ok(None) };
    let seconds = claim.as_f64().ok_or(TokenFault::BadClaim(name))?;
    let ms = (seconds * 1_000.0).floor() as i64;
    Timestamp::from_unix_ms(ms.saturating_add(shift_ms)).map(Some).ok_or(TokenFault::BadClaim(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn rules(user: &str, role: &str) -> Rules {
        let name = |name: &str| name.parse().expect("a claim's name");
        Rules { issuer: None, audience: None, leeway_seconds: 5, user: name(user), role: name(role) }
    }

    fn granted(rules: &Rules, claims: &Value) -> Result<Grant, TokenFault> {
        rules.read(claims.to_string().as_bytes(), Timestamp::from_unix_ms(1_000_000_000).expect("a moment"))
    }

    #[test]
    fn a_claim_is_found_by_its_whole_name_and_else_by_its_path() {
        let claims = json!({ "exp": 2_000_000, "sub": "0190f3e2", "app": { "id": 7, "roles": ["x", "agent"] }, "a.b": "9" });
        let grant = granted(&rules("app.id", "app.roles"), &claims).expect("a grant");
        assert_eq!(grant.caller, Caller { user: UserId(7), role: Role::Agent });
        assert_eq!(granted(&rules("a.b", "role"), &claims).expect("a grant").caller.user, UserId(9));
        for missing in ["sub", "app", "app.roles", "app.id.x", "nowhere"] {
            assert_eq!(granted(&rules(missing, "role"), &claims), Err(TokenFault::NoUser(missing.to_owned())));
        }
    }

    #[test]
    fn the_clocks_may_differ_by_the_leeway_and_no_more() {
        let claims = |exp: f64, nbf: f64| granted(&rules("sub", "role"), &json!({ "exp": exp, "nbf": nbf, "sub": 1 }));
        assert!(claims(999_995.5, 1_000_005.0).is_ok());
        assert_eq!(claims(999_995.0, 0.0), Err(TokenFault::Expired));
        assert_eq!(claims(2_000_000.0, 1_000_005.5), Err(TokenFault::NotYet("nbf")));
    }

    #[test]
    fn a_role_of_another_system_is_no_role_here() {
        let role = |role: Value| granted(&rules("sub", "role"), &json!({ "exp": 2_000_000, "sub": 1, "role": role }));
        assert_eq!(role(json!("admin")).expect("a grant").caller.role, Role::Admin);
        for plain in [json!("authenticated"), json!("Admin"), json!(null), json!([]), json!([7])] {
            assert_eq!(role(plain).expect("a grant").caller.role, Role::User);
        }
        for malformed in [json!(7), json!(true), json!({ "admin": true })] {
            assert_eq!(role(malformed), Err(TokenFault::BadClaim("role")));
        }
    }

    #[test]
    fn an_audience_that_is_not_ours_is_told_from_one_that_is_not_set() {
        let fault = |audience: Option<&str>| {
            let rules = Rules { audience: audience.map(str::to_owned), ..rules("sub", "role") };
            granted(&rules, &json!({ "exp": 2_000_000, "sub": 1, "aud": "app" })).map_err(|fault| fault.to_string())
        };
        assert_eq!(fault(Some("natter")), Err("the token's aud is not auth.audience".to_owned()));
        assert_eq!(fault(None), Err("the token has an aud, and auth.audience is not set".to_owned()));
        assert!(fault(Some("app")).is_ok());
    }

    proptest! {
        #[test]
        fn no_number_of_seconds_panics(exp in any::<f64>(), nbf in any::<f64>(), iat in any::<i64>()) {
            let _ = granted(&rules("sub", "role"), &json!({ "exp": exp, "nbf": nbf, "iat": iat, "sub": 1 }));
        }
    }
}
