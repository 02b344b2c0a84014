//! A client's end of a WebSocket. All sessions read into one buffer: one that waits has none, and none is cleared before a read.

use actix_http::ws::{CloseReason, Codec, Frame, Item, Message};
use bytes::{Buf, Bytes, BytesMut};
use std::{
    cell::RefCell,
    io::{Error, ErrorKind, Result},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{io::AsyncWrite, net::TcpStream};
use tokio_util::{
    codec::{Decoder, Encoder},
    io::poll_read_buf,
};

/// Bytes of a message, at most: a chat's are smaller by far.
const LARGEST: usize = 4 << 20;

/// Bytes of a frame's header, at most.
const HEADER: usize = 14;

/// Bytes for which there is room before a read.
const READ: usize = 128 << 10;

thread_local! {
    static BUFFER: RefCell<BytesMut> = RefCell::default();
}

/// What a client hears.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    /// A message of text, whole.
    Message(&'a str),
    /// To be answered with its payload.
    Ping(Bytes),
    /// The server's last frame.
    Close(Option<CloseReason>),
}

/// What is made of it.
type Listener<'l> = dyn FnMut(Heard<'_>) + 'l;

/// An open WebSocket.
pub(super) struct Socket {
    stream: TcpStream,
    frames: Frames,
    /// What came together with the answer to the handshake.
    early: Vec<u8>,
    /// What the kernel has not taken yet: as much as the session writes before it is answered.
    unsent: BytesMut,
    /// The answer to the last ping, which stands for those before it.
    pong: Option<Bytes>,
}

impl Socket {
    /// After the handshake on `stream`, whose answer was followed by the bytes `early`.
    pub(super) fn new(stream: TcpStream, early: Vec<u8>) -> Self {
        Self { stream, frames: Frames::new(), early, unsent: BytesMut::new(), pong: None }
    }

