//! A client whose identity or cursor was refused: it is told why, on the socket that it asked for, and the socket ends.

use crate::{
    metrics::{self, HandshakeFault},
    protocol::{
        CloseCode, ErrorCode, Refusal, frame,
        websocket::{self, Opcode},
    },
};
use actix_rt::net::TcpStream;
use std::{any::Any, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long the client has for reading why and closing its side.
const GRACE: Duration = Duration::from_secs(2);

/// Sends the `ERROR` and the close frame, and holds `permit` until the socket has ended.
pub fn turn_away(stream: TcpStream, refusal: &Refusal, permit: Box<dyn Any>) {
    log::info!(cause = "refused_connection"; "🚫 WS: Connection refused: {refusal}");
    let error = websocket::frame(Opcode::Text, &frame::error(None, refusal));
    let (fault, code) = fault(refusal);
    metrics::turned_away(fault, Some(refusal.code), code);
    part(stream, [error.as_ref(), websocket::close(code).as_ref()].concat(), permit);
}

/// Sends the close frame to a client that can't have one more connection, and holds `permit` until the socket has ended.
pub fn turn_away_one_too_many(stream: TcpStream, permit: Box<dyn Any>) {
    metrics::turned_away(HandshakeFault::TooMany, None, CloseCode::TooManyConnections);
    part(stream, websocket::close(CloseCode::TooManyConnections).to_vec(), permit);
}

/// Who the client is, or what it asked for.
fn fault(refusal: &Refusal) -> (HandshakeFault, CloseCode) {
    match refusal.code {
        ErrorCode::Unauthorized | ErrorCode::SenderMismatch => (HandshakeFault::Unauthorized, CloseCode::Unauthorized),
        ErrorCode::Unavailable | ErrorCode::RateLimited => (HandshakeFault::Unavailable, CloseCode::TryAgainLater),
        ErrorCode::InvalidJson
        | ErrorCode::UnknownType
        | ErrorCode::InvalidField
        | ErrorCode::TooLarge
        | ErrorCode::Forbidden
        | ErrorCode::NotFound
        | ErrorCode::Conflict
        | ErrorCode::Internal => (HandshakeFault::Cursor, CloseCode::Policy),
    }
}

fn part(stream: TcpStream, last_words: Vec<u8>, permit: Box<dyn Any>) {
    actix_rt::spawn(async move {
        let _permit = permit;
        // A client that is gone already needs no answer; one that stays too long is cut off.
        let _ = tokio::time::timeout(GRACE, farewell(stream, &last_words)).await;
    });
}

async fn farewell(mut stream: TcpStream, last_words: &[u8]) -> std::io::Result<()> {
    stream.write_all(last_words).await?;
    stream.shutdown().await?;
    // Closing a socket with unread bytes would reset it, and the client would never see why.
    let mut unread = [0; 1_024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}
