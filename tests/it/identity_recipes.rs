//! docs/authentication.md, done as it says: tokens with the claims and algorithms of what Next.js developers use.

use crate::harness::{
    Backend, Client, Server, TestDatabase, WebServer,
    server::Start,
    tokens::{SECRET, Signer, now},
};
use reqwest::Method;
use serde_json::{Value, json};

fn start(database: &TestDatabase, settings: &[(&str, &str)]) -> Start {
    let start = Start::on(database).env("NATTER_AUTH__MODE", "jwt");
    settings.iter().fold(start, |start, (name, value)| start.env(name, value))
}

/// Who the server takes the token's bearer for: an admin may revoke, others may not.
async fn assert_taken(server: &Server, user: i64, token: &str, is_admin: bool) {
    Client::with_token(server, user, token).await;
    let (status, _) = server.call(Method::POST, "/api/v1/users/1000/revoke", token).await;
    assert_eq!(status, if is_admin { 200 } else { 403 });
}

async fn assert_refused(server: &Server, token: &str) {
    assert_eq!(server.call(Method::GET, "/api/v1/presence", token).await.0, 401);
}

/// Auth.js: its own session token is encrypted (JWE), and nobody else's business; a route handler signs one with `jose`.
#[tokio::test]
async fn auth_js_by_a_route_handler() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = start(&database, &[("NATTER_AUTH__HS256_SECRET", SECRET)]).listening().await;
    let signed_by_jose = |claims: Value| Signer::Secret(SECRET.as_bytes()).sign(r#"{"alg":"HS256"}"#, &claims.to_string());
    let user = signed_by_jose(json!({ "role": "user", "sub": "42", "iat": now(), "exp": now() + 300 }));
    let admin = signed_by_jose(json!({ "role": "admin", "sub": "43", "iat": now(), "exp": now() + 300 }));
    assert_taken(&server, 42, &user, false).await;
    assert_taken(&server, 43, &admin, true).await;
    let session_token = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2Q0JDLUhTNTEyIn0..AAAAAAAAAAAAAAAA.AAAA.AAAA";
    assert_refused(&server, session_token).await;
}

/// Clerk: RS256 by a JWKS, `sub` is a text of Clerk's own; a claim of the session token has the application's id.
#[tokio::test]
async fn clerk_by_a_claim_of_the_session_token() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let kid = "ins_2abcDEFghiJKLmnoPQRstuVWXyz";
    let keys = WebServer::with(&json!({ "keys": [rsa(kid)] }).to_string()).await;
    let settings = [
        ("NATTER_AUTH__JWKS_URL", keys.url.as_str()),
        ("NATTER_AUTH__ISSUER", "https://clerk.app.example"),
        ("NATTER_AUTH__USER_CLAIM", "natter_id"),
        ("NATTER_AUTH__ROLE_CLAIM", "natter_role"),
    ];
    let server = start(&database, &settings).listening().await;
    let session = |natter_id: Value, natter_role: Value| {
        let claims = json!({
            "azp": "https://app.example", "exp": now() + 60, "fva": [0, -1], "iat": now(), "iss": "https://clerk.app.example",
            "nbf": now() - 10, "sid": "sess_2abcDEFghiJKLmnoPQRstuVWXyz", "sts": "active", "sub": "user_2abcDEFghiJKLmnoPQRstuVWXyz",
            "v": 2, "natter_id": natter_id, "natter_role": natter_role,
        });
        Signer::Rsa.token(Some(kid), &claims)
    };
    assert_taken(&server, 42, &session(json!(42), Value::Null), false).await;
    assert_taken(&server, 43, &session(json!("43"), json!("admin")), true).await;
    assert_refused(&server, &session(Value::Null, json!("admin"))).await;
}

fn rsa(kid: &str) -> Value {
    let mut jwk = Signer::Rsa.jwk(kid);
    jwk["use"] = "sig".into();
    jwk
}

/// Supabase: `sub` is a UUID and `role` is `authenticated`; ours stand in `app_metadata`, which users can't change. Projects sign
/// by a shared secret (the older ones) or by P-256 and a JWKS.
#[tokio::test]
async fn supabase_by_app_metadata() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let issuer = "https://abcdefghijklmnop.supabase.co/auth/v1";
    let kid = "f7d9b0c2-3f1e-4c52-9a64-2f5f0f0c9d11";
    let keys = WebServer::with(&json!({ "keys": [p256(kid)] }).to_string()).await;
    let settings = [
        ("NATTER_AUTH__HS256_SECRET", SECRET),
        ("NATTER_AUTH__JWKS_URL", keys.url.as_str()),
        ("NATTER_AUTH__ISSUER", issuer),
        ("NATTER_AUTH__AUDIENCE", "authenticated"),
        ("NATTER_AUTH__USER_CLAIM", "app_metadata.natter_id"),
        ("NATTER_AUTH__ROLE_CLAIM", "app_metadata.natter_role"),
    ];
    let server = start(&database, &settings).listening().await;
    let session = |app_metadata: Value| {
        json!({
            "iss": issuer, "sub": "8d0fd2b3-9ca7-4d9e-a95f-9e13dded323e", "aud": "authenticated", "exp": now() + 3_600, "iat": now(),
            "email": "me@app.example", "phone": "", "app_metadata": app_metadata,
            "user_metadata": { "natter_id": 1, "natter_role": "admin" }, "role": "authenticated", "aal": "aal1",
            "amr": [{ "method": "password", "timestamp": now() }], "session_id": "5f4c9b7e-0c0e-4d6b-8f6b-0d6a4f8a7f3c",
            "is_anonymous": false,
        })
    };
    let mine = session(json!({ "provider": "email", "natter_id": 42 }));
    let admins = session(json!({ "provider": "email", "natter_id": 43, "natter_role": "admin" }));
    for (signer, kid) in [(Signer::Secret(SECRET.as_bytes()), "bRn7qGkV1W5yT0aP"), (Signer::P256, kid)] {
        assert_taken(&server, 42, &signer.token(Some(kid), &mine), false).await;
        assert_taken(&server, 43, &signer.token(Some(kid), &admins), true).await;
        assert_refused(&server, &signer.token(Some(kid), &session(json!({ "provider": "email" })))).await;
    }
    // The project's public keys for `anon` and `service_role` are tokens, too, and no user's.
    let anon = json!({ "iss": "supabase", "ref": "abcdefghijklmnop", "role": "anon", "iat": now(), "exp": now() + 3_600 });
    assert_refused(&server, &Signer::Secret(SECRET.as_bytes()).token(None, &anon)).await;
}

fn p256(kid: &str) -> Value {
    let mut jwk = Signer::P256.jwk(kid);
    jwk["use"] = "sig".into();
    jwk["key_ops"] = json!(["verify"]);
    jwk["ext"] = true.into();
    jwk
}
