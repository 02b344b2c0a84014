//! Why a run makes no sense, in words that say what to change.

use std::{io::ErrorKind, path::PathBuf};

/// How a server is started that is to be measured.
pub(super) const UNLIMITED: &str = "to measure, start the server with NATTER_LIMITS__ENABLED=false";

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum LoadFault {
    /// More sockets than the system gives a process.
    #[error(
        "{sessions} sessions need {needed} open files, and {allowed} are allowed at most: raise the limit, as root, with \
         `ulimit -n {needed}`"
    )]
    Descriptors {
        /// That were asked for.
        sessions: u32,
        /// With a few for other things.
        needed: u64,
        /// After it was raised as far as it may be.
        allowed: u64,
    },
    /// Nobody listens.
    #[error("can't connect to {url}: {error}{}", advice_for_silence(.error))]
    Unreachable {
        /// Where.
        url: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The handshake was answered by something else than a WebSocket.
    #[error("the server refuses WebSocket {number} with HTTP {status}: {}", advice_for_status(*.status))]
    Refused {
        /// Which of the sessions.
        number: u32,
        /// HTTP's.
        status: u16,
    },
    /// The server closed a session for a reason that holds for all of them.
    #[error("the server closes session {number} with {code}{}: {}", said(.reason), advice_for_close(*.code))]
    Closed {
        /// Which of the sessions.
        number: u32,
        /// The close code.
        code: u16,
        /// The reason in words, which may be empty.
        reason: String,
    },
    /// The server closed one after the other, until none was left.
    #[error("the server closed all {sessions} sessions before the run was over, the last one with {how}: there is no result")]
    AllClosed {
        /// How many there were.
        sessions: u32,
        /// The code, with the reason if there was one.
        how: String,
    },
    /// A message was refused for a reason that holds for all of them.
    #[error("the server refuses messages with {code}{}: {}", said(.message), advice_for_error(.code))]
    Forbidden {
        /// The error's.
        code: String,
        /// In the server's words.
        message: String,
    },
    /// The server speaks the classic dialect alone, or is another server.
    #[error("the server does not speak natter.v1: say --classic")]
    NoNatterV1,
    /// The handshake failed.
    #[error("session {number} can't be opened: {error}")]
    Handshake {
        /// Which of the sessions.
        number: u32,
        /// What is wrong with it.
        error: String,
    },
    /// The handshake was not answered, or in natter.v1 the welcome did not come.
    #[error("the server does not answer session {0} within 20 s: it may be overloaded; try a smaller --connect-rate")]
    Silent(u32),
    /// There are no tokens in it, or it can't be read.
    #[error("can't take tokens from {file}: {problem}")]
    Tokens {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The settings have the server take a free port.
    #[error("server.port is 0, a free one: say with --url which one the server has taken; it logs it at its start")]
    NoPort,
    /// The members could not be added.
    #[error("can't set the members of conversation {conversation}: {problem}")]
    Members {
        /// Which one.
        conversation: u32,
        /// What the server says, and what to do about it.
        problem: String,
    },
    /// No secret to sign with.
    #[error("--token-secret has no value, and auth.hs256_secret is not set: give either, the same that the server has")]
    NoSecret,
    /// A token could not be signed.
    #[error("can't sign a token: {0}")]
    Signing(#[from] jsonwebtoken::errors::Error),
    /// The process whose CPU time is asked for is not there.
    #[error("there is no process {0} whose CPU time could be read: --pid wants the server's, on this machine")]
    NoProcess(u32),
    /// The process whose CPU time is asked for did nothing.
    #[error(
        "process {0} used no CPU while the server answered: --pid wants the server's own, not that of what started it (a shell, \
         sudo, make, cargo)"
    )]
    IdleProcess(u32),
    /// The system gives no thread.
    #[error("can't start a thread for the schedule")]
    NoThread,
    /// Not to be waited for any more.
    #[error("interrupted")]
    Interrupted,
}

fn said(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

fn advice_for_silence(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            ": nobody listens there. Start the server first (NATTER_LIMITS__ENABLED=false natter), or say where it is with --url or PORT"
                .to_owned()
        }
        _ => String::new(),
    }
}

fn advice_for_status(status: u16) -> String {
    match status {
        401 | 403 => "it wants to know who connects: give --token-secret or --token-file".to_owned(),
        404 => "there is nothing at this path: is it Natter? Its WebSocket is at /ws-online-status".to_owned(),
        429 => {
            format!("limits.handshakes_per_second or limits.handshakes_burst is reached; {UNLIMITED}, or lower --connect-rate")
        }
        503 => format!(
            "it has server.max_connections, or twice limits.connections_per_address from here, or it is starting or stopping; \
             {UNLIMITED}"
        ),
        _ => "is it a WebSocket's address? Natter's is at /ws-online-status".to_owned(),
    }
}

fn advice_for_close(code: u16) -> String {
    match code {
        4001 | 4003 => {
            "where auth.mode is \"jwt\", give --token-secret or --token-file, with the server's own secret; where it is \"trusted\", give \
             neither, and no userId in the --url but {user}"
                .to_owned()
        }
        4005 => format!("limits.connections_per_user or limits.connections_per_address is reached; {UNLIMITED}"),
        4100 => {
            "this machine does not read as fast as the server writes: give the generator more of it, or less to do".to_owned()
        }
        4101 => format!("limits.refusals_per_second is reached; {UNLIMITED}"),
        1001 | 4200 => "it is going away".to_owned(),
        _ => "its log may say more".to_owned(),
    }
}

fn advice_for_error(code: &str) -> String {
    match code {
        "rate_limited" => format!(
            "limits.messages_per_second, limits.conversation_messages_per_second or another rate is reached; {UNLIMITED}, or \
             share the load between more --senders and --chats"
        ),
        "forbidden" | "not_found" => {
            "the conversation is not open to these users: with access.unlisted = \"deny\", load conversations with members \
             (--conversations, --members, --key); where an earlier run gave it members, load another database"
                .to_owned()
        }
        "sender_mismatch" | "unauthorized" => "the tokens are not those of the sessions' users".to_owned(),
        _ => "no message of this run can be stored".to_owned(),
    }
}

/// Whether an error says something about every message, and not about the server's load.
pub(super) fn concerns_all(code: &str) -> bool {
    !matches!(code, "unavailable" | "internal")
}

/// Whether a close code says something about every session.
pub(super) fn ends_all(code: u16) -> bool {
    matches!(code, 4001 | 4003 | 4005 | 4101)
}
