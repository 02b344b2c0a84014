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
    post::written_length,
    resume::Missed,
};
use entity::{EventKind, events};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::HashMap;

/// Bytes of messages, as JSON, that a page holds at most; or one message.
const PAGE_BYTES: usize = 256 * 1024;

/// Messages that one statement of a page reads.
const AT_ONCE: u64 = 64;

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
            Page::Latest => self.older(query, Side::Newest, limit, PAGE_BYTES).await,
            Page::Before(id) => self.older(query, Side::Before(id), limit, PAGE_BYTES).await,
            Page::After(id) => self.newer(query, id, limit, PAGE_BYTES).await,
            Page::Around(id) => {
                let newer_share = (limit - 1) / 2;
                let older = self.older(query, Side::Before(MessageId(id.0 + 1)), limit - newer_share, PAGE_BYTES / 2).await?;
                let newer = self.newer(query, id, newer_share, PAGE_BYTES / 2).await?;
                let has_more = older.has_more || newer.has_more;
                Ok(History { messages: [older.messages, newer.messages].concat(), has_more })
            }
        }
    }

    async fn older(&self, query: &GetHistory, side: Side, limit: u64, bytes: usize) -> Result<History, StoreError> {
        let mut page = self.page(query, side, limit, bytes).await?;
        page.messages.reverse();
        Ok(page)
    }

    async fn newer(&self, query: &GetHistory, id: MessageId, limit: u64, bytes: usize) -> Result<History, StoreError> {
        self.page(query, Side::After(id), limit, bytes).await
    }

    /// Messages from `side` on, until they are `limit` or the next one would make them more than `bytes`; at least one. They are
    /// read a few at a time, for they may be large.
    async fn page(&self, query: &GetHistory, mut side: Side, limit: u64, bytes: usize) -> Result<History, StoreError> {
        let conversation = query.conversation;
        let (mut messages, mut left, mut room) = (Vec::new(), limit, bytes);
        loop {
            // One row more than wanted tells whether there are more.
            let count = (left + 1).min(AT_ONCE);
            let found = with_table!(conversation.kind, Table => {
                table::next_to::<Table>(&self.0, conversation.id, side, count).await?
            });
            let is_last = (found.len() as u64) < count;
            for message in found {
                let weight = message.weight();
                if left == 0 || (weight > room && !messages.is_empty()) {
                    return Ok(History { messages, has_more: true });
                }
                (left, room, side) = (left - 1, room.saturating_sub(weight), side.beyond(message.id));
                messages.push(message);
            }
            if is_last {
                return Ok(History { messages, has_more: false });
            }
        }
    }

    /// The events after `seq`, at most `limit`, and fewer where they hold 256 KiB; `None` where the log does not reach back so far.
    /// An event whose row an application has taken away is passed over.
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
        if references.first().is_none_or(|first| first.seq.0 != after.0 + 1) {
            return Ok(None);
        }
        Ok(Some(self.told(&references).await?))
    }

    /// The events with their rows, until they hold [`MISSED_BYTES`]. The first rows are few: they may be large.
    async fn told(&self, references: &[events::Model]) -> Result<Missed, StoreError> {
        let mut missed = Missed { events: Vec::new(), reaches: Seq(0) };
        let mut bytes = 0;
        for piece in growing(references) {
            let rows = self.rows(piece).await?;
            for reference in piece {
                missed.reaches = reference.seq;
                let Some(event) = event(reference, &rows) else { continue };
                bytes += weight(&event);
                missed.events.push(event);
                if bytes >= MISSED_BYTES {
                    return Ok(missed);
                }
            }
        }
        Ok(missed)
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

/// As many bytes of events are handed out at once, and one event more: a client that reads slowly holds no more in memory.
const MISSED_BYTES: usize = 256 * 1024;

/// `references` in order: 16, then 64, then what is left of a page.
fn growing(mut references: &[events::Model]) -> impl Iterator<Item = &[events::Model]> {
    [16, 64, usize::MAX].into_iter().map_while(move |size| {
        let (piece, rest) = references.split_at(size.min(references.len()));
        references = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

type Rows = HashMap<(ConversationKind, MessageId), Message>;

/// Roughly the bytes that it takes on the wire, without what is the same for all.
fn weight(event: &Event) -> usize {
    match &event.change {
        Change::Posted(message) => {
            let optional = |text: &Option<String>| text.as_deref().map_or(0, written_length);
            written_length(&message.content) + optional(&message.file_type) + optional(&message.file_paths)
        }
        Change::Edited(edited) => written_length(&edited.content),
        Change::Deleted(_) => 0,
    }
}

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
