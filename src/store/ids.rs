//! The places of new messages: their ids, reserved inside the transaction that uses them, so that an application that inserts beside
//! Natter never collides, and their place in the log.

use super::StoreError;
use crate::protocol::{ConversationKind, MessageId, Seq, fields::MAX_ID};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

/// What nobody else gets: ids of each table, ascending, and as many events from `first` on.
#[derive(Debug)]
pub(super) struct Places {
    chat: std::vec::IntoIter<MessageId>,
    support: std::vec::IntoIter<MessageId>,
    /// The place in the log of the first message.
    pub(super) first: Seq,
}

impl Places {
    /// The next id of this kind of conversation's table.
    pub(super) fn next_id(&mut self, kind: ConversationKind) -> Result<MessageId, StoreError> {
        let next = match kind {
            ConversationKind::Chat => self.chat.next(),
            ConversationKind::Support => self.support.next(),
        };
        Ok(next.ok_or_else(|| DbErr::Custom("fewer ids were reserved than asked for".to_owned()))?)
    }
}

/// Places for so many messages of chats and of support chats.
pub(super) async fn reserve(tx: &impl ConnectionTrait, chats: usize, supports: usize) -> Result<Places, StoreError> {
    let too_large = |_| DbErr::Custom("a batch is too large".to_owned());
    let (chats, supports) = (i64::try_from(chats).map_err(too_large)?, i64::try_from(supports).map_err(too_large)?);
    let (chat, support, first) = match tx.get_database_backend() {
        DbBackend::Postgres => from_the_sequences(tx, chats, supports).await?,
        _ => after_the_last(tx, chats, supports).await?,
    };
    Ok(Places { chat: chat.into_iter(), support: support.into_iter(), first })
}

/// Ids of chat messages, of support messages, and the place in the log of the first.
type Reserved = (Vec<MessageId>, Vec<MessageId>, Seq);

fn no_head() -> DbErr {
    DbErr::RecordNotFound("log_head has no row".to_owned())
}

const MESSAGES: &str = "messages";
const SUPPORT_MESSAGES: &str = "support_messages";

/// PostgreSQL: the numbers come from each table's own sequence. One statement tells all of them, as each is a trip to the server; the
/// inner SELECTs look a sequence up once, not for each number.
async fn from_the_sequences(tx: &impl ConnectionTrait, chats: i64, supports: i64) -> Result<Reserved, StoreError> {
    let sql = "WITH head AS (UPDATE log_head SET seq = seq + $1 + $2 WHERE id = 1 RETURNING seq)
        SELECT seq, false AS is_support, nextval((SELECT pg_get_serial_sequence('messages', 'id')::regclass)) AS id
            FROM head, generate_series(1, $1)
        UNION ALL
        SELECT seq, true, nextval((SELECT pg_get_serial_sequence('support_messages', 'id')::regclass))
            FROM head, generate_series(1, $2)";
    let rows =
        tx.query_all_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [chats.into(), supports.into()])).await?;
    let (mut chat, mut support, mut last) = (Vec::new(), Vec::new(), None);
    for row in rows {
        let ids = if row.try_get("", "is_support")? { &mut support } else { &mut chat };
        ids.push(MessageId(row.try_get("", "id")?));
        last = Some(row.try_get::<i64>("", "seq")?);
    }
    let last = last.ok_or_else(no_head)?;
    Ok((ascending(MESSAGES, chat)?, ascending(SUPPORT_MESSAGES, support)?, Seq(last - chats - supports + 1)))
}

fn ascending(table: &'static str, mut ids: Vec<MessageId>) -> Result<Vec<MessageId>, StoreError> {
    ids.sort_unstable();
    match ids.last() {
        Some(&MessageId(last)) if last > MAX_ID => Err(StoreError::NoIdLeft { table, last }),
        _ => Ok(ids),
    }
}

/// SQLite: the immediate transaction holds the only write lock, so the numbers after the last ones are free until it ends. One statement
/// tells all of them, because each is a trip to the thread of the connection.
async fn after_the_last(tx: &impl ConnectionTrait, chats: i64, supports: i64) -> Result<Reserved, StoreError> {
    let sql = "UPDATE log_head SET seq = seq + ? WHERE id = 1 RETURNING seq,
        max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'messages'), 0),
            coalesce((SELECT max(id) FROM messages), 0)) AS messages,
        max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'support_messages'), 0),
            coalesce((SELECT max(id) FROM support_messages), 0)) AS support_messages";
    let count = chats + supports;
    let row = tx.query_one_raw(Statement::from_sql_and_values(DbBackend::Sqlite, sql, [count.into()])).await?;
    let row = row.ok_or_else(no_head)?;
    let after = |table, count| ids_after(table, row.try_get("", table)?, count);
    let last: i64 = row.try_get("", "seq")?;
    Ok((after(MESSAGES, chats)?, after(SUPPORT_MESSAGES, supports)?, Seq(last - count + 1)))
}

fn ids_after(table: &'static str, last: i64, count: i64) -> Result<Vec<MessageId>, StoreError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let highest = last.checked_add(count).filter(|highest| *highest <= MAX_ID).ok_or(StoreError::NoIdLeft { table, last })?;
    Ok((last + 1..=highest).map(MessageId).collect())
}
