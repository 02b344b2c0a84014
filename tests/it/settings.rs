//! What an operator sets, and what they are told when it is wrong.

use crate::harness::{Backend, Server, TestDatabase, server::Start};
use std::time::Instant;

#[tokio::test]
async fn every_fault_is_reported_at_once_by_key_with_what_is_allowed() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let file = database.folder.path().join("natter.toml");
    std::fs::write(&file, "[server]\nworkers = \"many\"\nprot = 1\n[limits]\nframe_bytes = 1\n").expect("a file");
    let (code, _, log) = Start::on(&database)
        .env("PORT", "70000")
        .env("DATABASE_URL", "mysql://x")
        .env("NATTER_AUTH__MODE", "none")
        .env("NATTER_LIMITS__ENABLED", "maybe")
        .env("NATTER_LIMITS__MESSAGES_PER_SECOND", "0")
        .env("NATTER_LIMITS__CONNECTIONS_PER_USER", "many")
        .env("NATTER_LIMITS__HANDSHAKES_PER_SECOND", "0")
        .env("NATTER_LIMITS__HANDSHAKES_BURST", "1000001")
        .env("NATTER_SERVER__TRUSTED_PROXIES", r#"["10.0.0.0/8", "proxy.example"]"#)
        .env("NATTER_ACCESS__UNLISTED", "closed")
        .env("NATTER_API__KEYS", "[\"short\"]")
        .env("NATTER_NOWHERE__KEY", "1")
        .env("NATTER_AUTH_MODE", "jwt")
        .env("NATTER_PORT", "3457")
        .env("NATTER_KEY", "an application's own")
        .env("NATTER_UPLOADS__DIR", "ftp://files.example")
        .env("NATTER_UPLOADS__MAX_BYTES", "0")
        .env("NATTER_UPLOADS__TYPES", r#"["image/png", "image/jpg"]"#)
        .env("NATTER_UPLOADS__REDRAW_WAIT_SECONDS", "0")
        .env("NATTER_UPLOADS__USER_BYTES", "4095")
        .env("NATTER_UPLOADS__KEEP_UNATTACHED_SECONDS", "24h")
        .env("NATTER_UPLOADS__LINK_SECRET", "short")
        .env("NATTER_LOG__KEEP_DAYS", "-1")
        .env("NATTER_LOG__KEEP_EVENTS", "all")
        .env("RUST_LOG", "natter=loud")
        .arg("--config")
        .arg("natter.toml")
        .arg("--host=somewhere")
        .arg("check-config")
        .finished()
        .await;
    assert_eq!(code, Some(78));
    for fault in [
        "server.workers (natter.toml): must be a whole number from 0 to 1024",
        "server.prot (natter.toml): there is no such key; server has host, ",
        "server.port (PORT): must be a whole number from 0 to 65535",
        "server.host (--host): must be an IP address, or localhost",
        "database.url (DATABASE_URL): must be sqlite://PATH",
        "auth.mode (NATTER_AUTH__MODE): must be \"trusted\" or \"jwt\"",
        "access.unlisted (NATTER_ACCESS__UNLISTED): must be \"open\" or \"deny\"",
        "limits.enabled (NATTER_LIMITS__ENABLED): must be true or false",
        "limits.messages_per_second (NATTER_LIMITS__MESSAGES_PER_SECOND): must be a whole number from 1 to 1000000",
        "limits.connections_per_user (NATTER_LIMITS__CONNECTIONS_PER_USER): must be a whole number from 1 to 10000000",
        "limits.handshakes_per_second (NATTER_LIMITS__HANDSHAKES_PER_SECOND): must be a whole number from 1 to 1000000",
        "limits.handshakes_burst (NATTER_LIMITS__HANDSHAKES_BURST): must be a whole number from 1 to 1000000",
        "server.trusted_proxies (NATTER_SERVER__TRUSTED_PROXIES): must be a list of addresses and networks",
        "limits.frame_bytes (natter.toml): must be a whole number from 1024 to 67108864",
        "nowhere.key (NATTER_NOWHERE__KEY): there is no such key; the sections are access, api, ",
        "NATTER_AUTH_MODE (the environment): there is no such variable; did you mean NATTER_AUTH__MODE?",
        "NATTER_PORT (the environment): there is no such variable; did you mean PORT?",
        "log.keep_days (NATTER_LOG__KEEP_DAYS): must be a whole number from 0 to 36500",
        "log.keep_events (NATTER_LOG__KEEP_EVENTS): must be a whole number from 0 to 9007199254740991",
        "uploads.dir (NATTER_UPLOADS__DIR): must be a folder, or s3://BUCKET/PREFIX",
        "uploads.max_bytes (NATTER_UPLOADS__MAX_BYTES): must be a whole number from 1024 to 5368709120",
        "uploads.types (NATTER_UPLOADS__TYPES): has \"image/jpg\", which no content is ever found to be; what can be found: image/avif, image/bmp, image/gif, ",
        "uploads.redraw_wait_seconds (NATTER_UPLOADS__REDRAW_WAIT_SECONDS): must be a whole number from 1 to 3600",
        "uploads.user_bytes (NATTER_UPLOADS__USER_BYTES): must be a whole number from 4096 to 9007199254740991",
        "uploads.keep_unattached_seconds (NATTER_UPLOADS__KEEP_UNATTACHED_SECONDS): must be a whole number from 1 to 31536000",
        "uploads.link_secret (NATTER_UPLOADS__LINK_SECRET): must have 32 bytes or more",
        "logging.filter (RUST_LOG): must be off, error, warn",
    ] {
        assert!(log.contains(fault), "{fault:?} is missing:\n{log}");
    }
}

#[tokio::test]
async fn the_later_layer_wins_and_secrets_are_masked() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let file = database.folder.path().join("natter.toml");
    std::fs::write(&file, "[server]\nport = 1000\nworkers = 3\n[limits]\ncontent_chars = 7\n").expect("a file");
    let start = || Start::on(&database).arg("--config").arg("natter.toml").arg("check-config");
    let (code, settings, _) = start()
        .env("PORT", "2000")
        .env("NATTER_SERVER__PORT", "3000")
        .env("DATABASE_URL", "postgres://me:hunter2@db.example/app")
        .env("NATTER_SERVER__TRUSTED_PROXIES", r#"["127.0.0.1", "10.0.0.0/8"]"#)
        .finished()
        .await;
    assert_eq!(code, Some(0));
    for line in [
        "port = 3000",
        "workers = 3",
        "content_chars = 7",
        "frame_bytes = 65536",
        "mode = \"trusted\"",
        "trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]",
    ] {
        assert!(settings.lines().any(|shown| shown == line), "{line:?} is missing:\n{settings}");
    }
    assert!(settings.contains("postgres://me:***@db.example:5432/app"), "{settings}");
    assert!(!settings.contains("hunter2"));
    let (_, settings, _) = start().arg("--port=4000").env("PORT", "2000").finished().await;
    assert!(settings.lines().any(|line| line == "port = 4000"), "{settings}");
}

#[tokio::test]
async fn a_file_that_is_missing_or_no_toml_is_a_fault() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    std::fs::write(database.folder.path().join("broken.toml"), "[database\nurl = \"hunter2\"").expect("a file");
    for file in ["missing.toml", "broken.toml"] {
        let (code, _, log) = Start::on(&database).arg("--config").arg(file).arg("check-config").finished().await;
        assert_eq!(code, Some(78));
        assert!(log.contains(file), "{log}");
        assert!(!log.contains("hunter2"), "{log}");
    }
}

