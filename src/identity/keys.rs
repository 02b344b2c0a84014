//! The keys that tokens are checked with, each for one algorithm: a token never chooses how its own key is used.

use super::{Unverified, algorithm::Algorithm};
use jsonwebtoken::{
    DecodingKey, crypto,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use std::{fmt, sync::Arc};

/// Why a text is no key to check tokens with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It could make tokens, too.
    #[error("must be the public key: Natter checks tokens and never makes them")]
    Private,
    /// ES256 is on P-256 alone.
    #[error("must be on the curve P-256 where it is an EC key")]
    AnotherCurve,
    /// It can't be read, or is of another kind.
    #[error("must be a public key in PEM: RSA, EC (P-256) or Ed25519")]
    Unreadable,
}

/// A key that signatures are checked with.
pub struct Key {
    /// What tokens call it (`kid`); a key that was set by hand has no name, and is for every token of its algorithm.
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    material: DecodingKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, {:?})", self.algorithm, self.id)
    }
}

impl Key {
    /// A secret that tokens are both made and checked with.
    #[must_use]
    pub fn from_secret(secret: &[u8]) -> Self {
        Self { id: None, algorithm: Algorithm::Hs256, material: DecodingKey::from_secret(secret) }
    }

    /// A public key in PEM: RSA, P-256 or Ed25519.
    ///
    /// # Errors
    /// What it must be, where it is something else.
    pub fn from_pem(pem: &str) -> Result<Self, KeyFault> {
        if pem.contains("PRIVATE KEY") {
            return Err(KeyFault::Private);
        }
        let pem = pem.as_bytes();
        let rsa = DecodingKey::from_rsa_pem(pem).map(|key| (Algorithm::Rs256, key));
        let ec = || DecodingKey::from_ec_pem(pem).map(|key| (Algorithm::Es256, key));
        let ed = || DecodingKey::from_ed_pem(pem).map(|key| (Algorithm::EdDsa, key));
        match rsa.or_else(|_| ec()).or_else(|_| ed()) {
            Ok((Algorithm::Es256, key)) if !is_on_p256(&key) => Err(KeyFault::AnotherCurve),
            Ok((algorithm, material)) => Ok(Self { id: None, algorithm, material }),
            Err(_) => Err(KeyFault::Unreadable),
        }
    }

    /// A key of a JWKS, if it is one that tokens are signed with, for the algorithm that it is declared for.
    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let algorithm = match (&jwk.algorithm, jwk.common.key_algorithm) {
            (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Algorithm::Rs256,
            (AlgorithmParameters::EllipticCurve(key), None | Some(KeyAlgorithm::ES256)) if key.curve == EllipticCurve::P256 => {
                Algorithm::Es256
            }
            (AlgorithmParameters::OctetKeyPair(key), None | Some(KeyAlgorithm::EdDSA)) if key.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDsa
            }
            // Among others a symmetric key: whoever reads it could make tokens.
            _ => return None,
        };
        let is_for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let operations = jwk.common.key_operations.as_ref();
        let verifies = operations.is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        let material = DecodingKey::from_jwk(jwk).ok().filter(|_| is_for_signatures && verifies)?;
        Some(Self { id: jwk.common.key_id.clone(), algorithm, material })
    }

    /// Whether `signature`, in base64url, is this key's of `signed`.
    pub(super) fn has_signed(&self, signed: &str, signature: &str) -> bool {
        crypto::verify(signature, signed.as_bytes(), &self.material, self.algorithm.into()).unwrap_or(false)
    }

    fn is_meant(&self, token: &Unverified<'_>) -> bool {
        let is_called_so = match (&self.id, &token.key_id) {
            (Some(id), Some(wanted)) => id == wanted,
            (None, _) | (Some(_), None) => true,
        };
        is_called_so && self.algorithm == token.algorithm
    }
}

/// An uncompressed point: a 4, and two coordinates of 32 bytes.
fn is_on_p256(key: &DecodingKey) -> bool {
    key.try_get_as_bytes().is_ok_and(|point| point.len() == 65)
}

/// Some keys.
#[derive(Clone, Debug, Default)]
pub struct Keys(Arc<[Key]>);

impl Keys {
    /// The keys of a JWKS document that are for signatures by a known algorithm; the others are passed over.
    ///
    /// # Errors
    /// Where it is no JWKS.
    pub fn from_jwks(json: &[u8]) -> Result<Self, serde_json::Error> {
        /// Read key by key: one of a kind that is not known must not cost the others.
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<serde_json::Value>,
        }
        let Document { keys } = serde_json::from_slice(json)?;
        let jwks = keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Ok(jwks.filter_map(|jwk| Key::from_jwk(&jwk)).collect())
    }

    /// The one key that the token can mean; where it may mean several, none.
    pub(super) fn meant_by(&self, token: &Unverified<'_>) -> Option<&Key> {
        let mut meant = self.0.iter().filter(|key| key.is_meant(token));
        meant.next().filter(|_| meant.next().is_none())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<Key> for Keys {
    fn from_iter<T: IntoIterator<Item = Key>>(keys: T) -> Self {
        Self(keys.into_iter().collect())
    }
}
