//! Who may do what in a conversation: the table, and the one function that reads it.

use super::{Action, Standing};
use crate::protocol::{Caller, ConversationKind, ErrorCode, MemberRole, MemberState, Principal, Refusal, Role};

/// Why something may not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denial {
    /// They may not even see it: they are told what they would be told if it were not there.
    Unseen,
    /// They see it, and may not do this; why, in a sentence.
    Forbidden(&'static str),
}

/// What someone is to a conversation, their standing and their role taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rank {
    /// Not in it, and it is closed.
    Stranger,
    /// Shut out by name.
    Banned,
    /// About to be the first who writes to a support chat, which makes it theirs.
    First,
    /// An agent, before a support chat has its customer.
    Early,
    /// In it by name, to read.
    Reader,
    /// In it by name, and silenced.
    Muted,
    /// Anyone, where it is open.
    Guest,
    /// In it by name.
    Member,
    /// In it by name, to keep order; an agent in a support chat; an administrator where it is open.
    Moderator,
    /// The application's own backend.
    Backend,
}

/// What is told of a conversation that is not there, or not for the asker.
pub const NO_CONVERSATION: &str = "there is no such conversation";

/// What is told of a message that is not there, or not for the asker.
pub const NO_MESSAGE: &str = "there is no such message in this conversation";

/// A cell of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Yes,
    No(&'static str),
    /// It is not there for them.
    Gone,
}

use Cell::{Gone, No, Yes};

const READS: Cell = No("a reader does not write here");
const MUTED: Cell = No("you are muted here");
const OTHERS: Cell = No("only its sender may change a message");
const ADMINS: Cell = No("members are managed by an administrator or a server key");
const EARLY: Cell = No("this support chat is nobody's yet: its customer writes first, or is added to it");
const NOBODY: Cell = No("a server key is no user");

/// What each may do: a new rank or action has its cells here, or does not compile.
#[rustfmt::skip]
#[expect(clippy::match_same_arms, reason = "it is a table: each rank has a row of its own")]
fn cell(rank: Rank, action: Action) -> Cell {
    let [read, post, edit, delete, moderate, manage] = match rank {
        //                  read  post    edit    delete  moderate manage
        Rank::Stranger  => [Gone, Gone,   Gone,   Gone,   Gone,    Gone],
        Rank::Banned    => [Gone, Gone,   Gone,   Gone,   Gone,    Gone],
        Rank::First     => [Gone, Yes,    Gone,   Gone,   Gone,    Gone],
        Rank::Early     => [Yes,  EARLY,  Gone,   Gone,   Gone,    ADMINS],
        Rank::Reader    => [Yes,  READS,  READS,  Yes,    OTHERS,  ADMINS],
        Rank::Muted     => [Yes,  MUTED,  MUTED,  Yes,    OTHERS,  ADMINS],
        Rank::Guest     => [Yes,  Yes,    Yes,    Yes,    OTHERS,  ADMINS],
        Rank::Member    => [Yes,  Yes,    Yes,    Yes,    OTHERS,  ADMINS],
        Rank::Moderator => [Yes,  Yes,    Yes,    Yes,    Yes,     ADMINS],
        Rank::Backend   => [Yes,  NOBODY, NOBODY, NOBODY, NOBODY,  Yes],
    };
    match action {
        Action::Read => read,
        Action::Post => post,
        Action::Edit => edit,
        Action::Delete => delete,
        Action::Moderate => moderate,
        Action::ListMembers | Action::SetMember | Action::Explain => manage,
    }
}

/// Whether `who` may do this in a conversation of this kind to which they stand so. An administrator manages every conversation, and
/// reads only those that any other user in their place would.
///
/// # Errors
/// Why not.
pub fn allows(who: Principal, action: Action, kind: ConversationKind, standing: Standing) -> Result<(), Denial> {
    match cell(Rank::of(who, kind, standing), action) {
        Yes => Ok(()),
        Gone | No(_) if is_management(action) && is_administrator(who) => Ok(()),
        No(why) => Err(Denial::Forbidden(why)),
        Gone => Err(Denial::Unseen),
    }
}

impl Rank {
    /// What someone is to a conversation of this kind to which they stand so.
    #[must_use]
    pub fn of(who: Principal, kind: ConversationKind, standing: Standing) -> Self {
        match who {
            Principal::ServerKey => Self::Backend,
            Principal::User(caller) => Self::of_user(caller, kind, standing),
        }
    }

    fn of_user(Caller { role, .. }: Caller, kind: ConversationKind, standing: Standing) -> Self {
        let serves = match (kind, role) {
            (ConversationKind::Support, Role::Agent | Role::Admin) => true,
            (ConversationKind::Support, Role::User) | (ConversationKind::Chat, _) => false,
        };
        match standing {
            // Whoever is in it by name is what the name says, agent or not.
            Standing::Member(role, state) => Self::of_member(kind, role, state),
            Standing::Unclaimed if serves => Self::Early,
            Standing::Open | Standing::Stranger if serves => Self::Moderator,
            Standing::Open if role == Role::Admin => Self::Moderator,
            Standing::Open => Self::Guest,
            Standing::Unclaimed => Self::First,
            Standing::Stranger => Self::Stranger,
        }
    }

    fn of_member(kind: ConversationKind, role: MemberRole, state: MemberState) -> Self {
        match (state, role) {
            (MemberState::Banned, _) => Self::Banned,
            (MemberState::Muted, _) => Self::Muted,
            (MemberState::Active, MemberRole::Reader) => Self::Reader,
            (MemberState::Active, MemberRole::Member) => Self::Member,
            (MemberState::Active, MemberRole::Admin) => Self::Moderator,
            (MemberState::Active, MemberRole::Owner) => match kind {
                ConversationKind::Chat => Self::Moderator,
                // The owner is the customer, who does not delete what the agents said.
                ConversationKind::Support => Self::Member,
            },
        }
    }

    /// What it is, for `explain`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Banned => "banned",
            Self::First => "first",
            Self::Early => "early",
            Self::Reader => "reader",
            Self::Muted => "muted",
            Self::Guest => "guest",
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Backend => "backend",
        }
    }

    /// What that means, for `explain`.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Stranger => "the conversation is closed, and they are not a member",
            Self::Banned => "they are banned from it",
            Self::First => "nobody wrote to this support chat yet: it will belong to who does",
            Self::Early => "they are an agent, and nobody wrote to this support chat yet",
            Self::Reader => "they are a reader of it",
            Self::Muted => "they are a member of it, and muted",
            Self::Guest => "the conversation is open",
            Self::Member => "they are a member of it",
            Self::Moderator => "they keep order in it, as its owner or admin, as an agent, or as an administrator",
            Self::Backend => "it is the application's own backend",
        }
    }
}

fn is_management(action: Action) -> bool {
    match action {
        Action::ListMembers | Action::SetMember | Action::Explain => true,
        Action::Read | Action::Post | Action::Edit | Action::Delete | Action::Moderate => false,
    }
}

fn is_administrator(who: Principal) -> bool {
    match who {
        Principal::User(Caller { role, .. }) => role == Role::Admin,
        Principal::ServerKey => false,
    }
}

impl Denial {
    /// What the asker is told; `absent` is what they would be told if it were not there.
    #[must_use]
    pub fn refusal(self, absent: &'static str) -> Refusal {
        match self {
            Self::Unseen => Refusal::new(ErrorCode::NotFound, absent),
            Self::Forbidden(why) => Refusal::new(ErrorCode::Forbidden, why),
        }
    }

    /// Why, for `explain`.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unseen => "it is not there for them",
            Self::Forbidden(why) => why,
        }
    }
}
