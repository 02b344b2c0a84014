//! Where a request carries what says who it is from.

use crate::protocol::{ErrorCode, Refusal, Token};
use actix_web::{
    HttpRequest,
    http::header::{AUTHORIZATION, COOKIE, HeaderName, SEC_WEBSOCKET_PROTOCOL},
};
use url::form_urlencoded;

/// The cookie that a browser sends by itself, for whatever page.
const COOKIE_NAME: &str = "natter_token";

/// How a page's script, which can set no header, hands a token over with `new WebSocket`.
const SUBPROTOCOL: &str = "natter.token.";

const MISSING: &str =
    "a token is required: Authorization: Bearer, the cookie natter_token, the subprotocol natter.token.<jwt>, or ?token=";

/// The token of a request.
pub(super) fn token(request: &HttpRequest) -> Result<Token, Refusal> {
    let mut tokens =
        bearers(request).chain(cookies(request)).chain(subprotocols(request)).map(str::to_owned).chain(parameters(request));
    let first = tokens.next().ok_or_else(|| Refusal::new(ErrorCode::Unauthorized, MISSING))?;
    if tokens.all(|token| token == first) {
        Ok(Token::new(&first))
    } else {
        let message = "the request has several tokens, and they are not the same";
        Err(Refusal { field: Some("token"), ..Refusal::new(ErrorCode::Unauthorized, message) })
    }
}

/// Whether the request has a token or a key, right or wrong.
pub(super) fn are_given(request: &HttpRequest) -> bool {
    bearers(request).chain(cookies(request)).chain(subprotocols(request)).next().is_some() || parameters(request).next().is_some()
}

/// Whether a browser may have sent the request with a token without its page's knowing.
pub(super) fn has_cookie(request: &HttpRequest) -> bool {
    cookies(request).next().is_some()
}

/// What stands in `Authorization: Bearer`.
pub(super) fn bearers(request: &HttpRequest) -> impl Iterator<Item = &str> {
    values(request, AUTHORIZATION).filter_map(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    })
}

fn cookies(request: &HttpRequest) -> impl Iterator<Item = &str> {
    let pairs = values(request, COOKIE).flat_map(|value| value.split(';'));
    pairs.filter_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
}

fn subprotocols(request: &HttpRequest) -> impl Iterator<Item = &str> {
    let offers = values(request, SEC_WEBSOCKET_PROTOCOL).flat_map(|value| value.split(','));
    offers.filter_map(|offer| offer.trim().strip_prefix(SUBPROTOCOL))
}

fn parameters(request: &HttpRequest) -> impl Iterator<Item = String> {
    let parameters = form_urlencoded::parse(request.query_string().as_bytes());
    parameters.filter(|(name, _)| name == "token").map(|(_, token)| token.into_owned())
}

fn values(request: &HttpRequest, name: HeaderName) -> impl Iterator<Item = &str> {
    request.headers().get_all(name).filter_map(|value| value.to_str().ok())
}
