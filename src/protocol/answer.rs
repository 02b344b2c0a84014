//! What a session gets back for a command of its own.

use super::{
    Refusal, RequestId, SessionKey, Share,
    member::{Place, role_word, state_word},
    message::WireTime,
};
use entity::{MessageId, Seq, Timestamp, UserId};
use serde::Serialize;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Who waits for an answer.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A session, by a command of its own.
    Session {
        /// The session.
        session: SessionKey,
        /// What it called the request; without one, success is not answered.
        request_id: Option<RequestId>,
        /// What the command takes of its session's window, until it is carried out.
        share: Share,
    },
    /// A request over HTTP, which takes one answer; nobody may be waiting for it any more.
    Http(mpsc::Sender<Result<Ack, Refusal>>),
}

impl Origin {
    /// What the asker calls the request.
    #[must_use]
    pub fn request_id(&self) -> Option<&RequestId> {
        match self {
            Self::Session { request_id, .. } => request_id.as_ref(),
            Self::Http(_) => None,
        }
    }

    /// Whether success is answered, too.
    #[must_use]
    pub fn wants_success(&self) -> bool {
        match self {
            Self::Session { request_id, .. } => request_id.is_some(),
            Self::Http(_) => true,
        }
    }
}

/// A command's outcome, on its way to the session that sent it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who waits for it.
    pub to: Origin,
    /// `ACK` or `ERROR`.
    pub outcome: Result<Ack, Refusal>,
}

/// A change that is committed and on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The place of its event in the log.
    pub seq: Seq,
    /// What the command's answer tells beside.
    pub of: Acked,
}

/// What an `ACK` tells, by command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acked {
    /// A message was posted, now or, where `duplicate`, by an earlier try.
    Posted {
        /// The message's id.
        id: MessageId,
        /// When its batch was taken up to be stored.
        created_at: Timestamp,
        /// The sender's idempotency key.
        client_id: Option<Uuid>,
        /// Whether an earlier try had stored it already.
        duplicate: bool,
    },
    /// A message was edited or deleted.
    Changed {
        /// The message.
        message_id: MessageId,
        /// Its version from now on.
        version: i32,
    },
    /// A user is now this in a conversation. Where they were that already, nothing was changed, and `seq` is 0.
    Member {
        /// Who.
        user: UserId,
        /// What they are.
        place: Place,
    },
}

impl Serialize for Acked {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Posted {
            id: i64,
            created_at: WireTime,
            client_id: Option<Uuid>,
            duplicate: bool,
        }
        #[derive(Serialize)]
        struct Changed {
            message_id: i64,
            version: i32,
        }
        #[derive(Serialize)]
        struct Member {
            user_id: i64,
            role: Option<&'static str>,
            state: Option<&'static str>,
        }
        match *self {
            Self::Posted { id, created_at, client_id, duplicate } => {
                Posted { id: id.0, created_at: WireTime(created_at), client_id, duplicate }.serialize(serializer)
            }
            Self::Changed { message_id, version } => Changed { message_id: message_id.0, version }.serialize(serializer),
            Self::Member { user, place } => {
                let (role, state) = (place.map(|(role, _)| role_word(role)), place.map(|(_, state)| state_word(state)));
                Member { user_id: user.0, role, state }.serialize(serializer)
            }
        }
    }
}