/// A4: whoever believes every `userId` listens on loopback alone.
#[tokio::test]
async fn trusted_mode_refuses_a_public_address() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    for host in ["0.0.0.0", "192.0.2.1", "::"] {
        let (code, _, log) = Start::on(&database).env("HOST", host).arg("check-config").finished().await;
        assert_eq!(code, Some(78), "{host}");
        assert!(log.contains("server.host (HOST): must be a loopback address"), "{log}");
        let allowed = Start::on(&database).env("HOST", host).env("NATTER_AUTH__ALLOW_PUBLIC_TRUSTED", "true");
        assert_eq!(allowed.arg("check-config").finished().await.0, Some(0), "{host}");
    }
    let server = Server::start(&database).await;
    server.logged("auth.mode is \"trusted\": whoever can connect").await;
}

#[tokio::test]
async fn what_is_wrong_with_keys_and_origins_is_told() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let rsa_private = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/keys/rsa.pem");
    let p384 = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/keys/p384.pub.pem");
    let rsa1024 = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/keys/rsa1024.pub.pem");
    let secp256k1 = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/keys/secp256k1.pub.pem");
    let enough = "0123456789abcdef0123456789abcdef";
    for (settings, fault) in [
        (vec![], "auth.mode (NATTER_AUTH__MODE): \"jwt\" needs auth.hs256_secret, auth.public_key or auth.jwks_url"),
        (
            vec![("AUTH__HS256_SECRET", "short"), ("SERVER__HOST", "0.0.0.0")],
            "auth.hs256_secret (NATTER_AUTH__HS256_SECRET): must have 32",
        ),
        (vec![("API__KEYS", "[\"short\"]"), ("SERVER__HOST", "0.0.0.0")], "api.keys (NATTER_API__KEYS): must each have 16 bytes"),
        (vec![("API__KEYS", "[\"\"]")], "api.keys (NATTER_API__KEYS): must be a list of strings"),
        (vec![("API__KEYS", "k1")], "api.keys (NATTER_API__KEYS): must be a list of strings"),
        (
            vec![("AUTH__HS256_SECRET", enough), ("AUTH__HS256_SECRET_FILE", "x")],
            "auth.hs256_secret_file (NATTER_AUTH__HS256_SECRET_FILE): must not",
        ),
        (vec![("AUTH__HS256_SECRET_FILE", "missing")], "auth.hs256_secret_file (NATTER_AUTH__HS256_SECRET_FILE): must be a file"),
        (vec![("AUTH__PUBLIC_KEY", "x")], "auth.public_key (NATTER_AUTH__PUBLIC_KEY): must be a public key in PEM"),
        (vec![("AUTH__PUBLIC_KEY_FILE", rsa_private)], "auth.public_key (default): must be the public key"),
        (vec![("AUTH__PUBLIC_KEY_FILE", p384)], "auth.public_key (default): must be on the curve P-256"),
        (vec![("AUTH__PUBLIC_KEY_FILE", secp256k1)], "auth.public_key (default): must be on the curve P-256"),
        (vec![("AUTH__PUBLIC_KEY_FILE", rsa1024)], "auth.public_key (default): must have from 2,048 to 8,192 bits"),
        (
            vec![("AUTH__HS256_SECRET_FILE", "/dev/null")],
            "auth.hs256_secret_file (NATTER_AUTH__HS256_SECRET_FILE): must not be an empty file",
        ),
        (
            vec![("AUTH__JWKS_URL", "http://issuer.example/keys")],
            "auth.jwks_url (NATTER_AUTH__JWKS_URL): must be an https address",
        ),
        (vec![("AUTH__JWKS_URL", "file:///etc/passwd")], "auth.jwks_url (NATTER_AUTH__JWKS_URL): must be an https address"),
        (
            vec![("AUTH__ALLOWED_ORIGINS", "[\"*\"]")],
            "auth.allowed_origins (NATTER_AUTH__ALLOWED_ORIGINS): each must be an origin",
        ),
        (
            vec![("AUTH__LEEWAY_SECONDS", "301")],
            "auth.leeway_seconds (NATTER_AUTH__LEEWAY_SECONDS): must be a whole number from 0 to 300",
        ),
        (vec![("AUTH__USER_CLAIM", "")], "auth.user_claim (NATTER_AUTH__USER_CLAIM): must be the name of a claim"),
    ] {
        let start = Start::on(&database).env("NATTER_AUTH__MODE", "jwt").arg("check-config");
        let start = settings.iter().fold(start, |start, (name, value)| start.env(&format!("NATTER_{name}"), value));
        let (code, _, log) = start.finished().await;
        assert_eq!(code, Some(78), "{settings:?}");
        assert!(log.contains(fault), "{fault:?} is missing:\n{log}");
    }
}

