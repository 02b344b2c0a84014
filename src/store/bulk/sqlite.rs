//! Inserting messages into SQLite: one alone by a single text, more in pieces of exactly as many rows as there are statements for. Each text is
//! a trip to the thread of the connection, which is what a message that comes alone costs most.

use super::{Insertion, StoreError, events_of, no_head, time_of_all};
use crate::{
    protocol::{ConversationKind, MessageId, Seq, fields::MAX_ID},
    store::{
        batch::{BUCKETS, bucketed},
        table::{MessageTable, Stored, with_table},
    },
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, IdenStatic, Statement};
use std::sync::LazyLock;

pub(super) async fn insert(tx: &impl ConnectionTrait, messages: &mut [Stored]) -> Result<(), StoreError> {
    if let [alone] = messages {
        return with_table!(alone.message.conversation.kind, Table => insert_one(tx, Table::insertion(), alone).await);
    }
    reserve(tx, messages).await?;
    for kind in [ConversationKind::Chat, ConversationKind::Support] {
        let rows: Vec<&Stored> = messages.iter().filter(|stored| stored.message.conversation.kind == kind).collect();
        with_table!(kind, Table => insert_into(tx, Table::insertion(), &rows).await?);
    }
    Ok(())
}

async fn insert_one<T: MessageTable>(
    tx: &impl ConnectionTrait,
    insertion: &Insertion<T>,
    alone: &mut Stored,
) -> Result<(), StoreError> {
    let mut values = Vec::with_capacity(insertion.columns.len());
    for (column, value) in insertion.columns.iter().zip(insertion.values(alone)) {
        if taken::<T>(column).is_none() {
            values.push(value?);
        }
    }
    values.push(alone.message.created_at.unix_ms().into());
    let inserting = Statement::from_sql_and_values(DbBackend::Sqlite, &insertion.sqlite_one, values);
    let Some(row) = tx.query_one_raw(inserting).await? else {
        return Err(why_not::<T>(tx).await?);
    };
    alone.seq = Some(Seq(row.try_get("", "seq")?));
    alone.message.id = MessageId(row.try_get("", "message_id")?);
    Ok(())
}

/// Why a row alone was not inserted.
async fn why_not<T: MessageTable>(tx: &impl ConnectionTrait) -> Result<StoreError, StoreError> {
    let table = T::default().table_name();
    let asking = Statement::from_string(DbBackend::Sqlite, format!("SELECT {} AS last", last_id(table)));
    let last = tx.query_one_raw(asking).await?.map_or(Ok(0), |row| row.try_get("", "last"))?;
    // Else, an application's trigger has skipped it.
    Ok(if last < MAX_ID { StoreError::Skipped } else { StoreError::NoIdLeft { table, last } })
}

/// The immediate transaction holds the only write lock, so the numbers after the last ones are free until it ends. One statement tells
/// all of them.
async fn reserve(tx: &impl ConnectionTrait, messages: &mut [Stored]) -> Result<(), StoreError> {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let (chats, supports) = (last_id("messages"), last_id("support_messages"));
        format!(
            "UPDATE log_head SET seq = seq + ? WHERE id = 1 RETURNING seq, {chats} AS messages, {supports} AS support_messages"
        )
    });
    let count = i64::try_from(messages.len()).map_err(|_| DbErr::Custom("a batch is too large".to_owned()))?;
    let row = tx.query_one_raw(Statement::from_sql_and_values(DbBackend::Sqlite, &*TEXT, [count.into()])).await?;
    let row = row.ok_or_else(no_head)?;
    let (mut chats, mut supports) = (IdsAfter(row.try_get("", "messages")?), IdsAfter(row.try_get("", "support_messages")?));
    let first = row.try_get::<i64>("", "seq")? - count + 1;
    for (stored, seq) in messages.iter_mut().zip(first..) {
        stored.seq = Some(Seq(seq));
        stored.message.id = match stored.message.conversation.kind {
            ConversationKind::Chat => chats.next("messages")?,
            ConversationKind::Support => supports.next("support_messages")?,
        };
    }
    Ok(())
}

