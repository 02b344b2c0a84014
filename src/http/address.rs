//! Where a request comes from: the peer of its socket, or whom a proxy that is trusted speaks for.

use crate::metrics;
use actix_web::HttpRequest;
use ipnet::IpNet;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Once,
};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address. `X-Forwarded-For` is read from its end, as far as those who wrote it are trusted: what a client wrote into
/// it itself stands before that, and may be any bytes.
pub(super) fn address(request: &HttpRequest, trusted_proxies: &[IpNet]) -> IpAddr {
    let headers = request.headers().get_all(FORWARDED_FOR);
    let hops: Vec<&[u8]> = headers.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).collect();
    client(peer(request), &hops, trusted_proxies)
}

/// Says once what keeps the clients behind a proxy from being told apart: no setting shows it, but a request does. Anyone can write
/// the header, so it is told as a question, and counted for whoever was told before the proxy came.
pub(super) fn look_at_proxy(request: &HttpRequest, trusted_proxies: &[IpNet]) {
    static UNNAMED: Once = Once::new();
    static SILENT: Once = Once::new();
    let (peer, forwards) = (peer(request), request.headers().contains_key(FORWARDED_FOR));
    let trusted = is_trusted(peer, trusted_proxies);
    if forwards && !trusted {
        metrics::forwarded_for_ignored();
        UNNAMED.call_once(|| {
            log::warn!(
                "{peer} sends X-Forwarded-For, and is not in server.trusted_proxies: if it is a proxy of yours, all who come through \
                 it count as one address until server.trusted_proxies = [\"{peer}\"] is set; if it is a client, leave it out"
            );
        });
    }
    if trusted && !forwards && request.head().upgrade() {
        SILENT.call_once(|| {
            log::warn!(
                "{peer} is in server.trusted_proxies, and a WebSocket came from it without X-Forwarded-For: if it is a proxy, all \
                 who come through it count as one address until it appends the address of its own peer"
            );
        });
    }
}

/// A peer that is gone has no address any more.
fn peer(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip().to_canonical())
}

fn is_trusted(address: IpAddr, trusted_proxies: &[IpNet]) -> bool {
    trusted_proxies.iter().any(|network| network.contains(&address))
}

/// Follows the hops backwards from the peer; ends at the first that is not trusted, or before one that can't be read.
fn client(peer: IpAddr, hops: &[&[u8]], trusted_proxies: &[IpNet]) -> IpAddr {
    let mut client = peer;
    for hop in hops.iter().rev() {
        if !is_trusted(client, trusted_proxies) {
            break;
        }
        let Some(before) = hop_address(hop) else { break };
        client = before;
    }
    client
}

/// Some proxies write the port, too.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    let address = text.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<Hop: AsRef<[u8]>>(peer: &str, hops: &[Hop], trusted_proxies: &[&str]) -> String {
        let hops: Vec<&[u8]> = hops.iter().map(AsRef::as_ref).collect();
        let trusted_proxies: Vec<IpNet> = trusted_proxies.iter().map(|network| network.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &hops, &trusted_proxies).to_string()
    }

    #[test]
    fn the_header_is_believed_as_far_as_its_writers_are_trusted() {
        let proxies = ["10.0.0.0/8", "2001:db8::/32"];
        assert_eq!(told("192.0.2.1", &["198.51.100.1"], &proxies), "192.0.2.1");
        assert_eq!(told("192.0.2.1", &["198.51.100.1"], &[]), "192.0.2.1");
        assert_eq!(told("10.0.0.1", &["198.51.100.1"], &proxies), "198.51.100.1");
        assert_eq!(told("10.0.0.1", &["forged", "198.51.100.1", " 10.0.0.2"], &proxies), "198.51.100.1");
        assert_eq!(told("10.0.0.1", &["203.0.113.9", "198.51.100.1"], &proxies), "198.51.100.1");
        assert_eq!(told("10.0.0.1", &["10.0.0.3", "10.0.0.2"], &proxies), "10.0.0.3");
        assert_eq!(told::<&str>("10.0.0.1", &[], &proxies), "10.0.0.1");
        assert_eq!(told("2001:db8::1", &["198.51.100.1:4711"], &proxies), "198.51.100.1");
        assert_eq!(told("10.0.0.1", &["[2001:db9::1]:80"], &proxies), "2001:db9::1");
        assert_eq!(told("10.0.0.1", &["::ffff:198.51.100.1"], &proxies), "198.51.100.1");
    }

    #[test]
    fn a_hop_that_cannot_be_read_leaves_the_proxy_that_wrote_it() {
        let proxies = ["10.0.0.0/8"];
        assert_eq!(told("10.0.0.1", &["198.51.100.1", "unknown"], &proxies), "10.0.0.1");
        assert_eq!(told("10.0.0.1", &["198.51.100.1", ""], &proxies), "10.0.0.1");
        assert_eq!(told("10.0.0.1", &[&b"198.51.100.1"[..], b"\xff"], &proxies), "10.0.0.1");
    }

    #[test]
    fn bytes_that_are_no_text_hide_no_hop_behind_them() {
        let proxies = ["10.0.0.0/8"];
        assert_eq!(told("10.0.0.1", &[&b"\xff"[..], b" 198.51.100.9"], &proxies), "198.51.100.9");
        assert_eq!(told("10.0.0.1", &[&b"\xff"[..], b" 198.51.100.9", b" 10.0.0.2"], &proxies), "198.51.100.9");
        assert_eq!(told("10.0.0.1", &[&b"192.0.2.1\xff"[..], b"10.0.0.2"], &proxies), "10.0.0.2");
    }
}
