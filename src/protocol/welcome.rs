//! The first frame that a `natter.v1` session gets.

use super::Limits;
use entity::{Seq, UserId};
use serde::Serialize;
use uuid::Uuid;

/// What `WELCOME` tells.
#[derive(Clone, Copy, Debug)]
pub struct Welcome {
    /// This connection's name, new with each.
    pub session_id: Uuid,
    /// Whom the server takes the client for.
    pub user: UserId,
    /// The log's name: a cursor is good for this log alone.
    pub log_id: Uuid,
    /// The head of the log at registration: from there on the session misses nothing and sees nothing twice.
    pub seq: Seq,
    /// How often the server pings, in milliseconds.
    pub heartbeat_ms: u64,
    /// What the client may send.
    pub limits: Limits,
}

impl Serialize for Welcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Payload {
            protocol: u8,
            session_id: Uuid,
            user_id: i64,
            log_id: Uuid,
            seq: i64,
            heartbeat_ms: u64,
            limits: LimitsPayload,
        }
        #[derive(Serialize)]
        struct LimitsPayload {
            content_chars: usize,
            frame_bytes: usize,
            /// Null: messages are not limited by rate.
            messages_per_second: Option<u32>,
        }
        Payload {
            protocol: 1,
            session_id: self.session_id,
            user_id: self.user.0,
            log_id: self.log_id,
            seq: self.seq.0,
            heartbeat_ms: self.heartbeat_ms,
            limits: LimitsPayload {
                content_chars: self.limits.content_chars,
                frame_bytes: self.limits.frame_bytes,
                messages_per_second: self.limits.messages_per_second,
            },
        }
        .serialize(serializer)
    }
}
