//! Inserting rows of an entity by statements whose texts are made once: made anew each time, they cost more than the rows.
//! `docs/adr/0018-insertions-are-written-once.md` has the figures.

use super::{
    StoreError,
    batch::{BUCKETS, bucketed},
};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IdenStatic, Iterable, Statement, Value};

/// The insertion of rows into one table, ready for each number of rows that a statement may have.
pub(super) struct Insertion<E: EntityTrait> {
    columns: Vec<E::Column>,
    sqlite: [String; BUCKETS.len()],
    postgres: [String; BUCKETS.len()],
}

impl<E: EntityTrait> Insertion<E> {
    /// Of rows that set every column but these.
    pub(super) fn without(unset: &[E::Column]) -> Self {
        let unset: Vec<&str> = unset.iter().map(IdenStatic::as_str).collect();
        let columns: Vec<E::Column> = E::Column::iter().filter(|column| !unset.contains(&column.as_str())).collect();
        Self {
            sqlite: BUCKETS.map(|rows| text::<E>(&columns, rows, |_| "?".to_owned())),
            postgres: BUCKETS.map(|rows| text::<E>(&columns, rows, |number| format!("${number}"))),
            columns,
        }
    }

    /// Inserts the row of each of these. Their ids are reserved: RETURNING would be the largest single cost of a batch.
    pub(super) async fn insert<T>(
        &self,
        tx: &impl ConnectionTrait,
        of: &[T],
        row: impl Fn(&T) -> E::ActiveModel,
    ) -> Result<(), StoreError> {
        let backend = tx.get_database_backend();
        let texts = if backend == DbBackend::Postgres { &self.postgres } else { &self.sqlite };
        for piece in bucketed(of) {
            let mut values = Vec::with_capacity(piece.len() * self.columns.len());
            for item in piece {
                self.take(row(item), &mut values)?;
            }
            let texts = BUCKETS.iter().zip(texts).filter(|(rows, _)| **rows == piece.len());
            for (_, text) in texts {
                tx.execute_raw(Statement::from_sql_and_values(backend, text, std::mem::take(&mut values))).await?;
            }
        }
        Ok(())
    }

    fn take(&self, mut row: E::ActiveModel, values: &mut Vec<Value>) -> Result<(), DbErr> {
        for column in &self.columns {
            let value = row.take(*column).into_value();
            values.push(value.ok_or_else(|| DbErr::AttrNotSet(column.as_str().to_owned()))?);
        }
        Ok(())
    }
}

fn text<E: EntityTrait>(columns: &[E::Column], rows: usize, parameter: impl Fn(usize) -> String) -> String {
    let names: Vec<&str> = columns.iter().map(IdenStatic::as_str).collect();
    let row = |row| (1..=names.len()).map(|place| parameter(row * names.len() + place)).collect::<Vec<_>>().join(", ");
    let rows: Vec<String> = (0..rows).map(|number| format!("({})", row(number))).collect();
    format!("INSERT INTO {} ({}) VALUES {}", E::default().table_name(), names.join(", "), rows.join(", "))
}
