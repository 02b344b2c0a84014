//! Inserting messages with their events by statements whose texts are made once: made anew each time, they cost more than the rows.
//! `docs/adr/0018-insertions-are-written-once.md` has the figures.

use super::{
    StoreError,
    batch::{BUCKETS, bucketed},
    table::{MessageTable, Stored},
};
use entity::{EventKind, events};
use sea_orm::{ActiveEnum, ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, IdenStatic, Iterable, Statement, Value};

/// The insertion of messages into one table and of their events into the log, ready for each number of them that a statement may have.
pub(super) struct Insertion<T: MessageTable> {
    columns: Vec<T::Column>,
    sqlite: [String; BUCKETS.len()],
    postgres: [String; BUCKETS.len()],
}

impl<T: MessageTable> Insertion<T> {
    /// Of rows that set every column but these.
    pub(super) fn without(unset: &[T::Column]) -> Self {
        let unset: Vec<&str> = unset.iter().map(IdenStatic::as_str).collect();
        let columns: Vec<T::Column> = T::Column::iter().filter(|column| !unset.contains(&column.as_str())).collect();
        Self {
            sqlite: BUCKETS.map(|rows| sqlite::<T>(&columns, rows)),
            postgres: BUCKETS.map(|rows| postgres::<T>(&columns, rows)),
            columns,
        }
    }

    /// Inserts these messages, whose ids are reserved and ascend, and the event that brings each.
    pub(super) async fn insert(&self, tx: &impl ConnectionTrait, messages: &[&Stored]) -> Result<(), StoreError> {
        let backend = tx.get_database_backend();
        for piece in bucketed(messages) {
            let values = self.values(backend, piece)?;
            let texts = if backend == DbBackend::Postgres { &self.postgres } else { &self.sqlite };
            let text = BUCKETS.iter().zip(texts).find_map(|(rows, text)| (*rows == piece.len()).then_some(text));
            let text = text.ok_or_else(|| DbErr::Custom("no statement has so many rows".to_owned()))?;
            tx.execute_raw(Statement::from_sql_and_values(backend, text, values)).await?;
        }
        Ok(())
    }

    fn values(&self, backend: DbBackend, piece: &[&Stored]) -> Result<Vec<Value>, DbErr> {
        let mut values = Vec::with_capacity(piece.len() * self.columns.len() + 2);
        for stored in piece {
            let mut row = T::row(stored);
            for column in &self.columns {
                let value = row.take(*column).into_value();
                values.push(value.ok_or_else(|| DbErr::AttrNotSet(column.as_str().to_owned()))?);
            }
        }
        if let (DbBackend::Sqlite, [first, ..], Some(last)) = (backend, piece, piece.last()) {
            let at = first.message.created_at;
            let same = piece.iter().all(|stored| stored.message.created_at == at).then_some(at.unix_ms());
            values.extend([same.into(), first.message.id.into(), last.message.id.into()]);
        }
        Ok(values)
    }
}

/// Two statements in one text, which is one trip to the thread of the connection. The events are made from the rows, found by their ids,
/// which are without a gap: to bind the same values again would cost three times as much.
fn sqlite<T: MessageTable>(columns: &[T::Column], rows: usize) -> String {
    let messages = insertion::<T>(columns, rows, |_| "?".to_owned());
    // The time that all of them have, or each its own.
    let at = "coalesce(?, CAST(round(unixepoch(created_at, 'subsec') * 1000) AS INTEGER))";
    format!("{messages}; {} FROM {} WHERE id BETWEEN ? AND ?", events_of::<T>(at), T::default().table_name())
}

/// One statement, which is one trip to the server.
fn postgres<T: MessageTable>(columns: &[T::Column], rows: usize) -> String {
    let messages = insertion::<T>(columns, rows, |number| format!("${number}"));
    let at = "(extract(epoch FROM created_at) * 1000)::bigint";
    let conversation = T::CONVERSATION.as_str();
    format!("WITH posted AS ({messages} RETURNING id, seq, {conversation}, created_at) {} FROM posted", events_of::<T>(at))
}

fn insertion<T: MessageTable>(columns: &[T::Column], rows: usize, parameter: impl Fn(usize) -> String) -> String {
    let names: Vec<&str> = columns.iter().map(IdenStatic::as_str).collect();
    let row = |row| (1..=names.len()).map(|place| parameter(row * names.len() + place)).collect::<Vec<_>>().join(", ");
    let rows: Vec<String> = (0..rows).map(|number| format!("({})", row(number))).collect();
    format!("INSERT INTO {} ({}) VALUES {}", T::default().table_name(), names.join(", "), rows.join(", "))
}

/// The events that bring messages, made from their rows; `at` is the row's time in milliseconds.
fn events_of<T: MessageTable>(at: &str) -> String {
    use events::Column::{ConversationId, ConversationKind, CreatedAt, Kind, MessageId, Seq};
    let names = [Seq, Kind, ConversationKind, ConversationId, MessageId, CreatedAt].map(|column| column.as_str());
    let (kind, of, conversation) = (EventKind::Message.to_value(), T::KIND.to_value(), T::CONVERSATION.as_str());
    format!("INSERT INTO events ({}) SELECT seq, {kind}, {of}, {conversation}, id, {at}", names.join(", "))
}
