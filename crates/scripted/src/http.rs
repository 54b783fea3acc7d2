//! As much of HTTP/1.1 as the agents need.

use std::io::{self, Read, Write};
use std::net::TcpStream;

const LARGEST: usize = 64 << 20;

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn read(mut stream: &TcpStream) -> io::Result<Request> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 << 10];
    let mut wanted = None;
    loop {
        if let Some(whole) = wanted
            && bytes.len() >= whole
        {
            return parse(&bytes).map(|(request, _)| request);
        }
        let read = stream.read(&mut chunk)?;
        if read == 0 || bytes.len() > LARGEST {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&chunk[..read]);
        if wanted.is_none()
            && let Ok((_, whole)) = parse(&bytes)
        {
            wanted = Some(whole);
        }
    }
}

/// And the length of the whole request.
fn parse(bytes: &[u8]) -> io::Result<(Request, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut headers);
    let head = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Err(error) => return Err(io::Error::other(error)),
    };
    let headers: Vec<(String, String)> = parsed
        .headers
        .iter()
        .map(|one| {
            let value = String::from_utf8_lossy(one.value).into_owned();
            (one.name.to_ascii_lowercase(), value)
        })
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .unwrap_or(0);
    let whole = head + length;
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        body: bytes[head..whole.min(bytes.len())].to_vec(),
        headers,
    };
    Ok((request, whole))
}

pub(crate) fn plain(mut stream: &TcpStream, status: u16, body: &str) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A stream of events. Its end is the end of the connection.
pub(crate) fn events(mut stream: &TcpStream, events: &[String]) -> io::Result<()> {
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\nconnection: close\r\n\r\n",
    )?;
    for event in events {
        stream.write_all(event.as_bytes())?;
        stream.flush()?;
    }
    Ok(())
}

/// Says nothing until the other end goes away.
pub(crate) fn until_closed(mut stream: &TcpStream) -> io::Result<()> {
    let mut chunk = [0; 1024];
    while stream.read(&mut chunk)? > 0 {}
    Ok(())
}
