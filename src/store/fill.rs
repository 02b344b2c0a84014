//! Filling an empty database with messages of the past: what the lane writes, with times of their own and nobody who waits.

use super::{
    DatabaseUrl, Store, StoreError,
    connect::unhurried,
    delete, edit,
    memberships::{Memberships, View},
    post::{self, Fresh},
    table::{MessageTable, with_table},
    transaction::begin,
};
use crate::{
    access::Unlisted,
    limits::Limiter,
    protocol::{
        Caller, Conversation, ConversationKind, Message, MessageId, Origin, Role, SessionKey, Timestamp, UserId, Window,
        delete::DeleteMessage, edit::EditMessage, post::NewMessage,
    },
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use std::sync::Arc;

/// A change of a message that is stored already.
#[derive(Clone, Debug)]
pub struct Amendment {
    /// Where the message stands.
    pub conversation: Conversation,
    /// The message.
    pub message_id: MessageId,
    /// Its sender.
    pub by: UserId,
    /// When it was changed.
    pub at: Timestamp,
    /// What it says from then on; `None` where it was deleted.
    pub content: Option<String>,
}

/// The pages that one transaction changes stay in memory (128 MiB), and the write-ahead log is folded into the file every 64 MiB. As
/// safe as before, with fewer writes.
const ROOM_FOR_LARGE_TRANSACTIONS: &str = "PRAGMA cache_size = -131072; PRAGMA wal_autocheckpoint = 16384";

/// The way into an empty database. Nobody else may be writing to it.
#[derive(Debug)]
pub struct Filler {
    db: DatabaseConnection,
}

impl Store {
    /// The way to fill this database, if no message stands in it.
    ///
    /// # Errors
    /// Where it can't be read.
    pub async fn filler(&self, url: &DatabaseUrl) -> Result<Option<Filler>, StoreError> {
        let db = unhurried(url).await?;
        for kind in [ConversationKind::Chat, ConversationKind::Support] {
            if with_table!(kind, Table => has_rows::<Table>(&db).await?) {
                return Ok(None);
            }
        }
        if db.get_database_backend() == DbBackend::Sqlite {
            db.execute_unprepared(ROOM_FOR_LARGE_TRANSACTIONS).await?;
        }
        Ok(Some(Filler { db }))
    }
}

async fn has_rows<T: MessageTable>(db: &impl ConnectionTrait) -> Result<bool, StoreError> {
    Ok(T::find().one(db).await?.is_some())
}

impl Filler {
    /// Stores these messages with their events, then changes some that were stored before: all in one transaction. Times must not
    /// go back.
    ///
    /// # Errors
    /// Where the database fails: then nothing of it is stored.
    pub async fn store(&self, posts: &[(NewMessage, Timestamp)], amendments: &[Amendment]) -> Result<Vec<Message>, StoreError> {
        let tx = begin(&self.db).await?;
        let fresh = posts.iter().map(|(message, at)| Fresh { message, attachments: Vec::new(), at: *at });
        let stored = post::store(&tx, &fresh.collect::<Vec<_>>()).await?;
        let messages: Vec<Message> = stored.into_iter().map(|stored| stored.message).collect();
        // Nobody belongs anywhere yet: all of it is open.
        let memberships = Memberships::new(Unlisted::Open, Arc::new(Limiter::new(None)));
        let mut view = memberships.view();
        view.load(&tx, messages.iter().map(|message| message.conversation)).await?;
        let nobody = nobody();
        for amendment in amendments {
            amend(&tx, &mut view, &nobody, amendment).await?;
        }
        tx.commit().await?;
        Ok(messages)
    }

    /// Closes the connection; SQLite folds its write-ahead log into the file.
    ///
    /// # Errors
    /// Where it can't be closed in good order.
    pub async fn close(self) -> Result<(), StoreError> {
        Ok(self.db.close().await?)
    }
}

async fn amend(tx: &impl ConnectionTrait, view: &mut View<'_>, nobody: &Origin, amendment: &Amendment) -> Result<(), StoreError> {
    let Amendment { conversation, message_id, by, at, ref content } = *amendment;
    let by = Caller { user: by, role: Role::User };
    match content.clone() {
        Some(content) => edit::edit(tx, view, nobody, by, &EditMessage { conversation, message_id, content }, at).await?,
        None => delete::delete(tx, view, nobody, by, &DeleteMessage { conversation, message_id }, at).await?,
    };
    Ok(())
}

/// Whom an answer would go to, if there were one.
fn nobody() -> Origin {
    let share = Arc::new(Window::default()).take(0);
    Origin::Session { session: SessionKey { hub: 0, slot: 0, generation: 0 }, request_id: None, share }
}
