//! The one actor that all sessions talk to.

mod announce;
pub mod chat_server;

pub use chat_server::{AddHub, ChatServer, HubPlace, Inspect, Inspection, Publish};
