//! Signed links: whoever has one may fetch that file until it ends, without saying who they are.

use crate::protocol::{Timestamp, attachment};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto, errors::Error};
use std::{fmt, time::Duration};
use uuid::Uuid;

use super::Rendition;

/// Signs links, and knows its own.
pub struct Signer {
    sign: EncodingKey,
    verify: DecodingKey,
}

/// A link that holds for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Path and query.
    pub url: String,
    /// Until when it holds.
    pub expires_at: Timestamp,
}

impl Signer {
    /// Signs with this secret, by HMAC-SHA256.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self { sign: EncodingKey::from_secret(secret), verify: DecodingKey::from_secret(secret) }
    }

    /// A link to a file that holds from `now` on for `lifetime`.
    ///
    /// # Errors
    /// Where the library fails to sign.
    pub fn link(&self, id: Uuid, rendition: Rendition, now: Timestamp, lifetime: Duration) -> Result<Link, Error> {
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let expires = (now.unix_ms() / 1_000).saturating_add(lifetime);
        let signature = crypto::sign(signed(id, rendition, expires).as_bytes(), &self.sign, Algorithm::HS256)?;
        let path = match rendition {
            Rendition::File => attachment::path(id),
            Rendition::Thumbnail => attachment::thumbnail_path(id),
        };
        let expires_at = Timestamp::from_unix_ms(expires.saturating_mul(1_000)).unwrap_or(now);
        Ok(Link { url: format!("{path}?expires={expires}&signature={signature}"), expires_at })
    }

    /// Whether this signature is one of ours for this file, and holds.
    #[must_use]
    pub fn allows(&self, id: Uuid, rendition: Rendition, expires: i64, signature: &str, now: Timestamp) -> bool {
        let message = signed(id, rendition, expires);
        let is_ours = crypto::verify(signature, message.as_bytes(), &self.verify, Algorithm::HS256);
        is_ours.unwrap_or(false) && now.unix_ms() < expires.saturating_mul(1_000)
    }
}

/// What is signed. The first word keeps it apart from whatever else the same secret may sign.
fn signed(id: Uuid, rendition: Rendition, expires: i64) -> String {
    let rendition = match rendition {
        Rendition::File => "file",
        Rendition::Thumbnail => "thumbnail",
    };
    format!("natter-upload {rendition} {id} {expires}")
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_for_one_file_and_ends() {
        let (signer, id) = (Signer::new(b"a secret"), Uuid::from_u128(7));
        let now = Timestamp::from_unix_ms(1_000_000).unwrap();
        let link = signer.link(id, Rendition::File, now, Duration::from_mins(5)).unwrap();
        let (_, query) = link.url.split_once("?expires=1300&signature=").unwrap();
        let later = |seconds: i64| Timestamp::from_unix_ms(1_000_000 + seconds * 1_000).unwrap();
        assert!(signer.allows(id, Rendition::File, 1_300, query, later(299)));
        assert!(!signer.allows(id, Rendition::File, 1_300, query, later(300)));
        assert!(!signer.allows(id, Rendition::File, 1_301, query, now));
        assert!(!signer.allows(id, Rendition::Thumbnail, 1_300, query, now));
        assert!(!signer.allows(Uuid::from_u128(8), Rendition::File, 1_300, query, now));
        assert!(!Signer::new(b"another").allows(id, Rendition::File, 1_300, query, now));
        assert!(!signer.allows(id, Rendition::File, 1_300, "", now));
        assert!(!signer.allows(id, Rendition::File, 1_300, "%%%", now));
    }
}
