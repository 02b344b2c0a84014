//! Message ids, reserved inside the transaction that uses them, so that an application that inserts beside Natter never collides.

use super::StoreError;
use crate::protocol::{MessageId, fields::MAX_ID};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

/// `count` ids of `table`, ascending, that nobody else gets.
pub(super) async fn reserve(tx: &impl ConnectionTrait, table: &'static str, count: usize) -> Result<Vec<MessageId>, StoreError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let count = i64::try_from(count).map_err(|_| DbErr::Custom("a batch is too large".to_owned()))?;
    match tx.get_database_backend() {
        DbBackend::Postgres => from_sequence(tx, table, count).await,
        _ => after_the_last(tx, table, count).await,
    }
}

/// PostgreSQL: the numbers come from the table's own sequence.
async fn from_sequence(tx: &impl ConnectionTrait, table: &'static str, count: i64) -> Result<Vec<MessageId>, StoreError> {
    let sql = "SELECT nextval(pg_get_serial_sequence($1, 'id')) AS id FROM generate_series(1, $2)";
    let rows = tx.query_all_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [table.into(), count.into()])).await?;
    let mut ids = rows.iter().map(|row| row.try_get("", "id").map(MessageId)).collect::<Result<Vec<_>, DbErr>>()?;
    ids.sort_unstable();
    match ids.last() {
        Some(&MessageId(last)) if last > MAX_ID => Err(StoreError::NoIdLeft { table, last }),
        _ => Ok(ids),
    }
}

/// SQLite: the immediate transaction holds the only write lock, so the numbers after the last one are free until it ends.
async fn after_the_last(tx: &impl ConnectionTrait, table: &'static str, count: i64) -> Result<Vec<MessageId>, StoreError> {
    let sql = format!(
        "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0), coalesce((SELECT max(id) FROM {table}), 0)) AS last"
    );
    let row = tx.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
    let last: i64 = row.ok_or_else(|| DbErr::RecordNotFound("no last id".to_owned()))?.try_get("", "last")?;
    let ids = last.checked_add(count).filter(|highest| *highest <= MAX_ID).map(|highest| last + 1..=highest);
    Ok(ids.ok_or(StoreError::NoIdLeft { table, last })?.map(MessageId).collect())
}
