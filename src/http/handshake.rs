//! The handshake of RFC 6455, stricter than the library's: it would take versions 7 and 8, any key, and a body.

use super::problem::Problem;
use crate::protocol::Refusal;
use actix_web::{
    HttpRequest,
    http::{StatusCode, Version, header},
};

/// Whether this request may become a WebSocket.
pub(super) fn check(request: &HttpRequest) -> Result<(), Problem> {
    let headers = request.headers();
    let one = |name: header::HeaderName| {
        let mut values = headers.get_all(name);
        values.next().and_then(|value| value.to_str().ok()).filter(|_| values.next().is_none())
    };
    let bad = |header, message| Err(Problem::new(StatusCode::BAD_REQUEST, Refusal::field(header, message)));
    let upgrade = |header, message| Err(Problem::new(StatusCode::UPGRADE_REQUIRED, Refusal::field(header, message)));
    if !one(header::UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        return upgrade("Upgrade", "this is a WebSocket: connect with new WebSocket(url)");
    }
    if !request.head().upgrade() {
        return bad("Connection", "the Connection header must say Upgrade");
    }
    if request.version() != Version::HTTP_11 {
        return bad("Upgrade", "a WebSocket handshake needs HTTP/1.1");
    }
    if one(header::HOST).is_none() {
        return bad("Host", "a WebSocket handshake needs one Host header");
    }
    for (header, name) in [(header::CONTENT_LENGTH, "Content-Length"), (header::TRANSFER_ENCODING, "Transfer-Encoding")] {
        if headers.contains_key(header) {
            return bad(name, "a WebSocket handshake has no body");
        }
    }
    if one(header::SEC_WEBSOCKET_VERSION) != Some("13") {
        return upgrade("Sec-WebSocket-Version", "Sec-WebSocket-Version must be 13");
    }
    if !one(header::SEC_WEBSOCKET_KEY).is_some_and(is_key) {
        return bad("Sec-WebSocket-Key", "Sec-WebSocket-Key must be 16 bytes in base64");
    }
    Ok(())
}

/// 16 bytes in base64: 22 digits, the last of which carries only two bits, and two signs of padding.
fn is_key(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    match text.as_bytes() {
        [digits @ .., b'A' | b'Q' | b'g' | b'w', b'=', b'='] => digits.len() == 21 && digits.iter().all(|byte| digit(*byte)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_key;

    #[test]
    fn a_key_is_sixteen_bytes_in_base64() {
        assert!(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
        for other in ["", "==", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25jZ Q=", "YWJj"] {
            assert!(!is_key(other), "{other:?}");
        }
    }
}
