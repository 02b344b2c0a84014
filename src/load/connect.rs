//! Opening a session: the socket, the handshake, and in natter.v1 the welcome.

use super::{LoadFault, options::Load};
use futures_util::StreamExt;
use serde::Deserialize;
use std::{io::ErrorKind, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        ClientRequestBuilder, Error, Message,
        error::{ProtocolError, SubProtocolError},
        protocol::WebSocketConfig,
    },
};
use url::Url;

/// How long a server has for the handshake, and for the welcome.
const PATIENCE: Duration = Duration::from_secs(20);

/// A WebSocket to the server.
pub(super) type Socket = WebSocketStream<TcpStream>;

/// A session that is open.
pub(super) struct Opened {
    pub(super) socket: Socket,
    /// Whom the server takes it for.
    pub(super) user: u64,
}

#[derive(Deserialize)]
struct Welcome {
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
    let uri = url.as_str().parse().map_err(|error| LoadFault::Handshake { number, error: format!("{error}") })?;
    let mut request = ClientRequestBuilder::new(uri);
    if !load.classic {
        request = request.with_sub_protocol("natter.v1");
    }
    if let Some(token) = token {
        request = request.with_header("Authorization", format!("Bearer {token}"));
    }
    let opened = client_async_with_config(request, stream, Some(buffers(load))).await;
    let (socket, _) = opened.map_err(|error| fault_of(number, error))?;
    if load.classic { Ok(Opened { socket, user }) } else { welcomed(socket, number).await }
}

/// The system's errors for a process, and a machine, that has no descriptor left.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

fn too_few(load: &Load, number: u32) -> LoadFault {
    LoadFault::Descriptors { sessions: load.sessions(), needed: super::descriptors_for(load.sessions()), allowed: number.into() }
}

/// A session reads in large pieces where there are few of them, and takes little memory where there are many.
fn buffers(load: &Load) -> WebSocketConfig {
    const ALL: u32 = 64 << 20;
    // Before each read, all of it is filled with zeros.
    let each = (ALL / load.sessions()).clamp(4 << 10, 16 << 10);
    WebSocketConfig::default().read_buffer_size(each as usize).write_buffer_size(each as usize)
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

fn fault_of(number: u32, error: Error) -> LoadFault {
    match error {
        Error::Http(response) => LoadFault::Refused { number, status: response.status().as_u16() },
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(SubProtocolError::NoSubProtocol)) => LoadFault::NoNatterV1,
        error => LoadFault::Handshake { number, error: error.to_string() },
    }
}

/// The first frame of natter.v1, or what came in its place.
async fn welcomed(mut socket: Socket, number: u32) -> Result<Opened, LoadFault> {
    let mut said = String::new();
    while let Some(message) = socket.next().await {
        match message {
            Ok(Message::Text(text)) => match serde_json::from_str::<Welcome>(&text) {
                Ok(welcome) => return Ok(Opened { socket, user: welcome.payload.user_id }),
                Err(_) => said = refusal(&text),
            },
            Ok(Message::Close(frame)) => {
                let (code, reason) = frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                let reason = if said.is_empty() { reason } else { said };
                return Err(LoadFault::Closed { number, code, reason });
            }
            Ok(_) => {}
            Err(error) => return Err(fault_of(number, error)),
        }
    }
    Err(LoadFault::Closed { number, code: 1006, reason: said })
}

/// What an `ERROR` says.
pub(super) fn refusal(text: &str) -> String {
    let error: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    error["payload"]["message"].as_str().unwrap_or_default().to_owned()
}
