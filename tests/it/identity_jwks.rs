//! Keys that are fetched: when, how often, and what becomes of tokens where they can't be.

use crate::harness::{
    Backend, Client, PATIENCE, TestDatabase, WebServer,
    server::Start,
    tokens::{RSA_PUBLIC, SECRET, Signer, claims},
    web_server::CA,
};
use actix_web::http::StatusCode;
use entity::{Timestamp, UserId};
use natter::{
    clock::Clock,
    identity::{Algorithm, Fetcher, Key, Keys, Pace, Rules, TokenFault, Verifier},
    protocol::{Revocations, Token},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn start(database: &TestDatabase, keys: &str) -> Start {
    Start::on(database).env("NATTER_AUTH__MODE", "jwt").env("NATTER_AUTH__JWKS_URL", keys)
}

/// A server's own parts, at another pace.
fn verifier(keys: &WebServer, pace: Pace) -> Verifier {
    let (fetcher, jwks) = Fetcher::new(keys.url.parse().expect("an address"), pace).expect("a client");
    tokio::spawn(fetcher.run());
    let name = |name: &str| name.parse().expect("a claim's name");
    let rules = Rules { issuer: None, audience: None, leeway_seconds: 5, user: name("sub"), role: name("role") };
    let revocations = watch::channel(Revocations::default()).1;
    Verifier { keys: Keys::default(), jwks: Some(jwks), rules, revocations, clock: Clock::system() }
}

fn pace(between: Duration, oldest: Duration) -> Pace {
    Pace { between, first_wait: Duration::from_millis(10), oldest }
}

const LONG: Duration = Duration::from_hours(1);

/// A2: whoever sends tokens with names of keys must not make the server ask its issuer for each.
#[tokio::test]
async fn a_hundred_unknown_kids_cause_two_fetches_at_most() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let keys = WebServer::with(&set(&[Signer::Rsa.jwk("known")])).await;
    let server = start(&database, &keys.url).listening().await;
    let unknown = (0..100).map(|number| {
        let token = Signer::OtherRsa.token(Some(&format!("unknown-{number}")), &claims(7, "user"));
        let server = &server;
        async move { server.get(&format!("/api/v1/presence?token={token}")).await.0 }
    });
    assert_eq!(futures_util::future::join_all(unknown).await, [StatusCode::UNAUTHORIZED.as_u16(); 100]);
    assert!((1..=2).contains(&keys.asked()), "{} fetches", keys.asked());
    let known = Signer::Rsa.token(Some("known"), &claims(7, "user"));
    Client::with_token(&server, 7, &known).await;
}

#[tokio::test]
async fn many_who_need_the_same_new_key_wait_for_one_fetch() {
    let keys = WebServer::with(&set(&[Signer::Rsa.jwk("old")])).await;
    let verifier = verifier(&keys, pace(Duration::ZERO, LONG));
    let old = Token::new(&Signer::Rsa.token(Some("old"), &claims(7, "user")));
    assert_eq!(verifier.verify(&old).await.expect("a grant").caller.user, UserId(7));
    assert_eq!(keys.asked(), 1);
    keys.answer(&set(&[Signer::Rsa.jwk("old"), Signer::P256.jwk("new")]));
    let new = Token::new(&Signer::P256.token(Some("new"), &claims(8, "user")));
    let waiting = futures_util::future::join_all((0..50).map(|_| verifier.verify(&new))).await;
    assert!(waiting.iter().all(Result::is_ok), "{waiting:?}");
    assert_eq!(keys.asked(), 2);
}

