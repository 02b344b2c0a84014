//! `natter check-config --production`: what is unsafe is refused, each with what to change, and the documentation has all of it.

use crate::harness::{Backend, TestDatabase, server::Start};
use natter::settings::{CHECKS, Verdict};

const OPERATIONS: &str = include_str!("../../docs/operations.md");

/// What passes: the settings of a server behind a proxy, as the documentation shows them.
const FIT: [(&str, &str); 6] = [
    ("AUTH__MODE", "jwt"),
    ("AUTH__HS256_SECRET", "9f2c1b7de05a4836b1c9d7e2f3a4056789abcdef00112233445566778899aabb"),
    ("AUTH__ALLOWED_ORIGINS", r#"["https://app.example"]"#),
    ("API__KEYS", r#"["5be0cd19137e2179f9bd2a6ec0ffee11"]"#),
    ("ACCESS__UNLISTED", "deny"),
    ("SERVER__TRUSTED_PROXIES", r#"["127.0.0.1"]"#),
];

/// For each check in its order, what it finds when this is set beside what passes.
const UNFIT: [(&str, &[(&str, &str)]); CHECKS.len()] = [
    ("auth.mode", &[("AUTH__MODE", "trusted")]),
    ("auth.hs256_secret", &[("AUTH__HS256_SECRET", "hunter2")]),
    (
        "auth.jwks_url",
        &[
            ("AUTH__JWKS_URL", "http://issuer.example/keys"),
            ("AUTH__JWKS_ALLOW_HTTP", "true"),
            ("AUTH__ISSUER", "https://issuer.example"),
        ],
    ),
    ("auth.issuer", &[("AUTH__JWKS_URL", "https://issuer.example/keys")]),
    ("auth.user_claim", &[("AUTH__USER_CLAIM", "user_metadata.natter_id")]),
    ("auth.role_claim", &[("AUTH__ROLE_CLAIM", "unsafe_metadata.role")]),
    ("auth.allowed_origins", &[("AUTH__ALLOWED_ORIGINS", r#"["https://app.example", "http://localhost:3000"]"#)]),
    ("api.keys", &[("API__KEYS", r#"["5be0cd19137e2179f9bd2a6ec0ffee11", "hunter2"]"#)]),
    ("api.keys", &[("API__KEYS", r#"["0123456789abcdef0123456789abcdef"]"#)]),
    ("access.unlisted", &[("ACCESS__UNLISTED", "open")]),
    ("limits.enabled", &[("LIMITS__ENABLED", "false")]),
    ("server.trusted_proxies", &[("SERVER__TRUSTED_PROXIES", r#"["127.0.0.1", "::/0"]"#)]),
    ("server.trusted_proxies", &[("SERVER__TRUSTED_PROXIES", "[]")]),
    ("auth.allowed_origins", &[("AUTH__ALLOWED_ORIGINS", "[]")]),
    ("logging.filter", &[("LOGGING__FILTER", "info,natter=debug")]),
    ("database.url", &[("DATABASE__URL", "sqlite://demo.db")]),
];

/// Exit code, standard output, and what was found.
async fn checked(changes: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).arg("check-config").arg("--production");
    let settings = FIT.iter().chain(changes);
    settings.fold(start, |start, (name, value)| start.env(&format!("NATTER_{name}"), value)).finished().await
}

#[tokio::test]
async fn settings_that_are_fit_for_production_pass_without_a_word() {
    let (code, said, found) = checked(&[]).await;
    assert_eq!((code, said.as_str(), found.as_str()), (Some(0), "fit for production, as far as the settings tell\n", ""));
}

#[tokio::test]
async fn each_unsafe_setting_is_refused_with_what_to_change() {
    for (check, (key, changes)) in CHECKS.iter().zip(UNFIT) {
        assert_eq!(check.key, key, "a check has no case of its own");
        let (code, said, found) = checked(changes).await;
        let (begin, end) = (format!("natter: {}: {key} (", check.verdict), format!("): {}\n", check.advice));
        let origin = found.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(&end));
        assert!(origin.is_some_and(|origin| origin == "default" || origin == format!("NATTER_{}", changes[0].0)), "{found}");
        match check.verdict {
            Verdict::Unsafe => assert_eq!((code, said.as_str()), (Some(78), "")),
            Verdict::Warning => assert_eq!((code, said.is_empty()), (Some(0), false)),
        }
        assert!(!found.contains("hunter2"), "{found}");
    }
}

#[tokio::test]
async fn the_defaults_are_for_development_and_all_that_is_unsafe_is_told_at_once() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = Start::on(&database).env("RUST_LOG", "warn").arg("check-config").arg("--production");
    let (code, _, found) = start.finished().await;
    assert_eq!(code, Some(78));
    let told: Vec<&str> = found.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(told, ["auth.mode", "access.unlisted", "server.trusted_proxies", "auth.allowed_origins"], "{found}");
}

/// What no setting may ever be is a fault, here as at every start.
#[tokio::test]
async fn a_fault_is_told_before_anything_else() {
    for (name, value) in [
        ("AUTH__ALLOWED_ORIGINS", r#"["*"]"#),
        ("AUTH__PUBLIC_KEY", "x"),
        ("SERVER__PORT", "x"),
        ("UPLOADS__LINK_SECRET", "hunter2"),
    ] {
        let (code, _, found) = checked(&[(name, value)]).await;
        assert_eq!(code, Some(78));
        assert!(found.contains(&format!("(NATTER_{name}): ")), "{found}");
    }
}

#[test]
fn the_checklist_in_the_documentation_has_each_check_in_its_order_and_no_other() {
    let (_, section) = OPERATIONS.split_once("\n## Before strangers come\n").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("the next section");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: Vec<(String, String)> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            (cells[0].trim_end_matches('`').to_owned(), cells[1].to_owned())
        })
        .collect();
    let checks: Vec<_> = CHECKS.iter().map(|check| (check.key.to_owned(), check.verdict.to_string())).collect();
    assert_eq!(documented, checks);
}
