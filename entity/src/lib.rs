//! What stands in the database: one row type a table, the typed ids and the kinds in their columns. No logic lives here.

pub mod events;
pub mod ids;
pub mod kind;
pub mod log_head;
pub mod members;
pub mod message_versions;
pub mod messages;
pub mod revocations;
pub mod support_messages;
pub mod timestamp;
pub mod uploads;

pub use ids::{ConversationId, MessageId, Seq, UserId};
pub use kind::{ConversationKind, EventKind, MemberRole, MemberState, UploadState};
pub use timestamp::Timestamp;
