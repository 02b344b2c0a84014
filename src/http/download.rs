//! `GET /api/v1/uploads/{id}`, its thumbnail, and signed links to both: files for those who may have them, and never as a page.

use super::{Site, admission::admit, problem::Problem};
use crate::{
    chat,
    protocol::{Refusal, message::WireTime},
    store::Upload,
    uploads::{Link, Rendition, is_safe_image},
};
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::SizedStream,
    http::{
        StatusCode,
        header::{
            ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_SECURITY_POLICY, Charset, ContentDisposition, DispositionParam,
            DispositionType, ETAG, ExtendedValue, Header, HeaderName, IF_NONE_MATCH, IF_RANGE, Range, X_CONTENT_TYPE_OPTIONS,
        },
    },
    web::{Data, Path, Query},
};
use serde::{Deserialize, Serialize};
use std::ops::Range as Span;
use uuid::Uuid;

/// Where it is opened as a page all the same, it may load nothing and run nothing, and belongs to no origin.
const POLICY: &str = "sandbox; default-src 'none'";

#[derive(Deserialize)]
struct Signature {
    expires: Option<i64>,
    signature: Option<String>,
}

#[derive(Serialize)]
struct Links {
    url: String,
    thumbnail: Option<String>,
    expires_at: WireTime,
}

pub(super) async fn file(
    rendition: Rendition,
    request: HttpRequest,
    id: Path<String>,
    site: Data<Site>,
) -> Result<HttpResponse, Problem> {
    let id = named(&id)?;
    let upload = match signature(&request)? {
        Some((expires, signature)) => by_link(&site, id, rendition, expires, &signature).await?,
        None => chat::upload(&site.reader, admit(&request, &site)?, id).await?,
    };
    let served = Served::of(upload, rendition).ok_or_else(chat::absent)?;
    served.answer(&request, &site).await
}

/// Links for a page's `<img>`, which can send no token. Whoever is given one may fetch the file while it holds.
pub(super) async fn link(request: HttpRequest, id: Path<String>, site: Data<Site>) -> Result<HttpResponse, Problem> {
    let upload = chat::upload(&site.reader, admit(&request, &site)?, named(&id)?).await?;
    let Link { url, expires_at } = signed(&site, upload.id, Rendition::File)?;
    let thumbnail = match upload.thumbnail_size {
        Some(_) => Some(signed(&site, upload.id, Rendition::Thumbnail)?.url),
        None => None,
    };
    let links = Links { url, thumbnail, expires_at: WireTime(expires_at) };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(links))
}

fn signed(site: &Site, id: Uuid, rendition: Rendition) -> Result<Link, Refusal> {
    site.uploads.signer.link(id, rendition, site.clock.now(), site.uploads.rules.link).map_err(|error| {
        log::error!("a link could not be signed: {error}");
        Refusal::internal()
    })
}

/// What is no id at all is told what an unknown one is told.
fn named(id: &str) -> Result<Uuid, Refusal> {
    Uuid::try_parse(id).map_err(|_| chat::absent())
}

fn signature(request: &HttpRequest) -> Result<Option<(i64, String)>, Problem> {
    let Ok(Query(Signature { expires, signature })) = Query::from_query(request.query_string()) else { return Err(no_link()) };
    match (expires, signature) {
        (Some(expires), Some(signature)) => Ok(Some((expires, signature))),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(no_link()),
    }
}

fn no_link() -> Problem {
    Problem::forbidden("signature", "the link is not one of ours, or has ended: ask for another one")
}

async fn by_link(site: &Site, id: Uuid, rendition: Rendition, expires: i64, signature: &str) -> Result<Upload, Problem> {
    if !site.uploads.signer.allows(id, rendition, expires, signature, site.clock.now()) {
        return Err(no_link());
    }
    Ok(chat::linked_upload(&site.reader, id).await?)
}

/// A file as it is handed out.
struct Served {
    id: Uuid,
    rendition: Rendition,
    name: String,
    media_type: String,
    size: u64,
}

