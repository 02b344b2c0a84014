//! What every change of a stored message has in common: who may make it, its event, and its answer.

use super::{
    StoreError, log,
    memberships::View,
    table::{self, with_table},
};
use crate::{
    access::{Action, policy::NO_MESSAGE},
    protocol::{
        Ack, Addressed, Answer, Caller, Change, Committed, Conversation, ErrorCode, Event, Message, MessageId, Origin, Refusal,
        answer::Acked,
    },
};
use sea_orm::ConnectionTrait;

/// A change that someone wants of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// Who.
    pub(super) by: Caller,
    /// Where the message stands.
    pub(super) conversation: Conversation,
    /// The message.
    pub(super) id: MessageId,
    /// What is wanted of one's own.
    pub(super) of_own: Action,
    /// What the same is of another's; nothing that anyone may do, where there is none.
    pub(super) of_others: Option<Action>,
}

/// The message, if it stands there, may be changed so by this user, and is no tombstone.
pub(super) async fn message_for(
    tx: &impl ConnectionTrait,
    view: &mut View<'_>,
    wish: Wish,
) -> Result<Result<Message, Refusal>, StoreError> {
    let Wish { by, conversation, id, of_own, .. } = wish;
    view.load(tx, std::iter::once(conversation)).await?;
    // A stranger is told the same of every message, whether or not there is one.
    if let Err(denial) = view.allows(by, of_own, conversation)? {
        return Ok(Err(denial.refusal(NO_MESSAGE)));
    }
    if let Err(exceeded) = view.admits(conversation) {
        return Ok(Err(exceeded.into()));
    }
    let found = with_table!(conversation.kind, Table => table::locked::<Table>(tx, id).await?);
    let Some(message) = found.map(|stored| stored.message).filter(|message| message.conversation == conversation) else {
        return Ok(Err(Refusal::new(ErrorCode::NotFound, NO_MESSAGE)));
    };
    if message.sender_id != by.user
        && let Err(refusal) = may_change_others(view, wish)?
    {
        return Ok(Err(refusal));
    }
    Ok(match message.deleted {
        Some(_) => Err(Refusal::new(ErrorCode::Conflict, "the message is deleted")),
        None => Ok(message),
    })
}

fn may_change_others(view: &View<'_>, wish: Wish) -> Result<Result<(), Refusal>, StoreError> {
    Ok(match wish.of_others {
        None => Err(Refusal::new(ErrorCode::Forbidden, "only its sender may change a message")),
        Some(action) => view.allows(wish.by, action, wish.conversation)?.map_err(|denial| denial.refusal(NO_MESSAGE)),
    })
}

/// Appends the event of a change and answers it.
pub(super) async fn changed(
    tx: &impl ConnectionTrait,
    view: &View<'_>,
    origin: &Origin,
    message_id: MessageId,
    version: i32,
    change: Change,
) -> Result<Committed, StoreError> {
    let seq = log::advance(tx).await?;
    let audience = view.audience(change.conversation())?;
    let event = Event { seq, change };
    log::append(tx, &event).await?;
    let answer = Answer { to: origin.clone(), outcome: Ok(Ack { seq, of: Acked::Changed { message_id, version } }) };
    let events = vec![Addressed { event, audience }];
    Ok(Committed { events, answers: vec![answer], ..Committed::default() })
}

/// Nothing was changed.
pub(super) fn refused(origin: &Origin, refusal: Refusal) -> Committed {
    Committed { answers: vec![Answer { to: origin.clone(), outcome: Err(refusal) }], ..Committed::default() }
}
