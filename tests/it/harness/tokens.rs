//! Tokens as issuers make them, the right ones and the wrong ones.

use super::{Client, Server, TestDatabase, server::Start};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto, jwk::Jwk};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// A secret of more than 32 bytes.
pub(crate) const SECRET: &str = "a secret that these tests share with the server";

/// Keys made for these tests alone, by `openssl genpkey`; nothing else ever used them.
const RSA: &str = include_str!("../keys/rsa.pem");
const OTHER_RSA: &str = include_str!("../keys/other-rsa.pem");
const P256: &str = include_str!("../keys/p256.pem");
const ED25519: &str = include_str!("../keys/ed25519.pem");
pub(crate) const RSA_PUBLIC: &str = include_str!("../keys/rsa.pub.pem");
pub(crate) const P256_PUBLIC: &str = include_str!("../keys/p256.pub.pem");
pub(crate) const ED25519_PUBLIC: &str = include_str!("../keys/ed25519.pub.pem");

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer<'a> {
    /// With this secret, by HMAC.
    Secret(&'a [u8]),
    Rsa,
    /// An attacker's own key.
    OtherRsa,
    P256,
    Ed25519,
}

impl Signer<'_> {
    fn key(self) -> EncodingKey {
        match self {
            Self::Secret(secret) => EncodingKey::from_secret(secret),
            Self::Rsa => EncodingKey::from_rsa_pem(RSA.as_bytes()).expect("a key"),
            Self::OtherRsa => EncodingKey::from_rsa_pem(OTHER_RSA.as_bytes()).expect("a key"),
            Self::P256 => EncodingKey::from_ec_pem(P256.as_bytes()).expect("a key"),
            Self::Ed25519 => EncodingKey::from_ed_pem(ED25519.as_bytes()).expect("a key"),
        }
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Secret(_) => Algorithm::HS256,
            Self::Rsa | Self::OtherRsa => Algorithm::RS256,
            Self::P256 => Algorithm::ES256,
            Self::Ed25519 => Algorithm::EdDSA,
        }
    }

    /// The public half as a JWKS has it.
    pub(crate) fn jwk(self, kid: &str) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key(), self.algorithm()).expect("a JWK");
        jwk.common.key_id = Some(kid.to_owned());
        json!(jwk)
    }

    /// The signature of `signed` by this algorithm, in base64url.
    pub(crate) fn signature(self, signed: &str, algorithm: Algorithm) -> String {
        crypto::sign(signed.as_bytes(), &self.key(), algorithm).expect("a signature")
    }

    /// A token of exactly this header and these claims, whatever they say.
    pub(crate) fn sign(self, header: &str, claims: &str) -> String {
        self.sign_by(self.algorithm(), header, claims)
    }

    pub(crate) fn sign_by(self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", part(header), part(claims));
        format!("{signed}.{}", self.signature(&signed, algorithm))
    }

    /// A right token of these claims, with `kid` where there is one.
    pub(crate) fn token(self, kid: Option<&str>, claims: &Value) -> String {
        let mut header = json!({ "alg": format!("{:?}", self.algorithm()), "typ": "JWT" });
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        self.sign(&header.to_string(), &claims.to_string())
    }
}

/// One part of a token.
pub(crate) fn part(text: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("not that late")
}

/// Claims that hold for ten minutes.
pub(crate) fn claims(user: i64, role: &str) -> Value {
    json!({ "sub": user.to_string(), "role": role, "iat": now() - 1, "exp": now() + 600 })
}

/// A token by [`SECRET`] that holds for ten minutes.
pub(crate) fn token(user: i64, role: &str) -> String {
    Signer::Secret(SECRET.as_bytes()).token(None, &claims(user, role))
}

/// A server that wants tokens by [`SECRET`].
pub(crate) fn jwt_server(database: &TestDatabase) -> Start {
    Start::on(database).env("NATTER_AUTH__MODE", "jwt").env("NATTER_AUTH__HS256_SECRET", SECRET)
}

impl Server {
    /// The address of the WebSocket, with a token.
    pub(crate) fn ws_url_with(&self, token: &str) -> String {
        format!("ws://{}/ws?token={token}", self.address)
    }

    /// A request to the HTTP API with `Authorization: Bearer`.
    pub(crate) async fn call(&self, method: reqwest::Method, path: &str, bearer: &str) -> (u16, Value) {
        let request = reqwest::Client::new().request(method, format!("http://{}{path}", self.address)).bearer_auth(bearer);
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }
}

impl Client {
    /// Connects by `natter.v1` with a token, and is welcomed.
    pub(crate) async fn with_token(server: &Server, user: i64, token: &str) -> Self {
        let mut client = Self::connect(&server.ws_url_with(token), user, Some("natter.v1")).await;
        assert_eq!(client.expect("WELCOME").await["payload"]["user_id"], user);
        client
    }
}
