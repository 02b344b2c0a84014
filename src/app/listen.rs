//! The port: taken before the database is touched, so that a start that can't succeed changes nothing, and opened when all is ready.

use anyhow::anyhow;
use socket2::{Domain, Socket, Type};
use std::{
    io::{Error, ErrorKind},
    net::{SocketAddr, TcpListener},
    time::Duration,
};

/// Connections that the kernel may hold before they are accepted.
const BACKLOG: i32 = 4_096;

/// What the kernel may hold for a peer that does not read, in bytes; it would let it grow to megabytes.
const SEND_BUFFER: usize = 128 * 1024;

/// How long what was sent to a peer may stay unconfirmed, where the system has such a limit: as long as a heartbeat and its answer may take. The kernel would give a
/// peer that has vanished a quarter of an hour.
#[cfg(target_os = "linux")]
const UNCONFIRMED: Duration = Duration::from_secs(35);

/// An address that is ours, and at which nobody is answered yet: who connects is refused, and tries again.
#[derive(Debug)]
pub(super) struct Port {
    socket: Socket,
    address: SocketAddr,
}

impl Port {
    /// Takes `address`.
    pub(super) fn take(address: SocketAddr) -> anyhow::Result<Self> {
        let socket = bound(address).map_err(|error| advised(address, &error))?;
        Ok(Self { socket, address })
    }

    /// Listens there.
    pub(super) fn listen(self) -> anyhow::Result<TcpListener> {
        // Two that have taken it at the same moment find out here.
        self.socket.listen(BACKLOG).map_err(|error| advised(self.address, &error))?;
        Ok(self.socket.into())
    }
}

/// Accepted sockets inherit the size of the send buffer and the time for what is unconfirmed.
fn bound(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNCONFIRMED))?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// What the system said, and what there is to do about it.
fn advised(address: SocketAddr, error: &Error) -> anyhow::Error {
    let (ip, port) = (address.ip(), address.port());
    let advice = match error.kind() {
        ErrorKind::AddrInUse => format!(
            "another program listens on port {port}, maybe another natter; `ss -ltnp 'sport = :{port}'` (on macOS `lsof -i :{port}`) \
             tells which. Stop it, or give this one another port: PORT={}",
            port.checked_add(1).unwrap_or(3001)
        ),
        ErrorKind::AddrNotAvailable => {
            format!("this machine does not have the address {ip}; HOST=0.0.0.0 listens on all that it has")
        }
        ErrorKind::PermissionDenied => {
            format!(
                "port {port} is for the system's administrator: take one from 1024 on, for instance PORT=3001, behind a proxy"
            )
        }
        _ => error.to_string(),
    };
    anyhow!("can't listen on {address}: {advice}")
}
