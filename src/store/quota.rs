//! What the uploads of one user may hold together. It bounds their number, too.

use super::{StoreError, uploads::Upload};
use crate::protocol::UserId;
use entity::uploads;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
    prelude::Expr,
    sea_query::{Alias, CaseStatement, ExprTrait, Func},
};

/// Bytes that an upload counts for at least: a row, a name and a block of the disk.
pub const LEAST_BYTES: i64 = 4_096;

/// The user's uploads would hold more than they may: so many bytes are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// Bytes.
    pub left: i64,
}

/// Whether the user's uploads count for no more than `quota` bytes with this one.
pub(super) async fn room_for(db: &impl ConnectionTrait, upload: &Upload, quota: i64) -> Result<Result<(), NoRoom>, StoreError> {
    let left = quota - used(db, upload.user).await?;
    Ok(if upload.counts_for() > left { Err(NoRoom { left: left.clamp(0, quota) }) } else { Ok(()) })
}

/// The bytes that a user's uploads count for, thumbnails and those on their way out included. The index has all of it: 262,144 uploads,
/// which is as many as the default quota lets one have, take SQLite 22 ms.
async fn used(db: &impl ConnectionTrait, user: UserId) -> Result<i64, StoreError> {
    let thumbnail = Func::coalesce([Expr::col(uploads::Column::ThumbnailSize), Expr::value(0)]);
    let bytes = Expr::col(uploads::Column::Size).add(thumbnail);
    let counted = CaseStatement::new().case(bytes.clone().lt(LEAST_BYTES), LEAST_BYTES).finally(bytes);
    let sum = Func::coalesce([Func::sum(counted).into(), Expr::value(0)]);
    // PostgreSQL adds 64-bit numbers up to a decimal.
    let sum = Func::cast_as(sum, Alias::new("bigint"));
    let found = uploads::Entity::find().select_only().expr(sum).filter(uploads::Column::UserId.eq(user)).into_tuple::<i64>();
    Ok(found.one(db).await?.unwrap_or(0))
}
