//! A TCP socket with a chosen source address, made in the network of whoever calls.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketType, sockopt};

/// Bound to `from`, not connected. The kernel picks a port that no other socket on `from` has, so each source
/// address has the whole port range for itself; a closed connection's port is free again as soon as it can be.
pub(crate) fn bound(from: IpAddr) -> io::Result<OwnedFd> {
    let family = match from {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = open(family)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddr::new(from, 0))?;
    Ok(socket)
}

/// Listening there. The port is asked for by its number: whoever connects has to know it beforehand.
pub(crate) fn listening(at: SocketAddr) -> io::Result<OwnedFd> {
    std::net::TcpListener::bind(at).map(OwnedFd::from)
}

#[cfg(target_os = "linux")]
fn open(family: AddressFamily) -> rustix::io::Result<OwnedFd> {
    rustix::net::socket_with(
        family,
        SocketType::STREAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
}

#[cfg(not(target_os = "linux"))]
fn open(family: AddressFamily) -> rustix::io::Result<OwnedFd> {
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    Ok(socket)
}
