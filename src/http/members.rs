//! `/api/v1/{chats|support-chats}/{id}/members`: who belongs to a conversation, managed by the application's own backend.

use super::{Site, admission::admit, body, path::conversation, problem::Problem};
use crate::{
    chat,
    protocol::{
        Ack, ConversationKind, ErrorCode, Principal, Refusal, UserId,
        conversation::id_field,
        fields::id_parameter,
        member::{SetMember, Wanted},
    },
    store::Writer,
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path, Payload, Query},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Members of a page where the request does not say, and at most.
const DEFAULT_LIMIT: u64 = 100;
const MAX_LIMIT: u64 = 1_000;

#[derive(Deserialize)]
struct Parameters {
    after: Option<String>,
    limit: Option<String>,
}

pub(super) async fn list(
    kind: ConversationKind,
    request: HttpRequest,
    id: Path<String>,
    site: Data<Site>,
) -> Result<HttpResponse, Problem> {
    let who = admit(&request, &site)?;
    let conversation = conversation(kind, &id)?;
    let (after, limit) = parameters(&request)?;
    let chat::Members { listed, members, has_more } = chat::members(&site.reader, who, conversation, after, limit).await?;
    Ok(HttpResponse::Ok().json(json!({ "listed": listed, "members": members, "has_more": has_more })))
}

fn parameters(request: &HttpRequest) -> Result<(Option<UserId>, u64), Refusal> {
    let Ok(Query(Parameters { after, limit })) = Query::from_query(request.query_string()) else {
        return Err(Refusal::field("after", "after and limit may each stand there once"));
    };
    let after = after.map(|text| id_parameter("after", &text)).transpose()?.map(UserId);
    let limit_fault = || Refusal::field("limit", format!("limit must be an integer from 1 to {MAX_LIMIT}"));
    let limit = match limit.map(|text| text.parse::<u64>()) {
        None => DEFAULT_LIMIT,
        Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
        Some(_) => return Err(limit_fault()),
    };
    Ok((after, limit))
}

pub(super) async fn set(
    kind: ConversationKind,
    request: HttpRequest,
    ids: Path<(String, String)>,
    site: Data<Site>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let by = admit(&request, &site)?;
    let body = body::read(payload).await?;
    let not_text = |_| Refusal::new(ErrorCode::InvalidJson, "the body must be one JSON object, in UTF-8");
    change(kind, by, &ids, &site.writer, || Wanted::read(std::str::from_utf8(&body).map_err(not_text)?)).await
}

pub(super) async fn remove(
    kind: ConversationKind,
    request: HttpRequest,
    ids: Path<(String, String)>,
    site: Data<Site>,
) -> Result<HttpResponse, Problem> {
    let by = admit(&request, &site)?;
    change(kind, by, &ids, &site.writer, || Ok(Wanted::Removed)).await
}

/// Answers with what the user is from now on; `seq` is null where they were that already.
async fn change(
    kind: ConversationKind,
    by: Principal,
    (id, user): &(String, String),
    writer: &Writer,
    wanted: impl FnOnce() -> Result<Wanted, Refusal>,
) -> Result<HttpResponse, Problem> {
    let conversation = conversation(kind, id)?;
    let user = UserId(id_parameter("user_id", user)?);
    let to = wanted()?;
    let Ack { seq, of } = chat::set_member(writer, by, SetMember { conversation, user, to }).await?;
    let mut body = json!(of);
    body[id_field(kind)] = json!(conversation.id.0);
    body["seq"] = if seq.0 == 0 { Value::Null } else { json!(seq.0) };
    Ok(HttpResponse::Ok().json(body))
}
