//! The WebSocket: one actor a session, which owns its socket, reads commands and forwards them, and whose outbox is the only way out.

pub mod actor;
mod decoder;
mod header;
mod liveness;
mod outbox;
pub mod port;
mod resume;
mod turn_away;

pub use actor::Session;
pub use port::{Connect, Disconnect, Identity, MissedEvents, Port, Submit, Unreadable};
pub use turn_away::turn_away;