    /// Reads once, and has `each` hear of what is complete with that. Pings are answered by the next flush.
    ///
    /// # Errors
    /// Where the connection is over, or the server does not keep to the protocol.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, each: &mut Listener<'_>) -> Poll<Result<()>> {
        let Self { stream, frames, early, pong, .. } = self;
        let mut hear = |heard: Heard<'_>| match heard {
            Heard::Ping(payload) => *pong = Some(payload),
            heard => each(heard),
        };
        if !early.is_empty() {
            return Poll::Ready(frames.hear(&mut BytesMut::from(&*std::mem::take(early)), &mut hear));
        }
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            buffer.reserve(READ);
            buffer.extend_from_slice(&frames.begun);
            if ready!(poll_read_buf(Pin::new(stream), cx, buffer))? == 0 {
                return Poll::Ready(Err(Error::new(ErrorKind::UnexpectedEof, "cut without a close frame")));
            }
            Poll::Ready(frames.hear(buffer, &mut hear))
        })
    }

    /// Adds a message to what is flushed next.
    ///
    /// # Errors
    /// Where it can't be written as a frame.
    pub(super) fn write(&mut self, message: Message) -> Result<()> {
        self.frames.codec.encode(message, &mut self.unsent).map_err(Error::other)
    }

    /// Whether the kernel has everything.
    pub(super) fn is_flushed(&self) -> bool {
        self.unsent.is_empty() && self.pong.is_none()
    }

    /// Gives the kernel what it takes; ready when that was everything.
    ///
    /// # Errors
    /// Where the connection is over.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            while !self.unsent.is_empty() {
                let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.unsent))?;
                self.unsent.advance(written);
            }
            match self.pong.take() {
                Some(payload) => self.write(Message::Pong(payload))?,
                None => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// From bytes to messages.
struct Frames {
    codec: Codec,
    /// The beginning of a frame.
    begun: Vec<u8>,
    begun_message: Fragments,
}

/// A message of which more frames are to come.
enum Fragments {
    None,
    /// Of text: what has come of it.
    Text(Vec<u8>),
    /// Of bytes, which no server of ours sends.
    Skipped,
}

impl Frames {
    fn new() -> Self {
        Self { codec: Codec::new().client_mode().max_size(LARGEST), begun: Vec::new(), begun_message: Fragments::None }
    }

    /// Has `each` hear of what is whole in `bytes`, which begin with what was kept of the last ones; of nothing after a goodbye.
    fn hear(&mut self, bytes: &mut BytesMut, each: &mut Listener<'_>) -> Result<()> {
        loop {
            while matches!(self.begun_message, Fragments::None)
                && let Some((message, end)) = short_text(bytes)
            {
                each(Heard::Message(text(message)?));
                bytes.advance(end);
            }
            let Some(frame) = self.codec.decode(bytes).map_err(Error::other)? else { break };
            match frame {
                Frame::Text(message) => each(Heard::Message(text(&message)?)),
                Frame::Continuation(part) => self.put_together(part, each)?,
                Frame::Ping(payload) => each(Heard::Ping(payload)),
                Frame::Pong(_) | Frame::Binary(_) => {}
                Frame::Close(reason) => {
                    each(Heard::Close(reason));
                    return Ok(());
                }
            }
        }
        // The codec looks at the length of what is whole only.
        if bytes.len() > LARGEST + HEADER {
            return Err(too_large());
        }
        self.begun = if bytes.is_empty() { Vec::new() } else { bytes.to_vec() };
        Ok(())
    }

    fn put_together(&mut self, part: Item, each: &mut Listener<'_>) -> Result<()> {
        let (part, is_whole) = match part {
            Item::FirstText(part) => {
                self.begun_message = Fragments::Text(Vec::new());
                (part, false)
            }
            Item::FirstBinary(part) => {
                self.begun_message = Fragments::Skipped;
                (part, false)
            }
            Item::Continue(part) => (part, false),
            Item::Last(part) => (part, true),
        };
        if let Fragments::Text(message) = &mut self.begun_message {
            if message.len() + part.len() > LARGEST {
                return Err(too_large());
            }
            message.extend_from_slice(&part);
        }
        if is_whole && let Fragments::Text(message) = std::mem::replace(&mut self.begun_message, Fragments::None) {
            each(Heard::Message(text(&message)?));
        }
        Ok(())
    }
}

/// The message that `bytes` begin with, and where it ends, if it is whole, in one frame, and no longer than most are: the codec would
/// take a third of the generator's time for these.
fn short_text(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (begin, length) = match *bytes {
        [0x81, length @ ..126, ..] => (2, usize::from(length)),
        [0x81, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        _ => return None,
    };
    let end = begin + length;
    Some((bytes.get(begin..end)?, end))
}

fn text(message: &[u8]) -> Result<&str> {
    simdutf8::basic::from_utf8(message).map_err(|_| Error::new(ErrorKind::InvalidData, "the server sends text that is not UTF-8"))
}

fn too_large() -> Error {
    Error::new(ErrorKind::InvalidData, format!("the server sends a message of more than {LARGEST} bytes"))
}

/// What a close frame says; 1005 stands for no code.
pub(super) fn code_and_reason(reason: Option<CloseReason>) -> (u16, String) {
    reason.map_or((1005, String::new()), |reason| (reason.code.into(), reason.description.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::{Frames, HEADER, Heard, LARGEST};
    use actix_http::ws::{CloseCode, Codec, Item, Message};
    use bytes::BytesMut;
    use tokio_util::codec::Encoder;

    fn sent(messages: Vec<Message>) -> Vec<u8> {
        let (mut server, mut bytes) = (Codec::new(), BytesMut::new());
        for message in messages {
            server.encode(message, &mut bytes).expect("a frame");
        }
        bytes.to_vec()
    }

    /// What is heard of bytes that come in these pieces.
    fn heard<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<String>, String> {
        let (mut frames, mut all) = (Frames::new(), Vec::new());
        for piece in pieces {
            let mut bytes = BytesMut::from(&*[&frames.begun, piece].concat());
            let each = &mut |heard: Heard<'_>| all.push(format!("{heard:?}"));
            frames.hear(&mut bytes, each).map_err(|error| error.to_string())?;
        }
        Ok(all)
    }

    #[test]
    fn however_the_bytes_are_cut_each_message_is_heard_once() {
        let part = |item| Message::Continuation(item);
        let bytes = sent(vec![
            Message::Text("one".into()),
            Message::Text("y".repeat(1_000).into()),
            part(Item::FirstText("tw".into())),
            Message::Ping("?".into()),
            part(Item::Continue("".into())),
            part(Item::Last("o".into())),
            Message::Binary("no text".into()),
            part(Item::FirstBinary("no".into())),
            part(Item::Last("text".into())),
            Message::Text("x".repeat(70_000).into()),
            Message::Close(Some(CloseCode::Away.into())),
        ]);
        let whole = heard([&*bytes]).expect("messages");
        let long = |letter: &str, times| format!(r#"Message("{}")"#, letter.repeat(times));
        assert_eq!(whole[..4], [long("one", 1), long("y", 1_000), r#"Ping(b"?")"#.to_owned(), long("two", 1)]);
        assert!(whole.len() == 6 && whole[4] == long("x", 70_000) && whole[5].starts_with("Close(Some("), "{}", whole.len());
        for cut in (0..1_060).chain(bytes.len() - 60..bytes.len()) {
            assert_eq!(heard([&bytes[..cut], &bytes[cut..]]).as_ref(), Ok(&whole), "{cut}");
        }
        assert_eq!(heard(bytes.chunks(1_000)), Ok(whole));
    }

    #[test]
    fn after_the_goodbye_nothing_is_heard() {
        let bytes = sent(vec![Message::Close(None), Message::Text("one more".into())]);
        assert_eq!(heard([&*bytes]), Ok(vec!["Close(None)".to_owned()]));
    }

    #[test]
    fn what_no_server_may_send_ends_it() {
        let parts = vec![
            Message::Continuation(Item::FirstText("x".repeat(LARGEST).into())),
            Message::Continuation(Item::Last("x".into())),
        ];
        let amid = |first| sent(vec![Message::Continuation(first), Message::Text("y".into())]);
        let announced = [&[0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0], &*vec![b'x'; LARGEST + HEADER]].concat();
        for (bytes, fault) in [
            (sent(parts), "a message of more than"),
            (announced, "a message of more than"),
            (vec![0x81, 2, 0xc3, 0x28], "not UTF-8"),
            (vec![0x81, 0x81, 1, 2, 3, 4, 5], "masked"),
            (amid(Item::FirstText("x".into())), "already started"),
            (amid(Item::FirstBinary("x".into())), "already started"),
        ] {
            let told = heard([&*bytes]).expect_err(fault);
            assert!(told.contains(fault), "{told}");
        }
    }
}
