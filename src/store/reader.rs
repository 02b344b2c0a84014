//! Reading beside the lane: history by pages, the log from a cursor on, and who belongs to a conversation.

use super::{
    StoreError, members, missed,
    patience::{self, within},
    table::{self, Side, with_table},
};
use crate::{
    access::{Standing, Unlisted},
    protocol::{
        Caller, Conversation, MessageId, Seq, UserId,
        history::{GetHistory, History, Page},
        member::Member,
        resume::Missed,
    },
};
use sea_orm::DatabaseConnection;
use std::sync::Arc;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// Bytes of messages, as JSON, that a page holds at most; or one message.
const PAGE_BYTES: usize = 256 * 1024;

/// Messages that one statement of a page reads.
const AT_ONCE: u64 = 64;

/// The pool of connections that read.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) pool: DatabaseConnection,
    /// The turns of those who come back.
    turns: Arc<Semaphore>,
    /// What conversations without members are.
    unlisted: Unlisted,
}

impl Reader {
    pub(super) fn new(pool: DatabaseConnection, turns: Arc<Semaphore>, unlisted: Unlisted) -> Self {
        Self { pool, turns, unlisted }
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
                table::next_to::<Table>(&self.pool, conversation.id, side, count).await?
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

    /// How a user stands to a conversation.
    ///
    /// # Errors
    /// Where the database does not answer, or takes too long.
    pub async fn standing(&self, conversation: Conversation, user: UserId) -> Result<Standing, StoreError> {
        within(patience::OF_READERS, members::standing(&self.pool, conversation, user, self.unlisted)).await
    }

    /// The members of a conversation by user, at most `limit`, those after `after`; the first half tells whether it is listed.
    ///
    /// # Errors
    /// Where the database does not answer, or takes too long.
    pub async fn members(
        &self,
        conversation: Conversation,
        after: Option<UserId>,
        limit: u64,
    ) -> Result<(bool, Vec<Member>), StoreError> {
        let read = async {
            let listed = members::is_listed(&self.pool, conversation).await?;
            Ok::<_, StoreError>((listed, members::page(&self.pool, conversation, after, limit).await?))
        };
        within(patience::OF_READERS, read).await
    }

    /// What `caller` may see of the events after `seq`, at most `limit`; `None` where the log does not reach back so far.
    ///
    /// # Errors
    /// Where the database does not answer, or takes too long.
    pub async fn missed(&self, caller: Caller, after: Seq, limit: u64) -> Result<Option<Missed>, StoreError> {
        let _turn = self.turn().await?;
        within(patience::OF_READERS, missed::page(&self.pool, caller, self.unlisted, after, limit)).await
    }

    /// Whether more than `limit` of the events after `after`, up to `head`, are for `caller` to see.
    ///
    /// # Errors
    /// Where the database does not answer, or takes too long.
    pub async fn missed_more_than(&self, caller: Caller, after: Seq, head: Seq, limit: u64) -> Result<bool, StoreError> {
        let (mut at, mut count) = (after, 0);
        while at < head && count <= limit {
            let upto = Seq(head.0.min(at.0 + missed::COUNTED));
            let _turn = self.turn().await?;
            let more = missed::count(&self.pool, caller, self.unlisted, at, upto, limit + 1 - count);
            count += within(patience::OF_READERS, more).await?;
            at = upto;
        }
        Ok(count > limit)
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        // Never closed: nobody but the time can refuse one.
        let turn = timeout(patience::FOR_A_TURN, self.turns.acquire()).await;
        turn.ok().and_then(Result::ok).ok_or(StoreError::TimedOut)
    }
}
