//! `POST /api/v1/uploads`: a file, received piece by piece, and never with more in memory than a piece.

use super::{
    Site,
    admission::{admit, admit_upload},
    problem::Problem,
};
use crate::{
    chat, metrics,
    protocol::{Attachment, ErrorCode, Principal, Refusal, UserId, attachment::Told},
    store::Upload,
    uploads::{Fault, Incoming, Place, Uploads, cleaned},
};
use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    error::PayloadError,
    http::{
        ConnectionType, StatusCode,
        header::{CONTENT_LENGTH, LOCATION},
    },
    web::{Bytes, Data, Payload},
};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use std::{cell::Cell, io::ErrorKind, rc::Rc, sync::Arc, task::Poll};
use tokio::time::timeout;

/// Bytes that a request may have beside its file: boundaries and the headers of a part.
const BESIDE_THE_FILE: u64 = 64 * 1024;

/// What was refused may not have come whole, and what was kept may have something behind its form: then the connection ends with the
/// answer.
pub(super) async fn upload(request: HttpRequest, payload: Payload, site: Data<Site>) -> HttpResponse {
    let ended = Rc::new(Cell::new(false));
    let body = bounded(payload, site.uploads.rules.file_bytes, Rc::clone(&ended));
    let mut form = Multipart::new(request.headers(), body);
    let mut answer = match take_in(&request, &mut form, &site).await {
        Ok(answer) => {
            // Polled behind its last part, it takes in what came meanwhile: as a rule, the end.
            let _ = form.try_next().await;
            answer
        }
        Err(problem) => {
            metrics::upload_refused(problem.code());
            problem.error_response()
        }
    };
    if !ended.get() {
        answer.head_mut().set_connection_type(ConnectionType::Close);
    }
    answer
}

async fn take_in(request: &HttpRequest, form: &mut Multipart, site: &Site) -> Result<HttpResponse, Problem> {
    let user = uploader(admit(request, site)?)?;
    admit_upload(user, site)?;
    let uploads = &site.uploads;
    announced_too_large(request, uploads.rules.file_bytes)?;
    let place = uploads.place(user)?;
    let received = timeout(uploads.rules.receive, receive(form, uploads)).await;
    let (name, file) = received.map_err(|_| too_slow(uploads))??;
    let upload = kept(uploads, place, name, file).await?;
    metrics::upload_stored(&upload.media_type);
    log::info!("📎 HTTP: User {user} uploaded {} ({} bytes, {})", upload.id, upload.size, upload.media_type);
    let attachment = Attachment::from(upload);
    let told = Told(&attachment);
    Ok(HttpResponse::Created().insert_header((LOCATION, told.url())).json(told))
}

/// No more than a file and what may stand beside it, wherever in the form that is, and however it is sent; and whether it `ended`.
fn bounded(payload: Payload, file_bytes: u64, ended: Rc<Cell<bool>>) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    let mut room = file_bytes.saturating_add(BESIDE_THE_FILE);
    let pieces = payload.map(move |piece| {
        let piece = piece?;
        room = room.checked_sub(piece.len() as u64).ok_or_else(|| PayloadError::Io(ErrorKind::FileTooLarge.into()))?;
        Ok(piece)
    });
    pieces.chain(stream::poll_fn(move |_| {
        ended.set(true);
        Poll::Ready(None)
    }))
}

/// A file has an owner; a server key is nobody.
fn uploader(principal: Principal) -> Result<UserId, Refusal> {
    match principal {
        Principal::User(caller) => Ok(caller.user),
        Principal::ServerKey => Err(Refusal::new(ErrorCode::Unauthorized, "a server key is no user: this needs a user's token")),
    }
}

/// What says itself that it is too large is not received.
fn announced_too_large(request: &HttpRequest, most: u64) -> Result<(), Fault> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(length) if length > most.saturating_add(BESIDE_THE_FILE) => Err(Fault::TooLarge { most }),
        Some(_) | None => Ok(()),
    }
}

/// The one field of the form, with its name.
async fn receive(form: &mut Multipart, uploads: &Uploads) -> Result<(String, Incoming), Problem> {
    let mut received = None;
    while let Some(field) = form.try_next().await? {
        if received.is_some() || field.name() != Some("file") {
            return Err(Refusal::field("file", "the form must have one field: file").into());
        }
        received = Some((cleaned(&file_name(&field)), written(field, uploads).await?));
    }
    received.ok_or_else(|| Refusal::field("file", "the form must have the field file").into())
}

