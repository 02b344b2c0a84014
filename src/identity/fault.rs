//! Why a token is refused, for a developer to read: never a word of the token itself.

use super::Algorithm;
use crate::protocol::{ErrorCode, Refusal, Token, UserId, fields::MAX_ID};

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// More than a token may have.
    #[error("the token is longer than {} bytes", Token::MAX_BYTES)]
    TooLong,
    /// Not three parts in base64url, the first two of which are JSON objects without repeated keys.
    #[error("the token is no signed JWT")]
    Malformed,
    /// `alg` is `none`, or one that no key is for.
    #[error("the token's alg is not HS256, RS256, ES256 or EdDSA")]
    UnknownAlgorithm,
    /// `typ` says that it is something else.
    #[error("the token's typ is not JWT")]
    AnotherType,
    /// `crit` names what must be understood.
    #[error("the token's crit asks for what is not known")]
    Critical,
    /// No key is for this `alg`, by this `kid`.
    #[error("there is no key for the token's alg {0} and kid")]
    UnknownKey(Algorithm),
    /// The signature is another key's, or of other words.
    #[error("the token's signature is not right")]
    BadSignature,
    /// A claim that must be there is not, or is of the wrong type.
    #[error("the token's {0} is missing or malformed")]
    BadClaim(&'static str),
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("the token's {0} lies in the future")]
    NotYet(&'static str),
    /// `iss` is not the one that is set.
    #[error("the token's iss is not auth.issuer")]
    AnotherIssuer,
    /// `aud` does not have the one that is set.
    #[error("the token's aud is not auth.audience")]
    AnotherAudience,
    /// It has an `aud`, and nobody said which one is ours.
    #[error("the token has an aud, and auth.audience is not set")]
    UnsetAudience,
    /// The claim that names the user is no id.
    #[error("the token's {0} must be a user id: an integer from 1 to {MAX_ID}")]
    NoUser(String),
    /// It was issued before the user's tokens were revoked.
    #[error("the tokens of user {0} that were issued before were revoked")]
    Revoked(UserId),
    /// The keys were never fetched.
    #[error("the keys that tokens are checked with could not be fetched yet: try again")]
    NoKeys,
}

impl From<TokenFault> for Refusal {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::NoKeys => Self { message: fault.to_string().into(), ..Self::unavailable("") },
            TokenFault::TooLong
            | TokenFault::Malformed
            | TokenFault::UnknownAlgorithm
            | TokenFault::AnotherType
            | TokenFault::Critical
            | TokenFault::UnknownKey(_)
            | TokenFault::BadSignature
            | TokenFault::BadClaim(_)
            | TokenFault::Expired
            | TokenFault::NotYet(_)
            | TokenFault::AnotherIssuer
            | TokenFault::AnotherAudience
            | TokenFault::UnsetAudience
            | TokenFault::NoUser(_)
            | TokenFault::Revoked(_) => Self { field: Some("token"), ..Self::new(ErrorCode::Unauthorized, fault.to_string()) },
        }
    }
}
