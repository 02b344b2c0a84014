//! `[server]`: where to listen and how many may come.

use super::source::Source;
use ipnet::IpNet;
use std::net::IpAddr;

/// Where to listen and how many may come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Worker threads.
    pub workers: usize,
    /// WebSocket connections at most.
    pub max_connections: usize,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether clients may have their messages compressed.
    pub compression: bool,
}

impl ServerSettings {
    pub(super) fn read(source: &mut Source) -> Self {
        let host = match source.text("server.host").as_str() {
            "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
            text => text.parse().ok(),
        };
        let host = host.unwrap_or_else(|| {
            source.fault("server.host", "must be an IP address, or localhost");
            IpAddr::from([127, 0, 0, 1])
        });
        let workers = match source.integer("server.workers", 0..=1024) {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        Self {
            host,
            port: source.integer("server.port", 0..=u16::MAX),
            workers,
            max_connections: source.integer("server.max_connections", 1..=10_000_000),
            trusted_proxies: trusted_proxies(source),
            compression: source.boolean("server.compression"),
        }
    }
}

fn trusted_proxies(source: &mut Source) -> Vec<IpNet> {
    const KEY: &str = "server.trusted_proxies";
    let network = |text: &String| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok();
    let texts = source.list(KEY);
    let networks: Vec<IpNet> = texts.iter().filter_map(network).collect();
    if networks.len() < texts.len() {
        source.fault(KEY, "must be a list of addresses and networks, such as [\"127.0.0.1\", \"10.0.0.0/8\"]");
    }
    networks
}
