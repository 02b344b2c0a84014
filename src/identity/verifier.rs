//! From a token's text to who its user is, or why not.

use super::{Algorithm, Jwks, Keys, Rules, TokenFault, Unverified, object::Object};
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
        let grant = self.rules.grant(self.claims(&token).await?, self.clock.now())?;
        if self.revocations.borrow().refuse(grant) { Err(TokenFault::Revoked(grant.caller.user)) } else { Ok(grant) }
    }

    /// The claims, once a key has signed them: the one of the list that the token names, or else the one that was set, which has no
    /// name, or else the one of the list that the token can mean.
    async fn claims<'a>(&self, token: &'a Unverified<'_>) -> Result<&'a Object, TokenFault> {
        let fetched = self.jwks.as_ref().and_then(Jwks::known).unwrap_or_default();
        let (named, set) = (fetched.named_by(token), self.keys.meant_by(token));
        if let Some(claims) = named.into_iter().chain(set).find_map(|key| token.verified(key)) {
            return Ok(claims);
        }
        let fault = match (named, set) {
            (None, None) => TokenFault::UnknownKey(token.algorithm),
            (Some(_), _) | (_, Some(_)) => TokenFault::BadSignature,
        };
        match &self.jwks {
            // A list never has a key that everyone on it could sign with.
            Some(jwks) if named.is_none() && token.algorithm != Algorithm::Hs256 => {
                let keys = jwks.keys_for(token).await?;
                let key = keys.meant_by(token).ok_or(fault)?;
                token.verified(key).ok_or(TokenFault::BadSignature)
            }
            Some(_) | None => Err(fault),
        }
    }
}
