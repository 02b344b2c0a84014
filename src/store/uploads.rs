//! The list of uploads: a row is there before its file and goes after it, so that no file is ever without one.

use super::{
    Reader, Store, StoreError,
    patience::{self, within},
    quota::{self, LEAST_BYTES, NoRoom},
    transaction::begin,
};
use crate::protocol::{Conversation, Timestamp, UserId};
use entity::{UploadState, uploads};
use sea_orm::{ActiveValue::Set, ColumnTrait, Database, DatabaseConnection, EntityTrait, QueryFilter, prelude::Expr};
use uuid::Uuid;

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

impl Upload {
    /// Bytes of the user's quota.
    pub(super) fn counts_for(&self) -> i64 {
        (self.size + self.thumbnail_size.unwrap_or(0)).max(LEAST_BYTES)
    }
}

/// Writes the list, on a connection of its own: it does not wait behind messages, nor they behind it.
#[derive(Clone, Debug)]
pub struct UploadList {
    pub(super) db: DatabaseConnection,
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
    /// Writes down an upload whose file is about to be stored, if the user's uploads count for no more than `quota` bytes with it.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn begin(&self, upload: &Upload, quota: i64, now: Timestamp) -> Result<Result<(), NoRoom>, StoreError> {
        within(patience::of_lane(&self.db), self.insert(upload, quota, now)).await
    }

    async fn insert(&self, upload: &Upload, quota: i64, now: Timestamp) -> Result<Result<(), NoRoom>, StoreError> {
        let tx = begin(&self.db).await?;
        if let Err(no_room) = quota::room_for(&tx, upload, quota).await? {
            return Ok(Err(no_room));
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

    /// Closes the connection.
    ///
    /// # Errors
    /// Where that fails.
    pub async fn close(&self) -> Result<(), StoreError> {
        Ok(self.db.close_by_ref().await?)
    }
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
