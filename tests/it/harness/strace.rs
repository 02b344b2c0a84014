//! strace: the system calls of a server in their one order, or a program killed at a chosen one of them.

use super::PATIENCE;
use std::{collections::HashMap, path::PathBuf, time::Duration};
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

/// A system call that was seen.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// As strace writes them: paths of files in angle brackets, strings escaped.
    pub(crate) arguments: String,
    /// The line on which it began; lines stand in the order in which things happened, in all threads and processes.
    pub(crate) began: usize,
    /// The line on which it returned; the same one where nothing else was seen in between.
    pub(crate) ended: usize,
    pub(crate) result: String,
}

/// strace as a detached grandchild, so that what it runs stays the child of the test.
fn strace() -> Command {
    let there = std::process::Command::new("strace").arg("--version").output();
    assert!(there.is_ok(), "this test needs strace: apt-get install strace, or scripts/setup");
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-q"]);
    strace
}

/// Runs a program that is killed, as by `kill -9`, at the `number`th of one of `calls` in any of its threads.
pub(crate) fn killed_at(calls: &str, number: usize) -> Command {
    let mut strace = strace();
    strace.args(["-o", "/dev/null", "-e", &format!("trace={calls}")]);
    strace.args(["-e", &format!("inject={calls}:signal=KILL:when={number}"), "--"]);
    strace
}

/// A trace that is being written.
pub(crate) struct Trace {
    file: PathBuf,
}

impl Trace {
    pub(crate) fn into(file: PathBuf) -> Self {
        Self { file }
    }

    /// Runs a program of which `calls` are recorded, with the first `bytes` of what they write; those of the processes under `also`,
    /// too.
    pub(crate) fn of(&self, calls: &str, bytes: usize, also: Option<i32>) -> Command {
        let mut strace = strace();
        strace.arg("-o").arg(&self.file).args(["-y", "-e", &format!("trace={calls}"), "-s", &bytes.to_string()]);
        if let Some(process) = also {
            strace.args(["-p", &process.to_string()]);
        }
        strace.arg("--");
        strace
    }

    /// What was recorded, once everything that is recorded has ended: the last line says so of `process`.
    pub(crate) async fn calls(&self, process: u32) -> Vec<Call> {
        let process = process.to_string();
        let ends = |line: &str| line.split_whitespace().take(2).eq([process.as_str(), "+++"]);
        let whole = async {
            loop {
                let text = std::fs::read(&self.file).expect("the trace");
                let text = String::from_utf8_lossy(&text).into_owned();
                if text.lines().any(ends) {
                    return text;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        calls(&timeout(PATIENCE, whole).await.expect("the trace is whole"))
    }
}

/// The calls that returned, in the order in which they began.
fn calls(trace: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut unfinished: HashMap<&str, usize> = HashMap::new();
    for (line, text) in trace.lines().enumerate() {
        let (thread, text) = text.split_once(' ').expect("a process id");
        let result = text.rsplit_once(" = ").map(|(_, result)| result.to_owned()).unwrap_or_default();
        if text.trim_start().starts_with("<... ") {
            let Some(call) = unfinished.remove(thread).and_then(|at| calls.get_mut(at)) else { continue };
            (call.ended, call.result) = (line, result);
        } else if let Some((name, arguments)) = text.trim_start().split_once('(') {
            let is_whole = !text.ends_with("<unfinished ...>");
            if !is_whole {
                unfinished.insert(thread, calls.len());
            }
            let ended = if is_whole { line } else { usize::MAX };
            let result = if is_whole { result } else { String::new() };
            calls.push(Call { name: name.to_owned(), arguments: arguments.to_owned(), began: line, ended, result });
        }
    }
    calls
}
