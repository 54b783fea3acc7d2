//! One HTTP request, as a small server for tests reads it.

use std::io::Read as _;
use std::net::TcpStream;

pub(crate) struct Request {
    /// Method and target.
    pub(crate) line: String,
    head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

pub(crate) fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let line: Vec<&str> = head.split_whitespace().take(2).collect();
            let request = Request {
                line: line.join(" "),
                head: head.to_owned(),
                body: body.to_owned(),
            };
            let length = request.header("content-length");
            if body.len() >= length.map_or(0, |one| one.parse().unwrap()) {
                return Some(request);
            }
        }
        match stream.read(&mut part) {
            Ok(got) if got > 0 => bytes.extend_from_slice(&part[..got]),
            _ => return None,
        }
    }
}
