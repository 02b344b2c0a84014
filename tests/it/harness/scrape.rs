//! What a Prometheus reads of a server.

use super::{PATIENCE, Server};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::timeout;

/// What `/metrics` said once.
pub(crate) struct Scrape {
    pub(crate) text: String,
}

impl Scrape {
    pub(crate) async fn of(server: &Server) -> Self {
        let response = reqwest::get(format!("http://{}/metrics", server.address)).await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        Self { text: response.text().await.expect("text") }
    }

    /// Each series with its value.
    pub(crate) fn series(&self) -> BTreeMap<&str, &str> {
        let samples = self.text.lines().filter(|line| !line.starts_with('#'));
        samples.map(|line| line.rsplit_once(' ').expect("a value")).collect()
    }

    fn value(&self, series: &str) -> &str {
        self.series().get(series).unwrap_or_else(|| panic!("{series} is not served:\n{}", self.text))
    }

    /// What a series counts.
    pub(crate) fn count(&self, series: &str) -> u64 {
        self.value(series).parse().expect("a whole number")
    }

    /// What a series measures.
    pub(crate) fn seconds(&self, series: &str) -> f64 {
        self.value(series).parse().expect("a number")
    }

    /// Each family with its type.
    pub(crate) fn types(&self) -> Vec<&str> {
        self.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect()
    }

    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.types().iter().map(|line| line.split(' ').next().expect("a name")).collect()
    }
}

/// Waits until `series` says `value`: what is counted when a socket ends, ends in its own time.
pub(crate) async fn becomes(server: &Server, series: &str, value: u64) {
    let mut last = None;
    let reached = async {
        while last != Some(value) {
            last = Some(Scrape::of(server).await.count(series));
        }
    };
    let outcome = timeout(PATIENCE, reached).await;
    assert!(outcome.is_ok(), "{series} is {last:?}, not {value}");
}

/// Waits until `series` says more than `value`.
pub(crate) async fn exceeds(server: &Server, series: &str, value: u64) {
    let reached = async { while Scrape::of(server).await.count(series) <= value {} };
    assert!(timeout(PATIENCE, reached).await.is_ok(), "{series} stays at {value}");
}
