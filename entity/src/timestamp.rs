//! A moment in UTC to the millisecond, read from whatever the two databases and Prisma's versions store in a `DateTime` column.

use chrono::{DateTime, NaiveDateTime, Utc};
use sea_orm::{
    ColIdx, DbErr, QueryResult, RuntimeErr, SqlxError, TryGetError, TryGetable, Value,
    sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr},
    sqlx::{
        Decode, Postgres, Row, Type,
        error::BoxDynError,
        postgres::{PgRow, PgTypeInfo, PgValueRef},
    },
};

/// The first moment that every client can read: 0001-01-01T00:00:00.000Z, in milliseconds since 1970.
const FIRST: i64 = -62_135_596_800_000;

/// The last one: 9999-12-31T23:59:59.999Z.
const LAST: i64 = 253_402_300_799_999;

/// 2000-01-01, from which PostgreSQL counts, in milliseconds since 1970.
const POSTGRES_EPOCH: i64 = 946_684_800_000;

/// A moment in UTC, truncated to milliseconds: what is sent is exactly what is stored, on both databases. It lies in the years 1 to
/// 9999: an application's `infinity` is their last moment, for one row that is beyond the calendar must not hide the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The moment, without what is finer than a millisecond.
    #[must_use]
    pub fn new(at: DateTime<Utc>) -> Self {
        Self::nearest(at.timestamp_millis())
    }

    /// Milliseconds since 1970, which is how the event log stores its times.
    #[must_use]
    pub fn unix_ms(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// The moment that lies `ms` milliseconds after 1970, unless that is beyond the years 1 to 9999.
    #[must_use]
    pub fn from_unix_ms(ms: i64) -> Option<Self> {
        (FIRST..=LAST).contains(&ms).then(|| Self::nearest(ms))
    }

    /// The moment that lies `ms` milliseconds after 1970, or the nearest one that can be told.
    fn nearest(ms: i64) -> Self {
        Self(DateTime::from_timestamp_millis(ms.clamp(FIRST, LAST)).unwrap_or_default())
    }

    /// The moment as chrono has it.
    #[must_use]
    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        at.0.into()
    }
}

impl TryGetable for Timestamp {
    fn try_get_by<I: ColIdx>(row: &QueryResult, column: I) -> Result<Self, TryGetError> {
        match row.try_as_pg_row() {
            Some(row) => of_postgres(row, column),
            None => of_sqlite(row, column),
        }
    }
}

/// PostgreSQL's own form: microseconds since 2000, both ends of the range standing for `infinity`. The driver's conversion panics where
/// that is beyond chrono's calendar.
struct Micros(i64);

impl Type<Postgres> for Micros {
    fn type_info() -> PgTypeInfo {
        <NaiveDateTime as Type<Postgres>>::type_info()
    }

    fn compatible(of_column: &PgTypeInfo) -> bool {
        [Self::type_info(), <DateTime<Utc> as Type<Postgres>>::type_info()].contains(of_column)
    }
}

impl<'r> Decode<'r, Postgres> for Micros {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        <i64 as Decode<Postgres>>::decode(value).map(Self)
    }
}

/// PostgreSQL has `timestamp`, without a zone and in UTC.
fn of_postgres<I: ColIdx>(row: &PgRow, column: I) -> Result<Timestamp, TryGetError> {
    let unreadable = |error: SqlxError| TryGetError::DbErr(DbErr::Query(RuntimeErr::SqlxError(error.into())));
    let stored: Option<Micros> = row.try_get(column.as_sqlx_postgres_index()).map_err(unreadable)?;
    let Micros(micros) = stored.ok_or_else(|| TryGetError::Null(format!("{column:?}")))?;
    Ok(Timestamp::nearest(POSTGRES_EPOCH + micros.div_euclid(1_000)))
}

/// Prisma up to 6 wrote integers (milliseconds) into SQLite, Prisma 7 and Natter write RFC 3339, and `CURRENT_TIMESTAMP` writes a naive
/// time. SQLite holds columns to no type; what is no time at all is 1970.
fn of_sqlite<I: ColIdx>(row: &QueryResult, column: I) -> Result<Timestamp, TryGetError> {
    if let Ok(ms) = i64::try_get_by(row, column) {
        return Ok(Timestamp::nearest(ms));
    }
    if let Ok(at) = NaiveDateTime::try_get_by(row, column) {
        return Ok(Timestamp::new(at.and_utc()));
    }
    match DateTime::<Utc>::try_get_by(row, column) {
        Err(TryGetError::DbErr(DbErr::Query(RuntimeErr::SqlxError(error))))
            if matches!(*error, SqlxError::ColumnDecode { .. }) =>
        {
            Ok(Timestamp::nearest(0))
        }
        read => read.map(Timestamp::new),
    }
}

impl ValueType for Timestamp {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <DateTime<Utc> as ValueType>::try_from(value).map(Self::new)
    }

    fn type_name() -> String {
        "Timestamp".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::ChronoDateTimeUtc
    }

    fn column_type() -> ColumnType {
        ColumnType::Timestamp
    }
}

impl Nullable for Timestamp {
    fn null() -> Value {
        <DateTime<Utc> as Nullable>::null()
    }
}
