//! Reading beside the lane: history by pages, and the log from a cursor on, with the rows as they are now.

use super::{
    StoreError,
    patience::{self, within},
    table::{self, Side, with_table},
};
use crate::protocol::{
    Change, ConversationKind, Event, Message, MessageId, Seq,
    delete::Deleted,
    edit::Edited,
    history::{GetHistory, History, Page},
    resume::Missed,
};
use entity::{EventKind, events};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::HashMap;

/// The pool of connections that read.
#[derive(Clone, Debug)]
pub struct Reader(DatabaseConnection);

impl Reader {
    pub(super) fn new(pool: DatabaseConnection) -> Self {
        Self(pool)
    }

    /// A page of a conversation, the oldest message first.
    ///
    /// # Errors
    /// Where the database does not answer, or takes too long.
    pub async fn history(&self, query: &GetHistory) -> Result<History, StoreError> {
        within(patience::OF_READERS, self.read_history(query)).await
    }

    async fn read_history(&self, query: &GetHistory) -> Result<History, StoreError> {
        let GetHistory { page, limit, .. } = *query;
        match page {
            Page::Latest => self.older(query, Side::Newest, limit).await,
            Page::Before(id) => self.older(query, Side::Before(id), limit).await,
            Page::After(id) => self.newer(query, id, limit).await,
            Page::Around(id) => {
                let newer_share = (limit - 1) / 2;
                let older = self.older(query, Side::Before(MessageId(id.0 + 1)), limit - newer_share).await?;
                let newer = self.newer(query, id, newer_share).await?;
                let has_more = older.has_more || newer.has_more;
                Ok(History { messages: [older.messages, newer.messages].concat(), has_more })
            }
        }
    }

    async fn older(&self, query: &GetHistory, side: Side, limit: u64) -> Result<History, StoreError> {
        let mut page = self.page(query, side, limit).await?;
        page.messages.reverse();
        Ok(page)
    }

    async fn newer(&self, query: &GetHistory, id: MessageId, limit: u64) -> Result<History, StoreError> {
        self.page(query, Side::After(id), limit).await
    }

    /// One row more than asked for tells whether there are more.
    async fn page(&self, query: &GetHistory, side: Side, limit: u64) -> Result<History, StoreError> {
        let conversation = query.conversation;
        let mut messages = with_table!(conversation.kind, Table => {
            table::next_to::<Table>(&self.0, conversation.id, side, limit + 1).await?
        });
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = messages.len() > wanted;
        messages.truncate(wanted);
        Ok(History { messages, has_more })
    }

    /// The events after `seq`, at most `limit`; `None` where the log does not reach back so far. An event whose row an application
    /// has taken away is passed over.
    ///
    /// # Errors
    /// Where the database does not answer, or takes too long.
    pub async fn missed(&self, after: Seq, limit: u64) -> Result<Option<Missed>, StoreError> {
        within(patience::OF_READERS, self.read_missed(after, limit)).await
    }

    async fn read_missed(&self, after: Seq, limit: u64) -> Result<Option<Missed>, StoreError> {
        let references = events::Entity::find()
            .filter(events::Column::Seq.gt(after))
            .order_by_asc(events::Column::Seq)
            .limit(limit)
            .all(&self.0)
            .await?;
        let (Some(first), Some(last)) = (references.first(), references.last()) else { return Ok(None) };
        if first.seq.0 != after.0 + 1 {
            return Ok(None);
        }
        let reaches = last.seq;
        let rows = self.rows(&references).await?;
        let events = references.iter().filter_map(|reference| event(reference, &rows)).collect();
        Ok(Some(Missed { events, reaches }))
    }

    /// The rows that these events refer to.
    async fn rows(&self, references: &[events::Model]) -> Result<Rows, StoreError> {
        let mut rows = HashMap::new();
        for kind in [ConversationKind::Chat, ConversationKind::Support] {
            let of_kind = references.iter().filter(|reference| reference.conversation_kind == kind);
            let mut ids: Vec<MessageId> = of_kind.filter_map(|reference| reference.message_id).collect();
            ids.sort_unstable();
            ids.dedup();
            let found = with_table!(kind, Table => table::by_id::<Table>(&self.0, &ids).await?);
            rows.extend(found.into_iter().map(|stored| ((kind, stored.message.id), stored.message)));
        }
        Ok(rows)
    }
}

type Rows = HashMap<(ConversationKind, MessageId), Message>;

/// The event with its row as it is now. A row that was changed again says so: of two tellings, the higher version holds.
fn event(reference: &events::Model, rows: &Rows) -> Option<Event> {
    let message = rows.get(&(reference.conversation_kind, reference.message_id?))?;
    let Message { id, conversation, version, .. } = *message;
    let change = match reference.kind {
        EventKind::Message => Change::Posted(message.clone()),
        EventKind::MessageEdited => {
            let (at, by) = message.edited?;
            Change::Edited(Edited { conversation, message_id: id, version, content: message.content.clone(), at, by })
        }
        EventKind::MessageDeleted => {
            let (at, by) = message.deleted?;
            Change::Deleted(Deleted { conversation, message_id: id, version, at, by })
        }
    };
    Some(Event { seq: reference.seq, change })
}
