//! Inserting messages into PostgreSQL: one statement a table, as each is a trip to the server, and one parameter a column.

use super::{Insertion, StoreError, events_of, no_head, time_of_all};
use crate::{
    protocol::{ConversationKind, MessageId, Seq, fields::MAX_ID},
    store::table::{MessageTable, Stored, with_table},
};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, DbErr, IdenStatic, Statement, Value};
use uuid::Uuid;

/// What the statement makes itself; every other column is bound.
const MADE: [&str; 2] = ["id", "seq"];

/// The parameters before those of the columns: each row's place among the messages, how far the head of the log moves, how many messages
/// there are in all, and the time of all rows.
const BEFORE_COLUMNS: usize = 4;

pub(super) async fn insert(tx: &impl ConnectionTrait, messages: &mut [Stored]) -> Result<(), StoreError> {
    let count = i64::try_from(messages.len()).map_err(|_| DbErr::Custom("a batch is too large".to_owned()))?;
    // The head of the log moves once for all of them.
    let mut moves = count;
    for kind in [ConversationKind::Chat, ConversationKind::Support] {
        let of_kind = messages.iter_mut().zip(1..).filter(|(stored, _)| stored.message.conversation.kind == kind);
        let rows: Vec<(&mut Stored, i64)> = of_kind.collect();
        if !rows.is_empty() {
            with_table!(kind, Table => insert_into(tx, Table::insertion(), rows, Log { moves, count }).await?);
            moves = 0;
        }
    }
    Ok(())
}

/// How far a statement moves the head of the log, and how far back from there the messages begin.
#[derive(Clone, Copy)]
struct Log {
    moves: i64,
    count: i64,
}

async fn insert_into<T: MessageTable>(
    tx: &impl ConnectionTrait,
    insertion: &Insertion<T>,
    rows: Vec<(&mut Stored, i64)>,
    log: Log,
) -> Result<(), StoreError> {
    let places: Vec<i64> = rows.iter().map(|(_, place)| *place).collect();
    let at = time_of_all(rows.iter().map(|(stored, _)| &**stored));
    let mut values: Vec<Value> = vec![places.into(), log.moves.into(), log.count.into(), at.into()];
    for column in columns_of(insertion, &rows)? {
        values.extend(column.parameters()?);
    }
    let row = tx.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, &insertion.postgres, values)).await?;
    let row = row.ok_or_else(no_head)?;
    let (head, ids, events): (Option<i64>, Vec<i64>, i64) =
        (row.try_get("", "head")?, row.try_get("", "ids")?, row.try_get("", "events")?);
    let before = head.ok_or_else(no_head)? - log.count;
    // An application's trigger may skip a row.
    if ids.len() != rows.len() || i64::try_from(rows.len()) != Ok(events) {
        return Err(StoreError::Skipped);
    }
    for ((stored, place), id) in rows.into_iter().zip(ids) {
        if id > MAX_ID {
            return Err(StoreError::NoIdLeft { table: T::default().table_name(), last: id });
        }
        stored.message.id = MessageId(id);
        stored.seq = Some(Seq(before + place));
    }
    Ok(())
}

/// What is bound of these rows, column by column.
fn columns_of<T: MessageTable>(insertion: &Insertion<T>, rows: &[(&mut Stored, i64)]) -> Result<Vec<Column>, DbErr> {
    let mut columns: Vec<Column> = bound::<T>(&insertion.columns)
        .map(|column| Column { is_nullable: column.def().is_null(), values: Vec::with_capacity(rows.len()) })
        .collect();
    for (stored, _) in rows {
        let values = insertion.columns.iter().zip(insertion.values(stored)).filter(|(column, _)| is_bound(*column));
        for (column, (_, value)) in columns.iter_mut().zip(values) {
            column.values.push(value?);
        }
    }
    Ok(columns)
}

fn bound<T: MessageTable>(columns: &[T::Column]) -> impl Iterator<Item = &T::Column> {
    columns.iter().filter(|column| is_bound(*column))
}

fn is_bound(column: &impl IdenStatic) -> bool {
    !MADE.contains(&column.as_str())
}

/// A column of the rows. SeaORM's arrays hold no nulls: what stands for them is bound beside the array.
struct Column {
    is_nullable: bool,
    values: Vec<Value>,
}

impl Column {
    /// The array, and what it has instead of nulls; no array at all stands for nulls alone.
    fn parameters(self) -> Result<impl Iterator<Item = Value>, DbErr> {
        let Self { is_nullable, values } = self;
        let first = values.first().ok_or_else(|| DbErr::Custom("a column without rows".to_owned()))?;
        let (of, mut stand_in) = (first.array_type(), first.as_null());
        let nulls = values.iter().filter(|value| !value.is_some()).count();
        let array = match nulls {
            0 => Some(values),
            _ if nulls == values.len() => None,
            _ => {
                stand_in = unheard_of(&stand_in)?;
                Some(values.into_iter().map(|value| if value.is_some() { value } else { stand_in.clone() }).collect())
            }
        };
        Ok([Value::Array(of, array.map(Box::new))].into_iter().chain(is_nullable.then_some(stand_in)))
    }
}

/// A value of this type that no message has: ids are not negative, and nobody can foresee a random text.
fn unheard_of(of: &Value) -> Result<Value, DbErr> {
    match of {
        Value::BigInt(_) => Ok(i64::MIN.into()),
        Value::String(_) => Ok(Uuid::new_v4().to_string().into()),
        Value::Uuid(_) => Ok(Uuid::new_v4().into()),
        other => Err(DbErr::Custom(format!("nothing stands for a null of {:?}", other.array_type()))),
    }
}

/// The statement for any number of rows. A sorted subquery comes first, so that ids ascend with the places in the log.
pub(super) fn text<T: MessageTable>(columns: &[T::Column]) -> String {
    let (table, conversation) = (T::default().table_name(), T::CONVERSATION.as_str());
    let mut parameters = (BEFORE_COLUMNS + 1..).map(|number| format!("${number}")).peekable();
    let (mut names, mut arrays, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for column in bound::<T>(columns) {
        let name = column.as_str();
        names.push(name);
        arrays.extend(parameters.next());
        values.push(match parameters.next_if(|_| column.def().is_null()) {
            Some(stand_in) => format!("nullif({name}, {stand_in})"),
            None => name.to_owned(),
        });
    }
    let (names, arrays, values) = (names.join(", "), arrays.join(", "), values.join(", "));
    let events = events_of::<T>("coalesce($4, (extract(epoch FROM created_at) * 1000)::bigint)");
    format!(
        "WITH head AS (UPDATE log_head SET seq = seq + $2 WHERE id = 1 RETURNING seq),
            fresh AS (SELECT head.seq - $3 + place AS seq, {names}
                FROM head, unnest($1, {arrays}) AS row (place, {names}) ORDER BY place),
            posted AS (INSERT INTO {table} (id, seq, {names})
                SELECT nextval((SELECT pg_get_serial_sequence('{table}', 'id')::regclass)), seq, {values} FROM fresh
                RETURNING id, seq, {conversation}, created_at),
            told AS ({events} FROM posted RETURNING seq)
        SELECT (SELECT seq FROM head) AS head, ARRAY(SELECT id FROM posted ORDER BY seq) AS ids, (SELECT count(*) FROM told) AS events"
    )
}
