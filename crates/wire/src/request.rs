//! Requests as bytes.

use std::fmt::Write as _;

/// How the body's end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`, left out for an empty body of a GET, HEAD or DELETE.
    Length,
    /// `Transfer-Encoding: chunked`, in chunks of 64 KiB.
    Chunked,
}

/// A request. Nothing in it is checked or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Path and query, as they are to be written.
    pub target: Vec<u8>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    pub framing: Framing,
}

impl Request {
    pub fn new(method: &str, target: impl Into<Vec<u8>>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
            framing: Framing::Length,
        }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The bytes to write. `Host`, the framing header and `Connection: close` are added unless the request
    /// has its own.
    pub fn bytes(&self, host: &str) -> Vec<u8> {
        let has = |wanted: &str| {
            self.headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case(wanted))
        };
        let mut out = Vec::with_capacity(self.body.len() + 512);
        out.extend_from_slice(self.method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(&self.target);
        out.extend_from_slice(b" HTTP/1.1\r\n");
        let mut line = |name: &str, value: &[u8]| {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        };
        if !has("host") {
            line("Host", host.as_bytes());
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        let bodiless = self.body.is_empty()
            && matches!(self.method.as_str(), "GET" | "HEAD" | "DELETE" | "OPTIONS");
        match self.framing {
            Framing::Length if !bodiless && !has("content-length") => {
                line("Content-Length", self.body.len().to_string().as_bytes());
            }
            Framing::Length => {}
            Framing::Chunked => line("Transfer-Encoding", b"chunked"),
        }
        if !has("connection") {
            line("Connection", b"close");
        }
        out.extend_from_slice(b"\r\n");
        match self.framing {
            Framing::Length => out.extend_from_slice(&self.body),
            Framing::Chunked => {
                for chunk in self.body.chunks(64 * 1024) {
                    let mut size = String::new();
                    // Writing to a String cannot fail.
                    let _ = write!(size, "{:x}\r\n", chunk.len());
                    out.extend_from_slice(size.as_bytes());
                    out.extend_from_slice(chunk);
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(b"0\r\n\r\n");
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_written_as_it_is() {
        for target in [
            "/files/../../etc/passwd",
            "/a//b/./c",
            "/files/..\\..\\win.ini",
            "/x?q=a b'\"<>",
            "/x#frag",
        ] {
            let bytes = Request::new("GET", target).bytes("h");
            assert!(bytes.starts_with(format!("GET {target} HTTP/1.1\r\nHost: h\r\n").as_bytes()));
        }
    }

    #[test]
    fn a_body_gets_its_length_and_chunks_end() {
        let mut request = Request::new("POST", "/x");
        request.body = b"hello".to_vec();
        assert!(
            String::from_utf8(request.bytes("h"))
                .unwrap()
                .contains("Content-Length: 5\r\n")
        );
        request.framing = Framing::Chunked;
        let text = String::from_utf8(request.bytes("h")).unwrap();
        assert!(text.ends_with("5\r\nhello\r\n0\r\n\r\n") && !text.contains("Content-Length"));
    }
}