/// While one changes from a key that is set to those of an issuer, or back, tokens of both are about.
#[tokio::test]
async fn a_key_that_is_set_and_keys_that_are_fetched_are_believed_side_by_side() {
    let keys = WebServer::with(&set(&[Signer::OtherRsa.jwk("b"), Signer::Ed25519.jwk("c")])).await;
    let set_by_hand = || [Key::from_secret(SECRET.as_bytes()), Key::from_pem(RSA_PUBLIC).expect("a key")].into_iter().collect();
    let verifier = Verifier { keys: set_by_hand(), ..verifier(&keys, pace(LONG, LONG)) };
    let caller = async |signer: Signer<'_>, kid| {
        let token = Token::new(&signer.token(kid, &claims(7, "user")));
        verifier.verify(&token).await.map(|grant| grant.caller.user)
    };
    // The key that is set has no name: it is for all of them, also for one that stands on the list.
    for kid in [None, Some("a"), Some("b")] {
        assert_eq!(caller(Signer::Rsa, kid).await, Ok(UserId(7)), "set, {kid:?}");
    }
    for kid in [None, Some("b")] {
        assert_eq!(caller(Signer::OtherRsa, kid).await, Ok(UserId(7)), "fetched, {kid:?}");
    }
    assert_eq!(caller(Signer::Ed25519, Some("c")).await, Ok(UserId(7)));
    assert_eq!(caller(Signer::OtherRsa, Some("another")).await, Err(TokenFault::BadSignature));
    assert_eq!(caller(Signer::Secret(b"another secret"), Some("b")).await, Err(TokenFault::BadSignature));
    assert_eq!(caller(Signer::P256, Some("b")).await, Err(TokenFault::UnknownKey(Algorithm::Es256)));
    assert_eq!(keys.asked(), 1);
}

/// What a key that could not be fetched may have signed is not called wrong.
#[tokio::test]
async fn while_no_keys_were_fetched_only_what_the_key_that_is_set_has_signed_is_told_from_the_rest() {
    let keys = WebServer::with("no JSON").await;
    let set_by_hand = [Key::from_pem(RSA_PUBLIC).expect("a key")].into_iter().collect();
    let verifier = Verifier { keys: set_by_hand, ..verifier(&keys, pace(LONG, LONG)) };
    let token = |signer: Signer<'_>| Token::new(&signer.token(Some("b"), &claims(7, "user")));
    assert!(verifier.verify(&token(Signer::Rsa)).await.is_ok());
    assert_eq!(verifier.verify(&token(Signer::OtherRsa)).await, Err(TokenFault::NoKeys));
}

#[tokio::test]
async fn keys_of_a_list_that_no_signature_could_be_checked_with_are_passed_over_and_told() {
    let small = json!({ "kty": "RSA", "kid": "small", "n": "38SYKoTTfx3irEKSqfmf0OyrIrFXzofoU_qF7ktjn7JYAAmKRx7WNLF5AVNLtdHx0ZLUNRv5YbHk4n8cPSbehZZcKGgVKjHKbrSebt8V4lQVU6g0PduA-X5DNVxMH-s7qcye_CGQ1nM4paQ7AJbSSEj8P50gpgSRUdSKTJK5pa0", "e": "AQAB" });
    let mut beside = Signer::P256.jwk("beside");
    beside["y"] = beside["x"].clone();
    let keys = WebServer::with(&set(&[small, beside, Signer::Rsa.jwk("one")])).await;
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = start(&database, &keys.url).listening().await;
    server.logged("2 keys are passed over").await;
    server.logged("fetched 1 key from").await;
    // It is the one RSA key of the list, so that its tokens need not name it.
    Client::with_token(&server, 7, &Signer::Rsa.token(None, &claims(7, "user"))).await;
}

