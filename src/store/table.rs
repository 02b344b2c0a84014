//! One path over the two message tables. The rows are declared twice, in `entity`; everything else is written once, over
//! [`MessageTable`], and the only `match` on a conversation's kind in persistence stands here.

use super::{
    StoreError,
    batch::{bucketed, padded},
    bulk::Insertion,
};
use crate::protocol::{
    Conversation, ConversationId, ConversationKind, Message, MessageId, Seq, attachment, delete::Deleted, edit::Edited,
};
use entity::{messages, support_messages};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    prelude::Expr,
};
use std::sync::LazyLock;
use uuid::Uuid;

/// Runs `$body` with `$table` standing for the entity of this kind of conversation.
macro_rules! with_table {
    ($kind:expr, $table:ident => $body:expr) => {
        match $kind {
            crate::protocol::ConversationKind::Chat => {
                type $table = entity::messages::Entity;
                $body
            }
            crate::protocol::ConversationKind::Support => {
                type $table = entity::support_messages::Entity;
                $body
            }
        }
    };
}
pub(super) use with_table;

/// A message as it stands in its table, with the place of its event in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) message: Message,
    pub(super) seq: Option<Seq>,
}

/// One of the two message tables.
pub(super) trait MessageTable: EntityTrait<Model: IntoActiveModel<Self::ActiveModel> + Send> {
    /// The kind of its conversations.
    const KIND: ConversationKind;
    /// Its key.
    const ID: Self::Column;
    /// The chat or support chat.
    const CONVERSATION: Self::Column;
    /// Its idempotency key.
    const CLIENT_ID: Self::Column;
    /// What changes with an edit or a deletion.
    const CHANGING: Changing<Self::Column>;

    /// The row of a new message: what changes is not set.
    fn row(stored: &Stored) -> Self::ActiveModel;

    /// How such rows are inserted.
    fn insertion() -> &'static Insertion<Self>;

    /// The message of a row.
    fn stored(row: Self::Model) -> Stored;
}

impl MessageTable for messages::Entity {
    const KIND: ConversationKind = ConversationKind::Chat;
    const ID: messages::Column = messages::Column::Id;
    const CONVERSATION: messages::Column = messages::Column::ChatId;
    const CLIENT_ID: messages::Column = messages::Column::ClientId;
    const CHANGING: Changing<messages::Column> = Changing {
        content: messages::Column::Content,
        file_type: messages::Column::FileType,
        file_paths: messages::Column::FilePaths,
        version: messages::Column::Version,
        edited_at: messages::Column::EditedAt,
        edited_by: messages::Column::EditedBy,
        deleted_at: messages::Column::DeletedAt,
        deleted_by: messages::Column::DeletedBy,
        attachments: messages::Column::Attachments,
    };

    fn row(Stored { message, seq }: &Stored) -> messages::ActiveModel {
        messages::ActiveModel {
            id: Set(message.id),
            chat_id: Set(message.conversation.id),
            sender_id: Set(message.sender_id),
            content: Set(message.content.clone()),
            file_type: Set(message.file_type.clone()),
            file_paths: Set(message.file_paths.clone()),
            selected_chat_id: Set(message.selected_chat_id),
            created_at: Set(message.created_at),
            seq: Set(*seq),
            client_id: Set(message.client_id),
            ..Default::default()
        }
    }

    fn stored(row: messages::Model) -> Stored {
        let message = Message {
            id: row.id,
            conversation: Conversation { kind: Self::KIND, id: row.chat_id },
            sender_id: row.sender_id,
            content: row.content,
            file_type: row.file_type,
            file_paths: row.file_paths,
            selected_chat_id: row.selected_chat_id,
            created_at: row.created_at,
            client_id: row.client_id,
            version: row.version.unwrap_or(1),
            edited: row.edited_at.zip(row.edited_by),
            deleted: row.deleted_at.zip(row.deleted_by),
            attachments: row.attachments.as_deref().map_or_else(Vec::new, attachment::from_json),
        };
        Stored { message, seq: row.seq }
    }

    fn insertion() -> &'static Insertion<Self> {
        static INSERTION: LazyLock<Insertion<messages::Entity>> = LazyLock::new(insertion);
        &INSERTION
    }
}

impl MessageTable for support_messages::Entity {
    const KIND: ConversationKind = ConversationKind::Support;
    const ID: support_messages::Column = support_messages::Column::Id;
    const CONVERSATION: support_messages::Column = support_messages::Column::SupportChatId;
    const CLIENT_ID: support_messages::Column = support_messages::Column::ClientId;
    const CHANGING: Changing<support_messages::Column> = Changing {
        content: support_messages::Column::Content,
        file_type: support_messages::Column::FileType,
        file_paths: support_messages::Column::FilePaths,
        version: support_messages::Column::Version,
        edited_at: support_messages::Column::EditedAt,
        edited_by: support_messages::Column::EditedBy,
        deleted_at: support_messages::Column::DeletedAt,
        deleted_by: support_messages::Column::DeletedBy,
        attachments: support_messages::Column::Attachments,
    };

    fn row(Stored { message, seq }: &Stored) -> support_messages::ActiveModel {
        support_messages::ActiveModel {
            id: Set(message.id),
            support_chat_id: Set(message.conversation.id),
            sender_id: Set(message.sender_id),
            content: Set(message.content.clone()),
            file_type: Set(message.file_type.clone()),
            file_paths: Set(message.file_paths.clone()),
            created_at: Set(message.created_at),
            seq: Set(*seq),
            client_id: Set(message.client_id),
            ..Default::default()
        }
    }

