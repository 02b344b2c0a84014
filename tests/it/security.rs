//! The threat model: every test that it names is there, and what it says of all answers holds for every route.

use crate::harness::{Backend, Server, TestDatabase};
use natter::http::Route;
use std::{collections::BTreeSet, path::Path};

const SECURITY: &str = include_str!("../../docs/security.md");

/// What stands between backticks in the document's tables and has the shape of a test's name: `file::test`.
fn named() -> BTreeSet<&'static str> {
    let rows = SECURITY.lines().filter(|line| line.starts_with('|'));
    rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter(|quoted| quoted.contains("::")).collect()
}

/// The text of the file that a test is named after: of `tests/it`, else of `src`.
fn file_of(module: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = [format!("tests/it/{module}.rs"), format!("src/{module}.rs"), format!("src/{module}/tests.rs")];
    places.iter().find_map(|place| std::fs::read_to_string(root.join(place)).ok())
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let named = named();
    assert!(named.len() > 60, "{} tests are named", named.len());
    for test in named {
        let (module, name) = test.split_once("::").expect("a file and a test");
        let text = file_of(module).unwrap_or_else(|| panic!("{test}: there is no such file"));
        let (before, _) = text.split_once(&format!("fn {name}(")).unwrap_or_else(|| panic!("{test}: there is no such test"));
        let attributes = before.rsplit("\n\n").next().unwrap_or_default();
        assert!(["::test", "[test]"].into_iter().any(|mark| attributes.contains(mark)), "{test} is no test");
    }
}

/// Each row of the tables says how something is controlled, and which test shows it, or why none can.
#[test]
fn no_row_of_the_threat_model_is_without_what_shows_it() {
    let (_, threats) = SECURITY.split_once("\n## Spoofing").expect("the first of the tables");
    let headings = ["| threat ", "| # "];
    let rows = threats.lines().filter(|line| line.starts_with("| ") && !headings.iter().any(|heading| line.starts_with(heading)));
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(cells.len() == 3 && cells.iter().all(|cell| !cell.is_empty()), "{row}");
        let shown = ["`", "[", "not shown: ", "not kept: "].into_iter().any(|begin| cells[2].starts_with(begin));
        assert!(shown, "{row}");
    }
}

#[tokio::test]
async fn every_answer_says_what_it_is_and_is_kept_and_framed_by_nobody() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let client = reqwest::Client::new();
    let known = Route::ALL.into_iter().map(|route| (route.method().as_str().to_owned(), route.path().to_owned()));
    let unknown = [("GET", "/nowhere"), ("POST", "/api/v1/nowhere"), ("PATCH", "/healthz")];
    let unknown = unknown.map(|(method, path)| (method.to_owned(), path.to_owned()));
    for (method, path) in known.chain(unknown) {
        let url = format!("http://{}{}", server.address, path.replace("{id}", "1").replace("{user_id}", "1"));
        let answer = client.request(method.parse().expect("a method"), &url).send().await.expect("an answer");
        let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().expect("text")).to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff", "{method} {path}");
        assert_eq!(header("cache-control"), "no-store", "{method} {path}");
        for part in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(header("content-security-policy").contains(part), "{part} for {method} {path}");
        }
        let r#type = header("content-type");
        let body = answer.bytes().await.expect("a body");
        assert!(
            body.is_empty() || r#type == "application/json" || r#type.contains("charset=utf-8"),
            "{type} for {method} {path}"
        );
        let traced = client.request("TRACE".parse().expect("a method"), &url).send().await.expect("an answer");
        assert!([404, 405].contains(&traced.status().as_u16()), "TRACE {path}");
    }
}
