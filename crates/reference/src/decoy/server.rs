//! A thread that accepts, and one per connection; all gone when the handle is.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use super::http;

/// One request and the way back.
pub(super) struct Exchange {
    pub(super) request: Vec<u8>,
    pub(super) stream: TcpStream,
    /// Which request of all this is, from 1.
    pub(super) number: usize,
    pub(super) stop: Arc<AtomicBool>,
}

impl Exchange {
    pub(super) fn answer(&mut self, status: u16, kind: &str, body: &[u8]) {
        let mut reply = format!(
            "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            reason(status),
            body.len()
        )
        .into_bytes();
        if !self.request.starts_with(b"HEAD ") {
            reply.extend_from_slice(body);
        }
        self.write(&reply);
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        // Who has gone does not want it any more.
        let _ = self.stream.write_all(bytes);
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        404 => "Not Found",
        500 => "Internal Server Error",
        _ => "Decoy",
    }
}

/// A running decoy. Dropping it stops it.
#[derive(Debug)]
pub struct Decoy {
    addr: SocketAddr,
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Decoy {
    pub(super) fn start(
        answer: impl Fn(&mut Exchange) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let (stop, requests) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let shared = (stop.clone(), requests.clone(), Arc::new(answer));
        let thread = std::thread::Builder::new()
            .name("decoy".to_owned())
            .spawn(move || {
                let (stop, requests, answer) = shared;
                let mut connections: Vec<JoinHandle<()>> = Vec::new();
                for stream in listener.incoming() {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let Ok(stream) = stream else { continue };
                    let (stop, requests, answer) = (stop.clone(), requests.clone(), answer.clone());
                    connections.retain(|connection| !connection.is_finished());
                    connections.push(std::thread::spawn(move || {
                        serve(stream, stop, &requests, &*answer);
                    }));
                }
                for connection in connections {
                    // A panic in there has been printed; stopping has nothing to add.
                    let _ = connection.join();
                }
            })?;
        Ok(Self {
            addr,
            stop,
            requests,
            thread: Some(thread),
        })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many requests came, answered or not.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

fn serve(
    mut stream: TcpStream,
    stop: Arc<AtomicBool>,
    requests: &AtomicUsize,
    answer: &dyn Fn(&mut Exchange),
) {
    let request = http::read_message(&mut stream, &stop, false);
    // A connection that says nothing, as of a probe for the port, is no request.
    if request.is_empty() || stop.load(Ordering::Relaxed) {
        return;
    }
    let number = requests.fetch_add(1, Ordering::Relaxed) + 1;
    let mut exchange = Exchange {
        request,
        stream,
        number,
        stop,
    };
    answer(&mut exchange);
    let _ = exchange.stream.shutdown(Shutdown::Both);
}

impl Drop for Decoy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.addr);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