    fn stored(row: support_messages::Model) -> Stored {
        let message = Message {
            id: row.id,
            conversation: Conversation { kind: Self::KIND, id: row.support_chat_id },
            sender_id: row.sender_id,
            content: row.content,
            file_type: row.file_type,
            file_paths: row.file_paths,
            selected_chat_id: None,
            created_at: row.created_at,
            client_id: row.client_id,
            version: row.version.unwrap_or(1),
            edited: row.edited_at.zip(row.edited_by),
            deleted: row.deleted_at.zip(row.deleted_by),
            attachments: row.attachments.as_deref().map_or_else(Vec::new, attachment::from_json),
        };
        Stored { message, seq: row.seq }
    }

    fn insertion() -> &'static Insertion<Self> {
        static INSERTION: LazyLock<Insertion<support_messages::Entity>> = LazyLock::new(insertion);
        &INSERTION
    }
}

/// The columns that change with an edit or a deletion.
pub(super) struct Changing<C> {
    content: C,
    file_type: C,
    file_paths: C,
    version: C,
    edited_at: C,
    edited_by: C,
    deleted_at: C,
    deleted_by: C,
    attachments: C,
}

fn insertion<T: MessageTable>() -> Insertion<T> {
    let Changing { version, edited_at, edited_by, deleted_at, deleted_by, attachments, .. } = T::CHANGING;
    Insertion::without(&[version, edited_at, edited_by, deleted_at, deleted_by, attachments])
}

/// The messages that carry one of these idempotency keys, whoever sent them.
pub(super) async fn by_client_id<T: MessageTable>(db: &impl ConnectionTrait, keys: &[Uuid]) -> Result<Vec<Stored>, StoreError> {
    let mut found = Vec::new();
    for piece in bucketed(keys) {
        let rows = T::find().filter(T::CLIENT_ID.is_in(piece.iter().copied())).all(db).await?;
        found.extend(rows.into_iter().map(T::stored));
    }
    Ok(found)
}

/// The messages with these ids, in no order.
pub(super) async fn by_id<T: MessageTable>(db: &impl ConnectionTrait, ids: &[MessageId]) -> Result<Vec<Stored>, StoreError> {
    let mut found = Vec::with_capacity(ids.len());
    for piece in padded(ids) {
        let rows = T::find().filter(T::ID.is_in(piece)).all(db).await?;
        found.extend(rows.into_iter().map(T::stored));
    }
    Ok(found)
}

/// The message with this id. On PostgreSQL its row stays locked until the transaction ends: an application may write to it, too.
pub(super) async fn locked<T: MessageTable>(tx: &impl ConnectionTrait, id: MessageId) -> Result<Option<Stored>, StoreError> {
    let row = T::find().filter(T::ID.eq(id)).lock_exclusive().one(tx).await?;
    Ok(row.map(T::stored))
}

/// Gives a message its new content and version.
pub(super) async fn edit<T: MessageTable>(tx: &impl ConnectionTrait, edited: &Edited) -> Result<(), StoreError> {
    let Changing { content, version, edited_at, edited_by, .. } = T::CHANGING;
    T::update_many()
        .col_expr(content, Expr::value(edited.content.clone()))
        .col_expr(version, Expr::value(edited.version))
        .col_expr(edited_at, Expr::value(edited.at))
        .col_expr(edited_by, Expr::value(edited.by))
        .filter(T::ID.eq(edited.message_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Has the row of a message tell of its files: few have any, so the column is no part of the insertion.
pub(super) async fn attach<T: MessageTable>(tx: &impl ConnectionTrait, message: &Message) -> Result<(), StoreError> {
    T::update_many()
        .col_expr(T::CHANGING.attachments, Expr::value(attachment::to_json(&message.attachments)))
        .filter(T::ID.eq(message.id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Makes a message a tombstone.
pub(super) async fn delete<T: MessageTable>(tx: &impl ConnectionTrait, deleted: &Deleted) -> Result<(), StoreError> {
    let Changing { content, file_type, file_paths, version, deleted_at, deleted_by, attachments, .. } = T::CHANGING;
    T::update_many()
        .col_expr(content, Expr::value(""))
        .col_expr(file_type, Expr::value(None::<String>))
        .col_expr(file_paths, Expr::value(None::<String>))
        .col_expr(attachments, Expr::value(None::<String>))
        .col_expr(version, Expr::value(deleted.version))
        .col_expr(deleted_at, Expr::value(deleted.at))
        .col_expr(deleted_by, Expr::value(deleted.by))
        .filter(T::ID.eq(deleted.message_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Messages of a conversation next to `id`, at most `limit`, from it outwards: the index on both columns makes it the same at any
/// depth.
pub(super) async fn next_to<T: MessageTable>(
    db: &impl ConnectionTrait,
    conversation: ConversationId,
    side: Side,
    limit: u64,
) -> Result<Vec<Message>, StoreError> {
    let query = T::find().filter(T::CONVERSATION.eq(conversation)).limit(limit);
    let query = match side {
        Side::Newest => query.order_by_desc(T::ID),
        Side::Before(id) => query.filter(T::ID.lt(id)).order_by_desc(T::ID),
        Side::After(id) => query.filter(T::ID.gt(id)).order_by_asc(T::ID),
    };
    Ok(query.all(db).await?.into_iter().map(|row| T::stored(row).message).collect())
}

/// From where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Newest,
    Before(MessageId),
    After(MessageId),
}

impl Side {
    /// Where to go on after `id`.
    pub(super) fn beyond(self, id: MessageId) -> Self {
        match self {
            Self::Newest | Self::Before(_) => Self::Before(id),
            Self::After(_) => Self::After(id),
        }
    }
}
