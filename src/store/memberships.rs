//! Who belongs to which conversation, as the lane knows it: read once, and from then on kept right by its own commits.

use super::{StoreError, members};
use crate::{
    access::{Action, Denial, Membership, Standing, Unlisted, allows},
    limits::{Exceeded, Limiter},
    protocol::{Audience, Caller, Conversation, ConversationId, ConversationKind, Principal, UserId},
};
use foldhash::fast::RandomState;
use sea_orm::ConnectionTrait;
use std::{collections::HashMap, sync::Arc};

/// How much is kept, in conversations and members together: some 30 MB. Past it, everything is forgotten, and read again as it is
/// needed.
const BOUND: usize = 250_000;

/// What is known from earlier commits.
#[derive(Debug)]
pub(super) struct Memberships {
    unlisted: Unlisted,
    /// Counts what is changed in each conversation, by those who may.
    limiter: Arc<Limiter>,
    known: Known,
    /// Of all that is known: see [`Membership::weight`].
    weight: usize,
}

/// Memberships by conversation. The default hash would take longer than all that is looked up for a message.
pub(super) type Known = HashMap<Conversation, Arc<Membership>, RandomState>;

impl Memberships {
    pub(super) fn new(unlisted: Unlisted, limiter: Arc<Limiter>) -> Self {
        Self { unlisted, limiter, known: Known::default(), weight: 0 }
    }

    /// What one transaction sees.
    pub(super) fn view(&self) -> View<'_> {
        View { before: self, own: Known::default() }
    }

    /// Keeps what a transaction read and changed, which is committed now.
    pub(super) fn keep(&mut self, own: Known) {
        let weight = |known: &Known| known.values().map(|membership| membership.weight()).sum::<usize>();
        let more = weight(&own);
        if self.weight + more > BOUND {
            self.forget();
        }
        for (conversation, membership) in own {
            let replaced = self.known.insert(conversation, membership);
            self.weight -= replaced.map_or(0, |membership| membership.weight());
        }
        self.weight += more;
    }

    /// Forgets everything: what was committed is not known any more.
    pub(super) fn forget(&mut self) {
        self.known = Known::default();
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

    /// Reads what one user is in a conversation anew, whatever is known: the application may have written it itself. All of its members
    /// are read only where it is not known to have any.
    pub(super) async fn refresh(
        &mut self,
        tx: &impl ConnectionTrait,
        conversation: Conversation,
        user: UserId,
    ) -> Result<(), StoreError> {
        if !self.find(conversation).is_some_and(|membership| membership.is_listed()) {
            return self.reload(tx, conversation).await;
        }
        let place = members::place(tx, conversation, user).await?;
        let known = self.of(conversation)?;
        if known.place(user) != place {
            self.set(conversation, known.with(user, place));
        }
        Ok(())
    }

    /// Reads all of a conversation's members anew.
    pub(super) async fn reload(&mut self, tx: &impl ConnectionTrait, conversation: Conversation) -> Result<(), StoreError> {
        let Conversation { kind, id } = conversation;
        let (listed, members) = members::of(tx, kind, &[id]).await?.remove(&id).unwrap_or_default();
        self.set(conversation, Membership::new(kind, self.unlisted(), listed, members));
        Ok(())
    }

    /// Whether one more change fits into what a conversation may have. Whoever is not allowed one takes nothing from it.
    ///
    /// # Errors
    /// Where it is one too many.
    pub(super) fn admits(&self, conversation: Conversation) -> Result<(), Exceeded> {
        self.before.limiter.in_conversation(conversation)
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
