//! The table of members.

use super::{StoreError, batch::bucketed};
use crate::{
    access::{Standing, Unlisted},
    protocol::{
        Conversation, ConversationId, ConversationKind, Timestamp, UserId,
        member::{Member, Place},
    },
};
use entity::{MemberState, members};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement,
    sea_query::OnConflict,
};
use std::collections::HashMap;

/// Whether a conversation is listed, and who is in it.
pub(super) type Rows = (bool, Vec<Member>);

/// The rows of these conversations; one without rows is missing.
pub(super) async fn of(
    db: &impl ConnectionTrait,
    kind: ConversationKind,
    ids: &[ConversationId],
) -> Result<HashMap<ConversationId, Rows>, StoreError> {
    let mut found: HashMap<ConversationId, Rows> = HashMap::new();
    for piece in bucketed(ids) {
        let rows = members::Entity::find()
            .filter(members::Column::Kind.eq(kind))
            .filter(members::Column::ConversationId.is_in(piece.iter().copied()))
            .all(db)
            .await?;
        for row in rows {
            let (listed, members) = found.entry(row.conversation_id).or_default();
            *listed = true;
            members.extend(member(&row));
        }
    }
    Ok(found)
}

/// The member that a row tells of, if it is still one.
fn member(row: &members::Model) -> Option<Member> {
    row.role.map(|role| Member { user: row.user_id, role, state: row.state })
}

/// How a user stands to a conversation, as it is committed.
pub(super) async fn standing(
    db: &impl ConnectionTrait,
    conversation: Conversation,
    user: UserId,
    unlisted: Unlisted,
) -> Result<Standing, StoreError> {
    let Conversation { kind, id } = conversation;
    match members::Entity::find_by_id((kind, id, user)).one(db).await? {
        Some(row) => Ok(member(&row).map_or(Standing::Stranger, |member| Standing::Member(member.role, member.state))),
        None if is_listed(db, conversation).await? => Ok(Standing::Stranger),
        None => Ok(Standing::to_unlisted(kind, unlisted)),
    }
}

/// What a user is in a conversation, as it is written.
pub(super) async fn place(
    db: &impl ConnectionTrait,
    Conversation { kind, id }: Conversation,
    user: UserId,
) -> Result<Place, StoreError> {
    let row = members::Entity::find_by_id((kind, id, user)).one(db).await?;
    Ok(row.as_ref().and_then(member).map(|member| (member.role, member.state)))
}

/// Whether anyone was ever added to it.
pub(super) async fn is_listed(db: &impl ConnectionTrait, conversation: Conversation) -> Result<bool, StoreError> {
    let any = in_conversation(conversation).limit(1).one(db).await?;
    Ok(any.is_some())
}

fn in_conversation(Conversation { kind, id }: Conversation) -> sea_orm::Select<members::Entity> {
    members::Entity::find().filter(members::Column::Kind.eq(kind)).filter(members::Column::ConversationId.eq(id))
}

/// Members in ascending order, at most `limit`, those after `after`.
pub(super) async fn page(
    db: &impl ConnectionTrait,
    conversation: Conversation,
    after: Option<UserId>,
    limit: u64,
) -> Result<Vec<Member>, StoreError> {
    let rows = in_conversation(conversation)
        .filter(members::Column::Role.is_not_null())
        .filter(members::Column::UserId.gt(after.unwrap_or(UserId(0))))
        .order_by_asc(members::Column::UserId)
        .limit(limit)
        .all(db)
        .await?;
    Ok(rows.iter().filter_map(member).collect())
}

/// Writes what a user is in a conversation from now on.
pub(super) async fn set(
    tx: &impl ConnectionTrait,
    Conversation { kind, id }: Conversation,
    user: UserId,
    place: Place,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = members::ActiveModel {
        kind: Set(kind),
        conversation_id: Set(id),
        user_id: Set(user),
        role: Set(place.map(|(role, _)| role)),
        state: Set(place.map_or(MemberState::Active, |(_, state)| state)),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let key = [members::Column::Kind, members::Column::ConversationId, members::Column::UserId];
    let changing = [members::Column::Role, members::Column::State, members::Column::UpdatedAt];
    members::Entity::insert(row)
        .on_conflict(OnConflict::columns(key).update_columns(changing).to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Who wrote first to a support chat, be it beside Natter.
pub(super) async fn first_writer(tx: &impl ConnectionTrait, id: ConversationId) -> Result<Option<UserId>, StoreError> {
    use entity::support_messages::{Column, Entity};
    let first = Entity::find().filter(Column::SupportChatId.eq(id)).order_by_asc(Column::Id).one(tx).await?;
    Ok(first.map(|first| first.sender_id))
}

/// Gives each support chat that nobody was added to its first writer as its owner: those that are older than the rule.
pub(super) async fn adopt(db: &impl ConnectionTrait, now: Timestamp) -> Result<u64, StoreError> {
    let sql = "INSERT INTO members (kind, conversation_id, user_id, role, state, created_at, updated_at) \
               SELECT 2, m.support_chat_id, m.sender_id, 1, 1, $1, $1 FROM support_messages m \
               JOIN (SELECT min(id) AS id FROM support_messages GROUP BY support_chat_id) AS firsts ON firsts.id = m.id \
               WHERE NOT EXISTS (SELECT 1 FROM members x WHERE x.kind = 2 AND x.conversation_id = m.support_chat_id)";
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => sql.replace("$1", "CAST($1 AS timestamp)"),
        _ => sql.to_owned(),
    };
    let done = db.execute_raw(Statement::from_sql_and_values(backend, sql, [now.into()])).await?;
    Ok(done.rows_affected())
}
