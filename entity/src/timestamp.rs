//! A moment in UTC to the millisecond, read from whatever the two databases and Prisma's versions store in a `DateTime` column.

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use sea_orm::{
    ColIdx, DbErr, QueryResult, TryGetError, TryGetable, Value,
    sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr},
};

/// A moment in UTC, truncated to milliseconds: what is sent is exactly what is stored, on both databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The moment, without what is finer than a millisecond.
    #[must_use]
    pub fn new(at: DateTime<Utc>) -> Self {
        Self(at.trunc_subsecs(3))
    }

    /// Milliseconds since 1970, which is how the event log stores its times.
    #[must_use]
    pub fn unix_ms(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// The moment that lies `ms` milliseconds after 1970, unless that is beyond the calendar.
    #[must_use]
    pub fn from_unix_ms(ms: i64) -> Option<Self> {
        DateTime::from_timestamp_millis(ms).map(Self)
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
    /// Prisma up to 6 wrote integers (milliseconds) into SQLite, Prisma 7 and Natter write RFC 3339, and
    /// `CURRENT_TIMESTAMP` writes a naive time; PostgreSQL has `timestamp`, without a zone and in UTC.
    fn try_get_by<I: ColIdx>(row: &QueryResult, column: I) -> Result<Self, TryGetError> {
        if let Ok(ms) = i64::try_get_by(row, column) {
            return Self::from_unix_ms(ms)
                .ok_or_else(|| TryGetError::DbErr(DbErr::Type(format!("no moment lies {ms} ms after 1970"))));
        }
        if let Ok(at) = NaiveDateTime::try_get_by(row, column) {
            return Ok(Self::new(at.and_utc()));
        }
        DateTime::<Utc>::try_get_by(row, column).map(Self::new)
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
