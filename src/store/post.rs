//! Storing new messages: each once, however often it is sent.

use super::{
    StoreError, ids, log, member,
    memberships::View,
    table::{self, MessageTable, Stored, with_table},
};
use crate::{
    access::{Action, Denial, Standing, policy::NO_CONVERSATION},
    limits::Exceeded,
    protocol::{
        Ack, Addressed, Answer, Caller, Change, Committed, ConversationKind, Event, Message, MessageId, Origin, Refusal, Seq,
        Timestamp, UserId, answer::Acked, post::NewMessage,
    },
};
use sea_orm::ConnectionTrait;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// A message to be stored, and who waits for the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posting<'a> {
    pub(super) origin: &'a Origin,
    pub(super) by: Caller,
    pub(super) message: &'a NewMessage,
}

/// What makes two tries the same message.
type Key = (ConversationKind, UserId, Uuid);

fn key(message: &NewMessage) -> Option<Key> {
    message.client_id.map(|client_id| (message.conversation.kind, message.sender_id, client_id))
}

/// Stores the messages that are not stored yet and may be, in the order of their arrival, inside the caller's transaction. A message
/// that is stored already is acknowledged again, whatever its sender may do by now.
pub(super) async fn post(
    tx: &impl ConnectionTrait,
    view: &mut View<'_>,
    postings: &[Posting<'_>],
    now: Timestamp,
) -> Result<Committed, StoreError> {
    let mut firsts = stored_before(tx, postings).await?;
    view.load(tx, postings.iter().map(|posting| posting.message.conversation)).await?;
    let mut events = claim(tx, view, postings, &firsts, now).await?;
    let fates = sort_out(postings, &firsts, view)?;
    let fresh = postings.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Fresh);
    let fresh: Vec<(&NewMessage, Timestamp)> = fresh.map(|(posting, _)| (posting.message, now)).collect();
    let stored = store(tx, &fresh).await?;
    for (stored, (message, _)) in stored.iter().zip(&fresh) {
        key(message).map(|key| firsts.insert(key, First::of(stored)));
    }
    let answers = answers(postings, &fates, &stored, &firsts);
    let posted = stored.into_iter().filter_map(|stored| addressed(stored, view)).collect::<Result<Vec<_>, _>>()?;
    log::append(tx, &posted).await?;
    events.extend(posted);
    Ok(Committed { events, answers })
}

/// Has support chats that nobody wrote to become those of their first writers, where they are closed otherwise.
async fn claim(
    tx: &impl ConnectionTrait,
    view: &mut View<'_>,
    postings: &[Posting<'_>],
    stored_before: &HashMap<Key, First>,
    now: Timestamp,
) -> Result<Vec<Addressed>, StoreError> {
    let mut events = Vec::new();
    let mut in_this_batch = HashSet::new();
    for Posting { by, message, .. } in postings {
        let repeated = key(message).is_some_and(|key| stored_before.contains_key(&key) || !in_this_batch.insert(key));
        let may = view.allows(*by, Action::Post, message.conversation)?.is_ok();
        if !repeated && may && view.standing(*by, message.conversation)? == Standing::Unclaimed {
            events.push(member::claim(tx, view, message.conversation, by.user, now).await?);
        }
    }
    Ok(events)
}

/// The message that a key was first used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct First {
    id: MessageId,
    seq: Seq,
    created_at: Timestamp,
}

impl First {
    /// A message that an older log told of counts as before the first event of this one.
    fn of(Stored { message, seq }: &Stored) -> Self {
        Self { id: message.id, seq: seq.unwrap_or(Seq(0)), created_at: message.created_at }
    }
}

