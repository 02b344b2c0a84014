//! Inserting messages with their events by statements whose texts are made once: made anew each time, they cost more than the rows.
//! `docs/adr/0018-insertions-are-written-once.md` has the figures.

use super::{
    StoreError,
    batch::{BUCKETS, bucketed, smallest},
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
        match tx.get_database_backend() {
            DbBackend::Postgres => self.insert_filled_up(tx, messages).await,
            _ => self.insert_in_pieces(tx, messages).await,
        }
    }

    /// SQLite: pieces of exactly as many rows as there are statements for.
    async fn insert_in_pieces(&self, tx: &impl ConnectionTrait, messages: &[&Stored]) -> Result<(), StoreError> {
        for piece in bucketed(messages) {
            let mut values = self.values(piece, piece.len())?;
            if let ([first, ..], Some(last)) = (piece, piece.last()) {
                let at = first.message.created_at;
                let same = piece.iter().all(|stored| stored.message.created_at == at).then_some(at.unix_ms());
                values.extend([same.into(), first.message.id.into(), last.message.id.into()]);
            }
            // Both statements count.
            execute(tx, &self.sqlite, piece.len(), values, 2 * piece.len()).await?;
        }
        Ok(())
    }

    /// PostgreSQL, where each trip counts: one statement, the next larger one, filled up with rows of nulls behind the limit.
    async fn insert_filled_up(&self, tx: &impl ConnectionTrait, messages: &[&Stored]) -> Result<(), StoreError> {
        for piece in messages.chunks(BUCKETS[0]) {
            let Some(rows) = smallest(piece.len()) else { continue };
            let mut values = self.values(piece, rows)?;
            let nulls: Vec<Value> = values.iter().take(self.columns.len()).map(Value::as_null).collect();
            values.extend(nulls.iter().cycle().take((rows - piece.len()) * nulls.len()).cloned());
            values.push(i64::try_from(piece.len()).unwrap_or(i64::MAX).into());
            execute(tx, &self.postgres, rows, values, piece.len()).await?;
        }
        Ok(())
    }

    /// What these messages set, row by row, with room for so many rows and what else a statement asks for.
    fn values(&self, piece: &[&Stored], rows: usize) -> Result<Vec<Value>, DbErr> {
        let mut values = Vec::with_capacity(rows * self.columns.len() + 3);
        for stored in piece {
            let mut row = T::row(stored);
            for column in &self.columns {
                let value = row.take(*column).into_value();
                values.push(value.ok_or_else(|| DbErr::AttrNotSet(column.as_str().to_owned()))?);
            }
        }
        Ok(values)
    }
}

/// Executes the statement for so many rows, which must insert what is expected: an application's trigger may skip a row.
async fn execute(
    tx: &impl ConnectionTrait,
    texts: &[String],
    rows: usize,
    values: Vec<Value>,
    expected: usize,
) -> Result<(), StoreError> {
    let text = BUCKETS.iter().zip(texts).find_map(|(bucket, text)| (*bucket == rows).then_some(text));
    let text = text.ok_or_else(|| DbErr::Custom("no statement has so many rows".to_owned()))?;
    let done = tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), text, values)).await?;
    if done.rows_affected() == expected as u64 { Ok(()) } else { Err(StoreError::Skipped) }
}

/// Two statements in one text, which is one trip to the thread of the connection. The events are made from the rows, found by their ids,
/// which are without a gap: to bind the same values again would cost three times as much.
fn sqlite<T: MessageTable>(columns: &[T::Column], rows: usize) -> String {
    let (into, values) = (into::<T>(columns), table_of(columns.len(), rows, |_| "?".to_owned()));
    // The time that all of them have, or each its own.
    let at = "coalesce(?, CAST(round(unixepoch(created_at, 'subsec') * 1000) AS INTEGER))";
    format!("{into} {values}; {} FROM {} WHERE id BETWEEN ? AND ?", events_of::<T>(at), T::default().table_name())
}

/// One statement, which is one trip to the server. Its last parameter is how many of the rows are some.
fn postgres<T: MessageTable>(columns: &[T::Column], rows: usize) -> String {
    let (into, values) = (into::<T>(columns), table_of(columns.len(), rows, |number| format!("${number}")));
    let (count, conversation) = (columns.len() * rows + 1, T::CONVERSATION.as_str());
    let events = events_of::<T>("(extract(epoch FROM created_at) * 1000)::bigint");
    let fresh = format!("{into} SELECT * FROM ({values}) AS fresh LIMIT ${count}");
    format!("WITH posted AS ({fresh} RETURNING id, seq, {conversation}, created_at) {events} FROM posted")
}

fn into<T: MessageTable>(columns: &[T::Column]) -> String {
    let names: Vec<&str> = columns.iter().map(IdenStatic::as_str).collect();
    format!("INSERT INTO {} ({})", T::default().table_name(), names.join(", "))
}

fn table_of(columns: usize, rows: usize, parameter: impl Fn(usize) -> String) -> String {
    let row = |row| (1..=columns).map(|place| parameter(row * columns + place)).collect::<Vec<_>>().join(", ");
    let rows: Vec<String> = (0..rows).map(|number| format!("({})", row(number))).collect();
    format!("VALUES {}", rows.join(", "))
}

/// The events that bring messages, made from their rows; `at` is the row's time in milliseconds.
fn events_of<T: MessageTable>(at: &str) -> String {
    use events::Column::{ConversationId, ConversationKind, CreatedAt, Kind, MessageId, Seq};
    let names = [Seq, Kind, ConversationKind, ConversationId, MessageId, CreatedAt].map(|column| column.as_str());
    let (kind, of, conversation) = (EventKind::Message.to_value(), T::KIND.to_value(), T::CONVERSATION.as_str());
    format!("INSERT INTO events ({}) SELECT seq, {kind}, {of}, {conversation}, id, {at}", names.join(", "))
}
