//! The checker that every fault test ends with: what was acknowledged, what each client saw, and what stands in the database are one
//! history.

use super::{Kind, TestDatabase, visibility::Visibility};
use entity::{ConversationKind, EventKind, events, log_head, messages, support_messages};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};
use uuid::Uuid;

/// A message that the server said is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acked {
    pub(crate) kind: Kind,
    pub(crate) id: i64,
    pub(crate) seq: i64,
    pub(crate) sender: i64,
    pub(crate) client_id: Uuid,
}

impl Acked {
    /// What an `ACK` of a post of `sender` says.
    pub(crate) fn of(ack: &Value, kind: Kind, sender: i64) -> Self {
        let client_id = ack["payload"]["client_id"].as_str().and_then(|text| Uuid::parse_str(text).ok()).expect("a key");
        let id = ack["payload"]["id"].as_i64().expect("an id");
        Self { kind, id, seq: ack["seq"].as_i64().expect("a seq"), sender, client_id }
    }
}

/// An event, as a client was told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) seq: i64,
    pub(crate) event: EventKind,
    pub(crate) kind: Kind,
    /// The message; of a change of membership, the user.
    pub(crate) subject: i64,
    /// A hash of the content; a deletion has none.
    pub(crate) content: Option<u64>,
}

impl Seen {
    /// The event that a frame of `natter.v1` tells of, if it tells of one.
    pub(crate) fn of(frame: &Value) -> Option<Self> {
        let (event, id) = match frame["type"].as_str()? {
            "MESSAGE" | "SUPPORT_MESSAGE" => (EventKind::Message, "id"),
            "MESSAGE_EDITED" => (EventKind::MessageEdited, "message_id"),
            "MESSAGE_DELETED" => (EventKind::MessageDeleted, "message_id"),
            "MEMBER" => (EventKind::Member, "user_id"),
            _ => return None,
        };
        let payload = &frame["payload"];
        let kind = if payload["chat_id"].is_null() { Kind::Support } else { Kind::Chat };
        let subject = payload[id].as_i64().expect("a message, or a user");
        Some(Self {
            seq: frame["seq"].as_i64().expect("an event has a seq"),
            event,
            kind,
            subject,
            content: payload["content"].as_str().map(hash),
        })
    }
}

/// Everything that one client was told, over all its connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientLog {
    pub(crate) user: i64,
    /// The last event before its first.
    pub(crate) since: i64,
    pub(crate) seen: Vec<Seen>,
}

/// What the checker counted. It fails before it returns one in which anything was lost, twice or missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) acked: usize,
    pub(crate) stored: usize,
    /// Acknowledged, and not stored as acknowledged.
    pub(crate) lost: usize,
    /// Keys under which a sender has more than one message.
    pub(crate) duplicates: usize,
    /// Numbers that the log lacks.
    pub(crate) gaps: usize,
}

/// Reads all rows and the whole log, and compares them with what was acknowledged and with what each client saw. Nothing may be
/// writing.
pub(crate) async fn check(database: &TestDatabase, acked: &[Acked], logs: &[ClientLog]) -> Figures {
    let stored = Stored::read(database).await;
    let lost: Vec<&Acked> = acked.iter().filter(|acked| !stored.has(acked)).collect();
    let figures = Figures {
        acked: acked.len(),
        stored: stored.rows.len(),
        lost: lost.len(),
        duplicates: stored.duplicates(),
        gaps: stored.gaps(),
    };
    assert_eq!(figures, Figures { lost: 0, duplicates: 0, gaps: 0, ..figures }, "acknowledged and not stored: {lost:?}");
    stored.assert_refers_to_its_rows();
    let visibility = Visibility::of(&stored.log);
    for log in logs {
        stored.assert_told_once_and_in_order(&visibility, log);
    }
    figures
}

/// How many messages of `held`, by what the client says of their content, are not as the database has them, or missing.
pub(crate) async fn inconsistent(database: &TestDatabase, held: &HashMap<(Kind, i64), u64>) -> usize {
    let stored = Stored::read(database).await;
    let differs = |(key, row): &(&(Kind, i64), &Row)| held.get(key) != Some(&row.content);
    let beyond = held.keys().filter(|key| !stored.rows.contains_key(key)).count();
    stored.rows.iter().filter(differs).count() + beyond
}

/// A row of one of the two tables.
#[derive(Debug)]
struct Row {
    sender: i64,
    client_id: Option<Uuid>,
    seq: Option<i64>,
    content: u64,
    /// It says something else than what was posted.
    changed: bool,
}

