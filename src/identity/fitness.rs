//! Whether signatures can be checked with a public key at all: what can't is told when the key is read, and not by each token.

use super::{Algorithm, KeyFault};
use aws_lc_rs::{
    rsa::PublicKey,
    signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey},
};
use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use std::ops::RangeInclusive;

/// What signatures by RS256 are checked with, in bits.
const RSA_BITS: RangeInclusive<usize> = 2_048..=8_192;

/// What is wrong with the key, if anything is.
pub(super) fn check(algorithm: Algorithm, key: &DecodingKey) -> Result<(), KeyFault> {
    match algorithm {
        Algorithm::Rs256 => match modulus_bits(key) {
            Some(bits) if RSA_BITS.contains(&bits) => Ok(()),
            Some(_) => Err(KeyFault::AnotherSize),
            None => Err(KeyFault::Unreadable),
        },
        Algorithm::Es256 if !is_on_p256(key) => Err(KeyFault::AnotherCurve),
        Algorithm::EdDsa if !is_on_ed25519(key) => Err(KeyFault::NoEd25519),
        Algorithm::Es256 | Algorithm::Hs256 | Algorithm::EdDsa => Ok(()),
    }
}

/// A point of another curve does not solve this one's equation, even where it is as long: secp256k1's is.
fn is_on_p256(key: &DecodingKey) -> bool {
    key.try_get_as_bytes().is_ok_and(|point| ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).is_ok())
}

fn is_on_ed25519(key: &DecodingKey) -> bool {
    key.try_get_as_bytes().is_ok_and(|point| ParsedPublicKey::new(&ED25519, point).is_ok())
}

fn modulus_bits(key: &DecodingKey) -> Option<usize> {
    match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, .. } => Some(bits(n)),
        DecodingKeyKind::SecretOrDer(der) => {
            PublicKey::from_der(der).ok().map(|key| bits(key.modulus().big_endian_without_leading_zero()))
        }
    }
}

/// From the first one that is set.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros).map_or(0, |first| (number.len() - zeros) * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, KeyFault, check};
    use jsonwebtoken::DecodingKey;

    #[test]
    fn a_key_of_ed25519_has_its_length() {
        let check = |x: &str| check(Algorithm::EdDsa, &DecodingKey::from_ed_components(x).expect("base64"));
        // RFC 8037, appendix A.2.
        assert_eq!(check("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwaaPEHtzVc"), Ok(()));
        assert_eq!(check("AAAA"), Err(KeyFault::NoEd25519));
    }
}
