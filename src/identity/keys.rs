//! The keys that tokens are checked with, each for one algorithm: a token never chooses how its own key is used.

use super::{Unverified, algorithm::Algorithm, fitness};
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
    /// `EdDSA` is on Ed25519 alone here.
    #[error("must be a key of 32 bytes on Ed25519 where it is an OKP key")]
    NoEd25519,
    /// RFC 7518 wants no less for RS256; with another, every signature would be refused.
    #[error("must have from 2,048 to 8,192 bits where it is an RSA key")]
    AnotherSize,
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
            Ok((algorithm, material)) => fitness::check(algorithm, &material).map(|()| Self { id: None, algorithm, material }),
            Err(_) => Err(KeyFault::Unreadable),
        }
    }

    /// A key of a JWKS, if it is one that tokens are signed with, for the algorithm that it is declared for; or what it must be.
    fn from_jwk(jwk: &Jwk) -> Option<Result<Self, KeyFault>> {
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
        let fit = fitness::check(algorithm, &material);
        Some(fit.map(|()| Self { id: jwk.common.key_id.clone(), algorithm, material }))
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

    fn is_named(&self, token: &Unverified<'_>) -> bool {
        self.id.is_some() && self.id == token.key_id && self.algorithm == token.algorithm
    }
}

/// Some keys.
#[derive(Clone, Debug, Default)]
pub struct Keys(Arc<[Key]>);

impl Keys {
    /// The keys of a JWKS document that are for signatures by a known algorithm, and what is wrong with those among them that no
    /// signature could be checked with; the others are passed over.
    ///
    /// # Errors
    /// Where it is no JWKS.
    pub fn from_jwks(json: &[u8]) -> Result<(Self, Vec<KeyFault>), serde_json::Error> {
        /// Read key by key: one of a kind that is not known must not cost the others.
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<serde_json::Value>,
        }
        let Document { keys } = serde_json::from_slice(json)?;
        let jwks = keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let (mut fit, mut unfit) = (Vec::new(), Vec::new());
        for key in jwks.filter_map(|jwk| Key::from_jwk(&jwk)) {
            match key {
                Ok(key) => fit.push(key),
                Err(fault) => unfit.push(fault),
            }
        }
        Ok((fit.into_iter().collect(), unfit))
    }

    /// The one key that the token can mean; where it may mean several, none.
    pub(super) fn meant_by(&self, token: &Unverified<'_>) -> Option<&Key> {
        self.only(|key| key.is_meant(token))
    }

    /// The one key that has the very name that the token says.
    pub(super) fn named_by(&self, token: &Unverified<'_>) -> Option<&Key> {
        self.only(|key| key.is_named(token))
    }

    fn only(&self, is_it: impl Fn(&Key) -> bool) -> Option<&Key> {
        let mut found = self.0.iter().filter(|key| is_it(key));
        found.next().filter(|_| found.next().is_none())
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
