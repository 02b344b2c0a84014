//! The ground that everything else stands on: what travels over the wire, as types, with no input or output of its own.

pub mod answer;
pub mod caller;
pub mod close;
pub mod command;
pub mod conversation;
pub mod decode;
pub mod deflate;
pub mod delete;
pub mod edit;
pub mod error;
pub mod event;
pub mod fields;
pub mod frame;
pub mod history;
pub mod limits;
pub mod message;
pub mod post;
pub mod resume;
pub mod session;
pub mod websocket;
pub mod window;
pub mod welcome;

pub use answer::{Ack, Answer, Origin};
pub use caller::{Caller, Principal, Role};
pub use close::CloseCode;
pub use command::Command;
pub use conversation::Conversation;
pub use deflate::Deflate;
pub use entity::{ConversationId, ConversationKind, MessageId, Seq, Timestamp, UserId};
pub use error::{ErrorCode, Refusal};
pub use event::{Change, Committed, Event};
pub use limits::Limits;
pub use message::Message;
pub use session::{Dialect, Encoding, RequestId, SessionKey};
pub use window::{Share, Window};