#[tokio::test]
async fn secrets_are_masked_and_short_ones_are_warned_of() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let start = || {
        let start = Start::on(&database).env("NATTER_AUTH__MODE", "jwt").env("NATTER_AUTH__HS256_SECRET", "hunter2");
        start.env("NATTER_API__KEYS", "[\"hunter2\"]").env("NATTER_AUTH__ALLOWED_ORIGINS", "[\"https://app.example\"]")
    };
    let (code, settings, _) = start().arg("check-config").finished().await;
    assert_eq!(code, Some(0));
    for line in ["hs256_secret = \"***\"", "keys = [\"***\"]", "allowed_origins = [\"https://app.example\"]", "public_key = \"\""]
    {
        assert!(settings.lines().any(|shown| shown == line), "{line:?} is missing:\n{settings}");
    }
    assert!(!settings.contains("hunter2"), "{settings}");
    let server = start().listening().await;
    server.logged("auth.hs256_secret has less than 32 bytes").await;
    server.logged("api.keys has one of less than 16 bytes").await;
}

/// D6
#[tokio::test]
async fn a_second_server_on_one_sqlite_file_refuses_to_start() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let begun = Instant::now();
    let (code, _, log) = Start::on(&database).finished().await;
    assert_eq!(code, Some(1));
    assert!(log.contains("another natter already serves the database"), "{log}");
    assert!(begun.elapsed().as_secs() < 1, "it took {:?}", begun.elapsed());
    for command in ["migrate up", "migrate down", "rename-log"] {
        let (code, _, log) = command.split(' ').fold(Start::on(&database), Start::arg).finished().await;
        assert_eq!(code, Some(1), "{command}");
        assert!(log.contains("a running natter serves the database") && log.contains("stop it first"), "{command}: {log}");
    }
    assert!(server.is_alive().await);
}

