//! What every change of a stored message has in common: whose it is, its event, and its answer.

use super::{
    StoreError, log,
    table::{self, with_table},
};
use crate::protocol::{
    Ack, Answer, Change, Committed, Conversation, ErrorCode, Event, Message, MessageId, Origin, Refusal, UserId, answer::Acked,
};
use sea_orm::ConnectionTrait;

/// The message, if it stands there, is this user's, and is no tombstone.
pub(super) async fn own_message(
    tx: &impl ConnectionTrait,
    conversation: Conversation,
    id: MessageId,
    user: UserId,
) -> Result<Result<Message, Refusal>, StoreError> {
    let found = with_table!(conversation.kind, Table => table::by_id::<Table>(tx, &[id]).await?).pop();
    Ok(match found.map(|stored| stored.message).filter(|message| message.conversation == conversation) {
        None => Err(Refusal::new(ErrorCode::NotFound, "there is no such message in this conversation")),
        Some(message) if message.sender_id != user => {
            Err(Refusal::new(ErrorCode::Forbidden, "only its sender may change a message"))
        }
        Some(message) if message.deleted.is_some() => Err(Refusal::new(ErrorCode::Conflict, "the message is deleted")),
        Some(message) => Ok(message),
    })
}

/// Appends the event of a change and answers it.
pub(super) async fn changed(
    tx: &impl ConnectionTrait,
    origin: &Origin,
    message_id: MessageId,
    version: i32,
    change: Change,
) -> Result<Committed, StoreError> {
    let seq = log::advance(tx, 1).await?;
    let events = vec![Event { seq, change }];
    log::append(tx, &events).await?;
    let answer = Answer { to: origin.clone(), outcome: Ok(Ack { seq, of: Acked::Changed { message_id, version } }) };
    Ok(Committed { events, answers: vec![answer] })
}

/// Nothing was changed.
pub(super) fn refused(origin: &Origin, refusal: Refusal) -> Committed {
    Committed { events: Vec::new(), answers: vec![Answer { to: origin.clone(), outcome: Err(refusal) }] }
}
