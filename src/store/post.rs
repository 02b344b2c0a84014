//! Storing new messages: each once, however often it is sent.

use super::{
    StoreError,
    attach::{self, Offers, Unattachable},
    bulk, member,
    memberships::View,
    table::{self, Stored, with_table},
};
use crate::{
    access::{Action, Denial, Standing, policy::NO_CONVERSATION},
    limits::Exceeded,
    protocol::{
        Ack, Addressed, Answer, Attachment, Caller, Change, Committed, ConversationKind, Event, Message, MessageId, Origin,
        Refusal, Seq, Timestamp, UserId, answer::Acked, attachment, post::NewMessage,
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
    let offers = Offers::read(tx, postings).await?;
    let Sorted { fates, fresh, mut events } = sort_out(tx, view, postings, &firsts, offers, now).await?;
    let stored = store(tx, &fresh).await?;
    for (stored, Fresh { message, .. }) in stored.iter().zip(&fresh) {
        key(message).map(|key| firsts.insert(key, First::of(stored)));
    }
    attach::attach(tx, &stored).await?;
    let answers = answers(postings, &fates, &stored, &firsts);
    let posted = stored.into_iter().filter_map(|stored| addressed(stored, view)).collect::<Result<Vec<_>, _>>()?;
    events.extend(posted);
    Ok(Committed { events, answers, ..Committed::default() })
}

/// A message that is to be stored.
#[derive(Clone, Debug)]
pub(super) struct Fresh<'a> {
    pub(super) message: &'a NewMessage,
    pub(super) attachments: Vec<Attachment>,
    pub(super) at: Timestamp,
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
    /// It brings an upload that can't be its own.
    Unattachable(Unattachable),
}

/// What becomes of each message, those that are to be stored, and the events that come before theirs.
#[derive(Debug, Default)]
struct Sorted<'a> {
    fates: Vec<Fate>,
    fresh: Vec<Fresh<'a>>,
    events: Vec<Addressed>,
}

/// Decides in the order of arrival. A support chat that nobody wrote to becomes that of its first writer, where it is closed otherwise.
async fn sort_out<'a>(
    tx: &impl ConnectionTrait,
    view: &mut View<'_>,
    postings: &[Posting<'a>],
    stored_before: &HashMap<Key, First>,
    mut offers: Offers,
    at: Timestamp,
) -> Result<Sorted<'a>, StoreError> {
    let mut sorted = Sorted::default();
    let mut in_this_batch = HashSet::new();
    for Posting { by, message, .. } in postings {
        let key = key(message);
        let repeated = key.filter(|key| stored_before.contains_key(key) || in_this_batch.contains(key));
        let fate = match repeated {
            Some(key) => Fate::Repeated(key),
            None => match admitted(view, *by, message, &mut offers)? {
                Ok(attachments) => {
                    if view.standing(*by, message.conversation)? == Standing::Unclaimed {
                        sorted.events.push(member::claim(tx, view, message.conversation, by.user, at).await?);
                    }
                    // Where the application had written to it before, it is another's now.
                    match view.allows(*by, Action::Post, message.conversation)? {
                        Ok(()) => {
                            in_this_batch.extend(key);
                            sorted.fresh.push(Fresh { message, attachments, at });
                            Fate::Fresh
                        }
                        Err(denial) => Fate::Denied(denial),
                    }
                }
                Err(fate) => fate,
            },
        };
        sorted.fates.push(fate);
    }
    Ok(sorted)
}

/// The uploads that a message brings, where it may be posted.
fn admitted(
    view: &View<'_>,
    by: Caller,
    message: &NewMessage,
    offers: &mut Offers,
) -> Result<Result<Vec<Attachment>, Fate>, StoreError> {
    if let Err(denial) = view.allows(by, Action::Post, message.conversation)? {
        return Ok(Err(Fate::Denied(denial)));
    }
    if let Err(exceeded) = view.admits(message.conversation) {
        return Ok(Err(Fate::TooMany(exceeded)));
    }
    if message.attachments.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    Ok(offers.take(message).map_err(Fate::Unattachable))
}

/// Gives each message its id and its place in the log, and writes it with the event that brings it.
pub(super) async fn store(tx: &impl ConnectionTrait, fresh: &[Fresh<'_>]) -> Result<Vec<Stored>, StoreError> {
    let mut stored: Vec<Stored> = fresh.iter().map(|fresh| Stored { message: row(fresh), seq: None }).collect();
    if !stored.is_empty() {
        bulk::insert(tx, &mut stored).await?;
    }
    // Where one has no place, it is in no table either.
    if stored.iter().all(|stored| stored.seq.is_some()) { Ok(stored) } else { Err(StoreError::Skipped) }
}

/// The event that brought it, with those who may see it: its conversation's members were loaded.
pub(super) fn addressed(Stored { message, seq }: Stored, view: &View<'_>) -> Option<Result<Addressed, StoreError>> {
    let seq = seq?;
    let audience = view.audience(message.conversation);
    Some(audience.map(|audience| Addressed { event: Event { seq, change: Change::Posted(message) }, audience }))
}

/// A message without its id. A classic client is told of uploads by their paths, unless the sender has named files itself.
fn row(Fresh { message, attachments, at }: &Fresh<'_>) -> Message {
    let NewMessage { conversation, sender_id, content, file_type, file_paths, selected_chat_id, client_id, .. } =
        (*message).clone();
    let (first_type, paths) =
        (|| attachments.first().map(|first| first.media_type.clone()), || attachment::file_paths(attachments));
    Message {
        id: MessageId(0),
        conversation,
        sender_id,
        content,
        file_type: file_type.or_else(first_type),
        file_paths: file_paths.or_else(paths),
        selected_chat_id,
        created_at: *at,
        client_id,
        version: 1,
        edited: None,
        deleted: None,
        attachments: attachments.clone(),
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
            Fate::Unattachable(why) => Err(why.refusal()),
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