#[tokio::test]
async fn a_database_that_is_not_there_yet_is_waited_for_with_growing_waits() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let mut server = Start::on(&database).env("DATABASE_URL", "postgres://me:hunter2@127.0.0.1:1/app").spawned();
    let line = server.logged("can't be reached").await;
    assert!(line.contains("postgres://me:***@127.0.0.1:1/app can't be reached: Connection refused"), "{line}");
    server.logged("trying again in 500 ms").await;
    assert!(!server.log().contains("panicked"), "{}", server.log());
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
}

#[rstest::rstest]
#[tokio::test]
async fn the_schema_goes_up_and_down_and_up_again_without_losing_a_message(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    use crate::harness::{Client, Kind};
    let database = TestDatabase::new(backend).await;
    let migrate = async |direction: &str| {
        let (code, steps, log) = Start::on(&database).arg("migrate").arg(direction).finished().await;
        assert_eq!(code, Some(0), "{log}");
        steps
    };
    assert!(migrate("status").await.lines().all(|step| step.starts_with("missing")));
    assert!(migrate("up").await.lines().all(|step| step.starts_with("applied")));
    let mut server = Server::start(&database).await;
    let (mut client, welcome) = Client::natter_v1(&server, 1).await;
    for kind in [Kind::Chat, Kind::Support] {
        client.post(kind, 1, "kept").await;
        client.expect(kind.frame()).await;
    }
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
    let steps = migrate("status").await.lines().count();
    for _ in 0..steps {
        migrate("down").await;
    }
    assert!(migrate("status").await.lines().all(|step| step.starts_with("missing")));
    assert!(migrate("up").await.lines().all(|step| step.starts_with("applied")));
    for kind in [Kind::Chat, Kind::Support] {
        assert_eq!(database.number(&format!("SELECT count(*) FROM {}", kind.table())).await, 1);
    }
    // A log without its old events is another log, and begins anew.
    let server = Server::start(&database).await;
    let (mut client, again) = Client::natter_v1(&server, 1).await;
    assert_ne!(again["payload"]["log_id"], welcome["payload"]["log_id"]);
    client.post(Kind::Chat, 1, "new").await;
    assert_eq!(client.expect("MESSAGE").await["seq"], 1);
    assert_eq!(database.assert_gapless_log().await, 1);
}

#[rstest::rstest]
#[tokio::test]
async fn a_table_of_another_shape_is_not_taken_over(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    use sea_orm::ConnectionTrait;
    let database = TestDatabase::new(backend).await;
    let db = database.connect().await;
    for table in [
        "messages (id INTEGER PRIMARY KEY, text TEXT)",
        "support_messages (id INTEGER PRIMARY KEY, support_chat_id INTEGER, \
                  sender_id INTEGER, content TEXT, file_type TEXT, file_paths TEXT)",
    ] {
        db.execute_unprepared(&format!("CREATE TABLE {table}")).await.expect("a table");
    }
    db.close().await.expect("the connection closes");
    let (code, _, log) = Start::on(&database).finished().await;
    assert_eq!(code, Some(1));
    for part in [
        "natter: the database's schema can't be migrated: the table messages is there already, but has no columns chat_id, sender_id, \
         content, file_type, file_paths, created_at, selected_chat_id; ",
        "; the table support_messages is there already, but has no column created_at\n",
    ] {
        assert!(log.contains(part), "{part:?} is missing:\n{log}");
    }
    // What is refused stays as it was.
    let db = database.connect().await;
    db.execute_unprepared("SELECT count(*) FROM seaql_migrations").await.expect_err("a table of ours");
}

#[tokio::test]
async fn help_teaches() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let (code, help, _) = Start::on(&database).arg("--help").finished().await;
    assert_eq!(code, Some(0));
    for part in ["ws://127.0.0.1:3001/ws-online-status", "migrate", "demo", "check-config", "DATABASE_URL", "Examples:", "78"] {
        assert!(help.contains(part), "{part:?} is missing:\n{help}");
    }
    for command in ["--help", "load --help", "token --help", "demo --help", "migrate up --help"] {
        let (_, help, _) = command.split(' ').fold(Start::on(&database), Start::arg).finished().await;
        let (own, settings) = help.split_once("\nSettings, for every command").expect(command);
        for setting in ["--config <FILE>", "--host <HOST>", "--port <PORT>", "--database-url <URL>"] {
            assert!(settings.contains(setting) && !own.contains(setting), "{setting} of {command}:\n{help}");
        }
        for default in ["[default: 127.0.0.1]", "[default: 3001]", "[default: sqlite://data/natter.db?mode=rwc]"] {
            assert!(settings.contains(default), "{default} of {command}:\n{help}");
        }
    }
}
