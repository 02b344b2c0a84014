//! The event log: its head, and what a commit appends to it.

use super::StoreError;
use crate::protocol::{Change, Conversation, Event, MessageId, Seq, Timestamp, UserId, member::Detail};
use entity::{EventKind, events, log_head};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QuerySelect, prelude::Expr,
    sea_query::ExprTrait,
};
use uuid::Uuid;

/// Where the log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Names the log.
    pub log_id: Uuid,
    /// Its last event, 0 before the first.
    pub seq: Seq,
}

/// The head as it is committed.
pub(super) async fn head(db: &impl ConnectionTrait) -> Result<Head, StoreError> {
    let row = log_head::Entity::find().one(db).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("log_head has no row: run `natter migrate up`".to_owned()))?;
    Ok(Head { log_id: row.log_id, seq: row.seq })
}

/// Moves the head on to the next event. The row stays locked until the transaction ends, which makes commit order the order of `seq`,
/// on any number of nodes.
pub(super) async fn advance(tx: &impl ConnectionTrait) -> Result<Seq, StoreError> {
    let rows = log_head::Entity::update_many()
        .col_expr(log_head::Column::Seq, Expr::col(log_head::Column::Seq).add(1))
        .filter(Expr::col(log_head::Column::Id).eq(1))
        .exec_with_returning(tx)
        .await?;
    let row = rows.first().ok_or_else(|| DbErr::RecordNotFound("log_head has no row".to_owned()))?;
    Ok(row.seq)
}

/// Writes the head as it is: what shows that the database takes writes. On PostgreSQL, the tables of messages must not be locked either.
/// SQLite writes no page where a row gets what it has: there, it goes by way of another value.
pub(super) async fn touch(tx: &impl ConnectionTrait) -> Result<(), StoreError> {
    let by = |change: Expr| log_head::Entity::update_many().col_expr(log_head::Column::Seq, change);
    let seq = || Expr::col(log_head::Column::Seq);
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared("LOCK TABLE messages, support_messages IN ROW EXCLUSIVE MODE").await?;
        by(seq()).exec(tx).await?;
    } else {
        by(seq().add(1)).exec(tx).await?;
        by(seq().sub(1)).exec(tx).await?;
    }
    Ok(())
}

/// Gives the log another name: cursors that count in it so far are told to begin anew.
pub(super) async fn rename(db: &impl ConnectionTrait) -> Result<Uuid, StoreError> {
    let log_id = Uuid::new_v4();
    log_head::Entity::update_many().col_expr(log_head::Column::LogId, Expr::value(log_id)).exec(db).await?;
    Ok(log_id)
}

/// Appends the reference to what changed. New messages bring theirs themselves: see `bulk`.
pub(super) async fn append(tx: &impl ConnectionTrait, event: &Event) -> Result<(), StoreError> {
    events::Entity::insert(reference(event)).exec_without_returning(tx).await?;
    Ok(())
}

/// Whether this event stands in the log. Waits for whoever is writing to the log: a transaction that was given up may still be on
/// its way, and holds the head's lock until it is committed or gone.
pub(super) async fn contains(tx: &impl ConnectionTrait, event: &Event) -> Result<bool, StoreError> {
    log_head::Entity::find().lock_exclusive().one(tx).await?;
    let Subject { kind, conversation, message_id, user_id, .. } = subject(event);
    let found = events::Entity::find_by_id(event.seq).one(tx).await?;
    Ok(found.is_some_and(|row| {
        (row.kind, row.conversation_kind, row.conversation_id) == (kind, conversation.kind, conversation.id)
            && (row.message_id, row.user_id) == (message_id, user_id)
    }))
}

/// What an event refers to, and when it happened.
struct Subject {
    kind: EventKind,
    conversation: Conversation,
    message_id: Option<MessageId>,
    user_id: Option<UserId>,
    /// What no row says.
    detail: Option<String>,
    at: Timestamp,
}

fn subject(event: &Event) -> Subject {
    let of_message =
        |kind, conversation, id, at| Subject { kind, conversation, message_id: Some(id), user_id: None, detail: None, at };
    match &event.change {
        Change::Posted(message) => of_message(EventKind::Message, message.conversation, message.id, message.created_at),
        Change::Edited(edited) => of_message(EventKind::MessageEdited, edited.conversation, edited.message_id, edited.at),
        Change::Deleted(deleted) => of_message(EventKind::MessageDeleted, deleted.conversation, deleted.message_id, deleted.at),
        Change::Member(changed) => Subject {
            kind: EventKind::Member,
            conversation: changed.conversation,
            message_id: None,
            user_id: Some(changed.user),
            detail: Some(Detail { place: changed.place, by: changed.by }.to_json()),
            at: changed.at,
        },
    }
}

fn reference(event: &Event) -> events::ActiveModel {
    let Subject { kind, conversation, message_id, user_id, detail, at } = subject(event);
    events::ActiveModel {
        seq: Set(event.seq),
        kind: Set(kind),
        conversation_kind: Set(conversation.kind),
        conversation_id: Set(conversation.id),
        message_id: Set(message_id),
        user_id: Set(user_id),
        detail: Set(detail),
        created_at: Set(at.unix_ms()),
    }
}
