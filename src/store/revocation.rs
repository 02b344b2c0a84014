//! Whose tokens were revoked. No event of the log: it is nobody's business but the server's.

use super::{
    Store, StoreError,
    patience::{self, within},
    transaction::begin,
};
use crate::protocol::{Revocations, Timestamp, UserId};
use entity::revocations;
use sea_orm::{ActiveValue::Set, Database, DatabaseConnection, EntityTrait, sea_query::OnConflict};

impl Store {
    /// Everyone whose tokens were revoked.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn revocations(&self) -> Result<Revocations, StoreError> {
        let rows = within(patience::OF_READERS, revocations::Entity::find().all(&self.readers)).await?;
        Ok(rows.into_iter().filter_map(|row| Some((row.user_id, Timestamp::from_unix_ms(row.revoked_at)?))).collect())
    }

    /// Writes down that what was issued to `user` up to `at` holds no more, on a connection of its own: it is rare, and does not wait
    /// behind messages. When it returns, it is on disk.
    ///
    /// # Errors
    /// Where the database does not answer: then nothing is revoked.
    pub async fn revoke(&self, user: UserId, at: Timestamp) -> Result<(), StoreError> {
        let db = Database::connect(self.writing.clone()).await?;
        let written = within(patience::of_lane(&db), write(&db, user, at)).await;
        if let Err(error) = db.close().await {
            log::warn!("the connection that wrote a revocation was not closed in good order: {error}");
        }
        written
    }
}

async fn write(db: &DatabaseConnection, user: UserId, at: Timestamp) -> Result<(), StoreError> {
    let row = revocations::ActiveModel { user_id: Set(user), revoked_at: Set(at.unix_ms()) };
    let latest = OnConflict::column(revocations::Column::UserId).update_column(revocations::Column::RevokedAt).to_owned();
    let tx = begin(db).await?;
    revocations::Entity::insert(row).on_conflict(latest).exec_without_returning(&tx).await?;
    Ok(tx.commit().await?)
}
