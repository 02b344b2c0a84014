//! The log from a cursor on, as one user may see it now, with the rows as they are now.

use super::{
    StoreError, member,
    memberships::{Memberships, View},
    table::{self, with_table},
};
use crate::{
    access::Unlisted,
    protocol::{
        Addressed, Caller, Change, Conversation, ConversationKind, Event, Message, MessageId, Role, Seq, Timestamp,
        delete::Deleted,
        edit::Edited,
        member::{Detail, MemberChanged},
        post::written_length,
        resume::Missed,
    },
};
use entity::{EventKind, MemberState, events};
use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement, Value,
};
use std::{collections::HashMap, sync::LazyLock};

/// Events that one query looks at, seen or not: what it may cost at most.
const WINDOW: i64 = 10_000;

/// The same where they are only counted.
pub(super) const COUNTED: i64 = 100_000;

/// The next events after `after` that are for `caller`, at most `limit`; `None` where the log does not reach back so far. An event
/// whose row an application has taken away is passed over.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    caller: Caller,
    unlisted: Unlisted,
    after: Seq,
    limit: u64,
) -> Result<Option<Missed>, StoreError> {
    // The head first: whatever is up to there is committed, so what is read then has no hole.
    let Some(head) = edge(db, after, Edge::Last).await? else { return Ok(None) };
    let upto = Seq(head.0.min(after.0 + WINDOW));
    let sql = format!("SELECT e.* {} ORDER BY e.seq LIMIT $6", *VISIBLE);
    let statement = visible(db, &sql, caller, unlisted, after, upto, limit);
    let references = events::Entity::find().from_raw_sql(statement).all(db).await?;
    // The log may have been pruned since it was asked where it begins: its oldest go first, so what follows is still there where this is.
    if edge(db, after, Edge::First).await? != Some(Seq(after.0 + 1)) {
        return Ok(None);
    }
    let is_full = u64::try_from(references.len()).is_ok_and(|count| count >= limit);
    let end = references.last().map(|last| last.seq).filter(|_| is_full).unwrap_or(upto);
    let (events, stopped) = told(db, &references).await?;
    Ok(Some(Missed { events, reaches: stopped.unwrap_or(end) }))
}

/// As many bytes of events are told at once, and one event more: a client that reads slowly holds no more in memory.
const MISSED_BYTES: usize = 256 * 1024;

/// The events with their rows, and the last one where they were stopped because they hold [`MISSED_BYTES`]. The first rows are few: they
/// may be large.
async fn told(db: &impl ConnectionTrait, references: &[events::Model]) -> Result<(Vec<Event>, Option<Seq>), StoreError> {
    let (mut events, mut bytes) = (Vec::new(), 0);
    for piece in growing(references) {
        let rows = rows(db, piece).await?;
        for reference in piece {
            let Some(event) = event(reference, &rows) else { continue };
            bytes += weight(&event);
            events.push(event);
            if bytes >= MISSED_BYTES {
                return Ok((events, Some(reference.seq)));
            }
        }
    }
    Ok((events, None))
}

