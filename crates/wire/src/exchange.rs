//! One request and its reply on one socket.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::reply::{Progress, Reply};

/// What one exchange may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub time: Duration,
    /// The largest reply that is read, head included.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            bytes: 32 * 1024 * 1024,
        }
    }
}

/// Why there is no whole reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("nothing listens there")]
    Refused,
    #[error("the connection was closed before a whole reply")]
    Closed,
    #[error("no whole reply within {0:?}")]
    TimedOut(Duration),
    #[error("the reply is larger than {0} bytes")]
    TooLarge(usize),
    #[error("not a whole HTTP reply: {0}")]
    Malformed(String),
    #[error("socket: {0}")]
    Socket(String),
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Received {
    pub reply: Result<Reply, Trouble>,
    /// The bytes that came, whole reply or not.
    pub raw: Vec<u8>,
    /// From the first byte written to the last byte read.
    pub took: Duration,
}

/// A TCP socket of this machine, bound to `from`, not connected.
pub fn socket(from: IpAddr) -> io::Result<OwnedFd> {
    let family = match from {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &SocketAddr::new(from, 0))?;
    Ok(socket)
}

/// Writes `bytes` to `to` over `socket` (bound, not connected) and reads one reply.
pub fn exchange(
    socket: OwnedFd,
    to: SocketAddr,
    method: &str,
    bytes: &[u8],
    limits: Limits,
) -> Received {
    let begun = Instant::now();
    let mut raw = Vec::new();
    let mut sending = begun;
    let reply = talk(
        &socket,
        to,
        method,
        bytes,
        limits,
        begun,
        &mut sending,
        &mut raw,
    );
    Received {
        reply,
        raw,
        took: sending.elapsed(),
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the two out-parameters keep what came when it fails half-way"
)]
fn talk(
    socket: &OwnedFd,
    to: SocketAddr,
    method: &str,
    bytes: &[u8],
    limits: Limits,
    begun: Instant,
    sending: &mut Instant,
    raw: &mut Vec<u8>,
) -> Result<Reply, Trouble> {
    let broken = |error: Errno| Trouble::Socket(io::Error::from(error).to_string());
    rustix::io::ioctl_fionbio(socket, true).map_err(broken)?;
    match rustix::net::connect(socket, &to) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => {
            wait(socket, PollFlags::OUT, begun, limits.time)?;
            match rustix::net::sockopt::socket_error(socket).map_err(broken)? {
                Ok(()) => {}
                Err(Errno::CONNREFUSED | Errno::CONNRESET) => return Err(Trouble::Refused),
                Err(error) => return Err(broken(error)),
            }
        }
        Err(Errno::CONNREFUSED) => return Err(Trouble::Refused),
        Err(error) => return Err(broken(error)),
    }
    *sending = Instant::now();
    let mut unsent = bytes;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let interest = if unsent.is_empty() {
            PollFlags::IN
        } else {
            PollFlags::IN | PollFlags::OUT
        };
        let ready = wait(socket, interest, begun, limits.time)?;
        if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            match rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((0, _)) => {
                    return match Reply::read(raw, method, true) {
                        Progress::Whole(reply) => Ok(reply),
                        Progress::More => Err(Trouble::Closed),
                        Progress::Malformed(_) if raw.is_empty() => Err(Trouble::Closed),
                        Progress::Malformed(why) => Err(Trouble::Malformed(why)),
                    };
                }
                Ok((count, _)) => {
                    raw.extend_from_slice(&buffer[..count]);
                    if raw.len() > limits.bytes {
                        return Err(Trouble::TooLarge(limits.bytes));
                    }
                    match Reply::read(raw, method, false) {
                        Progress::Whole(reply) => return Ok(reply),
                        Progress::More => {}
                        Progress::Malformed(why) => return Err(Trouble::Malformed(why)),
                    }
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::CONNRESET | Errno::PIPE) => {
                    return match Reply::read(raw, method, false) {
                        Progress::Whole(reply) => Ok(reply),
                        Progress::More | Progress::Malformed(_) => Err(Trouble::Closed),
                    };
                }
                Err(error) => return Err(broken(error)),
            }
        }
        if ready.contains(PollFlags::OUT) && !unsent.is_empty() {
            match rustix::net::send(socket, unsent, SendFlags::NOSIGNAL) {
                Ok(count) => unsent = &unsent[count..],
                Err(Errno::AGAIN | Errno::INTR) => {}
                // The app stopped reading; its reply may still be on the way.
                Err(Errno::PIPE | Errno::CONNRESET) => unsent = &[],
                Err(error) => return Err(broken(error)),
            }
        }
    }
}

fn wait(
    socket: &OwnedFd,
    interest: PollFlags,
    begun: Instant,
    time: Duration,
) -> Result<PollFlags, Trouble> {
    loop {
        let left = time
            .checked_sub(begun.elapsed())
            .ok_or(Trouble::TimedOut(time))?;
        let timeout = Timespec {
            tv_sec: left.as_secs().cast_signed(),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut polled = [PollFd::from_borrowed_fd(socket.as_fd(), interest)];
        match poll(&mut polled, Some(&timeout)) {
            Ok(0) => return Err(Trouble::TimedOut(time)),
            Ok(_) => return Ok(polled[0].revents()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(Trouble::Socket(io::Error::from(error).to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    fn serve(act: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        thread::spawn(move || act(listener.accept().unwrap().0));
        at
    }

    fn ask(at: SocketAddr, bytes: &[u8], time: u64) -> Received {
        let limits = Limits {
            time: Duration::from_millis(time),
            bytes: 1 << 20,
        };
        exchange(
            socket([127, 0, 0, 1].into()).unwrap(),
            at,
            "GET",
            bytes,
            limits,
        )
    }

    #[test]
    fn an_early_reply_is_seen_while_the_body_is_still_being_written() {
        let at = serve(|mut peer| {
            let mut head = [0; 1024];
            let _ = peer.read(&mut head).unwrap();
            peer.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
                .unwrap();
            thread::sleep(Duration::from_millis(300));
        });
        let got = ask(at, &vec![b'x'; 64 << 20], 5000);
        assert_eq!(got.reply.unwrap().status, 413);
    }

    #[test]
    fn what_is_no_reply_is_named() {
        let closed = serve(drop);
        assert_eq!(
            ask(closed, b"GET / HTTP/1.1\r\n\r\n", 5000)
                .reply
                .unwrap_err(),
            Trouble::Closed
        );
        let silent = serve(|peer| {
            thread::sleep(Duration::from_millis(600));
            drop(peer);
        });
        assert!(matches!(
            ask(silent, b"GET / HTTP/1.1\r\n\r\n", 200).reply,
            Err(Trouble::TimedOut(_))
        ));
        let noise = serve(|mut peer| peer.write_all(b"\x00\x01\x02 garbage\r\n\r\n").unwrap());
        assert!(matches!(
            ask(noise, b"x", 5000).reply,
            Err(Trouble::Malformed(_) | Trouble::Closed)
        ));
        let endless = serve(|mut peer| {
            let _ = peer.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while peer.write_all(&[b'x'; 8192]).is_ok() {}
        });
        assert_eq!(
            ask(endless, b"x", 5000).reply.unwrap_err(),
            Trouble::TooLarge(1 << 20)
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(ask(gone, b"x", 5000).reply.unwrap_err(), Trouble::Refused);
    }
}
