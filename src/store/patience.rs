//! How long the database may take, and what becomes of what takes longer.

use super::StoreError;
use crate::metrics::panics::{Place, caught_in};
use sea_orm::{DatabaseConnection, DbBackend};
use std::time::Duration;
use tokio::time::timeout;

/// How long PostgreSQL may take for the statements of a batch, and again for its COMMIT: whoever waits behind a server that hangs is
/// told `unavailable` within two seconds.
const OF_POSTGRES: Duration = Duration::from_millis(1_500);

/// The same for SQLite, which has its own bound on waiting for another process, and hangs only with the disk.
const OF_SQLITE: Duration = Duration::from_secs(10);

/// How long a page of history or of the log may take.
pub(super) const OF_READERS: Duration = Duration::from_secs(5);

/// How long who comes back waits for a page's turn, behind all others who come back.
pub(super) const FOR_A_TURN: Duration = Duration::from_secs(30);

/// How long a connection may take for its end.
pub(super) const OF_A_GOODBYE: Duration = Duration::from_millis(500);

/// How long the lane waits for `db`.
pub(super) fn of_lane(db: &DatabaseConnection) -> Duration {
    match db.get_database_backend() {
        DbBackend::Postgres => OF_POSTGRES,
        _ => OF_SQLITE,
    }
}

/// What comes of `work` within `patience`; where it takes longer, it is dropped.
pub(super) async fn within<T, E: Into<StoreError>>(
    patience: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    timeout(patience, work).await.map_or(Err(StoreError::TimedOut), |outcome| outcome.map_err(Into::into))
}

/// What comes of `work`, a panic included: it ends what panicked, and nothing else.
pub(super) async fn caught<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    caught_in(Place::Commit, work).await.unwrap_or(Err(StoreError::Panicked))
}

#[cfg(test)]
mod tests {
    use super::{caught, within};
    use crate::store::StoreError;
    use std::time::Duration;

    #[tokio::test]
    async fn a_panic_is_an_error_that_is_the_rows_fault() {
        let outcome = caught(async { panic!("a row that our code trips over") }).await;
        assert!(matches!(outcome, Err::<(), _>(error) if error.is_the_rows_fault()));
    }

    #[tokio::test]
    async fn what_takes_too_long_is_an_error_that_is_nobodys_fault() {
        let outcome = within(Duration::from_millis(1), std::future::pending::<Result<(), StoreError>>()).await;
        assert!(matches!(outcome, Err(error @ StoreError::TimedOut) if !error.is_the_rows_fault()));
    }
}
