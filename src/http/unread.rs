//! A request's body that nobody read to its end ends the connection, a moment after the answer.

use super::timed::{Pause, Serving};
use actix_web::{
    Error, HttpMessage,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::{InternalError, PayloadError},
    middleware::Next,
    web::Bytes,
};
use futures_util::Stream;
use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

/// Keeps what is left of a request's body until its answer has been handed over to be sent, whoever gives that answer. So the server takes it for unread,
/// and cuts the connection off after a moment; of one that was dropped it would read chunks for ever, to find the next request behind
/// them.
///
/// # Errors
/// Those of what comes next.
pub async fn keep_unread(mut request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let serving = request.request().conn_data::<Rc<Pause>>().map(Serving::new);
    let unread = Unread(Rc::new(RefCell::new(request.take_payload())));
    request.set_payload(Payload::Stream { payload: Box::pin(unread.clone()) });
    let until_sent = |body| Answer { body, _unread: unread, _serving: serving }.boxed();
    match next.call(request).await {
        Ok(response) => Ok(response.map_body(|_, body| until_sent(body))),
        Err(error) => {
            let response = error.error_response().map_body(|_, body| until_sent(body));
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// The body of a request: read by its handler, and kept by its answer.
#[derive(Clone)]
struct Unread(Rc<RefCell<Payload>>);

impl Stream for Unread {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(cx)
    }
}

/// An answer that may be given before the request has come whole.
struct Answer {
    body: BoxBody,
    _unread: Unread,
    _serving: Option<Serving>,
}

impl MessageBody for Answer {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
