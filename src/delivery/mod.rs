//! From committed events to the outboxes of sessions. Knows the protocol, and neither the database nor the sockets.

mod addressees;
pub mod batch;
pub mod deflate;
pub mod hub;
pub mod roster;

pub use batch::{Batch, Frames, Reply, ReplySort};
pub use hub::{Deliver, Drain, Hub, Registration, Subscriber};
pub use roster::Roster;
