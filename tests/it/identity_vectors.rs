//! A2: tokens that must not be taken, each over HTTP and over the WebSocket, by a server that takes right ones of all four algorithms.

use crate::harness::{
    Backend, Client, Server, TestDatabase, WebServer,
    server::Start,
    tokens::{RSA_PUBLIC, SECRET, Signer, now, part},
};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

const HMAC: Signer<'_> = Signer::Secret(SECRET.as_bytes());

/// Claims that are taken.
fn good() -> Value {
    json!({ "sub": "7", "iss": "https://issuer.example", "aud": "natter", "iat": now() - 1, "exp": now() + 600 })
}

/// Good claims but for one, which is this, or left out.
fn but(name: &str, value: Option<Value>) -> String {
    let mut claims = good();
    let object = claims.as_object_mut().expect("an object");
    match value {
        Some(value) => object.insert(name.to_owned(), value),
        None => object.remove(name),
    };
    claims.to_string()
}

/// Good claims with this JSON before their end.
fn with(json: &str) -> String {
    let claims = good().to_string();
    format!("{},{json}}}", claims.trim_end_matches('}'))
}

/// What the token of an algorithm begins with.
fn header(alg: &str) -> String {
    json!({ "alg": alg, "typ": "JWT" }).to_string()
}

fn named(alg: &str, kid: &str) -> String {
    json!({ "alg": alg, "kid": kid }).to_string()
}

/// A server with a secret, an RSA key in PEM, and a JWKS of the two other kinds.
async fn server(database: &TestDatabase, jwks: &WebServer) -> Server {
    Start::on(database)
        .env("NATTER_AUTH__MODE", "jwt")
        .env("NATTER_AUTH__HS256_SECRET", SECRET)
        .env("NATTER_AUTH__PUBLIC_KEY", RSA_PUBLIC)
        .env("NATTER_AUTH__JWKS_URL", &jwks.url)
        .env("NATTER_AUTH__ISSUER", "https://issuer.example")
        .env("NATTER_AUTH__AUDIENCE", "natter")
        .env("NATTER_LIMITS__ENABLED", "false")
        .listening()
        .await
}

fn jwks() -> String {
    let symmetric = json!({ "kty": "oct", "kid": "shared", "alg": "HS256", "k": part("published to everyone") });
    let mut for_secrecy = Signer::OtherRsa.jwk("enc");
    for_secrecy["use"] = "enc".into();
    let mut of_another_algorithm = Signer::OtherRsa.jwk("rs512");
    of_another_algorithm["alg"] = "RS512".into();
    json!({ "keys": [Signer::P256.jwk("ec"), Signer::Ed25519.jwk("ed"), symmetric, for_secrecy, of_another_algorithm] })
        .to_string()
}

/// `none`, written in every way, and with whatever for a signature.
fn unsigned() -> Vec<(String, String)> {
    let mut vectors = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE", "nonE", " none", "none ", ""] {
        let signed = format!("{}.{}", part(header(alg)), part(good().to_string()));
        vectors.push((format!("alg {alg:?}, nothing"), format!("{signed}.")));
        vectors.push((format!("alg {alg:?}, an HMAC"), format!("{signed}.{}", HMAC.signature(&signed, Algorithm::HS256))));
    }
    for (signer, alg, kid) in
        [(HMAC, "HS256", ""), (Signer::Rsa, "RS256", ""), (Signer::P256, "ES256", "ec"), (Signer::Ed25519, "EdDSA", "ed")]
    {
        let token = signer.token(Some(kid), &good());
        let (signed, signature) = token.rsplit_once('.').expect("a signature");
        let zeros = "A".repeat(signature.len());
        let shorter = &signature[..signature.len() - 4];
        for (name, forged) in [("no", ""), ("a zero", zeros.as_str()), ("a short", shorter), ("a padded", "AAAA====")] {
            vectors.push((format!("{alg}, {name} signature"), format!("{signed}.{forged}")));
        }
        vectors.push((format!("{alg}, a longer signature"), format!("{token}AAAA")));
        let other = format!("{}.{}", part(named(alg, kid)), part(but("sub", Some(json!("8")))));
        vectors.push((format!("{alg}, the signature of another token"), format!("{other}.{signature}")));
    }
    vectors
}

