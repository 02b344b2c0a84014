//! A token as a client presents it, and what it grants once it is checked.

use super::{Caller, Refusal, UserId, fields::Fields};
use entity::Timestamp;
use std::{collections::HashMap, fmt};

/// A token's text. It is never shown: whoever reads it in a log could be its user.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

impl Token {
    /// The longest, in bytes: what the common providers issue has less than half of it.
    pub const MAX_BYTES: usize = 8_192;

    /// The text as it was presented.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text, for whoever checks it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// For how long it holds who somebody is: for ever, where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// When it was issued, if that is known.
    pub issued_at: Option<Timestamp>,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

impl Validity {
    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// Who somebody is, and for how long that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub caller: Caller,
    /// For how long.
    pub validity: Validity,
}

/// The users whose tokens were revoked, with when. It grows by one entry a user, of some 40 bytes, and never shrinks: a token has no
/// longest life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations(HashMap<UserId, Timestamp>);

impl Revocations {
    /// What was issued to `user` up to `at` holds no more.
    pub fn revoke(&mut self, user: UserId, at: Timestamp) {
        let latest = self.0.entry(user).or_insert(at);
        *latest = at.max(*latest);
    }

    /// Whether what was granted was revoked since: what does not say when it was issued, was.
    #[must_use]
    pub fn refuse(&self, Grant { caller, validity }: Grant) -> bool {
        let revoked_at = self.0.get(&caller.user);
        revoked_at.is_some_and(|revoked_at| validity.issued_at.is_none_or(|issued_at| issued_at <= *revoked_at))
    }
}

impl FromIterator<(UserId, Timestamp)> for Revocations {
    fn from_iter<T: IntoIterator<Item = (UserId, Timestamp)>>(revocations: T) -> Self {
        Self(revocations.into_iter().collect())
    }
}

/// `REFRESH_TOKEN`: the session goes on under a newer token of the same user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The newer token.
    pub token: Token,
}

impl RefreshToken {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { token: Token::new(fields.text("token", Token::MAX_BYTES)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Role;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms).expect("a moment")
    }

    fn issued(issued_at: Option<i64>) -> Grant {
        let caller = Caller { user: UserId(7), role: Role::User };
        Grant { caller, validity: Validity { issued_at: issued_at.map(at), expires_at: None } }
    }

    #[test]
    fn what_was_issued_up_to_the_revocation_is_refused() {
        let mut revocations = Revocations::default();
        assert!(!revocations.refuse(issued(None)));
        revocations.revoke(UserId(8), at(9_000));
        assert!(!revocations.refuse(issued(Some(1_000))));
        revocations.revoke(UserId(7), at(5_000));
        revocations.revoke(UserId(7), at(4_000));
        for refused in [None, Some(4_999), Some(5_000)] {
            assert!(revocations.refuse(issued(refused)), "{refused:?}");
        }
        assert!(!revocations.refuse(issued(Some(5_001))));
    }

    #[test]
    fn a_token_is_never_shown() {
        let refresh = RefreshToken { token: Token::new("secret") };
        assert!(!format!("{refresh:?}").contains("secret"));
    }
}
