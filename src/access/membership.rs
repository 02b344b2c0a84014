//! How users stand to a conversation, and who of them is told of what happens in it.

use crate::protocol::{
    Audience, ConversationKind, MemberRole, MemberState, UserId,
    audience::Listed,
    member::{Member, Place},
};
use std::{str::FromStr, sync::Arc};

/// What a conversation is to which nobody was ever added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unlisted {
    /// Everyone's who is connected.
    #[default]
    Open,
    /// A chat is nobody's, and a support chat belongs to who first writes to it.
    Deny,
}

/// What `access.unlisted` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"open\" or \"deny\"")]
pub struct OpenOrDeny;

impl FromStr for Unlisted {
    type Err = OpenOrDeny;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "open" => Ok(Self::Open),
            "deny" => Ok(Self::Deny),
            _ => Err(OpenOrDeny),
        }
    }
}

/// How a user stands to a conversation, whatever their role elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It is open: nobody was ever added to it.
    Open,
    /// It is a support chat that nobody wrote to yet, where that makes it one's own.
    Unclaimed,
    /// It is closed, and the user is not in it.
    Stranger,
    /// They are in it.
    Member(MemberRole, MemberState),
}

/// Who belongs to a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    kind: ConversationKind,
    unlisted: Unlisted,
    /// Whether anyone was ever added. It does not become open again when the last one is removed.
    listed: bool,
    /// Those who are in it now, banned ones included, by user.
    members: Vec<Member>,
    /// Who is told of its events.
    audience: Audience,
}

impl Membership {
    /// The membership of a conversation of this kind. `members` come in any order; `listed` where there was ever one.
    #[must_use]
    pub fn new(kind: ConversationKind, unlisted: Unlisted, listed: bool, mut members: Vec<Member>) -> Self {
        members.sort_unstable_by_key(|member| member.user);
        let audience = audience(kind, unlisted, listed, &members);
        Self { kind, unlisted, listed, members, audience }
    }

    /// How this user stands to it.
    #[must_use]
    pub fn standing(&self, user: UserId) -> Standing {
        match self.place(user) {
            Some((role, state)) => Standing::Member(role, state),
            None if self.listed => Standing::Stranger,
            None => Standing::to_unlisted(self.kind, self.unlisted),
        }
    }

    /// What this user is in it.
    #[must_use]
    pub fn place(&self, user: UserId) -> Place {
        let found = self.members.binary_search_by_key(&user, |member| member.user).ok()?;
        self.members.get(found).map(|member| (member.role, member.state))
    }

    /// Whether anyone was ever added.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.listed
    }

    /// How many are in it, banned ones included.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// The same after a change.
    #[must_use]
    pub fn with(&self, user: UserId, place: Place) -> Self {
        let others = self.members.iter().copied().filter(|member| member.user != user);
        let members = others.chain(place.map(|(role, state)| Member { user, role, state })).collect();
        Self::new(self.kind, self.unlisted, true, members)
    }

    /// Who is told of its events.
    #[must_use]
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// Roughly what it takes in memory: a unit a conversation and a member.
    #[must_use]
    pub fn weight(&self) -> usize {
        1 + self.members.len()
    }
}

impl Standing {
    /// How everyone stands to a conversation to which nobody was ever added.
    #[must_use]
    pub fn to_unlisted(kind: ConversationKind, unlisted: Unlisted) -> Self {
        match (unlisted, kind) {
            (Unlisted::Open, _) => Self::Open,
            (Unlisted::Deny, ConversationKind::Chat) => Self::Stranger,
            (Unlisted::Deny, ConversationKind::Support) => Self::Unclaimed,
        }
    }
}

fn audience(kind: ConversationKind, unlisted: Unlisted, listed: bool, members: &[Member]) -> Audience {
    if !listed && unlisted == Unlisted::Open {
        return Audience::Everyone;
    }
    let banned = |member: &&Member| member.state == MemberState::Banned;
    let users = |members: Vec<&Member>| members.into_iter().map(|member| member.user).collect();
    let (banned, seeing): (Vec<&Member>, Vec<&Member>) = members.iter().partition(banned);
    Audience::Some(Arc::new(Listed { users: users(seeing), agents: kind == ConversationKind::Support, banned: users(banned) }))
}
