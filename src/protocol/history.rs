//! `GET_HISTORY`: a page of a conversation, by message ids, in constant time at any depth.

use super::{Conversation, Dialect, Message, Refusal, fields::Fields, message::MessagePayload};
use entity::MessageId;
use serde::{
    Serialize, Serializer,
    ser::{SerializeSeq, SerializeStruct},
};

/// Messages of a page where the client does not say.
pub const DEFAULT_LIMIT: u64 = 50;

/// Messages of a page at most.
pub const MAX_LIMIT: u64 = 200;

/// Which page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetHistory {
    /// Whose messages.
    pub conversation: Conversation,
    /// Which of them.
    pub page: Page,
    /// How many at most.
    pub limit: u64,
}

/// A page by the message that it lies next to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The newest.
    Latest,
    /// The newest of those older than this one.
    Before(MessageId),
    /// The oldest of those newer than this one.
    After(MessageId),
    /// This one, with as many older as newer ones round it.
    Around(MessageId),
}

/// A page as it was asked for, field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageFields {
    /// `before`
    pub before: Option<i64>,
    /// `after`
    pub after: Option<i64>,
    /// `around`
    pub around: Option<i64>,
    /// `limit`
    pub limit: Option<i64>,
}

impl GetHistory {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let conversation = fields.conversation()?;
        let page = PageFields {
            before: fields.optional_id("before")?,
            after: fields.optional_id("after")?,
            around: fields.optional_id("around")?,
            limit: fields.optional_id("limit").map_err(|_| limit_fault())?,
        };
        Self::new(conversation, page)
    }

    /// The page that these fields ask for.
    ///
    /// # Errors
    /// Where more than one place is named, or the limit is above [`MAX_LIMIT`].
    pub fn new(conversation: Conversation, fields: PageFields) -> Result<Self, Refusal> {
        let PageFields { before, after, around, limit } = fields;
        let page = match (before, after, around) {
            (None, None, None) => Page::Latest,
            (Some(id), None, None) => Page::Before(MessageId(id)),
            (None, Some(id), None) => Page::After(MessageId(id)),
            (None, None, Some(id)) => Page::Around(MessageId(id)),
            _ => return Err(Refusal::field("before", "name at most one of before, after and around")),
        };
        let limit = match limit.map(u64::try_from) {
            None => DEFAULT_LIMIT,
            Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
            Some(_) => return Err(limit_fault()),
        };
        Ok(Self { conversation, page, limit })
    }
}

/// What `limit` may be.
#[must_use]
pub fn limit_fault() -> Refusal {
    Refusal::field("limit", format!("limit must be an integer from 1 to {MAX_LIMIT}"))
}

/// A page of messages, the oldest first. Deleted ones are tombstones, with empty content and `deleted_at`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether there are more in the direction that was asked for; with `around`, in either.
    pub has_more: bool,
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Messages<'a>(&'a [Message]);
        impl Serialize for Messages<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut list = serializer.serialize_seq(Some(self.0.len()))?;
                for message in self.0 {
                    list.serialize_element(&MessagePayload { message, dialect: Dialect::NatterV1 })?;
                }
                list.end()
            }
        }
        let mut payload = serializer.serialize_struct("History", 2)?;
        payload.serialize_field("messages", &Messages(&self.messages))?;
        payload.serialize_field("has_more", &self.has_more)?;
        payload.end()
    }
}