/// What a request wants of a file.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    All,
    Some(Span<u64>),
    /// It begins behind the end.
    Beyond,
}

impl Served {
    fn of(upload: Upload, rendition: Rendition) -> Option<Self> {
        let (size, media_type) = match rendition {
            Rendition::File => (upload.size, upload.media_type),
            // A thumbnail is drawn as the image is, and an animation's is a still.
            Rendition::Thumbnail if upload.media_type == "image/jpeg" => (upload.thumbnail_size?, upload.media_type),
            Rendition::Thumbnail => (upload.thumbnail_size?, "image/png".to_owned()),
        };
        Some(Self { id: upload.id, rendition, name: upload.name, media_type, size: size.unsigned_abs() })
    }

    async fn answer(self, request: &HttpRequest, site: &Site) -> Result<HttpResponse, Problem> {
        let tag = self.tag();
        let mut response = self.described(&tag);
        if says(request, &IF_NONE_MATCH, &tag) {
            return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
        }
        let whole = self.size;
        let span = match part(request, &tag, whole) {
            Part::All => 0..whole,
            Part::Some(span) => {
                let content_range = format!("bytes {}-{}/{whole}", span.start, span.end - 1);
                response.status(StatusCode::PARTIAL_CONTENT).insert_header((CONTENT_RANGE, content_range));
                span
            }
            Part::Beyond => {
                let content_range = format!("bytes */{whole}");
                return Ok(HttpResponse::RangeNotSatisfiable().insert_header((CONTENT_RANGE, content_range)).finish());
            }
        };
        let length = span.end - span.start;
        let body = site.uploads.read(self.id, self.rendition, span).await?;
        Ok(response.body(SizedStream::new(length, body)))
    }

    /// What an id stands for never changes.
    fn tag(&self) -> String {
        format!("\"{}\"", self.id)
    }

    /// The headers that each answer has.
    fn described(&self, tag: &str) -> HttpResponseBuilder {
        let mut response = HttpResponse::Ok();
        response
            .insert_header((ETAG, tag))
            .insert_header((ACCEPT_RANGES, "bytes"))
            // Each use asks whether it may still be had: the message may be deleted.
            .insert_header((CACHE_CONTROL, "private, no-cache"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((CONTENT_SECURITY_POLICY, POLICY))
            .insert_header(self.disposition())
            .content_type(content_type(&self.media_type));
        response
    }

    /// Shown where it stands only where it was drawn here, pixel by pixel.
    fn disposition(&self) -> ContentDisposition {
        let disposition = if is_safe_image(&self.media_type) { DispositionType::Inline } else { DispositionType::Attachment };
        let name = (!self.name.is_empty()).then(|| {
            let value = self.name.clone().into_bytes();
            DispositionParam::FilenameExt(ExtendedValue { charset: Charset::Ext("UTF-8".to_owned()), language_tag: None, value })
        });
        ContentDisposition { disposition, parameters: name.into_iter().collect() }
    }
}

fn content_type(media_type: &str) -> String {
    if media_type == "text/plain" { "text/plain; charset=utf-8".to_owned() } else { media_type.to_owned() }
}

fn says(request: &HttpRequest, name: &HeaderName, tag: &str) -> bool {
    request.headers().get(name).is_some_and(|value| value.as_bytes() == tag.as_bytes())
}

/// One range is answered with that part; what is no range of bytes, or are several, is passed over, as RFC 9110 lets one do, and so is
/// one of another file.
fn part(request: &HttpRequest, tag: &str, size: u64) -> Part {
    let is_of_another = request.headers().contains_key(IF_RANGE) && !says(request, &IF_RANGE, tag);
    let Ok(Range::Bytes(specs)) = Range::parse(request) else { return Part::All };
    let [spec] = specs.as_slice() else { return Part::All };
    if is_of_another {
        return Part::All;
    }
    spec.to_satisfiable_range(size).map_or(Part::Beyond, |(first, last)| Part::Some(first..last + 1))
}