/// The last id that a table had, whether or not its row is still there.
fn last_id(table: &str) -> String {
    format!(
        "max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0), coalesce((SELECT max(id) FROM {table}), 0))"
    )
}

/// A table's ids after its last.
struct IdsAfter(i64);

impl IdsAfter {
    fn next(&mut self, table: &'static str) -> Result<MessageId, StoreError> {
        let next = self.0.checked_add(1).filter(|next| *next <= MAX_ID);
        self.0 = next.ok_or(StoreError::NoIdLeft { table, last: self.0 })?;
        Ok(MessageId(self.0))
    }
}

async fn insert_into<T: MessageTable>(
    tx: &impl ConnectionTrait,
    insertion: &Insertion<T>,
    messages: &[&Stored],
) -> Result<(), StoreError> {
    for piece in bucketed(messages) {
        let ([first, ..], Some(last)) = (piece, piece.last()) else { continue };
        let mut values = Vec::with_capacity(piece.len() * insertion.columns.len() + 3);
        for stored in piece {
            for value in insertion.values(stored) {
                values.push(value?);
            }
        }
        values.extend([time_of_all(piece.iter().copied()).into(), first.message.id.into(), last.message.id.into()]);
        let text = BUCKETS.iter().zip(&insertion.sqlite).find_map(|(bucket, text)| (*bucket == piece.len()).then_some(text));
        let text = text.ok_or_else(|| DbErr::Custom("no statement has so many rows".to_owned()))?;
        let done = tx.execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, text, values)).await?;
        // Both statements count. An application's trigger may skip a row.
        if done.rows_affected() != 2 * piece.len() as u64 {
            return Err(StoreError::Skipped);
        }
    }
    Ok(())
}

/// What the text of a row alone puts into a column, where that is no value of the message's.
fn taken<T: MessageTable>(column: &T::Column) -> Option<&'static str> {
    match column.as_str() {
        id if id == T::ID.as_str() => Some("last.id + 1"),
        "seq" => Some("(SELECT seq FROM log_head WHERE id = 1)"),
        _ => None,
    }
}

/// Three statements in one text: the head, the row with the next id, and its event, which tells both numbers. Where the row was skipped, the
/// last id that was inserted is some other row's.
pub(super) fn text_of_one<T: MessageTable>(columns: &[T::Column]) -> String {
    let names = columns.iter().map(IdenStatic::as_str).collect::<Vec<_>>().join(", ");
    let values = columns.iter().map(|column| taken::<T>(column).unwrap_or("?")).collect::<Vec<_>>().join(", ");
    let table = T::default().table_name();
    let (last, events) = (last_id(table), events_of::<T>("?"));
    format!(
        "UPDATE log_head SET seq = seq + 1 WHERE id = 1;
        INSERT INTO {table} ({names}) SELECT {values} FROM (SELECT {last} AS id) AS last WHERE last.id < {MAX_ID};
        {events} FROM {table} WHERE changes() = 1 AND id = last_insert_rowid()
        RETURNING seq, message_id"
    )
}

/// Two statements in one text. The events are made from the rows, found by their ids,
/// which are without a gap: to bind the same values again would cost three times as much.
pub(super) fn text<T: MessageTable>(columns: &[T::Column], rows: usize) -> String {
    let names = columns.iter().map(IdenStatic::as_str).collect::<Vec<_>>().join(", ");
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    let (table, rows) = (T::default().table_name(), vec![row; rows].join(", "));
    // The time that all of them have, or each its own.
    let at = "coalesce(?, CAST(round(unixepoch(created_at, 'subsec') * 1000) AS INTEGER))";
    let events = events_of::<T>(at);
    format!("INSERT INTO {table} ({names}) VALUES {rows}; {events} FROM {table} WHERE id BETWEEN ? AND ?")
}
