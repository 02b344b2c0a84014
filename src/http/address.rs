//! Where a request comes from: the peer of its socket, or whom a proxy that is trusted speaks for.

use actix_web::HttpRequest;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The client's address. `X-Forwarded-For` is read from its end, as far as those who wrote it are trusted: what a client wrote into
/// it itself stands before that.
pub(super) fn address(request: &HttpRequest, trusted_proxies: &[IpNet]) -> IpAddr {
    // A peer that is gone has no address any more.
    let peer = request.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip().to_canonical());
    let headers = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = headers.flat_map(|value| value.split(',')).collect();
    let client = client(peer, &hops, trusted_proxies);
    if !hops.is_empty() && !is_trusted(peer, trusted_proxies) {
        log::debug!(cause = "forwarded_for"; "X-Forwarded-For of {peer} is passed over: it is not in server.trusted_proxies");
    }
    client
}

fn is_trusted(address: IpAddr, trusted_proxies: &[IpNet]) -> bool {
    trusted_proxies.iter().any(|network| network.contains(&address))
}

/// Follows the hops backwards from the peer; ends at the first that is not trusted, or before one that can't be read.
fn client(peer: IpAddr, hops: &[&str], trusted_proxies: &[IpNet]) -> IpAddr {
    let mut client = peer;
    for hop in hops.iter().rev() {
        if !is_trusted(client, trusted_proxies) {
            break;
        }
        let Some(before) = hop_address(hop.trim()) else { break };
        client = before;
    }
    client
}

/// Some proxies write the port, too.
fn hop_address(text: &str) -> Option<IpAddr> {
    let address = text.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(peer: &str, hops: &[&str], trusted_proxies: &[&str]) -> String {
        let trusted_proxies: Vec<IpNet> = trusted_proxies.iter().map(|network| network.parse().unwrap()).collect();
        client(peer.parse().unwrap(), hops, &trusted_proxies).to_string()
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
        assert_eq!(told("10.0.0.1", &[], &proxies), "10.0.0.1");
        assert_eq!(told("2001:db8::1", &["198.51.100.1:4711"], &proxies), "198.51.100.1");
        assert_eq!(told("10.0.0.1", &["[2001:db9::1]:80"], &proxies), "2001:db9::1");
        assert_eq!(told("10.0.0.1", &["::ffff:198.51.100.1"], &proxies), "198.51.100.1");
    }

    #[test]
    fn a_hop_that_cannot_be_read_leaves_the_proxy_that_wrote_it() {
        let proxies = ["10.0.0.0/8"];
        assert_eq!(told("10.0.0.1", &["198.51.100.1", "unknown"], &proxies), "10.0.0.1");
        assert_eq!(told("10.0.0.1", &["198.51.100.1", ""], &proxies), "10.0.0.1");
    }
}
