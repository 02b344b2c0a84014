//! Uploads that nobody needs: they are marked, their files are taken away, and then their rows.

use super::{
    StoreError, UploadList,
    patience::{self, within},
    transaction::begin,
};
use crate::protocol::Timestamp;
use entity::{UploadState, uploads};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::Expr,
    sea_query::{LockBehavior, LockType},
};
use uuid::Uuid;

/// Uploads that are marked, or taken away, at once: on SQLite, messages wait while these are marked.
const STEP: usize = 100;

impl UploadList {
    /// Marks what nobody will ask for: uploads that no message has since `unattached`, and those that are arriving since `arriving`.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn abandon(&self, unattached: Timestamp, arriving: Timestamp) -> Result<usize, StoreError> {
        let mut marked = 0;
        for (state, before) in [(UploadState::Kept, unattached), (UploadState::Arriving, arriving)] {
            let due = Condition::all()
                .add(uploads::Column::MessageId.is_null())
                .add(uploads::Column::State.eq(state))
                .add(uploads::Column::CreatedAt.lt(before.unix_ms()));
            let mut step = STEP;
            while step == STEP {
                step = within(patience::of_lane(&self.db), self.mark(&due)).await?;
                marked += step;
            }
        }
        Ok(marked)
    }

    /// Marks some of those that are due, and holds no lock where there are none. One that is being attached now is passed over: nothing
    /// is waited for, so that no other transaction ever waits for one that waits for it.
    async fn mark(&self, due: &Condition) -> Result<usize, StoreError> {
        let ids = || uploads::Entity::find().select_only().column(uploads::Column::Id).filter(due.clone());
        let found: Vec<Uuid> = ids().limit(STEP as u64).into_tuple().all(&self.db).await?;
        if found.is_empty() {
            return Ok(0);
        }
        let tx = begin(&self.db).await?;
        let locked = ids()
            .filter(uploads::Column::Id.is_in(found))
            .order_by_asc(uploads::Column::Id)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .into_tuple::<Uuid>();
        let locked = locked.all(&tx).await?;
        uploads::Entity::update_many()
            .col_expr(uploads::Column::State, Expr::value(UploadState::Gone))
            .filter(uploads::Column::Id.is_in(locked.iter().copied()))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(locked.len())
    }

    /// Some of the uploads whose files are to be taken away, by id, those after `after`.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn gone(&self, after: Uuid) -> Result<Vec<Uuid>, StoreError> {
        let gone = uploads::Entity::find()
            .select_only()
            .column(uploads::Column::Id)
            .filter(uploads::Column::State.eq(UploadState::Gone))
            .filter(uploads::Column::Id.gt(after))
            .order_by_asc(uploads::Column::Id)
            .limit(STEP as u64)
            .into_tuple();
        within(patience::of_lane(&self.db), gone.all(&self.db)).await
    }

    /// The files of these uploads are not there any more, or never were.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn forget(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        let rows = uploads::Entity::delete_many().filter(uploads::Column::Id.is_in(ids.iter().copied()));
        within(patience::of_lane(&self.db), rows.exec(&self.db)).await?;
        Ok(())
    }
}
