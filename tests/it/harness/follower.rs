//! Clients by the thousand that only read. Each keeps its place in the log, and fails where an event is missing or comes twice.

use super::PATIENCE;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use std::net::SocketAddr;
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// Handshakes under way at once, where all are to join.
const AT_ONCE: usize = 100;

/// How a connection ends that says nothing of it.
pub(crate) const CUT: u16 = 1006;

/// A client, connected or not.
pub(crate) struct Follower {
    address: SocketAddr,
    pub(crate) user: i64,
    /// Bytes that the kernel may hold for it; its own default without.
    receive_buffer: Option<u32>,
    log_id: String,
    /// The last event that it was told of.
    pub(crate) at: i64,
    socket: Option<WebSocketStream<TcpStream>>,
}

/// The event with which everything ends, once the test has told which it is.
pub(crate) async fn last_event(mut told: watch::Receiver<Option<i64>>) -> i64 {
    let last = told.wait_for(Option::is_some).await.expect("the test goes on");
    last.expect("an event")
}

/// What a follower reads of a frame.
#[derive(Deserialize)]
struct Told<'a> {
    r#type: &'a str,
    seq: Option<i64>,
    payload: Option<Head<'a>>,
}

/// What it reads of the payload of a `WELCOME`.
#[derive(Deserialize)]
struct Head<'a> {
    log_id: Option<&'a str>,
    seq: Option<i64>,
}

impl Follower {
    /// So many of them, joined.
    pub(crate) async fn gather(address: &str, users: impl Iterator<Item = i64>, receive_buffer: Option<u32>) -> Vec<Self> {
        rlimit::increase_nofile_limit(u64::MAX).expect("descriptors");
        let address = address.parse().expect("an address");
        let join = |user| async move {
            let mut follower = Self { address, user, receive_buffer, log_id: String::new(), at: 0, socket: None };
            assert!(follower.join().await, "user {user} could not connect");
            follower
        };
        stream::iter(users).map(join).buffer_unordered(AT_ONCE).collect().await
    }

    /// Connects, with its cursor if it was here before; false where nobody answers.
    pub(crate) async fn join(&mut self) -> bool {
        let socket = timeout(PATIENCE, self.connect()).await.ok().flatten();
        self.socket = socket;
        // The first frame is the WELCOME.
        self.socket.is_some() && matches!(timeout(PATIENCE, self.read()).await, Ok(Ok(())))
    }

    async fn connect(&self) -> Option<WebSocketStream<TcpStream>> {
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes).expect("a buffer");
        }
        let stream = socket.connect(self.address).await.ok()?;
        let is_new = self.log_id.is_empty();
        let cursor = if is_new { String::new() } else { format!("&since={}&log={}", self.at, self.log_id) };
        let url = format!("ws://{}/ws?userId={}{cursor}", self.address, self.user);
        let mut request = url.into_client_request().expect("an address");
        request.headers_mut().insert("sec-websocket-protocol", "natter.v1".parse().expect("a header"));
        Some(client_async(request, stream).await.ok()?.0)
    }

    /// Ends the connection without a word.
    pub(crate) fn leave(&mut self) {
        self.socket = None;
    }

    /// Reads one frame: the close code where the connection ends.
    pub(crate) async fn read(&mut self) -> Result<(), u16> {
        let message = self.socket.as_mut().ok_or(CUT)?.next().await;
        match message {
            Some(Ok(Message::Text(text))) => self.hear(&text),
            Some(Ok(Message::Close(close))) => return Err(close.map_or(CUT, |close| close.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(CUT),
        }
        Ok(())
    }

    /// Reads until it was told of this event.
    pub(crate) async fn read_up_to(&mut self, seq: i64) {
        while self.at < seq {
            let read = timeout(PATIENCE, self.read()).await.expect("a frame comes");
            assert_eq!(read, Ok(()), "user {} at {} of {seq}", self.user, self.at);
        }
    }

    fn hear(&mut self, text: &str) {
        let told: Told<'_> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        match (told.r#type, told.payload) {
            ("WELCOME", Some(Head { log_id: Some(log_id), seq: Some(seq) })) => {
                if self.log_id.is_empty() {
                    (self.log_id, self.at) = (log_id.to_owned(), seq);
                }
            }
            ("RESUMED", _) => {}
            ("MESSAGE" | "SUPPORT_MESSAGE", _) => {
                assert_eq!(told.seq, Some(self.at + 1), "user {} lost an event, or was told of one twice", self.user);
                self.at += 1;
            }
            _ => panic!("user {} was told {text}", self.user),
        }
    }
}
