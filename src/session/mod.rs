//! The WebSocket: one actor a session, which owns its socket, reads commands and forwards them, and whose outbox is the only way out.

pub mod actor;
pub mod connection;
mod decoder;
mod header;
mod inflate;
mod liveness;
pub mod outbox;
pub mod port;
mod queue;
mod refresh;
mod resume;
mod turn_away;

pub use actor::Session;
pub use connection::{Connection, Halt, Message};
pub use decoder::{Bounds, Decoder, Incoming};
pub use header::Violation;
pub use outbox::Outbox;
pub use port::{CheckToken, Connect, Disconnect, Identity, MissedEvents, Port, Submit, Unreadable};
pub use turn_away::{turn_away, turn_away_one_too_many};
