//! A socket: the handshake, then frames, as far as `natter load` needs them.

use base64::{Engine, prelude::BASE64_STANDARD};
use mio::net::TcpStream;
use sha1::{Digest, Sha1};
use std::io::{ErrorKind, Read, Write};

/// A WebSocket, or one that is still to become it.
pub struct Client {
    socket: TcpStream,
    is_open: bool,
    /// What was read and is not whole yet.
    rest: Vec<u8>,
    /// What the kernel did not take.
    waiting: Vec<u8>,
}

impl Client {
    pub fn new(socket: TcpStream) -> Self {
        Self { socket, is_open: false, rest: Vec::new(), waiting: Vec::new() }
    }

    /// Reads everything there is; false where it is over.
    pub fn read(&mut self, mut hear: impl FnMut(&[u8])) -> bool {
        let mut buffer = [0; 64 << 10];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => {
                    self.rest.extend_from_slice(&buffer[..count]);
                    if !self.take(&mut hear) {
                        return false;
                    }
                    // Less than there was room for: the next read would find nothing, and epoll tells of more.
                    if count < buffer.len() {
                        return true;
                    }
                }
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    fn take(&mut self, hear: &mut impl FnMut(&[u8])) -> bool {
        if !self.is_open && !self.shake_hands() {
            return true;
        }
        let mut rest = std::mem::take(&mut self.rest);
        let mut at = 0;
        while let Some((opcode, start, end)) = header(&rest[at..]) {
            let (mask, payload) = rest[at + start - 4..at + end].split_at_mut(4);
            payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            match opcode {
                1 => hear(payload),
                8 => return false,
                _ => {}
            }
            at += end;
        }
        rest.drain(..at);
        self.rest = rest;
        true
    }

    fn shake_hands(&mut self) -> bool {
        let Some(end) = self.rest.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
        let head = String::from_utf8_lossy(&self.rest[..end]).into_owned();
        let key = head.lines().find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key")));
        let mut hash = Sha1::new();
        hash.update(key.map_or("", |(_, key)| key.trim()));
        hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let accept = BASE64_STANDARD.encode(hash.finalize());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        self.rest.drain(..end + 4);
        self.is_open = true;
        self.send(answer.as_bytes())
    }

    /// Writes, or keeps what the kernel does not take; false where it is over.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        if !self.is_open {
            return true;
        }
        if !self.waiting.is_empty() {
            self.waiting.extend_from_slice(bytes);
            return true;
        }
        match self.socket.write(bytes) {
            Ok(count) => self.waiting.extend_from_slice(&bytes[count..]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.waiting.extend_from_slice(bytes),
            Err(_) => return false,
        }
        true
    }

    /// Writes what was kept.
    pub fn flush(&mut self) -> bool {
        while !self.waiting.is_empty() {
            match self.socket.write(&self.waiting) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        true
    }
}

/// The opcode of the frame at the beginning, where its payload starts, and where it ends, if it is whole.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (start, length) = match bytes.get(1)? & 0x7f {
        126 => (8, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (14, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (6, usize::from(short)),
    };
    (bytes.len() >= start + length).then_some((bytes[0] & 15, start, start + length))
}

/// A server's frame.
pub fn frame(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    out.push(first);
    match u16::try_from(payload.len()) {
        Ok(short @ ..126) => out.push(short as u8),
        Ok(length) => {
            out.push(126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            out.push(127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}
