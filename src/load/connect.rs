//! Opening a session: the socket, the handshake, and in natter.v1 the welcome.

use super::{
    LoadFault,
    handshake::{self, Failure},
    options::Load,
    socket::{Heard, Socket, code_and_reason},
};
use serde::Deserialize;
use std::{future::poll_fn, io::ErrorKind, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use url::Url;

/// How long a server has for the handshake, and for the welcome.
const PATIENCE: Duration = Duration::from_secs(20);

/// The subprotocol that is asked for, unless the classic dialect is.
const NATTER_V1: &str = "natter.v1";

/// A session that is open.
pub(super) struct Opened {
    pub(super) socket: Socket,
    /// Whom the server takes it for.
    pub(super) user: u64,
}

#[derive(Deserialize)]
struct Welcome {
    r#type: String,
    payload: WelcomePayload,
}

#[derive(Deserialize)]
struct WelcomePayload {
    user_id: u64,
}

/// Whether anybody listens at all.
pub(super) async fn knock(server: &Url) -> Result<(), LoadFault> {
    let outcome = timeout(PATIENCE, dial(server)).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
    outcome.map(drop).map_err(|error| LoadFault::Unreachable { url: server.to_string(), error })
}

async fn dial(server: &Url) -> std::io::Result<TcpStream> {
    let (host, port) = (server.host_str().unwrap_or_default(), server.port_or_known_default().unwrap_or(80));
    TcpStream::connect((host.trim_start_matches('[').trim_end_matches(']'), port)).await
}

/// Opens session `number` of the run.
pub(super) async fn open(load: &Load, url: &Url, number: u32, token: Option<&str>) -> Result<Opened, LoadFault> {
    timeout(PATIENCE, handshake(load, url, number, token)).await.map_err(|_| LoadFault::Silent(number))?
}

async fn handshake(load: &Load, server: &Url, number: u32, token: Option<&str>) -> Result<Opened, LoadFault> {
    let user = u64::from(load.first_user) + u64::from(number);
    let url = url_of(server, user, token.is_some());
    let unreachable = |error| LoadFault::Unreachable { url: server.to_string(), error };
    let stream = dial(server).await.map_err(|error| match error.kind() {
        // What the limit was raised to at the start may be less than the system has left.
        _ if error.raw_os_error() == Some(EMFILE) || error.raw_os_error() == Some(ENFILE) => too_few(load, number),
        ErrorKind::AddrNotAvailable => unreachable(std::io::Error::other("no local port is left: net.ipv4.ip_local_port_range")),
        _ => unreachable(error),
    })?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let protocol = (!load.classic).then_some(NATTER_V1);
    let socket = handshake::shake(stream, &url, protocol, token).await.map_err(|failure| fault_of(number, failure))?;
    if load.classic { Ok(Opened { socket, user }) } else { welcomed(socket, number).await }
}

/// The system's errors for a process, and a machine, that has no descriptor left.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

fn too_few(load: &Load, number: u32) -> LoadFault {
    LoadFault::Descriptors { sessions: load.sessions(), needed: super::descriptors_for(load.sessions()), allowed: number.into() }
}

fn url_of(url: &Url, user: u64, has_token: bool) -> Url {
    const PLACE: &str = "%7Buser%7D";
    let text = url.as_str().replace("{user}", PLACE);
    if text.contains(PLACE) {
        return Url::parse(&text.replace(PLACE, &user.to_string())).unwrap_or_else(|_| url.clone());
    }
    let mut url = url.clone();
    // A token says whose it is.
    if !has_token {
        url.query_pairs_mut().append_pair("userId", &user.to_string());
    }
    url
}

fn fault_of(number: u32, failure: Failure) -> LoadFault {
    match failure {
        Failure::Status(status) => LoadFault::Refused { number, status },
        Failure::NoProtocol => LoadFault::NoNatterV1,
        failure => LoadFault::Handshake { number, error: failure.to_string() },
    }
}

/// The first frame of natter.v1, or what came in its place.
async fn welcomed(mut socket: Socket, number: u32) -> Result<Opened, LoadFault> {
    let (mut user, mut said) = (None, String::new());
    loop {
        let mut closed = None;
        let mut hear = |heard: Heard<'_>| match heard {
            Heard::Message(text) if user.is_none() => match serde_json::from_str::<Welcome>(text) {
                Ok(welcome) if welcome.r#type == "WELCOME" => user = Some(welcome.payload.user_id),
                Ok(_) | Err(_) => said = refusal(text),
            },
            Heard::Message(_) | Heard::Ping(_) => {}
            Heard::Close(reason) => closed = Some(code_and_reason(reason)),
        };
        let read = poll_fn(|cx| socket.poll_read(cx, &mut hear)).await;
        let closed = closed.or_else(|| read.err().map(|error| (1006, error.to_string())));
        if let Some((code, reason)) = closed {
            return Err(LoadFault::Closed { number, code, reason: if said.is_empty() { reason } else { said } });
        }
        if let Some(user) = user {
            return Ok(Opened { socket, user });
        }
    }
}

/// What an `ERROR` says.
fn refusal(text: &str) -> String {
    let error: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    error["payload"]["message"].as_str().unwrap_or_default().to_owned()
}
