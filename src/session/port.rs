//! What a session needs from the rest of the server, as typed senders: it never knows the server itself.

use crate::{
    delivery::Hub,
    limits::{Limiter, Network},
    protocol::{
        Caller, Deflate, Dialect, Grant, Limits, Refusal, Seq, SessionKey, Share, Token, UserId, Validity,
        command::Request,
        resume::{Cursor, Missed},
    },
};
use actix::{Message, Recipient};
use futures_util::future::LocalBoxFuture;
use std::{rc::Rc, sync::Arc};
use uuid::Uuid;

/// Who is at the other end of a socket: known before the session begins.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The user, and as what.
    pub caller: Caller,
    /// For how long that holds.
    pub validity: Validity,
    /// Where they come from.
    pub network: Network,
    /// Which frames they are sent.
    pub dialect: Dialect,
    /// Whether and how messages are compressed, in both directions.
    pub deflate: Option<Deflate>,
    /// Where they stopped, if they were here before. The classic dialect has no cursor.
    pub cursor: Option<Cursor>,
}

/// What all sessions of a worker share.
pub struct Port {
    /// Where commands go. Bounded: when it is full, each command is refused with `unavailable`.
    pub submit: Recipient<Submit>,
    /// Where it is told that a session has begun.
    pub connect: Recipient<Connect>,
    /// Where it is told that a session has ended.
    pub disconnect: Recipient<Disconnect>,
    /// Where the session registers to be sent what is committed.
    pub hub: Rc<Hub>,
    /// Checks a newer token.
    pub tokens: Rc<dyn CheckToken>,
    /// The log's name, for `WELCOME`.
    pub log_id: Uuid,
    /// Reads what a session missed.
    pub log: Rc<dyn MissedEvents>,
    /// Events that a session may have missed; more is a `RESET`.
    pub max_missed: i64,
    /// What a client may send.
    pub limits: Limits,
    /// And how often.
    pub limiter: Arc<Limiter>,
    /// Frames that one message may be cut into.
    pub fragments: u32,
    /// Whether clients may have their messages compressed.
    pub compression: bool,
    /// Bytes that may wait for a peer that does not read; more closes it with 4100.
    pub outbox_bytes: usize,
}

/// Checks the newer token of a session.
pub trait CheckToken {
    /// Who the token's user is, or why it is refused.
    fn check(&self, token: Token) -> LocalBoxFuture<'static, Result<Grant, Refusal>>;
}

/// Reads the log for a session that comes back.
pub trait MissedEvents {
    /// The next events after `seq` that are for `caller`; `None` where the log does not reach back so far.
    fn after(&self, caller: Caller, seq: Seq) -> LocalBoxFuture<'static, Result<Option<Missed>, Unreadable>>;

    /// Whether more than `limit` of the events after `seq`, up to `head`, are for `caller`.
    fn is_more_than(&self, caller: Caller, seq: Seq, head: Seq, limit: i64) -> LocalBoxFuture<'static, Result<bool, Unreadable>>;
}

/// The log can't be read now; why, is logged by whom it was asked.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the log can't be read")]
pub struct Unreadable;

/// A session has begun.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Connect {
    /// Whose.
    pub user: UserId,
}

/// A session has ended.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Disconnect {
    /// Whose.
    pub user: UserId,
}

/// The commands of one read from one session, in order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Submit {
    /// Where the answers go.
    pub session: SessionKey,
    /// Who asks.
    pub caller: Caller,
    /// What is asked for.
    pub requests: Vec<Request>,
    /// What it takes of the session's window.
    pub share: Share,
}
