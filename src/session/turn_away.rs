//! A client whose identity was refused: it is told why, on the socket that it asked for, and the socket ends.

use crate::protocol::{
    CloseCode, Refusal, frame,
    websocket::{self, Opcode},
};
use actix_rt::net::TcpStream;
use std::{any::Any, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long the client has for reading why and closing its side.
const GRACE: Duration = Duration::from_secs(2);

/// Sends the `ERROR` and the close frame 4001, and holds `permit` until the socket has ended.
pub fn turn_away(stream: TcpStream, refusal: Refusal, permit: Box<dyn Any>) {
    log::info!("🚫 WS: Connection refused: {refusal}");
    actix_rt::spawn(async move {
        let _permit = permit;
        // A client that is gone already needs no answer; one that stays too long is cut off.
        let _ = tokio::time::timeout(GRACE, farewell(stream, &refusal)).await;
    });
}

async fn farewell(mut stream: TcpStream, refusal: &Refusal) -> std::io::Result<()> {
    stream.write_all(&websocket::frame(Opcode::Text, &frame::error(None, refusal))).await?;
    stream.write_all(&websocket::close(CloseCode::Unauthorized)).await?;
    stream.shutdown().await?;
    // Closing a socket with unread bytes would reset it, and the client would never see why.
    let mut unread = [0; 1_024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}
