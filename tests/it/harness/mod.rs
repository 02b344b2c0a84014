//! A real server, real databases and real sockets, spoken to in sentences.

pub(crate) mod checker;
pub(crate) mod client;
pub(crate) mod crowd;
pub(crate) mod database;
pub(crate) mod follower;
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod refetch;
pub(crate) mod reverse_proxy;
pub(crate) mod schema;
pub(crate) mod scrape;
pub(crate) mod server;
pub(crate) mod strace;
pub(crate) mod tokens;
pub(crate) mod upload;
mod visibility;
pub(crate) mod web_server;

pub(crate) use client::Client;
pub(crate) use crowd::Crowd;
pub(crate) use database::{Backend, TestDatabase};
pub(crate) use follower::Follower;
pub(crate) use postgres::PostgresServer;
pub(crate) use raw::RawSocket;
pub(crate) use scrape::Scrape;
pub(crate) use server::Server;
pub(crate) use web_server::WebServer;

use std::time::Duration;

/// How long an event may take that must come: a bound for a test that fails, never a wait in one that passes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Which of the two kinds of conversation a test is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Chat,
    Support,
}

impl Kind {
    /// The command that posts to it.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Self::Chat => "NEW_MESSAGE",
            Self::Support => "NEW_SUPPORT_MESSAGE",
        }
    }

    /// The frame that tells of a message in it.
    pub(crate) fn frame(self) -> &'static str {
        match self {
            Self::Chat => "MESSAGE",
            Self::Support => "SUPPORT_MESSAGE",
        }
    }

    /// The key of its id.
    pub(crate) fn id_field(self) -> &'static str {
        match self {
            Self::Chat => "chat_id",
            Self::Support => "support_chat_id",
        }
    }

    /// Its name in the paths of the HTTP API.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Chat => "chats",
            Self::Support => "support-chats",
        }
    }

    /// The table of its messages.
    pub(crate) fn table(self) -> &'static str {
        match self {
            Self::Chat => "messages",
            Self::Support => "support_messages",
        }
    }
}

/// A new message of this kind, as a client writes it.
pub(crate) fn new_message(kind: Kind, conversation: i64, sender: i64, content: &str) -> serde_json::Value {
    serde_json::json!({ "type": kind.command(), kind.id_field(): conversation, "sender_id": sender, "content": content })
}
