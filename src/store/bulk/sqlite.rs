//! Inserting messages into SQLite, in pieces of exactly as many rows as there are statements for.

use super::{Insertion, StoreError, events_of, no_head, time_of_all};
use crate::{
    protocol::{ConversationKind, MessageId, Seq, fields::MAX_ID},
    store::{
        batch::{BUCKETS, bucketed},
        table::{MessageTable, Stored, with_table},
    },
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, IdenStatic, Statement};

pub(super) async fn insert(tx: &impl ConnectionTrait, messages: &mut [Stored]) -> Result<(), StoreError> {
    reserve(tx, messages).await?;
    for kind in [ConversationKind::Chat, ConversationKind::Support] {
        let rows: Vec<&Stored> = messages.iter().filter(|stored| stored.message.conversation.kind == kind).collect();
        with_table!(kind, Table => insert_into(tx, Table::insertion(), &rows).await?);
    }
    Ok(())
}

/// The immediate transaction holds the only write lock, so the numbers after the last ones are free until it ends. One statement tells
/// all of them, because each is a trip to the thread of the connection.
async fn reserve(tx: &impl ConnectionTrait, messages: &mut [Stored]) -> Result<(), StoreError> {
    let sql = "UPDATE log_head SET seq = seq + ? WHERE id = 1 RETURNING seq,
        max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'messages'), 0),
            coalesce((SELECT max(id) FROM messages), 0)) AS messages,
        max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'support_messages'), 0),
            coalesce((SELECT max(id) FROM support_messages), 0)) AS support_messages";
    let count = i64::try_from(messages.len()).map_err(|_| DbErr::Custom("a batch is too large".to_owned()))?;
    let row = tx.query_one_raw(Statement::from_sql_and_values(DbBackend::Sqlite, sql, [count.into()])).await?;
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

/// Two statements in one text, which is one trip to the thread of the connection. The events are made from the rows, found by their ids,
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