/// One key used as if it were for another algorithm.
fn confused() -> Vec<(String, String)> {
    let claims = good().to_string();
    let der = pem_body(RSA_PUBLIC);
    let modulus = Signer::Rsa.jwk("x")["n"].as_str().expect("a modulus").to_owned();
    let mut vectors: Vec<(String, String)> = [
        ("PEM", RSA_PUBLIC.as_bytes().to_vec()),
        ("PEM without its last newline", RSA_PUBLIC.trim_end().as_bytes().to_vec()),
        ("DER in base64", der.into_bytes()),
        ("modulus", modulus.into_bytes()),
        ("JWK", Signer::P256.jwk("ec").to_string().into_bytes()),
        ("x of the JWK", Signer::Ed25519.jwk("ed")["x"].as_str().expect("an x").as_bytes().to_vec()),
        ("symmetric key of the JWKS", b"published to everyone".to_vec()),
        ("nothing", Vec::new()),
        ("a guess", b"secret".to_vec()),
    ]
    .into_iter()
    .map(|(name, secret)| (format!("HS256 with the public key: {name}"), Signer::Secret(&secret).sign(&header("HS256"), &claims)))
    .collect();
    let shared = Signer::Secret(b"published to everyone").sign(&named("HS256", "shared"), &claims);
    vectors.push(("HS256 with the symmetric key of the JWKS, by name".to_owned(), shared));
    for (signer, by, alg, kid) in [
        (HMAC, Algorithm::HS256, "RS256", ""),
        (HMAC, Algorithm::HS256, "ES256", "ec"),
        (HMAC, Algorithm::HS256, "EdDSA", "ed"),
        (Signer::Rsa, Algorithm::RS256, "HS256", ""),
        (Signer::Rsa, Algorithm::RS256, "ES256", "ec"),
        (Signer::P256, Algorithm::ES256, "RS256", "ec"),
        (Signer::P256, Algorithm::ES256, "EdDSA", "ec"),
        (Signer::Ed25519, Algorithm::EdDSA, "ES256", "ed"),
        (HMAC, Algorithm::HS384, "HS384", ""),
        (HMAC, Algorithm::HS512, "HS512", ""),
        (Signer::Rsa, Algorithm::RS384, "RS384", ""),
        (Signer::Rsa, Algorithm::RS512, "RS512", ""),
        (Signer::Rsa, Algorithm::PS256, "PS256", ""),
        (HMAC, Algorithm::HS256, "hs256", ""),
        (HMAC, Algorithm::HS256, "HS256 ", ""),
        (Signer::OtherRsa, Algorithm::RS512, "RS512", "rs512"),
        (Signer::OtherRsa, Algorithm::RS256, "RS256", "rs512"),
        (Signer::OtherRsa, Algorithm::RS256, "RS256", "enc"),
        (Signer::P256, Algorithm::ES256, "ES256", "ed"),
    ] {
        vectors.push((format!("{alg} by {by:?} of {kid:?}"), signer.sign_by(by, &named(alg, kid), &claims)));
    }
    vectors
}

fn pem_body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

/// A token that brings its own key, or points to it.
fn self_made(attacker: &WebServer) -> Vec<(String, String)> {
    let claims = good().to_string();
    let own = Signer::OtherRsa.jwk("own");
    let headers = [
        ("jwk", json!({ "alg": "RS256", "kid": "own", "jwk": own })),
        ("jku", json!({ "alg": "RS256", "kid": "own", "jku": attacker.url })),
        ("x5u", json!({ "alg": "RS256", "kid": "own", "x5u": attacker.url })),
        ("x5c", json!({ "alg": "RS256", "x5c": [pem_body(RSA_PUBLIC)] })),
        ("a kid that is an address", json!({ "alg": "RS256", "kid": attacker.url })),
        ("an unknown kid", json!({ "alg": "ES256", "kid": "nobody" })),
        ("a path", json!({ "alg": "RS256", "kid": "../../../../dev/null" })),
        ("SQL", json!({ "alg": "RS256", "kid": "' UNION SELECT 'secret' --" })),
        ("a shell's words", json!({ "alg": "RS256", "kid": "$(id)|/bin/true" })),
        ("a NUL", json!({ "alg": "RS256", "kid": "ec\0" })),
        ("a number", json!({ "alg": "RS256", "kid": 7 })),
        ("a list", json!({ "alg": "RS256", "kid": ["ec"] })),
        ("a long name", json!({ "alg": "RS256", "kid": "k".repeat(4_000) })),
    ];
    let mut vectors: Vec<_> = headers
        .into_iter()
        .map(|(name, header)| (format!("a key of its own: {name}"), Signer::OtherRsa.sign(&header.to_string(), &claims)))
        .collect();
    let dev_null = json!({ "alg": "HS256", "kid": "/dev/null" }).to_string();
    vectors.push(("an empty secret by a path".to_owned(), Signer::Secret(b"").sign(&dev_null, &claims)));
    vectors
}

