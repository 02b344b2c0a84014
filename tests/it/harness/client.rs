//! A client, on a second implementation of WebSocket.

use super::{
    Kind, PATIENCE, Server, new_message,
    schema::{From, assert_described},
};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Bytes, Error, Message, client::IntoClientRequest, protocol::CloseFrame},
};

/// A connected client.
pub(crate) struct Client {
    socket: Socket,
    /// In which words it is spoken to.
    dialect: From,
    pub(crate) user: i64,
}

impl Client {
    /// Connects as an existing client of the Node server does: without a subprotocol.
    pub(crate) async fn classic(server: &Server, user: i64) -> Self {
        Self::connect(&server.ws_url(user), user, None).await
    }

    /// Connects by `natter.v1`; the `WELCOME` is the second half.
    pub(crate) async fn natter_v1(server: &Server, user: i64) -> (Self, Value) {
        let mut client = Self::connect(&server.ws_url(user), user, Some("natter.v1")).await;
        let welcome = client.next().await;
        assert_eq!(welcome["type"], "WELCOME");
        (client, welcome)
    }

    /// Connects by `natter.v1` with a cursor; the `WELCOME` is the second half.
    pub(crate) async fn resuming(server: &Server, user: i64, since: i64, log_id: &str) -> (Self, Value) {
        let url = format!("{}&since={since}&log={log_id}", server.ws_url(user));
        let mut client = Self::connect(&url, user, Some("natter.v1")).await;
        let welcome = client.expect("WELCOME").await;
        (client, welcome)
    }

    /// Sends a request and waits for its answer; what comes before is passed over.
    pub(crate) async fn request(&mut self, mut frame: Value) -> Value {
        frame["request_id"] = Value::from("asked");
        self.send(&frame).await;
        self.answer_to("asked").await.expect("the session stays open")
    }

    pub(crate) async fn connect(url: &str, user: i64, subprotocol: Option<&str>) -> Self {
        let mut request = url.into_client_request().expect("an address");
        if let Some(subprotocol) = subprotocol {
            request.headers_mut().insert("sec-websocket-protocol", subprotocol.parse().expect("a header"));
        }
        let (socket, response) = timeout(PATIENCE, connect_async(request)).await.expect("an answer").expect("a WebSocket");
        let agreed = response.headers().get("sec-websocket-protocol").map(|value| value.to_str().expect("text"));
        assert_eq!(agreed, subprotocol);
        Self { socket, dialect: subprotocol.map_or(From::Classic, |_| From::NatterV1), user }
    }

    /// Connects with these headers; where the handshake is refused, its status.
    pub(crate) async fn with_headers(url: &str, user: i64, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = url.into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("a header"));
        }
        match timeout(PATIENCE, connect_async(request)).await.expect("an answer") {
            Ok((socket, response)) => {
                let is_agreed = response.headers().contains_key("sec-websocket-protocol");
                Ok(Self { socket, user, dialect: if is_agreed { From::NatterV1 } else { From::Classic } })
            }
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("neither a WebSocket nor an answer: {error}"),
        }
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, frame: &Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends frames in one write, so that the server reads them at once and they stand in one batch.
    pub(crate) async fn send_together(&mut self, frames: &[Value]) {
        for frame in frames {
            self.socket.feed(Message::text(frame.to_string())).await.expect("the frame is written");
        }
        self.socket.flush().await.expect("the frames are sent");
    }

    /// Sends a text frame as it stands.
    pub(crate) async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("the frame is sent");
    }

    /// Sends a frame to a server that may be gone.
    pub(crate) async fn try_send(&mut self, frame: &Value) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        self.socket.send(Message::text(frame.to_string())).await
    }

    /// The frame that answers this request, or the code with which the session was closed before.
    pub(crate) async fn answer_to(&mut self, request_id: &str) -> Result<Value, u16> {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("an answer comes");
            match message.expect("a close frame comes before the end").expect("a frame") {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).expect("a frame is JSON");
                    assert_described(self.dialect, &frame);
                    if frame["request_id"] == request_id {
                        return Ok(frame);
                    }
                }
                Message::Close(Some(close)) => return Err(close.code.into()),
                _ => {}
            }
        }
    }

    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(Bytes::copy_from_slice(bytes))).await.expect("the frame is sent");
    }

    /// Posts a message as itself.
    pub(crate) async fn post(&mut self, kind: Kind, conversation: i64, content: &str) {
        self.send(&new_message(kind, conversation, self.user, content)).await;
    }

    /// The next text frame as it stands.
    pub(crate) async fn next_text(&mut self) -> String {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("a frame comes");
            match message.expect("the socket is open").expect("a frame") {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a text frame: {other:?}"),
            }
        }
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Value {
        let frame = serde_json::from_str(&self.next_text().await).expect("a frame is JSON");
        assert_described(self.dialect, &frame);
        frame
    }

    /// The next frame, if one comes before the connection ends.
    pub(crate) async fn next_if_any(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("a frame, or the end") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).expect("a frame is JSON")),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_) | Message::Binary(_) | Message::Frame(_)) | Err(_)) | None => return None,
            }
        }
    }

    /// The next frame, which is of this type.
    pub(crate) async fn expect(&mut self, r#type: &str) -> Value {
        let frame = self.next().await;
        assert_eq!(frame["type"], r#type, "{frame}");
        frame
    }

    /// The payload of the next frame, which refuses with this code.
    pub(crate) async fn expect_error(&mut self, code: &str) -> Value {
        let frame = self.expect("ERROR").await;
        assert_eq!(frame["payload"]["code"], code, "{frame}");
        frame["payload"].clone()
    }

    /// Waits for the close frame: code and reason. Text frames before it are passed over.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("the server closes");
            match message {
                Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => return (code.into(), reason.as_str().to_owned()),
                Some(Ok(_)) => {}
                other => panic!("ended without a close frame: {other:?}"),
            }
        }
    }

    /// One half sends, the other reads, at the same time.
    pub(crate) fn split(self) -> (SendingHalf, ReadingHalf) {
        let (sink, stream) = self.socket.split();
        (SendingHalf { sink, user: self.user }, ReadingHalf { stream, dialect: self.dialect })
    }

    /// Says goodbye and waits for the answer.
    pub(crate) async fn close(mut self) -> u16 {
        let normal = CloseFrame { code: 1000.into(), reason: "".into() };
        self.socket.close(Some(normal)).await.expect("the close frame is sent");
        self.closed().await.0
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The half of a client that sends.
pub(crate) struct SendingHalf {
    sink: SplitSink<Socket, Message>,
    user: i64,
}

impl SendingHalf {
    /// Posts a message as itself.
    pub(crate) async fn post(&mut self, kind: Kind, conversation: i64, content: &str) {
        let message = new_message(kind, conversation, self.user, content);
        self.sink.send(Message::text(message.to_string())).await.expect("the frame is sent");
    }
}

/// The half of a client that reads.
pub(crate) struct ReadingHalf {
    stream: SplitStream<Socket>,
    dialect: From,
}

impl ReadingHalf {
    /// The next frame.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            let message = timeout(PATIENCE, self.stream.next()).await.expect("a frame comes");
            match message.expect("the socket is open").expect("a frame") {
                Message::Text(text) => {
                    let frame = serde_json::from_str(&text).expect("a frame is JSON");
                    assert_described(self.dialect, &frame);
                    return frame;
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a text frame: {other:?}"),
            }
        }
    }
}
