//! An agent's way to its model: a listener inside the agent's cell, served from outside.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, spawn};

/// What an agent has in the place of a key. Every command that its model runs can see it.
pub const DUMMY_KEY: &str = "sk-unrequested-dummy";

/// What every agent's process has.
pub(crate) fn environment(step: &crate::Step<'_>) -> Vec<(OsString, OsString)> {
    vec![
        ("PATH".into(), step.path.into()),
        ("HOME".into(), step.home().into()),
        ("TMPDIR".into(), step.root.join("tmp").into()),
        ("LANG".into(), "C.UTF-8".into()),
        ("TERM".into(), "dumb".into()),
    ]
}

/// Where the model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    pub host: String,
    pub port: u16,
}

/// Serves until it is dropped.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    passed: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
    /// A socket by which the listener's own network is reached, to wake it.
    wake: Option<TcpListener>,
}

/// Accepts connections and passes their bytes to the upstream and back, as they come.
pub fn serve(listener: TcpListener, upstream: Upstream) -> io::Result<Served> {
    let address = listener.local_addr()?;
    let ended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ended);
    let passed = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&passed);
    let wake = listener.try_clone()?;
    let thread = spawn(move || {
        while let Ok((agent, _)) = listener.accept() {
            if seen.load(Ordering::Acquire) {
                return;
            }
            let (upstream, count) = (upstream.clone(), Arc::clone(&count));
            // Ends with its two sockets.
            spawn(move || {
                if let Ok(model) = TcpStream::connect((upstream.host.as_str(), upstream.port)) {
                    let _ = both_ways(&agent, &model, &count);
                }
            });
        }
    });
    Ok(Served {
        address,
        ended,
        passed,
        thread: Some(thread),
        wake: Some(wake),
    })
}

fn both_ways(agent: &TcpStream, model: &TcpStream, count: &Arc<AtomicU64>) -> io::Result<()> {
    let (from_agent, to_model) = (agent.try_clone()?, model.try_clone()?);
    let up_count = Arc::clone(count);
    let up = spawn(move || pass(from_agent, to_model, &up_count));
    pass(model.try_clone()?, agent.try_clone()?, count);
    let _ = up.join();
    Ok(())
}

fn pass(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    let mut chunk = [0; 16 << 10];
    while let Ok(read) = from.read(&mut chunk) {
        if read == 0 || to.write_all(&chunk[..read]).is_err() {
            break;
        }
        count.fetch_add(read as u64, Ordering::Relaxed);
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

impl Served {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes that went either way so far: while it grows, agent and model are heard of.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // `accept` returns when the socket is shut down, wherever it was made.
        if let Some(wake) = self.wake.take() {
            let _ = rustix::net::shutdown(&wake, rustix::net::Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_both_ways_and_it_ends_when_it_is_dropped() {
        let model = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = Upstream {
            host: "127.0.0.1".into(),
            port: model.local_addr().unwrap().port(),
        };
        let answer = spawn(move || {
            let (mut agent, _) = model.accept().unwrap();
            let mut asked = String::new();
            agent.read_to_string(&mut asked).unwrap();
            agent.write_all(b"answer").unwrap();
            asked
        });
        let served = serve(TcpListener::bind("127.0.0.1:0").unwrap(), upstream).unwrap();
        let mut agent = TcpStream::connect(served.address()).unwrap();
        agent.write_all(b"question").unwrap();
        agent.shutdown(Shutdown::Write).unwrap();
        let mut got = String::new();
        agent.read_to_string(&mut got).unwrap();
        assert_eq!(
            (answer.join().unwrap().as_str(), got.as_str()),
            ("question", "answer")
        );
        let address = served.address();
        drop(served);
        assert!(TcpStream::connect(address).is_err());
    }
}