/// Rightly signed, and still not to be taken.
fn claimed() -> Vec<(String, String)> {
    let claims = [
        ("no exp", but("exp", None)),
        ("exp null", but("exp", Some(Value::Null))),
        ("exp past", but("exp", Some(json!(now() - 60)))),
        ("exp 0", but("exp", Some(json!(0)))),
        ("exp negative", but("exp", Some(json!(-1)))),
        ("exp very negative", but("exp", Some(json!(i64::MIN)))),
        ("exp a string", but("exp", Some(json!((now() + 600).to_string())))),
        ("exp true", but("exp", Some(json!(true)))),
        ("exp a list", but("exp", Some(json!([now() + 600])))),
        ("exp 1e300", but("exp", Some(json!(1e300)))),
        ("exp beyond the calendar", but("exp", Some(json!(u64::MAX)))),
        ("exp 1e400", but("exp", None).replacen('{', "{\"exp\":1e400,", 1)),
        ("exp NaN", but("exp", None).replacen('{', "{\"exp\":NaN,", 1)),
        ("exp twice", with(&format!("\"exp\":{}", now() + 900))),
        ("nbf ahead", but("nbf", Some(json!(now() + 60)))),
        ("nbf a string", but("nbf", Some(json!("0")))),
        ("iat ahead", but("iat", Some(json!(now() + 60)))),
        ("iat a string", but("iat", Some(json!("1")))),
        ("no iss", but("iss", None)),
        ("another iss", but("iss", Some(json!("https://issuer.example.evil")))),
        ("iss with a slash", but("iss", Some(json!("https://issuer.example/")))),
        ("iss a list", but("iss", Some(json!(["https://issuer.example"])))),
        ("no aud", but("aud", None)),
        ("another aud", but("aud", Some(json!("natter2")))),
        ("aud a list of others", but("aud", Some(json!(["a", "NATTER"])))),
        ("aud an object", but("aud", Some(json!({ "natter": true })))),
        ("no sub", but("sub", None)),
        ("sub empty", but("sub", Some(json!("")))),
        ("sub 0", but("sub", Some(json!(0)))),
        ("sub negative", but("sub", Some(json!(-7)))),
        ("sub a fraction", but("sub", Some(json!(7.5)))),
        ("sub 2^53", but("sub", Some(json!(9_007_199_254_740_992_i64)))),
        ("sub wraps", but("sub", Some(json!("18446744073709551623")))),
        ("sub with a space", but("sub", Some(json!(" 7")))),
        ("sub with a plus", but("sub", Some(json!("+7")))),
        ("sub with a zero", but("sub", Some(json!("07")))),
        ("sub in hexadecimal", but("sub", Some(json!("0x7")))),
        ("sub in another script", but("sub", Some(json!("\u{0667}")))),
        ("sub a UUID", but("sub", Some(json!("0190f3e2-7b1c-4d3a-9a50-6f1c2b7d8e90")))),
        ("sub a list", but("sub", Some(json!(["7"])))),
        ("sub true", but("sub", Some(json!(true)))),
        ("sub twice", with("\"sub\":\"1\"")),
        ("sub twice, once escaped", with("\"\\u0073ub\":\"1\"")),
        ("role a number", but("role", Some(json!(7)))),
        ("role an object", but("role", Some(json!({ "admin": true })))),
        ("60 KiB", but("name", Some(json!("x".repeat(46_000))))),
        ("a list", json!([good()]).to_string()),
        ("a string", json!("7").to_string()),
        ("nothing", String::new()),
        ("more behind it", format!("{}{{}}", good())),
        ("nested deeply", with(&format!("\"x\":{}{}", "[".repeat(2_000), "]".repeat(2_000)))),
    ];
    claims.into_iter().map(|(name, claims)| (format!("claims: {name}"), HMAC.sign(&header("HS256"), &claims))).collect()
}

