//! Where browsers may come from: an exact list. A browser writes an origin in one way alone, so texts are compared, and nothing that
//! merely begins or ends like one on the list passes.

use std::{fmt, str::FromStr};
use url::{Origin, Url};

/// An origin as browsers write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigin(String);

/// It is no origin as browsers write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin such as https://app.example or http://localhost:3000: scheme, host and port, with nothing behind them and no *"
)]
pub struct NoOrigin;

impl FromStr for AllowedOrigin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| NoOrigin)?;
        let written = match url.origin() {
            Origin::Tuple(..) => url.origin().ascii_serialization(),
            // Applications have schemes of their own: capacitor://localhost, tauri://localhost.
            Origin::Opaque(_) => {
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
            }
        };
        let has_host = url.host_str().is_some_and(|host| !host.is_empty() && !host.contains('*'));
        let is_bare = !text.ends_with('/') && matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        if has_host && is_bare && is_anonymous { Ok(Self(written)) } else { Err(NoOrigin) }
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `auth.allowed_origins`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedOrigins(Vec<AllowedOrigin>);

impl AllowedOrigins {
    /// These.
    #[must_use]
    pub fn new(origins: Vec<AllowedOrigin>) -> Self {
        Self(origins)
    }

    /// Whether no page may connect.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether pages may connect that anyone on their way to the browser can change.
    #[must_use]
    pub fn have_insecure(&self) -> bool {
        self.0.iter().any(|AllowedOrigin(allowed)| allowed.starts_with("http://"))
    }

    /// Whether the value of an `Origin` header is on the list; `null` never is.
    #[must_use]
    pub fn contain(&self, origin: &str) -> bool {
        self.0.iter().any(|AllowedOrigin(allowed)| allowed == origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_taken_as_browsers_write_it() {
        let written = |text: &str| text.parse::<AllowedOrigin>().map(|origin| origin.to_string());
        for (text, expected) in [
            ("https://app.example", "https://app.example"),
            ("https://APP.example:443", "https://app.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("capacitor://localhost", "capacitor://localhost"),
        ] {
            assert_eq!(written(text).as_deref(), Ok(expected), "{text}");
        }
        for other in ["", "*", "null", "app.example", "https://app.example/", "https://app.example/x", "https://*.app.example"] {
            assert!(written(other).is_err(), "{other}");
        }
        for other in ["https://me@app.example", "https://app.example?x", "https://app.example#x", "file:///x", "https://"] {
            assert!(written(other).is_err(), "{other}");
        }
    }
}