#[tokio::test]
async fn a_key_that_is_taken_off_the_list_is_believed_no_longer_once_the_list_is_old() {
    let keys = WebServer::with(&set(&[Signer::Rsa.jwk("gone"), Signer::P256.jwk("stays")])).await;
    let verifier = verifier(&keys, pace(Duration::ZERO, Duration::from_millis(20)));
    let token = Token::new(&Signer::Rsa.token(Some("gone"), &claims(7, "user")));
    assert!(verifier.verify(&token).await.is_ok());
    keys.answer(&set(&[Signer::P256.jwk("stays")]));
    let refused = async {
        while verifier.verify(&token).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("the list is fetched again");
}

#[tokio::test]
async fn keys_that_were_fetched_stay_while_their_address_fails() {
    let keys = WebServer::with(&set(&[Signer::Rsa.jwk("one")])).await;
    let verifier = verifier(&keys, pace(Duration::ZERO, LONG));
    let token = Token::new(&Signer::Rsa.token(Some("one"), &claims(7, "user")));
    assert!(verifier.verify(&token).await.is_ok());
    for broken in ["no JSON", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#, &"x".repeat(300_000)] {
        keys.answer(broken);
        let before = keys.asked();
        let unknown = Token::new(&Signer::Rsa.token(Some("two"), &claims(7, "user")));
        assert!(matches!(verifier.verify(&unknown).await, Err(TokenFault::UnknownKey(_))));
        assert!(keys.asked() > before);
        assert!(verifier.verify(&token).await.is_ok(), "{broken:.20}");
    }
}

/// What is set is trusted, and not where it may point to: a redirect could lead anywhere inside.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let inside = WebServer::with(&set(&[Signer::Rsa.jwk("one")])).await;
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", inside.url);
    let outside = WebServer::answering(redirect).await;
    let verifier = verifier(&outside, pace(LONG, LONG));
    let token = Token::new(&Signer::Rsa.token(Some("one"), &claims(7, "user")));
    assert_eq!(verifier.verify(&token).await, Err(TokenFault::NoKeys));
    assert_eq!(inside.asked(), 0);
}

#[tokio::test]
async fn a_server_starts_without_its_keys_says_so_and_takes_tokens_once_they_are_there() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let place = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = place.local_addr().expect("its address").to_string();
    drop(place);
    let server = start(&database, &format!("http://{address}/keys")).listening().await;
    server.logged("the keys that tokens are checked with can't be fetched").await;
    assert_eq!(server.get("/readyz").await.0, 200);
    let token = Signer::Ed25519.token(Some("one"), &claims(7, "user"));
    let (status, body) = server.get(&format!("/api/v1/presence?token={token}")).await;
    assert_eq!(status, 503, "{body}");
    let mut client = Client::connect(&server.ws_url_with(&token), 7, Some("natter.v1")).await;
    client.expect_error("unavailable").await;
    assert_eq!(client.closed().await.0, 1013);
    let keys = WebServer::on(&address, String::new()).await;
    keys.answer(&set(&[Signer::Ed25519.jwk("one")]));
    server.logged("fetched 1 key from").await;
    Client::with_token(&server, 7, &token).await;
}

/// Whoever could answer in the issuer's place could let anyone in.
#[tokio::test]
async fn keys_over_https_are_believed_by_their_certificate_alone() {
    let keys = WebServer::secure(&set(&[Signer::Ed25519.jwk("one")])).await;
    let token = Signer::Ed25519.token(Some("one"), &claims(7, "user"));
    let by_another_name = keys.url.replace("localhost", "127.0.0.1");
    let of_another_authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/keys/other-ca.pem");
    for (url, authority) in [(&keys.url, of_another_authority), (&by_another_name, CA)] {
        let database = TestDatabase::new(Backend::Sqlite).await;
        let server = start(&database, url).env("SSL_CERT_FILE", authority).listening().await;
        server.logged("the keys that tokens are checked with can't be fetched").await;
        assert_eq!(server.get(&format!("/api/v1/presence?token={token}")).await.0, 503);
    }
    assert_eq!(keys.asked(), 0, "nobody asked before the certificate was checked");
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = start(&database, &keys.url).env("SSL_CERT_FILE", CA).listening().await;
    server.logged("fetched 1 key from").await;
    Client::with_token(&server, 7, &token).await;
}

/// The time of the calendar that tokens are compared with is never beyond it.
#[test]
fn a_moment_beyond_the_calendar_is_none() {
    assert_eq!(Timestamp::from_unix_ms(i64::MAX), None);
}
