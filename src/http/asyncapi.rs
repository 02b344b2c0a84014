//! `GET /asyncapi.json`: every frame of the WebSocket, described by a JSON Schema.

use actix_web::{HttpResponse, http::header::ContentType};

const DOCUMENT: &str = include_str!("../../docs/asyncapi.json");

pub(super) async fn asyncapi() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::json()).body(DOCUMENT)
}
