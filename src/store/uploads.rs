//! The list of uploads: a row is there before its file and goes after it, so that no file is ever without one.

use super::{
    Reader, Store, StoreError,
    commit::begin,
    patience::{self, within},
};
use crate::protocol::{Conversation, Timestamp, UserId};
use entity::{UploadState, uploads};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, Database, DatabaseConnection, EntityTrait, QueryFilter, QuerySelect,
    prelude::Expr,
    sea_query::{Alias, Func},
};
use uuid::Uuid;

/// Uploads that are taken away at once.
const STEP: u64 = 100;

/// An upload, as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its name in the storage.
    pub id: Uuid,
    /// Whose it is.
    pub user: UserId,
    /// What its uploader called it.
    pub name: String,
    /// What it is.
    pub media_type: String,
    /// Bytes.
    pub size: i64,
    /// Bytes of its thumbnail, where it has one.
    pub thumbnail_size: Option<i64>,
    /// Of an image, width and height in pixels.
    pub pixels: Option<(i32, i32)>,
}

/// The user's uploads would hold more than they may: so many bytes are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// Bytes.
    pub left: i64,
}

/// Writes the list, on a connection of its own: it does not wait behind messages, nor they behind it.
#[derive(Clone, Debug)]
pub struct UploadList {
    db: DatabaseConnection,
}

impl Store {
    /// The way to the list of uploads.
    ///
    /// # Errors
    /// Where the database can't be reached.
    pub async fn upload_list(&self) -> Result<UploadList, StoreError> {
        Ok(UploadList { db: Database::connect(self.writing.clone()).await? })
    }
}

impl UploadList {
    /// Writes down an upload whose file is about to be stored, if the user's uploads hold no more than `quota` bytes with it.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn begin(&self, upload: &Upload, quota: i64, now: Timestamp) -> Result<Result<(), NoRoom>, StoreError> {
        within(patience::of_lane(&self.db), self.insert(upload, quota, now)).await
    }

    async fn insert(&self, upload: &Upload, quota: i64, now: Timestamp) -> Result<Result<(), NoRoom>, StoreError> {
        let tx = begin(&self.db).await?;
        let left = quota - used(&tx, upload.user).await?;
        if upload.size + upload.thumbnail_size.unwrap_or(0) > left {
            return Ok(Err(NoRoom { left: left.max(0) }));
        }
        uploads::Entity::insert(row(upload, now)).exec_without_returning(&tx).await?;
        Ok(Ok(tx.commit().await?))
    }

    /// The file is in the storage: whether the row was still waiting for it.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn keep(&self, id: Uuid) -> Result<bool, StoreError> {
        let kept = uploads::Entity::update_many()
            .col_expr(uploads::Column::State, Expr::value(UploadState::Kept))
            .filter(uploads::Column::Id.eq(id))
            .filter(uploads::Column::State.eq(UploadState::Arriving));
        Ok(within(patience::of_lane(&self.db), kept.exec(&self.db)).await?.rows_affected == 1)
    }

    /// Marks what nobody will ask for: uploads that no message has since `unattached`, and those that are arriving since `arriving`.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn abandon(&self, unattached: Timestamp, arriving: Timestamp) -> Result<u64, StoreError> {
        let since = |state, at: Timestamp| {
            Condition::all().add(uploads::Column::State.eq(state)).add(uploads::Column::CreatedAt.lt(at.unix_ms()))
        };
        let due = Condition::any().add(since(UploadState::Kept, unattached)).add(since(UploadState::Arriving, arriving));
        let marked = uploads::Entity::update_many()
            .col_expr(uploads::Column::State, Expr::value(UploadState::Gone))
            .filter(uploads::Column::MessageId.is_null())
            .filter(due);
        Ok(within(patience::of_lane(&self.db), marked.exec(&self.db)).await?.rows_affected)
    }

    /// Some of the uploads whose files are to be taken away.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn gone(&self) -> Result<Vec<Uuid>, StoreError> {
        let gone = uploads::Entity::find()
            .select_only()
            .column(uploads::Column::Id)
            .filter(uploads::Column::State.eq(UploadState::Gone))
            .limit(STEP)
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

    /// Closes the connection.
    ///
    /// # Errors
    /// Where that fails.
    pub async fn close(&self) -> Result<(), StoreError> {
        Ok(self.db.close_by_ref().await?)
    }
}

/// The bytes that a user's uploads hold, thumbnails and those on their way out included.
async fn used(db: &impl ConnectionTrait, user: UserId) -> Result<i64, StoreError> {
    // PostgreSQL adds 64-bit numbers up to a decimal.
    let sum = |column: uploads::Column| Func::cast_as(Func::coalesce([column.sum(), 0.into()]), Alias::new("bigint"));
    let sums = uploads::Entity::find()
        .select_only()
        .expr(sum(uploads::Column::Size))
        .expr(sum(uploads::Column::ThumbnailSize))
        .filter(uploads::Column::UserId.eq(user))
        .into_tuple::<(i64, i64)>();
    Ok(sums.one(db).await?.map_or(0, |(files, thumbnails)| files + thumbnails))
}

fn row(upload: &Upload, now: Timestamp) -> uploads::ActiveModel {
    let Upload { id, user, name, media_type, size, thumbnail_size, pixels } = upload.clone();
    uploads::ActiveModel {
        id: Set(id),
        user_id: Set(user),
        state: Set(UploadState::Arriving),
        name: Set(name),
        media_type: Set(media_type),
        size: Set(size),
        thumbnail_size: Set(thumbnail_size),
        width: Set(pixels.map(|(width, _)| width)),
        height: Set(pixels.map(|(_, height)| height)),
        conversation_kind: Set(None),
        conversation_id: Set(None),
        message_id: Set(None),
        created_at: Set(now.unix_ms()),
    }
}

impl Reader {
    /// An upload whose file is there, and the conversation of the message that has it.
    ///
    /// # Errors
    /// Where the database does not answer, or takes too long.
    pub async fn upload(&self, id: Uuid) -> Result<Option<(Upload, Option<Conversation>)>, StoreError> {
        let found = within(patience::OF_READERS, uploads::Entity::find_by_id(id).one(&self.pool)).await?;
        Ok(found.filter(|row| row.state == UploadState::Kept).map(|row| {
            let place = row.conversation_kind.zip(row.conversation_id).map(|(kind, id)| Conversation { kind, id });
            let upload = Upload {
                id: row.id,
                user: row.user_id,
                name: row.name,
                media_type: row.media_type,
                size: row.size,
                thumbnail_size: row.thumbnail_size,
                pixels: row.width.zip(row.height),
            };
            (upload, place)
        }))
    }
}
