//! A reply is the same however its bytes arrive, and a body comes out of its framing as it went in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{Framing, Progress, Reply, Request};

/// As `wire::exchange` does it, in pieces of `size` bytes, the connection closed at the end.
fn fed(raw: &[u8], size: usize, method: &str) -> Option<Reply> {
    let mut got = 0;
    while got < raw.len() {
        got = (got + size).min(raw.len());
        match Reply::read(&raw[..got], method, false) {
            Progress::Whole(reply) => return Some(reply),
            Progress::More => {}
            Progress::Malformed(_) => return None,
        }
    }
    Reply::parse(raw, method)
}

fn body_of(raw: Vec<u8>, size: usize) -> Vec<u8> {
    fed(&raw, size, "GET").expect("a whole reply").body
}

fuzz_target!(|data: &[u8]| {
    let data = &data[..data.len().min(4096)];
    let size = 1 + data.iter().map(|byte| usize::from(*byte)).sum::<usize>() % 61;
    for method in ["GET", "HEAD"] {
        let whole = Reply::parse(data, method);
        assert_eq!(fed(data, size, method), whole, "in pieces of {size}");
        if data.len() < 512 {
            assert_eq!(fed(data, 1, method), whole, "byte by byte");
        }
        if let Some(reply) = whole {
            assert!(reply.body.len() <= data.len());
            assert!(
                (200..1000).contains(&reply.status) || reply.status < 100 || reply.status == 101
            );
        }
    }

    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let mut chunked = [&head[..], b"Transfer-Encoding: chunked\r\n\r\n"].concat();
    for (number, chunk) in data.chunks(size).enumerate() {
        let more = if number % 3 == 1 { ";a=b" } else { "" };
        chunked.extend(format!("{:X}{more}\r\n", chunk.len()).bytes());
        chunked.extend(chunk);
        chunked.extend(b"\r\n");
    }
    chunked.extend(if data.len() % 2 == 0 {
        &b"0\r\n\r\n"[..]
    } else {
        b"0\r\nA: b\r\n\r\n"
    });
    assert_eq!(body_of(chunked, size), data);

    let length = format!("Content-Length: {}\r\n\r\n", data.len());
    assert_eq!(
        body_of([&head, length.as_bytes(), data].concat(), size),
        data
    );
    assert_eq!(body_of([&head, &b"\r\n"[..], data].concat(), size), data);

    let mut request = Request::new("POST", "/");
    request.body = data.to_vec();
    request.framing = Framing::Chunked;
    let bytes = request.bytes("h");
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let as_reply = [&head, &b"Transfer-Encoding: chunked"[..], &bytes[end..]].concat();
    assert_eq!(body_of(as_reply, size + 61), data);
});
