//! One thread, one epoll, no database: every message is written to every socket with one write, and that is all. What it needs is
//! what the kernel takes for sockets, and so what no server goes below.
//!
//!     floor PORT [FILE]
//!
//! With a file it pays the least that a server pays which stores what it tells: before anyone is told, two pages are written and on disk.

mod client;
mod disk;

use client::Client;
use disk::Disk;
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;

const LISTENER: Token = Token(usize::MAX);

/// What a client sends; the keys that are null for all of `natter load`'s messages are left out.
#[derive(Deserialize)]
struct Posted<'a> {
    chat_id: u64,
    sender_id: u64,
    content: &'a str,
}

#[derive(Serialize)]
struct Frame<'a> {
    r#type: &'a str,
    payload: Payload<'a>,
}

#[derive(Serialize)]
struct Payload<'a> {
    id: u64,
    chat_id: u64,
    sender_id: u64,
    content: &'a str,
    file_type: Option<&'a str>,
    file_paths: Option<&'a str>,
    selected_chat_id: Option<u64>,
    created_at: &'a str,
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "3001".to_owned());
    let address = format!("127.0.0.1:{port}").parse().map_err(std::io::Error::other)?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1_024));
    let mut listener = TcpListener::bind(address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut disk = std::env::args().nth(2).map(Disk::create).transpose()?;
    let (mut id, mut out) = (0, Vec::new());
    loop {
        if let Err(error) = poll.poll(&mut events, None) {
            if error.kind() == ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        out.clear();
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut clients)?;
                continue;
            }
            let Some(client) = &mut clients[event.token().0] else { continue };
            let is_open = client.read(|text| {
                if let Ok(posted) = serde_json::from_slice(text) {
                    id += 1;
                    encode(&mut out, id, &posted);
                }
            });
            if !is_open || !client.flush() {
                clients[event.token().0] = None;
            }
        }
        if out.is_empty() {
            continue;
        }
        if let Some(disk) = &mut disk {
            disk.commit()?;
        }
        // What one turn of the loop brought leaves in one write a socket.
        for client in clients.iter_mut().filter(|client| client.is_some()) {
            if client.as_mut().is_some_and(|client| !client.send(&out)) {
                *client = None;
            }
        }
    }
}

fn accept(listener: &TcpListener, poll: &Poll, clients: &mut Vec<Option<Client>>) -> std::io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut socket, _)) => {
                add(&mut socket, poll, clients.len())?;
                clients.push(Some(Client::new(socket)));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn add(socket: &mut TcpStream, poll: &Poll, place: usize) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    poll.registry().register(socket, Token(place), Interest::READABLE | Interest::WRITABLE)
}

fn encode(out: &mut Vec<u8>, id: u64, posted: &Posted<'_>) {
    let created_at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let Posted { chat_id, sender_id, content } = *posted;
    let (file_type, file_paths, selected_chat_id) = (None, None, None);
    let payload = Payload { id, chat_id, sender_id, content, file_type, file_paths, selected_chat_id, created_at: &created_at };
    let json = serde_json::to_vec(&Frame { r#type: "MESSAGE", payload }).unwrap_or_default();
    client::frame(out, 0x81, &json);
}
