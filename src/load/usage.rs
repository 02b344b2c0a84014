//! What the server uses: from its process on this machine, or from what it tells at /metrics.

use super::LoadFault;
use std::{fs, time::Duration};
use url::Url;

/// How long /metrics may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where it is learnt from.
#[derive(Clone, Debug)]
pub(super) enum Meter {
    /// The system, about this process.
    Process(u32),
    /// The server itself: CPU time in whole seconds.
    Metrics(Url),
    /// Nowhere.
    Nothing,
}

/// What was used up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    pub(super) cpu_seconds: f64,
    /// How long its threads were ready to run and had no core; only the system knows.
    pub(super) waited_seconds: Option<f64>,
    pub(super) rss_kib: f64,
}

impl Meter {
    /// By process id where one is given, else by /metrics where it answers.
    pub(super) async fn find(pid: Option<u32>, server: &Url) -> Result<Self, LoadFault> {
        if let Some(pid) = pid {
            return of_process(pid).map(|_| Self::Process(pid)).ok_or(LoadFault::NoProcess(pid));
        }
        let Some(url) = metrics_of(server) else { return Ok(Self::Nothing) };
        Ok(of_metrics(&url).await.map_or(Self::Nothing, |_| Self::Metrics(url)))
    }

    pub(super) fn name(&self) -> Option<&'static str> {
        match self {
            Self::Process(_) => Some("pid"),
            Self::Metrics(_) => Some("metrics"),
            Self::Nothing => None,
        }
    }

    /// Whether it counts parts of a second.
    pub(super) fn is_exact(&self) -> bool {
        matches!(self, Self::Process(_))
    }

    pub(super) async fn read(&self) -> Option<Used> {
        match self {
            Self::Process(pid) => of_process(*pid),
            Self::Metrics(url) => of_metrics(url).await,
            Self::Nothing => None,
        }
    }
}

impl Used {
    /// What was used between two moments; the memory is the later one's.
    pub(super) fn since(self, before: Self) -> Self {
        let waited = self.waited_seconds.zip(before.waited_seconds).map(|(now, before)| now - before);
        Self { cpu_seconds: self.cpu_seconds - before.cpu_seconds, waited_seconds: waited, ..self }
    }
}

/// What this process used, of CPU time alone.
pub(super) fn own() -> Used {
    of_process(std::process::id()).unwrap_or_default()
}

/// From `/proc`: each thread's time on a core and its time of waiting for one, in nanoseconds.
fn of_process(pid: u32) -> Option<Used> {
    const NS: f64 = 1e9;
    let (mut cpu, mut waited, mut is_told) = (0.0, 0.0, false);
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
        is_told = true;
        let mut fields = text.split_ascii_whitespace().filter_map(|field| field.parse::<f64>().ok());
        cpu += fields.next().unwrap_or_default();
        waited += fields.next().unwrap_or_default();
    }
    // A kernel without these figures has none to show, which is not the same as zero.
    if !is_told {
        return None;
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let rss_kib = rss.trim().trim_end_matches(" kB").parse().ok()?;
    Some(Used { cpu_seconds: cpu / NS, waited_seconds: Some(waited / NS), rss_kib })
}

fn metrics_of(server: &Url) -> Option<Url> {
    let mut url = server.clone();
    url.set_scheme("http").ok()?;
    url.set_path("/metrics");
    url.set_query(None);
    Some(url)
}

async fn of_metrics(url: &Url) -> Option<Used> {
    let client = reqwest::Client::builder().timeout(PATIENCE).build().ok()?;
    let answer = client.get(url.clone()).send().await.ok()?.error_for_status().ok()?;
    let text = answer.text().await.ok()?;
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    let cpu_seconds = value("process_cpu_seconds_total ")?;
    let rss_kib = value("process_resident_memory_bytes ")? / 1_024.0;
    Some(Used { cpu_seconds, waited_seconds: None, rss_kib })
}
