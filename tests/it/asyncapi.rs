//! `/asyncapi.json` describes every frame: what tests are sent is held against it in the harness, what the docs show, here.

use crate::harness::{
    Backend, Server, TestDatabase,
    schema::{From, assert_described, described_messages},
};
use serde_json::Value;
use std::collections::BTreeSet;

const PROTOCOL: &str = include_str!("../../docs/protocol.md");

/// Each frame that the page shows, with who sends it.
fn shown() -> impl Iterator<Item = (From, Value)> {
    PROTOCOL.lines().filter_map(|line| line.strip_prefix("    {\"type\"")).map(|rest| {
        let frame: Value = serde_json::from_str(&format!("{{\"type\"{rest}")).expect("a frame is JSON");
        (sender(&frame), frame)
    })
}

/// Server frames have a payload; of the messages, those without a `seq` are classic.
fn sender(frame: &Value) -> From {
    match frame["type"].as_str() {
        _ if frame["payload"].is_null() => From::Client,
        Some("MESSAGE" | "SUPPORT_MESSAGE") if frame["seq"].is_null() => From::Classic,
        _ => From::NatterV1,
    }
}

#[test]
fn the_frames_that_the_docs_show_are_described() {
    for (from, frame) in shown() {
        assert_described(from, &frame);
    }
}

#[test]
fn the_docs_show_every_frame_that_is_described() {
    let shown: BTreeSet<String> = shown().map(|(from, frame)| from.name_of(frame["type"].as_str().expect("a type"))).collect();
    let missing: Vec<_> = described_messages().filter(|name| !shown.contains(*name)).collect();
    assert!(missing.is_empty(), "docs/protocol.md shows no {missing:?}");
}

#[tokio::test]
async fn the_description_is_served() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let server = Server::start(&database).await;
    let (status, body) = server.get("/asyncapi.json").await;
    assert_eq!(status, 200);
    assert_eq!(body, include_str!("../../docs/asyncapi.json"));
}
