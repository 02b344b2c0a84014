//! The names of metrics: what is documented, and what the Grafana dashboard uses, is what `/metrics` serves.

use crate::harness::{Backend, Scrape, Server, TestDatabase};
use serde_json::Value;
use std::collections::BTreeSet;

const OPERATIONS: &str = include_str!("../../docs/operations.md");
const DASHBOARD: &str = include_str!("../../docs/grafana/natter.json");

#[tokio::test]
async fn every_metric_is_documented_and_no_other() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let scrape = Scrape::of(&Server::start(&database).await).await;
    let documented: BTreeSet<&str> =
        OPERATIONS.lines().filter_map(|line| line.strip_prefix("| `natter_")).filter_map(|line| line.split('`').next()).collect();
    let served: BTreeSet<&str> = scrape.names().iter().filter_map(|name| name.strip_prefix("natter_")).collect();
    assert_eq!(documented, served);
    for process in scrape.names().iter().filter(|name| name.starts_with("process_")) {
        assert!(OPERATIONS.contains(*process), "{process} is not documented");
    }
}

#[tokio::test]
async fn the_dashboard_uses_only_what_is_served() {
    let database = TestDatabase::new(Backend::Sqlite).await;
    let scrape = Scrape::of(&Server::start(&database).await).await;
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let expressions: Vec<&str> = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten()
        .map(|target| target["expr"].as_str().expect("an expression"))
        .collect();
    assert!(expressions.len() > 15, "{} expressions", expressions.len());
    let series = scrape.series();
    let served: BTreeSet<&str> = series.keys().map(|series| series.split('{').next().expect("a name")).collect();
    for used in expressions.iter().flat_map(|expression| names_in(expression)) {
        assert!(served.contains(used), "{used} is not served");
    }
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
    }
}

/// The metrics that an expression names.
fn names_in(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("natter_") || word.starts_with("process_"))
}