/// The name in UTF-8, as browsers send it, or in the longer form of RFC 5987.
fn file_name(field: &Field) -> String {
    let Some(disposition) = field.content_disposition() else { return String::new() };
    match disposition.get_filename_ext() {
        Some(extended) => String::from_utf8_lossy(&extended.value).into_owned(),
        None => disposition.get_filename().unwrap_or_default().to_owned(),
    }
}

async fn written(mut field: Field, uploads: &Uploads) -> Result<Incoming, Problem> {
    let mut file = uploads.receive().await?;
    while let Some(piece) = field.try_next().await? {
        metrics::upload_received(piece.len());
        file.write(&piece).await?;
    }
    if file.is_empty() {
        return Err(Refusal::field("file", "the file is empty").into());
    }
    Ok(file)
}

/// In a task of its own: where the client goes away now, it is finished, or taken back, all the same; and it has its place until then.
async fn kept(uploads: &Arc<Uploads>, place: Place, name: String, file: Incoming) -> Result<Upload, Problem> {
    let uploads = Arc::clone(uploads);
    let keeping = actix_rt::spawn(async move {
        let kept = uploads.keep(&place, name, file).await;
        drop(place);
        kept
    });
    // A panic is logged by the process's hook.
    Ok(keeping.await.map_err(|_| Refusal::internal())??)
}

fn too_slow(uploads: &Uploads) -> Problem {
    let message = format!("the file did not come within {} s: try again", uploads.rules.receive.as_secs());
    Problem::new(StatusCode::REQUEST_TIMEOUT, Refusal::new(ErrorCode::Unavailable, message))
}

impl From<Upload> for Attachment {
    fn from(upload: Upload) -> Self {
        let Upload { id, name, media_type, size, thumbnail_size, pixels, .. } = upload;
        let (width, height) = pixels.unzip();
        Self { id, media_type, size, name, width, height, thumbnail: thumbnail_size.is_some() }
    }
}

impl From<MultipartError> for Problem {
    fn from(error: MultipartError) -> Self {
        if let MultipartError::Payload(PayloadError::Io(error)) = &error
            && error.kind() == ErrorKind::FileTooLarge
        {
            let message = format!("the form is too large: at most {BESIDE_THE_FILE} bytes beside the file");
            return Refusal { field: Some("file"), ..Refusal::new(ErrorCode::TooLarge, message) }.into();
        }
        Refusal::field("file", format!("the body must be multipart/form-data with one field, file: {error}")).into()
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        if matches!(fault, Fault::Gone) {
            return chat::absent().into();
        }
        let (status, code) = match &fault {
            Fault::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge),
            Fault::NotTaken { .. } | Fault::Animated => (StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::InvalidField),
            Fault::Undecodable => (StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::InvalidField),
            Fault::TooManyPixels { .. } => (StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::TooLarge),
            Fault::NoRoom { .. } => (StatusCode::INSUFFICIENT_STORAGE, ErrorCode::TooLarge),
            Fault::TooManyOfUser { .. } => (StatusCode::TOO_MANY_REQUESTS, ErrorCode::RateLimited),
            Fault::DiskFull => (StatusCode::INSUFFICIENT_STORAGE, ErrorCode::Unavailable),
            Fault::Busy | Fault::TooManyImages | Fault::TooSlow | Fault::Stopping => {
                (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable)
            }
            Fault::Gone | Fault::Disk(_) | Fault::Storage(_) | Fault::List(_) => return failed(&fault),
        };
        let comes_back = matches!(code, ErrorCode::Unavailable | ErrorCode::RateLimited);
        let retry_after_ms = comes_back.then_some(RETRY_AFTER_MS);
        let field = (code != ErrorCode::Unavailable).then_some("file");
        Self::new(status, Refusal { field, retry_after_ms, ..Refusal::new(code, fault.to_string()) })
    }
}

const RETRY_AFTER_MS: u64 = 1_000;

/// What fails beneath is for the log, and not for the client.
fn failed(fault: &Fault) -> Problem {
    log::error!("{fault}");
    Problem::unavailable("files can't be kept or read now: try again")
}
