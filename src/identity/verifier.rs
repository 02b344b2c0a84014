//! From a token's text to who its user is, or why not.

use super::{Jwks, Keys, Rules, TokenFault, Unverified};
use crate::{
    clock::Clock,
    protocol::{Grant, Revocations, Token},
};
use tokio::sync::watch;

/// Checks tokens.
#[derive(Clone, Debug)]
pub struct Verifier {
    /// The keys that were set.
    pub keys: Keys,
    /// The keys that are fetched, if they are.
    pub jwks: Option<Jwks>,
    /// What tokens must say.
    pub rules: Rules,
    /// Whose tokens were revoked.
    pub revocations: watch::Receiver<Revocations>,
    /// Tells whether a token has expired.
    pub clock: Clock,
}

impl Verifier {
    /// Who the token's user is. Waits only where its key is not known and may be fetched.
    ///
    /// # Errors
    /// Why the token is refused.
    pub async fn verify(&self, token: &Token) -> Result<Grant, TokenFault> {
        let token = Unverified::read(token.as_str())?;
        let unknown = TokenFault::UnknownKey(token.algorithm);
        let claims = match (self.keys.meant_by(&token), &self.jwks) {
            (Some(key), _) => token.verified(key)?,
            (None, Some(jwks)) => {
                let keys = jwks.keys_for(&token).await?;
                let key = keys.meant_by(&token).ok_or(unknown)?;
                token.verified(key)?
            }
            (None, None) => return Err(unknown),
        };
        let grant = self.rules.grant(&claims, self.clock.now())?;
        if self.revocations.borrow().refuse(grant) { Err(TokenFault::Revoked(grant.caller.user)) } else { Ok(grant) }
    }
}
