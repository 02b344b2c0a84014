//! How a handler of an ordinary actix-web application takes over the socket of an upgrade request.
//!
//! `actix_http` gives an upgrade request to a service of its own, without routing. That service passes the request to a second
//! instance of the application, so that routing, extractors and rejections work as on any other route. A handler that answers 101
//! puts an [`OnUpgrade`] into the response; it gets the socket once the response is written.

use crate::metrics::panics::{Place, caught};
use actix_codec::Framed;
use actix_http::{
    ConnectionType, Request, Response,
    body::{BodySize, BoxBody, MessageBody},
    h1::{Codec, Message},
};
use actix_rt::net::TcpStream;
use actix_service::Service;
use actix_web::error::ErrorInternalServerError;
use bytes::BytesMut;
use std::{future::poll_fn, pin::pin, rc::Rc};
use tokio::io::AsyncWriteExt;
use tokio_util::codec::Encoder;

/// Takes over the socket, with what the client sent right behind its handshake.
pub struct OnUpgrade(Box<dyn FnOnce(TcpStream, BytesMut)>);

impl OnUpgrade {
    /// What is to be done with the socket. It must not hold on to the caller: the connection's HTTP state is freed at its return.
    pub fn new(take: impl FnOnce(TcpStream, BytesMut) + 'static) -> Self {
        Self(Box::new(take))
    }
}

/// Serves one upgrade request by `app`, and leaves the socket to what its handler put into the response.
///
/// # Errors
/// Where the peer is gone before the response is written.
pub async fn serve<S, B, T>(app: Rc<S>, request: Request, framed: Framed<T, Codec>) -> Result<(), actix_web::Error>
where
    S: Service<Request, Error = Response<BoxBody>>,
    S::Response: Into<Response<B>>,
    B: MessageBody + 'static,
    T: Into<TcpStream>,
{
    let mut response = match app.call(request).await {
        Ok(response) => {
            let response: Response<B> = response.into();
            response.map_body(|_, body| body.boxed())
        }
        Err(response) => response,
    };
    let take = response.extensions_mut().remove::<OnUpgrade>();
    let parts = framed.into_parts();
    let (mut stream, mut codec, mut out): (TcpStream, _, _) = (parts.io.into(), parts.codec, parts.write_buf);
    match take {
        Some(OnUpgrade(take)) => {
            codec.encode(Message::Item((response.drop_body(), BodySize::None)), &mut out)?;
            stream.write_all(&out).await?;
            // The hook has logged it; the socket is closed with what panicked.
            let _ = caught(Place::Session, || take(stream, parts.read_buf));
            Ok(())
        }
        None => refuse(stream, codec, out, response).await,
    }
}

/// Writes an ordinary response and ends the connection.
async fn refuse(
    mut stream: TcpStream,
    mut codec: Codec,
    mut out: BytesMut,
    response: Response<BoxBody>,
) -> Result<(), actix_web::Error> {
    let (mut head, body) = response.into_parts();
    head.head_mut().set_connection_type(ConnectionType::Close);
    let size = body.size();
    codec.encode(Message::Item((head, size)), &mut out)?;
    if !size.is_eof() {
        let mut body = pin!(body);
        while let Some(chunk) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
            let chunk = chunk.map_err(|error| ErrorInternalServerError(error.to_string()))?;
            codec.encode(Message::Chunk(Some(chunk)), &mut out)?;
        }
        codec.encode(Message::Chunk(None), &mut out)?;
    }
    stream.write_all(&out).await?;
    Ok(stream.shutdown().await?)
}
