//! Inserting messages with their events by statements whose texts are made once: made anew each time, they cost more than the rows.
//! `docs/adr/0018-insertions-are-written-once.md` has the figures.

mod postgres;
mod sqlite;

use super::{
    StoreError,
    batch::BUCKETS,
    table::{MessageTable, Stored},
};
use entity::{EventKind, events};
use sea_orm::{ActiveEnum, ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, IdenStatic, Iterable, Value};

/// Gives messages their ids and their places in the log, in this order, and inserts them with the event that brings each. The ids
/// are taken inside the transaction that uses them, so that an application that inserts beside Natter never collides.
pub(super) async fn insert(tx: &impl ConnectionTrait, messages: &mut [Stored]) -> Result<(), StoreError> {
    match tx.get_database_backend() {
        DbBackend::Postgres => postgres::insert(tx, messages).await,
        _ => sqlite::insert(tx, messages).await,
    }
}

/// The insertion of messages into one table and of their events into the log.
pub(super) struct Insertion<T: MessageTable> {
    columns: Vec<T::Column>,
    /// For a row alone, whose numbers are taken by the same text.
    sqlite_one: String,
    /// For each number of rows that a statement may have.
    sqlite: [String; BUCKETS.len()],
    /// For any number.
    postgres: String,
}

impl<T: MessageTable> Insertion<T> {
    /// Of rows that set every column but these.
    pub(super) fn without(unset: &[T::Column]) -> Self {
        let unset: Vec<&str> = unset.iter().map(IdenStatic::as_str).collect();
        let columns: Vec<T::Column> = T::Column::iter().filter(|column| !unset.contains(&column.as_str())).collect();
        let (sqlite_one, postgres) = (sqlite::text_of_one::<T>(&columns), postgres::text::<T>(&columns));
        Self { sqlite_one, sqlite: BUCKETS.map(|rows| sqlite::text::<T>(&columns, rows)), postgres, columns }
    }

    /// What a message sets, column by column.
    fn values(&self, stored: &Stored) -> impl Iterator<Item = Result<Value, DbErr>> {
        let mut row = T::row(stored);
        self.columns.iter().map(move |column| {
            let value = row.take(*column).into_value();
            value.ok_or_else(|| DbErr::AttrNotSet(column.as_str().to_owned()))
        })
    }
}

/// The time that all of them have, in milliseconds: to bind it costs less than to make it of each row again.
fn time_of_all<'a>(mut messages: impl Iterator<Item = &'a Stored>) -> Option<i64> {
    let at = messages.next()?.message.created_at;
    messages.all(|stored| stored.message.created_at == at).then_some(at.unix_ms())
}

/// The events that bring messages, made from their rows; `at` is the row's time in milliseconds.
fn events_of<T: MessageTable>(at: &str) -> String {
    use events::Column::{ConversationId, ConversationKind, CreatedAt, Kind, MessageId, Seq};
    let names = [Seq, Kind, ConversationKind, ConversationId, MessageId, CreatedAt].map(|column| column.as_str());
    let (kind, of, conversation) = (EventKind::Message.to_value(), T::KIND.to_value(), T::CONVERSATION.as_str());
    format!("INSERT INTO events ({}) SELECT seq, {kind}, {of}, {conversation}, id, {at}", names.join(", "))
}

fn no_head() -> DbErr {
    DbErr::RecordNotFound("log_head has no row".to_owned())
}
