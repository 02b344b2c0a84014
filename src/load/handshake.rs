//! The opening handshake of RFC 6455, as a client has it.

use super::socket::Socket;
use actix_http::ws::hash_key;
use base64::{Engine, engine::general_purpose::STANDARD};
use httparse::{EMPTY_HEADER, Response, Status};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::{Position, Url};

/// Bytes that the answer may have.
const LONGEST: usize = 16 << 10;

/// Headers that the answer may have.
const HEADERS: usize = 64;

/// Why there is no WebSocket.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Another status than 101.
    #[error("the server answers with HTTP {0}")]
    Status(u16),
    /// The subprotocol that was asked for is not spoken.
    #[error("the server does not speak the subprotocol")]
    NoProtocol,
    /// Something else than HTTP, or more headers than anybody sends.
    #[error("the server's answer can't be read as HTTP: {0}")]
    NoHttp(#[from] httparse::Error),
    /// More than an answer has.
    #[error("the server's answer does not end")]
    Endless,
    /// HTTP 101 for something else.
    #[error("the server answers as no WebSocket does: Sec-WebSocket-Accept does not fit")]
    NoWebSocket,
    /// It would be a header of its own.
    #[error("the token has characters that no header may have")]
    FaultyToken,
    /// The connection was cut.
    #[error("the server cut the connection during the handshake")]
    Cut,
    /// The system's.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Asks for the WebSocket at `url`.
pub(super) async fn shake(
    mut stream: TcpStream,
    url: &Url,
    protocol: Option<&str>,
    token: Option<&str>,
) -> Result<Socket, Failure> {
    if !token.unwrap_or_default().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::FaultyToken);
    }
    let key = STANDARD.encode(fastrand::u128(..).to_ne_bytes());
    stream.write_all(request(url, &key, protocol, token).as_bytes()).await?;
    let mut answer = Vec::with_capacity(1 << 10);
    while answer.len() < LONGEST {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(Failure::Cut);
        }
        if let Some(length) = check(&answer, &key, protocol)? {
            return Ok(Socket::new(stream, answer.split_off(length)));
        }
    }
    Err(Failure::Endless)
}

fn request(url: &Url, key: &str, protocol: Option<&str>, token: Option<&str>) -> String {
    let (target, host) = (&url[Position::BeforePath..Position::AfterQuery], &url[Position::BeforeHost..Position::AfterPort]);
    let header = |name: &str, value: Option<&str>| value.map_or_else(String::new, |value| format!("{name}{value}\r\n"));
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {key}\r\n{}{}\r\n",
        header("Sec-WebSocket-Protocol: ", protocol),
        header("Authorization: Bearer ", token),
    )
}

/// How long the answer is, once it is whole; what follows are frames.
fn check(answer: &[u8], key: &str, protocol: Option<&str>) -> Result<Option<usize>, Failure> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut response = Response::new(&mut headers);
    let Status::Complete(length) = response.parse(answer)? else { return Ok(None) };
    let status = response.code.unwrap_or_default();
    if status != 101 {
        return Err(Failure::Status(status));
    }
    let has = |name: &str, value: &[u8]| {
        response.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name) && header.value == value)
    };
    if !has("Sec-WebSocket-Accept", &hash_key(key.as_bytes())) {
        return Err(Failure::NoWebSocket);
    }
    let is_spoken = protocol.is_none_or(|protocol| has("Sec-WebSocket-Protocol", protocol.as_bytes()));
    if is_spoken { Ok(Some(length)) } else { Err(Failure::NoProtocol) }
}

#[cfg(test)]
mod tests {
    use super::{Failure, check};

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\
                          sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: natter.v1\r\n\r\n";

    #[test]
    fn an_answer_is_whole_with_its_last_byte_and_frames_follow_it() {
        for end in 0..ANSWER.len() {
            assert!(matches!(check(&ANSWER.as_bytes()[..end], KEY, Some("natter.v1")), Ok(None)), "{end}");
        }
        let with_a_frame = format!("{ANSWER}\u{1}\u{0}");
        assert!(matches!(check(with_a_frame.as_bytes(), KEY, Some("natter.v1")), Ok(Some(length)) if length == ANSWER.len()));
    }

    #[test]
    fn what_is_no_websocket_is_told() {
        let check = |answer: &str, protocol| check(answer.as_bytes(), KEY, protocol).unwrap_err();
        assert!(matches!(check("HTTP/1.1 404 Not Found\r\n\r\n", None), Failure::Status(404)));
        assert!(matches!(check("SSH-2.0-OpenSSH_9.2\r\n", None), Failure::NoHttp(_)));
        assert!(matches!(check(ANSWER, Some("another.v1")), Failure::NoProtocol));
        assert!(matches!(check(&ANSWER.replace("s3pP", "S3PP"), None), Failure::NoWebSocket));
    }
}
