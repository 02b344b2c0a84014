//! Who belongs to a conversation: a change of it that is wanted, and `MEMBER`, which tells of one that was made.

use super::{Conversation, Refusal, conversation::id_field, fields::Fields, message::WireTime};
use entity::{MemberRole, MemberState, Timestamp, UserId};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

/// A user is to be another kind of member, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetMember {
    /// Of which conversation.
    pub conversation: Conversation,
    /// Who.
    pub user: UserId,
    /// What they are to be.
    pub to: Wanted,
}

/// What a user is to be in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A member with this role. Without a state, they keep theirs; who is new is active.
    Member(MemberRole, Option<MemberState>),
    /// No member.
    Removed,
}

impl Wanted {
    /// Reads `{"role","state"?}`.
    ///
    /// # Errors
    /// Where it is no JSON object, or a field has another value.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let fields = Fields::read(text)
            .map_err(|fault| Refusal::new(super::ErrorCode::InvalidJson, format!("the body must be one JSON object: {fault}")))?;
        let role = role(fields.text("role", LONGEST_WORD).map_err(|_| role_fault())?).ok_or_else(role_fault)?;
        let state = match fields.optional_text("state", LONGEST_WORD).map_err(|_| state_fault())? {
            Some(word) => Some(state(word).ok_or_else(state_fault)?),
            None => None,
        };
        Ok(Self::Member(role, state))
    }
}

const LONGEST_WORD: usize = 16;

fn role_fault() -> Refusal {
    Refusal::field("role", "role must be \"owner\", \"admin\", \"member\" or \"reader\"")
}

fn state_fault() -> Refusal {
    Refusal::field("state", "state must be \"active\", \"muted\" or \"banned\"")
}

fn role(word: &str) -> Option<MemberRole> {
    [MemberRole::Owner, MemberRole::Admin, MemberRole::Member, MemberRole::Reader]
        .into_iter()
        .find(|role| role_word(*role) == word)
}

fn state(word: &str) -> Option<MemberState> {
    [MemberState::Active, MemberState::Muted, MemberState::Banned].into_iter().find(|state| state_word(*state) == word)
}

/// A role as it stands on the wire.
#[must_use]
pub fn role_word(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Owner => "owner",
        MemberRole::Admin => "admin",
        MemberRole::Member => "member",
        MemberRole::Reader => "reader",
    }
}

/// A state as it stands on the wire.
#[must_use]
pub fn state_word(state: MemberState) -> &'static str {
    match state {
        MemberState::Active => "active",
        MemberState::Muted => "muted",
        MemberState::Banned => "banned",
    }
}

/// What a user is in a conversation after a change: a member, or nobody.
pub type Place = Option<(MemberRole, MemberState)>;

/// `MEMBER`: a user is another kind of member, or none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberChanged {
    /// Of which conversation.
    pub conversation: Conversation,
    /// Who.
    pub user: UserId,
    /// What they are from now on.
    pub place: Place,
    /// Who changed it; `None` is the application's backend, by a server key.
    pub by: Option<UserId>,
    /// When.
    pub at: Timestamp,
}

impl Serialize for MemberChanged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { conversation, user, place, by, at } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(id_field(conversation.kind), &conversation.id.0)?;
        map.serialize_entry("user_id", &user.0)?;
        map.serialize_entry("role", &place.map(|(role, _)| role_word(role)))?;
        map.serialize_entry("state", &place.map(|(_, state)| state_word(state)))?;
        map.serialize_entry("by", &by.map(|by| by.0))?;
        map.serialize_entry("at", &WireTime(*at))?;
        map.end()
    }
}

/// What `detail` of a `MEMBER` event keeps, as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    /// What the user became.
    pub place: Place,
    /// Who made them that.
    pub by: Option<UserId>,
}

impl Detail {
    /// As JSON.
    #[must_use]
    pub fn to_json(self) -> String {
        let (role, state) = (self.place.map(|(role, _)| role_word(role)), self.place.map(|(_, state)| state_word(state)));
        serde_json::json!({ "role": role, "state": state, "by": self.by.map(|by| by.0) }).to_string()
    }

    /// From JSON, if it is ours.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        let fields = Fields::read(text).ok()?;
        let by = fields.optional_id("by").ok()?.map(UserId);
        let role_named = fields.optional_text("role", LONGEST_WORD).ok()?;
        let state_named = fields.optional_text("state", LONGEST_WORD).ok()?;
        let place = match (role_named, state_named) {
            (Some(named), Some(state_named)) => Some((role(named)?, state(state_named)?)),
            _ => None,
        };
        Some(Self { place, by })
    }
}

/// A member, as a list of them tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// What they may do.
    pub role: MemberRole,
    /// What was taken from them.
    pub state: MemberState,
}

impl Serialize for Member {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Member", 3)?;
        map.serialize_field("user_id", &self.user.0)?;
        map.serialize_field("role", role_word(self.role))?;
        map.serialize_field("state", state_word(self.state))?;
        map.end()
    }
}