/// What an earlier commit stored under the keys of these messages.
async fn stored_before(tx: &impl ConnectionTrait, postings: &[Posting<'_>]) -> Result<HashMap<Key, First>, StoreError> {
    let mut firsts = HashMap::new();
    for kind in [ConversationKind::Chat, ConversationKind::Support] {
        let keys: Vec<Uuid> = postings
            .iter()
            .filter(|posting| posting.message.conversation.kind == kind)
            .filter_map(|posting| posting.message.client_id)
            .collect();
        let found = with_table!(kind, Table => table::by_client_id::<Table>(tx, &keys).await?);
        for stored in found {
            if let Some(client_id) = stored.message.client_id {
                firsts.insert((kind, stored.message.sender_id, client_id), First::of(&stored));
            }
        }
    }
    Ok(firsts)
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is stored now.
    Fresh,
    /// It was stored before, or stands earlier in this very batch.
    Repeated(Key),
    /// It may not be posted.
    Denied(Denial),
    /// It is one too many for its conversation.
    TooMany(Exceeded),
}

fn sort_out(postings: &[Posting<'_>], stored_before: &HashMap<Key, First>, view: &View<'_>) -> Result<Vec<Fate>, StoreError> {
    let mut in_this_batch = HashSet::new();
    let fate = |Posting { by, message, .. }: &Posting<'_>| {
        let key = key(message);
        if let Some(key) = key.filter(|key| stored_before.contains_key(key) || in_this_batch.contains(key)) {
            return Ok(Fate::Repeated(key));
        }
        if let Err(denial) = view.allows(*by, Action::Post, message.conversation)? {
            return Ok(Fate::Denied(denial));
        }
        if let Err(exceeded) = view.admits(message.conversation) {
            return Ok(Fate::TooMany(exceeded));
        }
        in_this_batch.extend(key);
        Ok(Fate::Fresh)
    };
    postings.iter().map(fate).collect()
}

/// Gives each message its id and its place in the log, and writes both tables.
pub(super) async fn store(tx: &impl ConnectionTrait, fresh: &[(&NewMessage, Timestamp)]) -> Result<Vec<Stored>, StoreError> {
    if fresh.is_empty() {
        return Ok(Vec::new());
    }
    let chats = fresh.iter().filter(|(message, _)| message.conversation.kind == ConversationKind::Chat).count();
    let mut places = ids::reserve(tx, chats, fresh.len() - chats).await?;
    let with_ids = fresh.iter().zip(places.first.0..).map(|((message, at), seq)| {
        let id = places.next_id(message.conversation.kind)?;
        Ok(Stored { message: row(message, id, *at), seq: Some(Seq(seq)) })
    });
    let stored = with_ids.collect::<Result<Vec<Stored>, StoreError>>()?;
    for kind in [ConversationKind::Chat, ConversationKind::Support] {
        let rows: Vec<&Stored> = stored.iter().filter(|stored| stored.message.conversation.kind == kind).collect();
        with_table!(kind, Table => Table::insertion().insert(tx, &rows, |stored| Table::row(stored)).await?);
    }
    Ok(stored)
}

/// The event that brought it, with those who may see it: its conversation's members were loaded.
pub(super) fn addressed(Stored { message, seq }: Stored, view: &View<'_>) -> Option<Result<Addressed, StoreError>> {
    let seq = seq?;
    let audience = view.audience(message.conversation);
    Some(audience.map(|audience| Addressed { event: Event { seq, change: Change::Posted(message) }, audience }))
}

fn row(message: &NewMessage, id: MessageId, now: Timestamp) -> Message {
    let NewMessage { conversation, sender_id, content, file_type, file_paths, selected_chat_id, client_id } = message.clone();
    Message {
        id,
        conversation,
        sender_id,
        content,
        file_type,
        file_paths,
        selected_chat_id,
        created_at: now,
        client_id,
        version: 1,
        edited: None,
        deleted: None,
    }
}

/// An `ACK` for each who named the request, and an `ERROR` for each whose message may not be posted.
fn answers(postings: &[Posting<'_>], fates: &[Fate], stored: &[Stored], firsts: &HashMap<Key, First>) -> Vec<Answer> {
    let mut fresh = stored.iter().map(First::of);
    let mut answers = Vec::new();
    for (Posting { origin, message, .. }, fate) in postings.iter().zip(fates) {
        let first = match fate {
            Fate::Fresh => Ok(fresh.next()),
            Fate::Repeated(key) => Ok(firsts.get(key).copied()),
            Fate::Denied(denial) => Err(denial.refusal(NO_CONVERSATION)),
            Fate::TooMany(exceeded) => Err(Refusal::from(*exceeded)),
        };
        let first = match first {
            Ok(first) => first,
            Err(refusal) => {
                answers.push(Answer { to: (*origin).clone(), outcome: Err(refusal) });
                continue;
            }
        };
        let Some(First { id, seq, created_at }) = first.filter(|_| origin.wants_success()) else { continue };
        let of = Acked::Posted { id, created_at, client_id: message.client_id, duplicate: *fate != Fate::Fresh };
        answers.push(Answer { to: (*origin).clone(), outcome: Ok(Ack { seq, of }) });
    }
    answers
}