/// What is hardly a token.
fn malformed() -> Vec<(String, String)> {
    let claims = good().to_string();
    let token = HMAC.sign(&header("HS256"), &claims);
    let mut parts = token.split('.');
    let mut next = || parts.next().expect("three parts").to_owned();
    let (head, body, signature) = (next(), next(), next());
    let texts = [
        ("empty", String::new()),
        ("one part", head.clone()),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{token}.{signature}")),
        ("five parts, as a JWE", format!("{head}.{body}.{signature}.{body}.{signature}")),
        ("dots", "..".to_owned()),
        ("a space behind", format!("{token} ")),
        ("a line behind", format!("{token}\n")),
        ("padding", format!("{head}=.{body}.{signature}")),
        ("an empty header", format!(".{body}.{signature}")),
        ("no claims", format!("{head}..{signature}")),
        ("not UTF-8", format!("{}.{}.{signature}", head, part([0xff, 0xfe]))),
        ("a server's key", SECRET.to_owned()),
    ];
    let headers = [
        ("a list", r#"["HS256","JWT"]"#),
        ("no alg", r#"{"typ":"JWT"}"#),
        ("alg null", r#"{"alg":null}"#),
        ("alg a number", r#"{"alg":256}"#),
        ("alg a list", r#"{"alg":["HS256"]}"#),
        ("alg twice", r#"{"alg":"none","alg":"HS256"}"#),
        ("crit", r#"{"alg":"HS256","crit":["exp"]}"#),
        ("claims that are not encoded", r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#),
        ("typ of another token", r#"{"alg":"HS256","typ":"logout+jwt"}"#),
        ("no JSON", "HS256"),
    ];
    let mut vectors: Vec<_> = texts.into_iter().map(|(name, text)| (format!("no token: {name}"), text)).collect();
    vectors.extend(headers.into_iter().map(|(name, header)| (format!("header: {name}"), HMAC.sign(header, &claims))));
    vectors
}

#[tokio::test]
async fn no_wrong_token_is_taken() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let (keys, attacker) = (WebServer::with(&jwks()).await, WebServer::with(&json!({ "keys": [] }).to_string()).await);
    let server = server(&database, &keys).await;
    server.logged("fetched 2 keys").await;
    for (signer, kid) in
        [(HMAC, None), (HMAC, Some("any")), (Signer::Rsa, None), (Signer::P256, Some("ec")), (Signer::Ed25519, None)]
    {
        let token = signer.token(kid, &good());
        assert_eq!(server.get(&format!("/api/v1/presence?user_ids=7&token={token}")).await.0, 200, "{signer:?}");
        Client::with_token(&server, 7, &token).await;
    }
    let mut vectors = [unsigned(), confused(), self_made(&attacker), claimed(), malformed()].concat();
    vectors.dedup();
    eprintln!("{} vectors", vectors.len());
    assert!(vectors.len() >= 60);
    let mut not_refused = Vec::new();
    for (name, token) in &vectors {
        let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let (status, body) = server.get(&format!("/api/v1/presence?token={token}")).await;
        if status != 401 || !body.contains("\"unauthorized\"") {
            not_refused.push(format!("{name}: HTTP {status} {body}"));
        }
        let mut client = Client::connect(&server.ws_url_with(&token), 7, Some("natter.v1")).await;
        let first = client.next().await;
        if first["payload"]["code"] != "unauthorized" || client.closed().await.0 != 4001 {
            not_refused.push(format!("{name}: WebSocket {first}"));
        }
    }
    assert!(not_refused.is_empty(), "of {} vectors, these were not refused:\n{}", vectors.len(), not_refused.join("\n"));
    assert_eq!(attacker.asked(), 0, "a token chose where keys come from");
    assert!(keys.asked() <= 2, "{} fetches", keys.asked());
}
