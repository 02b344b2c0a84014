//! `GET /api/v1/explain`: what someone may do in a conversation, and why.

use super::{Site, admission::admit, problem::Problem};
use crate::{
    access::{Action, Denial, Rank, UnknownAction, allows},
    chat,
    protocol::{
        Caller, Conversation, ConversationId, ConversationKind, ErrorCode, Principal, Refusal, Role, UserId, fields::id_parameter,
    },
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Query},
};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Parameters {
    user: Option<String>,
    /// What the user's token says; the server knows no more of them.
    #[serde(rename = "as")]
    role: Option<String>,
    action: Option<String>,
    chat: Option<String>,
    support_chat: Option<String>,
}

pub(super) async fn explain(request: HttpRequest, site: Data<Site>) -> Result<HttpResponse, Problem> {
    let who = admit(&request, &site)?;
    let Ok(Query(parameters)) = Query::<Parameters>::from_query(request.query_string()) else {
        return Err(Refusal::field("user", "each parameter may stand there once").into());
    };
    let conversation = conversation(&parameters)?;
    chat::may(&site.reader, who, Action::Explain, conversation).await?;
    let (caller, action) = (caller(&parameters)?, action(&parameters)?);
    let standing = chat::standing(&site.reader, Principal::User(caller), conversation).await?;
    let rank = Rank::of(Principal::User(caller), conversation.kind, standing);
    let body = match allows(Principal::User(caller), action, conversation.kind, standing) {
        Ok(()) => json!({ "allowed": true, "rank": rank.name(), "code": null, "because": rank.meaning() }),
        Err(denial) => {
            let code = match denial {
                Denial::Unseen => ErrorCode::NotFound,
                Denial::Forbidden(_) => ErrorCode::Forbidden,
            };
            let because = format!("{}: {}", rank.meaning(), denial.reason());
            json!({ "allowed": false, "rank": rank.name(), "code": code.as_str(), "because": because })
        }
    };
    Ok(HttpResponse::Ok().json(body))
}

fn conversation(parameters: &Parameters) -> Result<Conversation, Refusal> {
    let (kind, id) = match (&parameters.chat, &parameters.support_chat) {
        (Some(id), None) => (ConversationKind::Chat, id_parameter("chat", id)?),
        (None, Some(id)) => (ConversationKind::Support, id_parameter("support_chat", id)?),
        (None, None) | (Some(_), Some(_)) => return Err(Refusal::field("chat", "name exactly one of chat and support_chat")),
    };
    Ok(Conversation { kind, id: ConversationId(id) })
}

fn caller(parameters: &Parameters) -> Result<Caller, Refusal> {
    let user = UserId(id_parameter("user", parameters.user.as_deref().unwrap_or_default())?);
    let role = parameters.role.as_deref().map_or(Ok(Role::default()), str::parse);
    Ok(Caller { user, role: role.map_err(|expected| Refusal::field("as", format!("as {expected}")))? })
}

fn action(parameters: &Parameters) -> Result<Action, Refusal> {
    let named = parameters.action.as_deref().unwrap_or_default();
    named.parse().map_err(|unknown: UnknownAction| Refusal::field("action", unknown.to_string()))
}
