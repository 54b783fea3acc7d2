//! As much HTTP/1.1 as the decoys need: where a message ends, and what was said.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, connect, getsockname, socket};

/// How often a waiting thread looks whether it should stop.
pub(super) const TICK: Duration = Duration::from_millis(25);
/// How long a message may pause.
const PATIENCE: Duration = Duration::from_secs(20);
/// Larger messages are cut.
const MOST: usize = 64 * 1024 * 1024;

/// A bound, not connected socket.
pub(super) fn bound(at: Ipv4Addr) -> io::Result<(OwnedFd, SocketAddrV4)> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddrV4::new(at, 0))?;
    let addr = SocketAddrV4::try_from(getsockname(&socket)?)?;
    Ok((socket, addr))
}

/// A connection from a certain address: apps count by address.
pub(super) fn dial(from: Ipv4Addr, to: SocketAddrV4) -> io::Result<TcpStream> {
    let (socket, _) = bound(from)?;
    connect(&socket, &to)?;
    Ok(TcpStream::from(socket))
}

/// Reads one message: to its end, to the connection's, or until told to stop.
pub(super) fn read_message(stream: &mut TcpStream, stop: &AtomicBool, is_reply: bool) -> Vec<u8> {
    let mut got = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let mut last = Instant::now();
    if stream.set_read_timeout(Some(TICK)).is_err() {
        return got;
    }
    while !is_whole(&got, is_reply) && got.len() < MOST && !stop.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                got.extend_from_slice(&buffer[..read]);
                last = Instant::now();
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if last.elapsed() > PATIENCE {
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(_) => break,
        }
    }
    got
}

pub(super) fn head_end(message: &[u8]) -> Option<usize> {
    message
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// What a request is for, without its query.
pub fn method_and_path(request: &[u8]) -> Option<(&str, &str)> {
    let line = request.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split([' ', '?']);
    Some((words.next()?, words.next()?))
}

pub(super) fn header<'m>(head: &'m str, name: &str) -> Option<&'m str> {
    head.lines().skip(1).find_map(|line| {
        let (given, value) = line.split_once(':')?;
        given
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim())
    })
}

fn is_whole(message: &[u8], is_reply: bool) -> bool {
    // Looked for among the first bytes only: heads are small, and bodies arrive in many reads.
    let Some(end) = head_end(&message[..message.len().min(64 * 1024)]) else {
        return false;
    };
    let head = String::from_utf8_lossy(&message[..end]);
    let body = &message[end..];
    if is_reply && status(message).is_some_and(|status| matches!(status, 204 | 304)) {
        return true;
    }
    if header(&head, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    {
        return body.ends_with(b"0\r\n\r\n") && unchunked(body).is_some();
    }
    match header(&head, "content-length").and_then(|value| value.parse::<usize>().ok()) {
        Some(length) => body.len() >= length,
        // A request without a length has no body; a reply without one ends with its connection.
        None => !is_reply,
    }
}

pub(super) fn status(reply: &[u8]) -> Option<u16> {
    std::str::from_utf8(reply.get(9..12)?).ok()?.parse().ok()
}

/// The body of chunks, when they are whole.
pub(super) fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line]).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(rest.get(line + 2..line.checked_add(2)?.checked_add(size)?)?);
        rest = rest.get(line + 4 + size..)?;
    }
}

/// What a decoy was told, oldest first, within bounds.
#[derive(Default)]
pub(super) struct Told {
    requests: VecDeque<String>,
    size: usize,
}

impl Told {
    /// Of one request: its head and small bodies whole, of uploads the beginning.
    const PART: usize = 64 * 1024;
    const MOST: usize = 4 * 1024 * 1024;

    /// Remembers a request and gives everything up to now.
    pub(super) fn add(told: &Mutex<Self>, request: &[u8]) -> String {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&request[..request.len().min(Self::PART)]).into_owned();
        told.size += text.len();
        told.requests.push_back(text);
        while told.size > Self::MOST {
            let Some(oldest) = told.requests.pop_front() else {
                break;
            };
            told.size -= oldest.len();
        }
        told.requests
            .iter()
            .flat_map(|request| [request.as_str(), "\n"])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_is_for() {
        for (request, wanted) in [
            (&b"GET /a/b?c=d HTTP/1.1\r\n\r\n"[..], Some(("GET", "/a/b"))),
            (b"PUT / HTTP/1.1\r\nHost: a\r\n\r\nx y", Some(("PUT", "/"))),
            (b"\xff\xfe", None),
            (b"", None),
        ] {
            assert_eq!(method_and_path(request), wanted);
        }
    }

    #[test]
    fn where_messages_end() {
        for (message, is_reply, whole) in [
            (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], false, true),
            (b"GET / HTTP/1.1\r\nHost: a\r\n", false, false),
            (
                b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab",
                false,
                false,
            ),
            (
                b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc",
                false,
                true,
            ),
            (
                b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                false,
                true,
            ),
            (
                b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\na0\r\n\r\n",
                false,
                false,
            ),
            (b"HTTP/1.1 200 OK\r\n\r\nabc", true, false),
            (b"HTTP/1.1 204 No Content\r\n\r\n", true, true),
        ] {
            assert_eq!(
                is_whole(message, is_reply),
                whole,
                "{}",
                String::from_utf8_lossy(message)
            );
        }
    }
}