/// `references` in order: 16, then 64, then what is left of a page.
fn growing(mut references: &[events::Model]) -> impl Iterator<Item = &[events::Model]> {
    [16, 64, usize::MAX].into_iter().map_while(move |size| {
        let (piece, rest) = references.split_at(size.min(references.len()));
        references = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Roughly the bytes that it takes on the wire, without what is the same for all.
fn weight(event: &Event) -> usize {
    match &event.change {
        Change::Posted(message) => message.weight(),
        Change::Edited(edited) => written_length(&edited.content),
        Change::Deleted(_) | Change::Member(_) => 0,
    }
}

/// The next events after `after`, at most `limit`, with those who may see each, and how far they reach; `None` where the next one is not
/// there.
pub(super) async fn of_everyone(
    db: &impl ConnectionTrait,
    memberships: &mut Memberships,
    after: Seq,
    limit: u64,
) -> Result<Option<(Vec<Addressed>, Seq)>, StoreError> {
    let next = events::Entity::find().filter(events::Column::Seq.gt(after)).order_by_asc(events::Column::Seq).limit(limit);
    let references = next.all(db).await?;
    let (Some(first), Some(last)) = (references.first(), references.last()) else { return Ok(None) };
    if first.seq.0 != after.0 + 1 {
        return Ok(None);
    }
    let rows = rows(db, &references).await?;
    let events: Vec<Event> = references.iter().filter_map(|reference| event(reference, &rows)).collect();
    let mut view = memberships.view();
    view.load(db, events.iter().map(|event| event.change.conversation())).await?;
    let addressed = events.into_iter().map(|event| address(event, &view)).collect::<Result<_, _>>()?;
    let known = view.into_own();
    memberships.keep(known);
    Ok(Some((addressed, last.seq)))
}

fn address(event: Event, view: &View<'_>) -> Result<Addressed, StoreError> {
    let conversation = event.change.conversation();
    let audience = match &event.change {
        Change::Posted(_) | Change::Edited(_) | Change::Deleted(_) => view.audience(conversation)?,
        Change::Member(changed) => member::told(view.of(conversation)?, changed.user),
    };
    Ok(Addressed { event, audience })
}

/// How many of the events after `after`, up to `upto`, are for `caller`: no more than `limit` are counted.
pub(super) async fn count(
    db: &impl ConnectionTrait,
    caller: Caller,
    unlisted: Unlisted,
    after: Seq,
    upto: Seq,
    limit: u64,
) -> Result<u64, StoreError> {
    let sql = format!("SELECT count(*) AS visible FROM (SELECT e.seq {} LIMIT $6) AS counted", *VISIBLE);
    let row = db.query_one_raw(visible(db, &sql, caller, unlisted, after, upto, limit)).await?;
    let count: i64 = row.ok_or_else(|| DbErr::RecordNotFound("no count".to_owned()))?.try_get("", "visible")?;
    Ok(count.unsigned_abs())
}

/// The events between two places of the log that a user may see: the rows of `access::policy` for reading, as a condition. The
/// parameters are what [`visible`] gives. Not `NOT EXISTS`: PostgreSQL would read all members of all conversations for it.
static VISIBLE: LazyLock<String> = LazyLock::new(|| {
    let banned = MemberState::Banned.to_value();
    let (about_a_member, support) = (EventKind::Member.to_value(), ConversationKind::Support.to_value());
    format!(
        "FROM events e LEFT JOIN members m \
            ON m.kind = e.conversation_kind AND m.conversation_id = e.conversation_id AND m.user_id = $3 \
        WHERE e.seq > $1 AND e.seq <= $2 AND ( \
            (m.role IS NOT NULL AND m.state <> {banned}) \
            OR (e.kind = {about_a_member} AND e.user_id = $3) \
            OR ($4 = 1 AND e.conversation_kind = {support} AND (m.role IS NULL OR m.state <> {banned})) \
            OR ($5 = 1 AND m.user_id IS NULL AND (SELECT 1 FROM members x \
                WHERE x.kind = e.conversation_kind AND x.conversation_id = e.conversation_id LIMIT 1) IS NULL))"
    )
});

fn visible(
    db: &impl ConnectionTrait,
    sql: &str,
    caller: Caller,
    unlisted: Unlisted,
    after: Seq,
    upto: Seq,
    limit: u64,
) -> Statement {
    let serves = match caller.role {
        Role::User => 0,
        Role::Agent | Role::Admin => 1,
    };
    let is_open = match unlisted {
        Unlisted::Open => 1,
        Unlisted::Deny => 0,
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values: [Value; 6] =
        [after.into(), upto.into(), caller.user.into(), i64::from(serves).into(), i64::from(is_open).into(), limit.into()];
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

/// One end of what the log has after a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    First,
    Last,
}

async fn edge(db: &impl ConnectionTrait, after: Seq, edge: Edge) -> Result<Option<Seq>, StoreError> {
    let rest = events::Entity::find().select_only().column(events::Column::Seq).filter(events::Column::Seq.gt(after)).limit(1);
    let rest = match edge {
        Edge::First => rest.order_by_asc(events::Column::Seq),
        Edge::Last => rest.order_by_desc(events::Column::Seq),
    };
    Ok(rest.into_tuple().one(db).await?)
}

type Rows = HashMap<(ConversationKind, MessageId), Message>;

/// The rows that these events refer to.
async fn rows(db: &impl ConnectionTrait, references: &[events::Model]) -> Result<Rows, StoreError> {
    let mut rows = HashMap::new();
    for kind in [ConversationKind::Chat, ConversationKind::Support] {
        let of_kind = references.iter().filter(|reference| reference.conversation_kind == kind);
        let mut ids: Vec<MessageId> = of_kind.filter_map(|reference| reference.message_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let found = with_table!(kind, Table => table::by_id::<Table>(db, &ids).await?);
        rows.extend(found.into_iter().map(|stored| ((kind, stored.message.id), stored.message)));
    }
    Ok(rows)
}

/// The event with its row as it is now. A row that was changed again says so: of two tellings, the higher version holds.
fn event(reference: &events::Model, rows: &Rows) -> Option<Event> {
    let change = match reference.kind {
        EventKind::Message => Change::Posted(row(reference, rows)?.clone()),
        EventKind::MessageEdited => {
            let Message { id, conversation, version, edited, deleted, content, .. } = row(reference, rows)?;
            let (at, by) = (*edited)?;
            // The tombstone has a version of its own, above that of any content: it must still be news when its event follows.
            let version = if deleted.is_some() { version - 1 } else { *version };
            let (conversation, message_id, content) = (*conversation, *id, content.clone());
            Change::Edited(Edited { conversation, message_id, version, content, at, by })
        }
        EventKind::MessageDeleted => {
            let Message { id, conversation, version, deleted, .. } = *row(reference, rows)?;
            let (at, by) = deleted?;
            Change::Deleted(Deleted { conversation, message_id: id, version, at, by })
        }
        EventKind::Member => Change::Member(member_changed(reference)?),
    };
    Some(Event { seq: reference.seq, change })
}

fn row<'a>(reference: &events::Model, rows: &'a Rows) -> Option<&'a Message> {
    rows.get(&(reference.conversation_kind, reference.message_id?))
}

/// Told as it was, not as it is: the event itself says everything.
fn member_changed(reference: &events::Model) -> Option<MemberChanged> {
    let Detail { place, by } = Detail::from_json(reference.detail.as_deref()?)?;
    let conversation = Conversation { kind: reference.conversation_kind, id: reference.conversation_id };
    let at = Timestamp::from_unix_ms(reference.created_at)?;
    Some(MemberChanged { conversation, user: reference.user_id?, place, by, at })
}
