//! Changing who belongs to a conversation, within the order of everything else: a removal that stands before a message in the log
//! means that the message was refused.

use super::{StoreError, change::refused, log, members, memberships::View};
use crate::{
    access::{Action, Membership, Standing, Unlisted, allows, policy::NO_CONVERSATION},
    protocol::{
        Ack, Addressed, Answer, Audience, Change, Committed, Conversation, ErrorCode, Event, MemberRole, MemberState, Origin,
        Principal, Refusal, Seq, Timestamp, UserId,
        answer::Acked,
        member::{MemberChanged, Place, SetMember, Wanted},
    },
};
use sea_orm::ConnectionTrait;
use std::sync::Arc;

/// Makes a user what `set` wants, inside the caller's transaction. Who is that already, is left alone.
pub(super) async fn set(
    tx: &impl ConnectionTrait,
    view: &mut View<'_>,
    origin: &Origin,
    by: Principal,
    set: &SetMember,
    now: Timestamp,
) -> Result<Committed, StoreError> {
    let SetMember { conversation, user, to } = *set;
    view.refresh(tx, conversation, user).await?;
    let membership = view.of(conversation)?;
    if let Err(refusal) = may_set(by, membership, conversation) {
        return Ok(refused(origin, refusal));
    }
    let before = membership.place(user);
    let place = wanted(to, before);
    if would_close(view.unlisted(), membership, place) {
        return Ok(refused(origin, Refusal::new(ErrorCode::Conflict, OPEN)));
    }
    if before.is_none() && place.is_some() && membership.members() >= MOST {
        return Ok(refused(origin, Refusal::new(ErrorCode::Conflict, format!("a conversation has at most {MOST} members"))));
    }
    if place == before {
        // What was written beside Natter counts from here on, that of the others, too.
        view.reload(tx, conversation).await?;
        return Ok(answered(origin, Seq(0), user, place));
    }
    let after = membership.with(user, place);
    let by = match by {
        Principal::User(caller) => Some(caller.user),
        Principal::ServerKey => None,
    };
    let changed = MemberChanged { conversation, user, place, by, at: now };
    let event = store(tx, view, changed, after).await?;
    let mut committed = answered(origin, event.event.seq, user, place);
    committed.events.push(event);
    Ok(committed)
}

/// Members that a conversation may have, banned ones included. Each message is for a list of them, and all of them are read at once where
/// they are not known: within the lane's patience, which ten times as many would wear out.
pub(super) const MOST: usize = 50_000;

const OPEN: &str = "the conversation is open: add its members before someone is muted or banned";

fn may_set(by: Principal, membership: &Membership, conversation: Conversation) -> Result<(), Refusal> {
    let standing = match by {
        Principal::User(caller) => membership.standing(caller.user),
        Principal::ServerKey => Standing::Stranger,
    };
    allows(by, Action::SetMember, conversation.kind, standing).map_err(|denial| denial.refusal(NO_CONVERSATION))
}

fn wanted(to: Wanted, before: Place) -> Place {
    match to {
        Wanted::Removed => None,
        Wanted::Member(role, state) => {
            let state = state.or(before.map(|(_, state)| state)).unwrap_or(MemberState::Active);
            Some((role, state))
        }
    }
}

/// To shut one user out of an open conversation must not shut out everyone else.
fn would_close(unlisted: Unlisted, membership: &Membership, place: Place) -> bool {
    let takes_away = place.is_some_and(|(_, state)| state != MemberState::Active);
    unlisted == Unlisted::Open && !membership.is_listed() && takes_away
}

/// A support chat that is nobody's yet becomes that of its first writer: `user`, unless the application has written to it before.
pub(super) async fn claim(
    tx: &impl ConnectionTrait,
    view: &mut View<'_>,
    conversation: Conversation,
    user: UserId,
    now: Timestamp,
) -> Result<Addressed, StoreError> {
    let user = members::first_writer(tx, conversation.id).await?.unwrap_or(user);
    let place = Some((MemberRole::Owner, MemberState::Active));
    let after = view.of(conversation)?.with(user, place);
    let changed = MemberChanged { conversation, user, place, by: Some(user), at: now };
    store(tx, view, changed, after).await
}

/// Writes the row and its event.
async fn store(
    tx: &impl ConnectionTrait,
    view: &mut View<'_>,
    changed: MemberChanged,
    after: Membership,
) -> Result<Addressed, StoreError> {
    let MemberChanged { conversation, user, place, at, .. } = changed;
    members::set(tx, conversation, user, place, at).await?;
    let audience = told(&after, user);
    view.set(conversation, after);
    let event = Event { seq: log::advance(tx).await?, change: Change::Member(changed) };
    log::append(tx, &event).await?;
    Ok(Addressed { event, audience })
}

/// The members as they are from now on, and the one who is concerned, whatever they are now.
pub(super) fn told(after: &Membership, user: UserId) -> Audience {
    match after.audience() {
        Audience::Everyone => Audience::Everyone,
        Audience::Some(listed) => Audience::Some(Arc::new(listed.with(user))),
    }
}

fn answered(origin: &Origin, seq: Seq, user: UserId, place: Place) -> Committed {
    let answer = Answer { to: origin.clone(), outcome: Ok(Ack { seq, of: Acked::Member { user, place } }) };
    Committed { answers: vec![answer], ..Committed::default() }
}
