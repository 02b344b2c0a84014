//! Coming back: a cursor, what was missed since, or why it can't be told.

use super::{Event, Refusal, fields::MAX_ID};
use entity::Seq;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use uuid::Uuid;

/// Where a client stopped: the last `seq` that it saw, and of which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last event that the client has; 0 for none.
    pub since: Seq,
    /// The log that it counts in.
    pub log_id: Uuid,
}

impl Cursor {
    /// The cursor of a connection's query parameters `since` and `log`; neither is none.
    ///
    /// # Errors
    /// Where one is missing or can't be read.
    pub fn from_parameters(since: Option<&str>, log: Option<&str>) -> Result<Option<Self>, Refusal> {
        let since_fault = || Refusal::field("since", format!("since must be an integer from 0 to {MAX_ID}"));
        let log_fault = || Refusal::field("log", "log must be the log_id of a WELCOME, with since");
        let (since, log) = match (since, log) {
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(since_fault()),
            (Some(_), None) => return Err(log_fault()),
            (Some(since), Some(log)) => (since, log),
        };
        let digits = !since.is_empty() && since.bytes().all(|byte| byte.is_ascii_digit());
        let since = since.parse().ok().filter(|seq| digits && (0..=MAX_ID).contains(seq)).ok_or_else(since_fault)?;
        let log_id = Uuid::try_parse(log).map_err(|_| log_fault())?;
        Ok(Some(Self { since: Seq(since), log_id }))
    }
}

/// The next part of what was missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// What the client may see of it, with the rows as they are now.
    pub events: Vec<Event>,
    /// The last event that was looked at, seen or not.
    pub reaches: Seq,
}

/// `RESUMED`: everything between was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// The client's cursor.
    pub from: Seq,
    /// From here on, events come live.
    pub to: Seq,
}

impl Serialize for Resumed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut payload = serializer.serialize_struct("Resumed", 2)?;
        payload.serialize_field("from", &self.from.0)?;
        payload.serialize_field("to", &self.to.0)?;
        payload.end()
    }
}

/// `RESET`: the client loads history afresh, and goes on from `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// From here on, events come live.
    pub seq: Seq,
    /// Why.
    pub reason: ResetReason,
}

/// Why what was missed can't be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::VariantArray)]
pub enum ResetReason {
    /// The log no longer reaches back so far.
    Expired,
    /// The cursor counts in another log.
    OtherLog,
    /// More than `resume.max_events` were missed.
    TooMany,
}

impl ResetReason {
    /// The reason as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::OtherLog => "other_log",
            Self::TooMany => "too_many",
        }
    }
}

impl Serialize for Reset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut payload = serializer.serialize_struct("Reset", 2)?;
        payload.serialize_field("seq", &self.seq.0)?;
        payload.serialize_field("reason", self.reason.as_str())?;
        payload.end()
    }
}
