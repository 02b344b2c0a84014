//! A socket on which a test writes bytes by hand: what no client library would send.

use super::{PATIENCE, Server};
use std::{net::IpAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// A socket, upgraded or not.
pub(crate) struct RawSocket {
    stream: TcpStream,
}

/// What a server frame holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawFrame {
    pub(crate) opcode: u8,
    /// RSV1: the payload is compressed.
    pub(crate) compressed: bool,
    pub(crate) payload: Vec<u8>,
}

impl RawFrame {
    /// The code of a close frame.
    pub(crate) fn close_code(&self) -> u16 {
        assert_eq!(self.opcode, 0x8, "{self:?}");
        u16::from_be_bytes([self.payload[0], self.payload[1]])
    }
}

/// First bytes of a client's frame: FIN and opcode.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const TEXT_TO_BE_CONTINUED: u8 = 0x01;
pub(crate) const CONTINUATION: u8 = 0x00;
pub(crate) const LAST_CONTINUATION: u8 = 0x80;

/// The headers of a right handshake.
pub(crate) const HANDSHAKE: &str = "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

impl RawSocket {
    pub(crate) async fn open(server: &Server) -> Self {
        Self { stream: TcpStream::connect(&server.address).await.expect("the server listens") }
    }

    /// An upgraded socket of this user, in the classic dialect.
    pub(crate) async fn upgraded(server: &Server, user: i64) -> Self {
        Self::upgraded_with(server, user, "").await.0
    }

    /// An upgraded socket of this user from another address of this machine.
    pub(crate) async fn upgraded_from(address: IpAddr, server: &Server, user: i64, headers: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((address, 0).into()).expect("an address of this machine");
        let stream = socket.connect(server.address.parse().expect("an address")).await.expect("the server listens");
        Self { stream }.upgrade(user, headers).await.0
    }

    /// An upgraded socket of this user with further headers, and the head of the answer.
    pub(crate) async fn upgraded_with(server: &Server, user: i64, headers: &str) -> (Self, String) {
        Self::open(server).await.upgrade(user, headers).await
    }

    async fn upgrade(mut self, user: i64, headers: &str) -> (Self, String) {
        self.write(format!("GET /ws?userId={user} HTTP/1.1\r\n{HANDSHAKE}{headers}\r\n").as_bytes()).await;
        let head = self.read_head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        (self, head)
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the bytes are written");
    }

    /// Writes as much as the server takes; it may end the connection meanwhile.
    pub(crate) async fn write_until_refused(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("the server reads or refuses")
    }

    /// The body that goes with this head, whose `content-length` is in lower case.
    pub(crate) async fn read_body(&mut self, head: &str) -> Vec<u8> {
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let mut body = vec![0; length.parse().expect("a number")];
        timeout(PATIENCE, self.stream.read_exact(&mut body)).await.expect("a body comes").expect("the whole body");
        body
    }

    /// The status line and headers of an answer.
    pub(crate) async fn read_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = timeout(PATIENCE, self.stream.read_u8()).await.expect("an answer comes");
            match byte {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        String::from_utf8(head).expect("a head is text")
    }

    /// The next frame; `None` where the connection has ended.
    pub(crate) async fn frame(&mut self) -> Option<RawFrame> {
        self.frame_within(PATIENCE).await
    }

    /// The next frame, for which the server takes its time.
    pub(crate) async fn frame_within(&mut self, patience: Duration) -> Option<RawFrame> {
        timeout(patience, self.read_frame()).await.expect("a frame, or the end, comes").ok()
    }

    async fn read_frame(&mut self) -> std::io::Result<RawFrame> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).await?;
        assert_eq!(head[0] & 0xb0, 0x80, "server frames are whole");
        let length = match head[1] {
            126 => usize::from(self.stream.read_u16().await?),
            127 => usize::try_from(self.stream.read_u64().await?).expect("a length"),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await?;
        Ok(RawFrame { opcode: head[0] & 0x0f, compressed: head[0] & 0x40 != 0, payload })
    }

    /// Reads to the end of the connection, whatever comes.
    pub(crate) async fn ended(&mut self) {
        let mut bytes = [0; 1_024];
        while self.stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
    }

    /// The code of the close frame that comes next, after which the connection ends.
    pub(crate) async fn closed(&mut self) -> u16 {
        let code = self.frame().await.expect("a close frame").close_code();
        assert_eq!(self.frame().await, None, "nothing comes after the close frame");
        code
    }
}

/// A client's frame: `first` is FIN, RSV and opcode; masked as the RFC wants it.
pub(crate) fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = client_header(first, payload.len() as u64);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The header alone, announcing `length` bytes.
pub(crate) fn client_header(first: u8, length: u64) -> Vec<u8> {
    const MASKED: u8 = 0x80;
    let mut header = vec![first];
    match length {
        0..126 => header.push(MASKED + u8::try_from(length).expect("short")),
        126..65_536 => {
            header.push(MASKED + 126);
            header.extend(u16::try_from(length).expect("medium").to_be_bytes());
        }
        _ => {
            header.push(MASKED + 127);
            header.extend(length.to_be_bytes());
        }
    }
    header.extend([0x37, 0xfa, 0x21, 0x3d]);
    header
}
