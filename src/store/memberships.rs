//! Who belongs to which conversation, as the lane knows it: read once, and from then on kept right by its own commits.

use super::{StoreError, members};
use crate::{
    access::{Action, Denial, Membership, Standing, Unlisted, allows},
    protocol::{Audience, Caller, Conversation, ConversationId, ConversationKind, Principal},
};
use sea_orm::ConnectionTrait;
use std::{collections::HashMap, sync::Arc};

/// How much is kept, in conversations and members together: some 30 MB. Past it, everything is forgotten, and read again as it is
/// needed.
const BOUND: usize = 250_000;

/// What is known from earlier commits.
#[derive(Debug)]
pub(super) struct Memberships {
    unlisted: Unlisted,
    known: Known,
    weight: usize,
}

/// Memberships by conversation.
pub(super) type Known = HashMap<Conversation, Arc<Membership>>;

impl Memberships {
    pub(super) fn new(unlisted: Unlisted) -> Self {
        Self { unlisted, known: Known::new(), weight: 0 }
    }

    /// What one transaction sees.
    pub(super) fn view(&self) -> View<'_> {
        View { before: self, own: Known::new() }
    }

    /// Keeps what a transaction read and changed, which is committed now.
    pub(super) fn keep(&mut self, own: Known) {
        self.weight += own.values().map(|membership| membership.weight()).sum::<usize>();
        if self.weight > BOUND {
            self.forget();
            self.weight = own.values().map(|membership| membership.weight()).sum();
        }
        self.known.extend(own);
    }

    /// Forgets everything: what was committed is not known any more.
    pub(super) fn forget(&mut self) {
        self.known = Known::new();
        self.weight = 0;
    }
}

/// The memberships within one transaction: what was known before, under what it has read and changed itself. Where it is rolled back,
/// that goes with it.
#[derive(Debug)]
pub(super) struct View<'a> {
    before: &'a Memberships,
    own: Known,
}

impl View<'_> {
    pub(super) fn unlisted(&self) -> Unlisted {
        self.before.unlisted
    }

    /// Has those of `conversations` read that are not known yet: one query a kind, and none as a rule.
    pub(super) async fn load(
        &mut self,
        tx: &impl ConnectionTrait,
        conversations: impl Iterator<Item = Conversation>,
    ) -> Result<(), StoreError> {
        let mut missing: Vec<Conversation> = conversations.filter(|conversation| self.find(*conversation).is_none()).collect();
        missing.sort_unstable();
        missing.dedup();
        for kind in [ConversationKind::Chat, ConversationKind::Support] {
            let ids: Vec<ConversationId> =
                missing.iter().filter(|missing| missing.kind == kind).map(|missing| missing.id).collect();
            let mut rows = members::of(tx, kind, &ids).await?;
            for id in ids {
                let (listed, members) = rows.remove(&id).unwrap_or_default();
                self.set(Conversation { kind, id }, Membership::new(kind, self.unlisted(), listed, members));
            }
        }
        Ok(())
    }

    /// Reads a conversation's anew, whatever is known: the application may have written it itself.
    pub(super) async fn reload(&mut self, tx: &impl ConnectionTrait, conversation: Conversation) -> Result<(), StoreError> {
        let Conversation { kind, id } = conversation;
        let (listed, members) = members::of(tx, kind, &[id]).await?.remove(&id).unwrap_or_default();
        self.set(conversation, Membership::new(kind, self.unlisted(), listed, members));
        Ok(())
    }

    pub(super) fn set(&mut self, conversation: Conversation, membership: Membership) {
        self.own.insert(conversation, Arc::new(membership));
    }

    fn find(&self, conversation: Conversation) -> Option<&Arc<Membership>> {
        self.own.get(&conversation).or_else(|| self.before.known.get(&conversation))
    }

    /// A conversation's membership.
    ///
    /// # Errors
    /// Where it was not loaded, which is our own fault; it would be dangerous to guess.
    pub(super) fn of(&self, conversation: Conversation) -> Result<&Membership, StoreError> {
        self.find(conversation).map(Arc::as_ref).ok_or(StoreError::NotLoaded)
    }

    /// How a user stands to a conversation that was loaded.
    pub(super) fn standing(&self, caller: Caller, conversation: Conversation) -> Result<Standing, StoreError> {
        Ok(self.of(conversation)?.standing(caller.user))
    }

    /// Whether a user may do this in a conversation that was loaded.
    pub(super) fn allows(
        &self,
        caller: Caller,
        action: Action,
        conversation: Conversation,
    ) -> Result<Result<(), Denial>, StoreError> {
        Ok(allows(Principal::User(caller), action, conversation.kind, self.standing(caller, conversation)?))
    }

    /// Who is told of what happens in a conversation that was loaded.
    pub(super) fn audience(&self, conversation: Conversation) -> Result<Audience, StoreError> {
        Ok(self.of(conversation)?.audience().clone())
    }

    /// What to keep once the transaction is committed.
    pub(super) fn into_own(self) -> Known {
        self.own
    }
}
