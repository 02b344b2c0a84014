//! `GET /api/v1/chats/{id}/messages` and `/api/v1/support-chats/{id}/messages`: the pages of `GET_HISTORY`.

use super::{Site, admission::admit, path::conversation, problem::Problem};
use crate::{
    chat,
    protocol::{
        ConversationKind, Refusal,
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

pub(super) async fn page(
    kind: ConversationKind,
    request: HttpRequest,
    id: Path<String>,
    site: Data<Site>,
) -> Result<HttpResponse, Problem> {
    let who = admit(&request, &site)?;
    let query = GetHistory::new(conversation(kind, &id)?, parameters(&request)?)?;
    Ok(HttpResponse::Ok().json(chat::history(&site.reader, who, &query).await?))
}

fn parameters(request: &HttpRequest) -> Result<PageFields, Refusal> {
    let Ok(Query(Parameters { before, after, around, limit })) = Query::from_query(request.query_string()) else {
        return Err(Refusal::field("before", "before, after, around and limit may each stand there once"));
    };
    let id = |name, text: Option<String>| text.map(|text| id_parameter(name, &text)).transpose();
    let limit = id("limit", limit).map_err(|_| limit_fault())?;
    Ok(PageFields { before: id("before", before)?, after: id("after", after)?, around: id("around", around)?, limit })
}
