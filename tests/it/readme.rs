//! What the README shows, done as it says.

use crate::{
    harness::{Backend, TestDatabase},
    programs::{ServerOn3001, json_lines, node, output},
};
use serde_json::Value;

const README: &str = include_str!("../../README.md");

#[tokio::test]
async fn the_first_conversation_prints_what_the_readme_shows() {
    let (_, section) = README.split_once("\n## A first conversation\n").expect("the section");
    let (_, section) = section.split_once("\n```js\n").expect("its code");
    let (code, section) = section.split_once("\n```\n").expect("the end of its code");
    let (section, _) = section.split_once("\n## ").expect("the next section");
    let shown: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("    {")).collect();
    assert_eq!(shown.len(), 2, "the README shows the two frames that are printed");

    let database = TestDatabase::new(Backend::Sqlite).await;
    let script = database.folder.path().join("first.mjs");
    std::fs::write(&script, code).expect("the code is written");
    let _running = ServerOn3001::start(&database).await;
    let printed = output(&mut node(&script).await).await;

    let shown = shown.iter().map(|line| format!("{{{line}")).collect::<Vec<_>>().join("\n");
    assert_eq!(undated(&printed), undated(&shown));
}

/// The frames that were printed, but for when their messages were created.
fn undated(printed: &str) -> Vec<Value> {
    let mut frames = json_lines(printed);
    for frame in &mut frames {
        let created_at = frame["payload"].as_object_mut().and_then(|payload| payload.remove("created_at"));
        assert!(created_at.is_some_and(|created_at| created_at.is_string()), "{frame}");
    }
    frames
}
