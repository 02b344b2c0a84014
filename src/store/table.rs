//! One path over the two message tables. The rows are declared twice, in `entity`; everything else is written once, over
//! [`MessageTable`], and the only `match` on a conversation's kind in persistence stands here.

use super::{StoreError, batch::bucketed};
use crate::protocol::{Conversation, ConversationKind, Message, Seq};
use entity::{messages, support_messages};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter};
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
    /// Its name in the database.
    const NAME: &'static str;
    /// Its idempotency key.
    const CLIENT_ID: Self::Column;

    /// The row of a message.
    fn row(stored: &Stored) -> Self::ActiveModel;

    /// The message of a row.
    fn stored(row: Self::Model) -> Stored;
}

impl MessageTable for messages::Entity {
    const KIND: ConversationKind = ConversationKind::Chat;
    const NAME: &'static str = "messages";
    const CLIENT_ID: messages::Column = messages::Column::ClientId;

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
        };
        Stored { message, seq: row.seq }
    }
}

impl MessageTable for support_messages::Entity {
    const KIND: ConversationKind = ConversationKind::Support;
    const NAME: &'static str = "support_messages";
    const CLIENT_ID: support_messages::Column = support_messages::Column::ClientId;

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
        };
        Stored { message, seq: row.seq }
    }
}

/// Inserts messages whose ids are reserved: RETURNING would be the largest single cost of a batch.
pub(super) async fn insert<T: MessageTable>(tx: &impl ConnectionTrait, messages: &[Stored]) -> Result<(), StoreError>
where
    T::ActiveModel: ActiveModelTrait<Entity = T> + Send,
{
    for piece in bucketed(messages) {
        T::insert_many(piece.iter().map(T::row)).exec_without_returning(tx).await?;
    }
    Ok(())
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
