//! The commands of a case, with what became of each.

use crate::harness::{Kind, checker::Acked, new_message};
use serde_json::{Value, json};
use uuid::Uuid;

/// A conversation.
pub(super) type Place = (Kind, i64);

/// A command that was sent.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) user: i64,
    pub(super) place: Place,
    pub(super) what: What,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Post { key: Option<Uuid>, content: String },
    Edit { message: i64, content: String },
    Delete { message: i64 },
}

/// What the sender knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No answer came: it may have been carried out, or not.
    Unknown,
    Acked {
        seq: i64,
        message: i64,
        duplicate: bool,
    },
    Refused {
        code: String,
    },
}

impl Command {
    /// As it is written, under the number that its answer is known by.
    pub(super) fn frame(&self, number: usize) -> Value {
        let (kind, conversation) = self.place;
        let mut frame = match &self.what {
            What::Post { key: None, content } => new_message(kind, conversation, self.user, content),
            What::Post { key: Some(key), content } => {
                let mut frame = new_message(kind, conversation, self.user, content);
                frame["client_id"] = json!(key);
                frame
            }
            What::Edit { message, content } => {
                json!({ "type": "EDIT_MESSAGE", kind.id_field(): conversation, "message_id": message, "content": content })
            }
            What::Delete { message } => json!({ "type": "DELETE_MESSAGE", kind.id_field(): conversation, "message_id": message }),
        };
        frame["request_id"] = json!(number.to_string());
        frame
    }

    /// Takes its answer.
    pub(super) fn answered(&mut self, answer: &Value) {
        let payload = &answer["payload"];
        self.outcome = if answer["type"] == "ACK" {
            let message = payload["id"].as_i64().or(payload["message_id"].as_i64()).expect("a message");
            let duplicate = payload["duplicate"].as_bool().unwrap_or(false);
            Outcome::Acked { seq: answer["seq"].as_i64().expect("a seq"), message, duplicate }
        } else {
            Outcome::Refused { code: payload["code"].as_str().expect("a code").to_owned() }
        };
    }

    /// The message that it posted, where that is known.
    pub(super) fn posted(&self) -> Option<i64> {
        match (&self.what, &self.outcome) {
            (What::Post { .. }, Outcome::Acked { message, .. }) => Some(*message),
            _ => None,
        }
    }

    pub(super) fn key(&self) -> Option<Uuid> {
        match self.what {
            What::Post { key, .. } => key,
            What::Edit { .. } | What::Delete { .. } => None,
        }
    }

    /// What the checker is told of it.
    pub(super) fn acked(&self) -> Option<Acked> {
        let (kind, _) = self.place;
        match (self.key(), &self.outcome) {
            (Some(client_id), Outcome::Acked { seq, message, .. }) => {
                Some(Acked { kind, id: *message, seq: *seq, sender: self.user, client_id })
            }
            _ => None,
        }
    }
}
