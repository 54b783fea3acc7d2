//! Replies, parsed from the bytes that came.

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// What [`Reply::read`] made of the bytes so far.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    Whole(Reply),
    More,
    Malformed(String),
}

const MOST_HEADERS: usize = 128;
const LARGEST_HEAD: usize = 256 * 1024;

impl Reply {
    /// Parses stored bytes of a whole reply.
    pub fn parse(raw: &[u8], method: &str) -> Option<Self> {
        match Self::read(raw, method, true) {
            Progress::Whole(reply) => Some(reply),
            Progress::More | Progress::Malformed(_) => None,
        }
    }

    /// The first header of this name, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.header_values(name).into_iter().next()
    }

    pub fn header_values(&self, name: &str) -> Vec<String> {
        self.headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn contains(&self, needle: &[u8]) -> bool {
        !needle.is_empty()
            && self
                .body
                .windows(needle.len())
                .any(|window| window == needle)
    }

    /// Reads a reply out of the bytes so far; `ended` says that no more will come.
    #[doc(hidden)]
    pub fn read(raw: &[u8], method: &str, ended: bool) -> Progress {
        let mut rest = raw;
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut parsed = httparse::Response::new(&mut headers);
            let head = match parsed.parse(rest) {
                Ok(httparse::Status::Complete(length)) => length,
                Ok(httparse::Status::Partial) if ended => {
                    return Progress::Malformed("the head has no end".into());
                }
                Ok(httparse::Status::Partial) if rest.len() > LARGEST_HEAD => {
                    return Progress::Malformed("the head is larger than 256 KiB".into());
                }
                Ok(httparse::Status::Partial) => return Progress::More,
                Err(error) => return Progress::Malformed(error.to_string()),
            };
            let status = parsed.code.unwrap_or(0);
            if (100..200).contains(&status) && status != 101 {
                rest = &rest[head..];
                continue;
            }
            let headers: Vec<(String, Vec<u8>)> = parsed
                .headers
                .iter()
                .map(|header| (header.name.to_owned(), header.value.to_vec()))
                .collect();
            let body = &rest[head..];
            let find = |name: &str| {
                headers
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.as_slice())
            };
            let whole = |body: Vec<u8>| {
                Progress::Whole(Self {
                    status,
                    headers: headers.clone(),
                    body,
                })
            };
            if method == "HEAD" || status == 204 || status == 304 || status == 101 {
                return whole(Vec::new());
            }
            if find("transfer-encoding")
                .is_some_and(|value| value.to_ascii_lowercase().ends_with(b"chunked"))
            {
                // Decoding again at each read would be quadratic on large replies.
                if !ended && !body.ends_with(b"\r\n\r\n") {
                    return Progress::More;
                }
                return match unchunk(body) {
                    Ok(Some(body)) => whole(body),
                    Ok(None) if ended => Progress::Malformed("the last chunk is missing".into()),
                    Ok(None) => Progress::More,
                    Err(why) => Progress::Malformed(why),
                };
            }
            if let Some(value) = find("content-length") {
                let Some(length) = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.trim().parse::<usize>().ok())
                else {
                    return Progress::Malformed("Content-Length is not a number".into());
                };
                if body.len() >= length {
                    return whole(body[..length].to_vec());
                }
                return if ended {
                    Progress::Malformed(format!("{} of {length} body bytes came", body.len()))
                } else {
                    Progress::More
                };
            }
            return if ended {
                whole(body.to_vec())
            } else {
                Progress::More
            };
        }
    }
}

/// Decodes a chunked body; `None` while it has no end.
fn unchunk(mut raw: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    loop {
        match httparse::parse_chunk_size(raw) {
            Ok(httparse::Status::Complete((head, size))) => {
                let size = usize::try_from(size)
                    .map_err(|_| "a chunk is larger than memory".to_owned())?;
                raw = &raw[head..];
                if size == 0 {
                    // Trailers end with an empty line.
                    let ended = raw.starts_with(b"\r\n")
                        || raw.windows(4).any(|window| window == b"\r\n\r\n");
                    return Ok(ended.then_some(body));
                }
                let Some(end) = size.checked_add(2) else {
                    return Err("a chunk is larger than memory".into());
                };
                if raw.len() < end {
                    return Ok(None);
                }
                body.extend_from_slice(&raw[..size]);
                if &raw[size..end] != b"\r\n" {
                    return Err("a chunk does not end where it says".into());
                }
                raw = &raw[end..];
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err("a chunk's size is not a number".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(raw: &str) -> Reply {
        Reply::parse(raw.as_bytes(), "GET").unwrap()
    }

    #[test]
    fn framings() {
        assert_eq!(
            whole("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokIGNORED").text(),
            "ok"
        );
        assert_eq!(
            whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
                .text(),
            "ok"
        );
        assert_eq!(
            whole("HTTP/1.1 200 OK\r\n\r\nto the end").text(),
            "to the end"
        );
        assert_eq!(
            whole("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n")
                .status,
            413
        );
        assert_eq!(
            whole("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n").text(),
            ""
        );
        let head = Reply::parse(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD").unwrap();
        assert_eq!(head.status, 200);
    }

    #[test]
    fn cut_replies_are_no_replies() {
        for raw in [
            "",
            "HTTP/1.1 200 OK\r\nConte",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            "<html>not http</html>",
        ] {
            assert_eq!(Reply::parse(raw.as_bytes(), "GET"), None, "{raw:?}");
        }
    }

    #[test]
    fn both_cookies_are_seen() {
        let reply = whole(
            "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nContent-Length: 0\r\n\r\n",
        );
        assert_eq!(reply.header_values("Set-Cookie"), ["a=1", "b=2"]);
    }
}
