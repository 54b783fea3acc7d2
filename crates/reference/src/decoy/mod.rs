//! Servers that are no app: what an exploit must never take for one that resists.

mod http;
mod proxy;
mod server;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use serde_json::json;

pub use http::method_and_path;
pub use proxy::{Break, Proxy, break_at, doubling, emptying, late, refusing, spilling};
pub use server::Decoy;

use self::http::Told;

/// A port that refuses every connection.
#[derive(Debug)]
pub struct Dead {
    addr: SocketAddr,
    /// Bound and never listening, so that nobody else can take the port meanwhile.
    _held: OwnedFd,
}

impl Dead {
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

pub fn dead() -> io::Result<Dead> {
    let (held, addr) = http::bound(Ipv4Addr::LOCALHOST)?;
    Ok(Dead {
        addr: addr.into(),
        _held: held,
    })
}

/// Answers everything with this status and a small JSON body.
pub fn always(status: u16) -> io::Result<Decoy> {
    Decoy::start(move |exchange| exchange.answer(status, "application/json", &json_of(status)))
}

/// Answers 200 with the bytes of the request, as if they were JSON.
pub fn echo() -> io::Result<Decoy> {
    Decoy::start(|exchange| {
        let told = exchange.request.clone();
        exchange.answer(200, "application/json", &told);
    })
}

/// Answers 200 with a JSON object that shows everything that anybody ever told it.
pub fn spill() -> io::Result<Decoy> {
    let told = Mutex::new(Told::default());
    Decoy::start(move |exchange| {
        let seen = Told::add(&told, &exchange.request);
        exchange.answer(
            200,
            "application/json",
            json!({ "status": "ok", "seen": seen })
                .to_string()
                .as_bytes(),
        );
    })
}

fn json_of(status: u16) -> Vec<u8> {
    json!({ "status": status }).to_string().into_bytes()
}
