//! A token's text, taken apart. Nothing that it says is believed before its signature is checked; reading it is pure.

use super::{Key, TokenFault, algorithm::Algorithm, object::Object};
use crate::protocol::Token;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// A token that is well-formed, and no more than that.
#[derive(Clone, Debug)]
pub struct Unverified<'a> {
    /// How it says that it is signed.
    pub(super) algorithm: Algorithm,
    /// Which key it says that is with (`kid`). Only ever compared with the names of keys that are known.
    pub(super) key_id: Option<String>,
    /// What the signature is of: header and claims, as they were sent.
    signed: &'a str,
    claims: Object,
    signature: &'a str,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart. The header's `jku`, `x5u`, `jwk` and `x5c` are not looked at: nobody brings their own key.
    ///
    /// # Errors
    /// Where it is too long, is not a JWS in its compact form, or is signed by an algorithm that is not known.
    pub fn read(token: &'a str) -> Result<Self, TokenFault> {
        if token.len() > Token::MAX_BYTES {
            return Err(TokenFault::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
        let header = object(header)?;
        let algorithm = text(&header, "alg")?.as_deref().and_then(Algorithm::named).ok_or(TokenFault::UnknownAlgorithm)?;
        if header.get("crit").is_some() {
            return Err(TokenFault::Critical);
        }
        if text(&header, "typ")?.is_some_and(|r#type| !is_a_jwts(&r#type)) {
            return Err(TokenFault::AnotherType);
        }
        Ok(Self { algorithm, key_id: text(&header, "kid")?, signed, claims: object(claims)?, signature })
    }

    /// The claims, if `key` has signed them.
    pub(super) fn verified(&self, key: &Key) -> Option<&Object> {
        let is_signed = self.algorithm == key.algorithm && key.has_signed(self.signed, self.signature);
        is_signed.then_some(&self.claims)
    }
}

/// RFC 7519 and RFC 9068; a token of another type is meant for something else.
fn is_a_jwts(r#type: &str) -> bool {
    ["JWT", "at+jwt", "application/at+jwt"].iter().any(|known| known.eq_ignore_ascii_case(r#type))
}

fn object(part: &str) -> Result<Object, TokenFault> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Malformed)?;
    Object::read(&json).ok_or(TokenFault::Malformed)
}

fn text(header: &Object, name: &str) -> Result<Option<String>, TokenFault> {
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned).ok_or(TokenFault::Malformed);
    header.get(name).map(text).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(header: &str, claims: &str) -> String {
        let part = |json: &str| BASE64_URL_SAFE_NO_PAD.encode(json);
        format!("{}.{}.AAAA", part(header), part(claims))
    }

    #[test]
    fn what_is_no_jwt_is_told_apart() {
        let fault = |header, claims| Unverified::read(&token(header, claims)).map(|_| ()).expect_err("a fault");
        assert_eq!(fault("[]", "{}"), TokenFault::Malformed);
        assert_eq!(fault(r#"["HS256"]"#, "{}"), TokenFault::Malformed);
        assert_eq!(fault(r#"{"alg":"HS256"}"#, "7"), TokenFault::Malformed);
        assert_eq!(fault(r#"{"alg":"HS256"}"#, r#"{"sub":1,"sub":2}"#), TokenFault::Malformed);
        assert_eq!(fault(r#"{"alg":"HS256","kid":7}"#, "{}"), TokenFault::Malformed);
        assert_eq!(fault(r#"{"alg":"none"}"#, "{}"), TokenFault::UnknownAlgorithm);
        assert_eq!(fault("{}", "{}"), TokenFault::UnknownAlgorithm);
        assert_eq!(fault(r#"{"alg":"HS256","crit":["b64"]}"#, "{}"), TokenFault::Critical);
        assert_eq!(fault(r#"{"alg":"HS256","typ":"logout+jwt"}"#, "{}"), TokenFault::AnotherType);
        assert!(Unverified::read(&token(r#"{"alg":"HS256","typ":"jwt","jku":"https://x"}"#, "{}")).is_ok());
    }

    proptest! {
        #[test]
        fn reading_never_panics(header in ".{0,80}", claims in ".{0,80}", text in ".{0,200}") {
            let _ = Unverified::read(&token(&header, &claims));
            let _ = Unverified::read(&text);
        }
    }
}