/// What stands in the database.
struct Stored {
    head: i64,
    log: Vec<events::Model>,
    rows: HashMap<(Kind, i64), Row>,
}

macro_rules! row {
    ($kind:expr, $model:expr) => {{
        let row = Row {
            sender: $model.sender_id.0,
            client_id: $model.client_id,
            seq: $model.seq.map(|seq| seq.0),
            content: hash(&$model.content),
            changed: $model.version.is_some_and(|version| version > 1),
        };
        (($kind, $model.id.0), row)
    }};
}

impl Stored {
    async fn read(database: &TestDatabase) -> Self {
        const READABLE: &str = "the rows can be read";
        let db = database.connect().await;
        let head = log_head::Entity::find().one(&db).await.expect(READABLE).expect("the head").seq.0;
        let log = events::Entity::find().order_by_asc(events::Column::Seq).all(&db).await.expect(READABLE);
        let chat = messages::Entity::find().all(&db).await.expect(READABLE);
        let support = support_messages::Entity::find().all(&db).await.expect(READABLE);
        db.close().await.expect("the connection closes");
        let chat = chat.into_iter().map(|model| row!(Kind::Chat, model));
        let rows = chat.chain(support.into_iter().map(|model| row!(Kind::Support, model))).collect();
        Self { head, log, rows }
    }

    fn has(&self, acked: &Acked) -> bool {
        self.rows
            .get(&(acked.kind, acked.id))
            .is_some_and(|row| (row.sender, row.client_id, row.seq) == (acked.sender, Some(acked.client_id), Some(acked.seq)))
    }

    fn duplicates(&self) -> usize {
        let mut keys = HashSet::new();
        let of_row = |((kind, _), row): (&(Kind, i64), &Row)| row.client_id.map(|client_id| (*kind, row.sender, client_id));
        self.rows.iter().filter_map(of_row).filter(|key| !keys.insert(*key)).count()
    }

    /// Contiguous from 1 up to the head.
    fn gaps(&self) -> usize {
        let there: HashSet<i64> = self.log.iter().map(|event| event.seq.0).collect();
        let beyond = there.iter().filter(|seq| !(1..=self.head).contains(*seq)).count();
        (1..=self.head).filter(|seq| !there.contains(seq)).count() + beyond
    }

    /// Every row that Natter wrote has its event, and every event of a new message its row.
    fn assert_refers_to_its_rows(&self) {
        let posted = self.log.iter().filter(|event| event.kind == EventKind::Message);
        let by_log: HashMap<i64, (Kind, i64)> = posted.map(|event| (event.seq.0, subject(event))).collect();
        let with_seq = |(key, row): (&(Kind, i64), &Row)| row.seq.map(|seq| (seq, *key));
        let by_rows: HashMap<i64, (Kind, i64)> = self.rows.iter().filter_map(with_seq).collect();
        assert_eq!(by_log, by_rows, "the log and the rows differ");
    }

    /// What a client saw is the log, from where it began up to the head, without what it might not see. What it might see at one time
    /// and not at another, it may have seen or not.
    fn assert_told_once_and_in_order(&self, visibility: &Visibility, ClientLog { user, since, seen }: &ClientLog) {
        let mut told = seen.iter().peekable();
        for event in self.log.iter().filter(|event| event.seq.0 > *since) {
            let Some(seen) = told.next_if(|seen| seen.seq == event.seq.0) else {
                assert!(!visibility.always(*user, event), "user {user} was not told of {event:?}");
                continue;
            };
            assert!(visibility.might(*user, event), "user {user} was told of what they may not see: {event:?}");
            assert_eq!(
                (seen.event, (seen.kind, seen.subject)),
                (event.kind, subject(event)),
                "user {user} was told another event"
            );
            let row = self.rows.get(&subject(event)).filter(|_| event.kind != EventKind::Member);
            let says_what_is_stored =
                row.is_none_or(|row| row.changed || seen.content.is_none_or(|content| content == row.content));
            assert!(says_what_is_stored, "user {user} was told something else than is stored: {seen:?}");
        }
        assert_eq!(told.next(), None, "user {user} was told twice, in another order, or of what is not in the log");
    }
}

fn subject(event: &events::Model) -> (Kind, i64) {
    let kind = match event.conversation_kind {
        ConversationKind::Chat => Kind::Chat,
        ConversationKind::Support => Kind::Support,
    };
    let subject = event.message_id.map(|id| id.0).or(event.user_id.map(|id| id.0));
    (kind, subject.expect("an event has a message or a user"))
}

pub(crate) fn hash(content: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}
