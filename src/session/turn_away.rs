//! A client whose identity or cursor was refused: it is told why, on the socket that it asked for, and the socket ends.

use crate::protocol::{
    CloseCode, ErrorCode, Refusal, frame,
    websocket::{self, Opcode},
};
use actix_rt::net::TcpStream;
use std::{any::Any, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long the client has for reading why and closing its side.
const GRACE: Duration = Duration::from_secs(2);

/// Sends the `ERROR` and the close frame, and holds `permit` until the socket has ended.
pub fn turn_away(stream: TcpStream, refusal: Refusal, permit: Box<dyn Any>) {
    log::info!("🚫 WS: Connection refused: {refusal}");
    actix_rt::spawn(async move {
        let _permit = permit;
        // A client that is gone already needs no answer; one that stays too long is cut off.
        let _ = tokio::time::timeout(GRACE, farewell(stream, &refusal)).await;
    });
}

/// Who the client is, or what it asked for.
fn code(refusal: &Refusal) -> CloseCode {
    match refusal.code {
        ErrorCode::Unauthorized | ErrorCode::SenderMismatch => CloseCode::Unauthorized,
        ErrorCode::Unavailable => CloseCode::TryAgainLater,
        ErrorCode::InvalidJson
        | ErrorCode::UnknownType
        | ErrorCode::InvalidField
        | ErrorCode::Forbidden
        | ErrorCode::NotFound
        | ErrorCode::Conflict
        | ErrorCode::Internal => CloseCode::Policy,
    }
}

async fn farewell(mut stream: TcpStream, refusal: &Refusal) -> std::io::Result<()> {
    stream.write_all(&websocket::frame(Opcode::Text, &frame::error(None, refusal))).await?;
    stream.write_all(&websocket::close(code(refusal))).await?;
    stream.shutdown().await?;
    // Closing a socket with unread bytes would reset it, and the client would never see why.
    let mut unread = [0; 1_024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}
