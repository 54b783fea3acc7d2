//! Brings up the loopback of a fresh network namespace, over a netlink socket: `ip` need not be installed.

use std::io;
use std::net::Ipv4Addr;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const ERROR: u16 = 2;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const REQUEST: u16 = 1 | 4;
/// `NLM_F_CREATE | NLM_F_EXCL`.
const CREATE: u16 = 0x400 | 0x200;
const UP: u32 = 1;
const INET: u8 = 2;
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
/// A network namespace's first interface is its loopback.
const LOOPBACK: u32 = 1;

/// Sets `lo` up and gives it `outside` beside its own addresses.
pub(crate) fn bring_up(outside: Ipv4Addr) -> io::Result<()> {
    let mut link = vec![0; 4];
    link.extend(LOOPBACK.to_ne_bytes());
    link.extend(UP.to_ne_bytes());
    link.extend(UP.to_ne_bytes());
    ask(NEW_LINK, REQUEST, &link)?;

    let whole_address = 32;
    let mut address = vec![INET, whole_address, 0, 0];
    address.extend(LOOPBACK.to_ne_bytes());
    for kind in [LOCAL, ADDRESS] {
        address.extend(8_u16.to_ne_bytes());
        address.extend(kind.to_ne_bytes());
        address.extend(outside.octets());
    }
    ask(NEW_ADDRESS, REQUEST | CREATE, &address)
}

fn ask(kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
    // Protocol 0 is the one for routes and links.
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let mut message = (16 + body.len() as u32).to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(1_u32.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    let kernel = SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(&socket, &message, SendFlags::empty(), &kernel)?;

    let mut reply = [0; 4096];
    let (_, length) = rustix::net::recv(&socket, &mut reply[..], RecvFlags::empty())?;
    acknowledged(&reply[..length])
}

/// The kernel's answer is an "error" whose number is zero when all went well.
fn acknowledged(reply: &[u8]) -> io::Result<()> {
    let kind = reply.get(4..6).map(|kind| [kind[0], kind[1]]);
    let code = reply.get(16..20).and_then(|code| code.try_into().ok());
    match (kind.map(u16::from_ne_bytes), code.map(i32::from_ne_bytes)) {
        (Some(ERROR), Some(0)) => Ok(()),
        (Some(ERROR), Some(code)) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        _ => Err(io::Error::other("the kernel gave a senseless answer")),
    }
}
