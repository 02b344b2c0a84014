//! What is asked for on the command line.

use clap::ValueEnum;
use std::path::PathBuf;
use url::Url;

/// Under which heading stands where the server is, and how it is spoken to.
const SERVER: &str = "The server";

/// Sessions of a run: more than one address has ports for.
const MOST_SESSIONS: u32 = 1_000_000;

/// Sessions where nothing says how many.
const SESSIONS: u32 = 100;

/// How many sessions do what, for how long.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "The load")]
pub struct Load {
    /// The server's WebSocket: each session's `userId` is added to it, or put where it says {user} [default: /ws-online-status on
    /// this machine, where the settings (HOST, PORT, --port, --config) have a server listen: on port 3001, if they say nothing]
    #[arg(help_heading = SERVER, long, value_parser = websocket_url)]
    pub url: Option<Url>,
    /// WebSockets, each of a user of its own [default: 100, or one for each member of the --conversations]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_SESSIONS)))]
    pub sessions: Option<u32>,
    /// How many of them write, at most all [default: all of them, in turn]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub senders: Option<u32>,
    /// Messages a second of all senders together, on a schedule that no answer holds up; 0: nobody writes
    #[arg(long, default_value_t = 10.0, value_parser = rate, allow_negative_numbers = true)]
    pub rate: f64,
    /// Instead of a rate: messages that each sender has under way, the next one as soon as one is answered; 1 to 1024
    #[arg(long, value_name = "N", conflicts_with = "rate", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub window: Option<u32>,
    /// How long is measured, at most 86400
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// How long is written before that, at most 3600
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub warm_up: u64,
    /// Conversations that are written to, from id 1 on, all of them open to everyone
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub chats: u32,
    /// Instead: conversations with members, from id 1 on. Each session belongs to one of them, writes there, and is owed what is
    /// written there, and nothing else
    #[arg(long, value_name = "N", requires_all = ["members", "key"], conflicts_with_all = ["chats", "token_file"])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_SESSIONS)))]
    pub conversations: Option<u32>,
    /// Members of each of the --conversations
    #[arg(long, value_name = "M", requires = "conversations", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub members: Option<u32>,
    /// One of the server's api.keys, by which the members are added before the run
    #[arg(help_heading = SERVER, long, requires = "conversations")]
    pub key: Option<String>,
    /// What kind of conversation
    #[arg(long, value_enum, default_value_t = Kind::Chat)]
    pub kind: Kind,
    /// Bytes of a message's content, 40 to 60000
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(40..=60_000))]
    pub payload: u32,
    /// Speak natter.v1: each message is acknowledged (the default)
    #[arg(long, conflicts_with = "classic")]
    pub v1: bool,
    /// Speak as existing clients do: a message is answered by its own delivery
    #[arg(long)]
    pub classic: bool,
    /// WebSockets that are opened a second, at most
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub connect_rate: u32,
    /// The first session's user; the others follow
    #[arg(long, value_name = "ID", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub first_user: u32,
    /// Sign each session a token with this secret (HS256), or with the settings' where none is given
    #[arg(help_heading = SERVER, long, value_name = "SECRET", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub token_secret: Option<String>,
    /// Take the sessions' tokens from a file, one a line; fewer than sessions are used again. Needs natter.v1, which tells a session its
    /// user
    #[arg(help_heading = SERVER, long, value_name = "FILE", conflicts_with_all = ["token_secret", "classic"])]
    pub token_file: Option<PathBuf>,
    /// The server's process, where it runs on this machine: its CPU time and memory [default: what /metrics tells]
    #[arg(help_heading = SERVER, long, value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: Option<u32>,
    /// Write the result as JSON, to standard output where it is -
    #[arg(help_heading = "The result", long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The kinds of conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A chat.
    Chat,
    /// A support chat.
    Support,
}

/// What makes a sender write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    /// Nobody writes.
    Idle,
    /// So many messages a second in all.
    Rate(f64),
    /// So many under way, each sender.
    Window(u32),
}

impl Load {
    pub(super) fn pace(&self) -> Pace {
        match self.window {
            Some(window) => Pace::Window(window),
            None if self.rate == 0.0 => Pace::Idle,
            None => Pace::Rate(self.rate),
        }
    }

    /// What can't be, though each option by itself could.
    ///
    /// # Errors
    /// In words that say what to change.
    pub fn check(&self) -> Result<(), String> {
        let sessions = self.sessions();
        if let Some((conversations, members)) = self.conversations.zip(self.members) {
            let needed = u64::from(conversations) * u64::from(members);
            if needed != u64::from(sessions) || sessions > MOST_SESSIONS {
                return Err(format!(
                    "{conversations} conversations of {members} members are {needed} sessions, one a member: --sessions must be that, \
                     or be left out, and at most {MOST_SESSIONS}"
                ));
            }
        }
        match self.senders {
            Some(senders) if senders > sessions => {
                Err(format!("--senders {senders} are more than the {sessions} sessions (--sessions) of which they are a part"))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn sessions(&self) -> u32 {
        let members = self.conversations.zip(self.members).map(|(conversations, members)| conversations.saturating_mul(members));
        self.sessions.or(members).unwrap_or(SESSIONS)
    }

    pub(super) fn senders(&self) -> u32 {
        self.senders.unwrap_or_else(|| self.sessions())
    }

    pub(super) fn dialect(&self) -> &'static str {
        if self.classic { "classic" } else { "natter.v1" }
    }
}

fn websocket_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{error}; it must be ws://HOST:PORT/PATH"))?;
    match url.scheme() {
        "ws" if url.has_host() => Ok(url),
        "wss" | "https" => Err("TLS is not spoken: measure the server behind the proxy that ends it".to_owned()),
        _ => Err("it must be ws://HOST:PORT/PATH".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, &'static str> {
    let rate: f64 = text.parse().map_err(|_| "it must be a number")?;
    if rate == 0.0 || (0.001..=1_000_000.0).contains(&rate) { Ok(rate) } else { Err("it must be 0, or from 0.001 to 1000000") }
}
