//! permessage-deflate (RFC 7692): what the handshake settles.
//!
//! Neither side remembers anything from one message to the next (`no_context_takeover`), so a session has no compressor of its own,
//! and a frame that was compressed once is right for everyone who agreed on the same.

/// How a client's frames are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deflate {
    /// With a window of 32 KiB: browsers, and nearly everyone else.
    Wide,
    /// With a window of 512 bytes, for a client that asked for any smaller one: RFC 7692 lets the server choose the smallest, and
    /// so there are two compressed frames at most, not seven.
    Narrow,
}

/// An accepted offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What was agreed on.
    pub deflate: Deflate,
    /// The answer's `Sec-WebSocket-Extensions`.
    pub answer: &'static str,
}

impl Deflate {
    /// The size of the window, as a power of two.
    #[must_use]
    pub fn window_bits(self) -> u8 {
        match self {
            Self::Wide => 15,
            Self::Narrow => 9,
        }
    }
}

/// The first of the client's offers that can be kept, from its `Sec-WebSocket-Extensions`, in their order. What is not understood is
/// declined, as RFC 7692 wants it; the session then goes on without compression.
#[must_use]
pub fn agree<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Agreed> {
    headers.into_iter().flat_map(|header| header.split(',')).find_map(accept)
}

fn accept(offer: &str) -> Option<Agreed> {
    let mut parts = offer.split(';').map(str::trim);
    if parts.next() != Some("permessage-deflate") {
        return None;
    }
    let mut seen = Vec::new();
    let mut server_bits = None;
    for parameter in parts {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(window_bits(value.trim_start())?)),
            None => (parameter, None),
        };
        match (name, value) {
            _ if seen.contains(&name) => return None,
            // What a client's own window may be, needs no answer: the decompressor is the worker's, and takes the largest.
            ("server_no_context_takeover" | "client_no_context_takeover", None) | ("client_max_window_bits", _) => {}
            // With 8, zlib's deflate would use 9 and the client could not follow.
            ("server_max_window_bits", Some(bits @ 9..)) => server_bits = Some(bits),
            _ => return None,
        }
        seen.push(name);
    }
    Some(match server_bits {
        None => Agreed {
            deflate: Deflate::Wide,
            answer: "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        },
        Some(15..) => Agreed {
            deflate: Deflate::Wide,
            answer: "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15",
        },
        Some(_) => Agreed {
            deflate: Deflate::Narrow,
            answer: "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9",
        },
    })
}

/// 8 to 15, without leading zeros, perhaps in quotes.
fn window_bits(value: &str) -> Option<u8> {
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    (8..=15).find(|bits: &u8| bits.to_string() == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    const WIDE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15";
    const NARROW: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9";

    fn answer(offers: &str) -> Option<&'static str> {
        agree([offers]).map(|agreed| agreed.answer)
    }

    #[test]
    fn what_browsers_and_libraries_offer_is_accepted() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate;client_max_window_bits=8",
            "permessage-deflate; client_max_window_bits=15; server_no_context_takeover",
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
            "permessage-deflate ; client_max_window_bits = \"10\"",
        ] {
            assert_eq!(answer(offer), Some(PLAIN), "{offer}");
        }
    }

    #[test]
    fn a_smaller_window_is_answered_with_the_smallest() {
        assert_eq!(answer("permessage-deflate; server_max_window_bits=15"), Some(WIDE));
        for bits in 9..15 {
            let agreed = agree([format!("permessage-deflate; server_max_window_bits={bits}").as_str()]);
            assert_eq!(agreed, Some(Agreed { deflate: Deflate::Narrow, answer: NARROW }), "{bits}");
        }
    }

    #[test]
    fn what_can_not_be_kept_or_understood_is_declined() {
        for offer in [
            "",
            "x-webkit-deflate-frame",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=09",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; server_max_window_bits=",
            "permessage-deflate; server_max_window_bits=\"9",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=zero",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover=15",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
            "permessage-deflate; unknown",
            "permessage-deflate;",
        ] {
            assert_eq!(answer(offer), None, "{offer}");
        }
    }

    #[test]
    fn the_first_offer_that_can_be_kept_wins() {
        let offers =
            "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=12, permessage-deflate";
        assert_eq!(answer(offers), Some(NARROW));
        assert_eq!(agree(["x, y", "permessage-deflate"]).map(|agreed| agreed.answer), Some(PLAIN));
        assert_eq!(agree([]), None);
    }
}
