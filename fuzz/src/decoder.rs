//! The bytes of a client, in pieces of any size, against a second implementation of RFC 6455: `tungstenite`.

use natter::session::{Bounds, Decoder, Incoming, Violation};
use std::{
    io::{Cursor, Read, Write},
    ops::ControlFlow,
};
use tungstenite::{
    Error, Message,
    protocol::{Role, WebSocket, WebSocketConfig},
};

/// Small, so that they are reached.
pub const BOUNDS: Bounds = Bounds { message_bytes: 4_096, fragments: 64, deflate: false };

/// A message that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close,
}

/// What became of a client's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hearing {
    pub heard: Vec<Heard>,
    /// The client broke the protocol.
    pub faulty: bool,
}

pub fn run(input: &[u8]) {
    let Some((piece, bytes)) = input.split_first() else { return };
    let ours = hear(bytes, BOUNDS, usize::from(*piece) + 1);
    assert_eq!(ours, hear(bytes, BOUNDS, bytes.len().max(1)), "in pieces, and at once");
    agree(&ours, &hear_by_tungstenite(bytes));
}

/// Ours may find a fault earlier: bad UTF-8 within a frame, a header that announces too much.
pub fn agree(ours: &Hearing, theirs: &Hearing) {
    if ours.faulty {
        assert!(theirs.heard.starts_with(&ours.heard), "{ours:?}\n{theirs:?}");
    } else {
        assert_eq!(ours, theirs);
    }
}

/// Natter's decoder, given `piece` bytes at a time, and stopped after each message.
pub fn hear(bytes: &[u8], bounds: Bounds, piece: usize) -> Hearing {
    let mut decoder = Decoder::default();
    let mut hearing = Hearing::default();
    for piece in bytes.to_vec().chunks_mut(piece) {
        let mut rest = piece;
        while !rest.is_empty() && hearing.heard.last() != Some(&Heard::Close) {
            let taken: Result<usize, Violation> = decoder.decode(rest, bounds, &mut |incoming| {
                hearing.heard.push(heard(incoming));
                ControlFlow::Break(())
            });
            let Ok(taken) = taken else { return Hearing { faulty: true, ..hearing } };
            rest = &mut rest[taken..];
        }
    }
    hearing
}

fn heard(incoming: Incoming<'_>) -> Heard {
    match incoming {
        Incoming::Text(text) => Heard::Text(text.to_owned()),
        Incoming::Binary(bytes) => Heard::Binary(bytes.to_vec()),
        Incoming::Ping(payload) => Heard::Ping(payload.to_vec()),
        Incoming::Pong => Heard::Pong,
        Incoming::Close => Heard::Close,
    }
}

fn hear_by_tungstenite(bytes: &[u8]) -> Hearing {
    let config =
        WebSocketConfig::default().max_message_size(Some(BOUNDS.message_bytes)).max_frame_size(Some(BOUNDS.message_bytes));
    let mut socket = WebSocket::from_raw_socket(Deaf(Cursor::new(bytes)), Role::Server, Some(config));
    let mut hearing = Hearing::default();
    loop {
        let heard = match socket.read() {
            Ok(Message::Text(text)) => Heard::Text(text.as_str().to_owned()),
            Ok(Message::Binary(bytes)) => Heard::Binary(bytes.to_vec()),
            Ok(Message::Ping(payload)) => Heard::Ping(payload.to_vec()),
            Ok(Message::Pong(_)) => Heard::Pong,
            // It puts this in the place of a code that may not be sent.
            Ok(Message::Close(Some(close))) if close.reason == "Protocol violation" => {
                return Hearing { faulty: true, ..hearing };
            }
            Ok(Message::Close(_)) => Heard::Close,
            Ok(Message::Frame(_)) => unreachable!("it is read by messages"),
            Err(Error::Io(_)) => return hearing,
            Err(_) => return Hearing { faulty: true, ..hearing },
        };
        hearing.heard.push(heard);
        if hearing.heard.last() == Some(&Heard::Close) {
            return hearing;
        }
    }
}

/// A peer that has said all that it will say for now, and hears nothing.
struct Deaf<'a>(Cursor<&'a [u8]>);

impl Read for Deaf<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(std::io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Deaf<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
