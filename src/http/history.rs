//! `GET /api/v1/chats/{id}/messages` and `/api/v1/support-chats/{id}/messages`: the pages of `GET_HISTORY`.

use super::{Site, identity, problem::Problem};
use crate::{
    chat,
    protocol::{
        Conversation, ConversationId, ConversationKind, Refusal,
        fields::id_parameter,
        history::{GetHistory, PageFields, limit_fault},
    },
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path, Query},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Parameters {
    before: Option<String>,
    after: Option<String>,
    around: Option<String>,
    limit: Option<String>,
}

pub(super) async fn chat_history(request: HttpRequest, id: Path<String>, site: Data<Site>) -> Result<HttpResponse, Problem> {
    page(ConversationKind::Chat, &request, &id, &site).await
}

pub(super) async fn support_history(request: HttpRequest, id: Path<String>, site: Data<Site>) -> Result<HttpResponse, Problem> {
    page(ConversationKind::Support, &request, &id, &site).await
}

async fn page(kind: ConversationKind, request: &HttpRequest, id: &str, site: &Site) -> Result<HttpResponse, Problem> {
    identity::principal(request)?;
    let id = ConversationId(id_parameter("id", id)?);
    let query = GetHistory::new(Conversation { kind, id }, parameters(request)?)?;
    Ok(HttpResponse::Ok().json(chat::history(&site.reader, &query).await?))
}

fn parameters(request: &HttpRequest) -> Result<PageFields, Refusal> {
    let Ok(Query(Parameters { before, after, around, limit })) = Query::from_query(request.query_string()) else {
        return Err(Refusal::field("before", "before, after, around and limit may each stand there once"));
    };
    let id = |name, text: Option<String>| text.map(|text| id_parameter(name, &text)).transpose();
    let limit = id("limit", limit).map_err(|_| limit_fault())?;
    Ok(PageFields { before: id("before", before)?, after: id("after", after)?, around: id("around", around)?, limit })
}
