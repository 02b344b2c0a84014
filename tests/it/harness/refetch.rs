//! What a client does after `RESET`: it loads every conversation afresh, page by page, while it is told of what is new.

use super::{
    Kind,
    checker::{Seen, hash},
};
use serde_json::{Value, json};
use std::collections::HashMap;

/// How far a client has come.
pub(crate) struct Refetch {
    /// Conversations that are not read to their beginning; the last of them is being read.
    to_read: Vec<(Kind, i64)>,
    /// The oldest message of it that has come.
    before: Option<i64>,
    /// A page is on its way.
    is_asked: bool,
    /// What the client holds: a hash of each message's content.
    pub(crate) held: HashMap<(Kind, i64), u64>,
}

impl Refetch {
    /// The name of its requests.
    pub(crate) const REQUEST: &str = "page";

    /// Nothing is held, and these conversations of either kind are to be read.
    pub(crate) fn of(conversations: impl Iterator<Item = i64>) -> Self {
        let to_read = conversations.flat_map(|id| [(Kind::Chat, id), (Kind::Support, id)]).collect();
        Self { to_read, before: None, is_asked: false, held: HashMap::new() }
    }

    /// The next request, where none is on its way.
    pub(crate) fn request(&mut self) -> Option<Value> {
        let (kind, id) = self.to_read.last().filter(|_| !self.is_asked)?;
        self.is_asked = true;
        let mut request = json!({ "type": "GET_HISTORY", kind.id_field(): id, "limit": 200, "request_id": Self::REQUEST });
        if let Some(before) = self.before {
            request["before"] = before.into();
        }
        Some(request)
    }

    /// The answer will not come.
    pub(crate) fn ask_again(&mut self) {
        self.is_asked = false;
    }

    /// Takes a page.
    pub(crate) fn take(&mut self, page: &Value) {
        self.is_asked = false;
        let (kind, _) = *self.to_read.last().expect("it was asked for");
        let messages = page["messages"].as_array().expect("a list");
        let id = |message: &Value| message["id"].as_i64().expect("an id");
        let entry = |message: &Value| ((kind, id(message)), hash(message["content"].as_str().expect("a content")));
        self.held.extend(messages.iter().map(entry));
        self.before = messages.first().map(id);
        if page["has_more"] == false {
            self.to_read.pop();
            self.before = None;
        }
    }

    /// Takes an event, which here is always a new message.
    pub(crate) fn told(&mut self, seen: &Seen) {
        self.held.insert((seen.kind, seen.subject), seen.content.expect("a message has a content"));
    }

    pub(crate) fn is_done(&self) -> bool {
        self.to_read.is_empty()
    }
}
