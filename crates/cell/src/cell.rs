//! A running cell, seen from outside: sockets into it, how it fares, and its end.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::group::{Group, RAN_OUT_OF_MEMORY};
use crate::message::{self, Reply, Request, Setup, Status};
use crate::{Exit, Killed, Level, Network, launch, sockets};

/// The address beside loopback that a box's network has; RFC 2544's test range, so nobody's.
pub(crate) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

/// How long a holder may take to answer, and to go.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// One command and all that it started. Dropping it ends all of it.
#[derive(Debug)]
pub struct Cell {
    state: Mutex<State>,
    log: File,
    level: Level,
    /// Marks the processes of a plain cell.
    marker: String,
    log_limit: u64,
    outside: bool,
    details: Vec<String>,
    limits: String,
}

#[derive(Debug)]
struct State {
    /// `None` once the holder is gone.
    holder: Option<(UnixStream, Child)>,
    /// What was last heard.
    status: Status,
    /// Where one could be made. Ends last, and with it what is still in it.
    group: Option<Group>,
}

impl Cell {
    pub(crate) fn new(
        stream: UnixStream,
        holder: Child,
        log: File,
        marker: String,
        group: Option<Group>,
        setup: &Setup,
    ) -> Self {
        Self {
            limits: Group::keepers(group.as_ref()),

            state: Mutex::new(State {
                holder: Some((stream, holder)),
                status: Status::default(),
                group,
            }),
            log,
            level: setup.level,
            marker,
            log_limit: setup.spec.limits.log,
            outside: setup.level == Level::Boxed && setup.spec.network == Network::Loopback,
            details: Vec::new(),
        }
    }

    pub(crate) fn begin(&self, setup: &[u8], patience: Duration) -> io::Result<Reply> {
        match &self.state().holder {
            Some((stream, _)) => {
                let reply = launch::begin(stream, setup, patience)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Ok(reply)
            }
            None => Err(gone()),
        }
    }

    pub(crate) fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// A TCP socket in the command's network, bound to `from` and a port of its own, not connected.
    pub fn socket(&self, from: IpAddr) -> io::Result<OwnedFd> {
        if self.level == Level::Plain {
            return sockets::bound(from);
        }
        match self.ask(Request::Socket(from))? {
            (Reply::Socket, Some(socket)) => Ok(socket),
            (Reply::Failed(why), _) => Err(io::Error::other(why)),
            _ => Err(io::Error::other("the holder sent no socket")),
        }
    }

    /// The next of the sockets that `Spec::listen` named: in the command's network, accepted out here.
    pub fn listener(&self) -> io::Result<TcpListener> {
        match self.ask(Request::Listener)? {
            (Reply::Socket, Some(socket)) => Ok(socket.into()),
            (Reply::Failed(why), _) => Err(io::Error::other(why)),
            _ => Err(io::Error::other("the holder sent no socket")),
        }
    }

    /// An address in the command's network that is not loopback, for clients that should not look local.
    pub fn outside_address(&self) -> Option<Ipv4Addr> {
        self.outside.then_some(OUTSIDE)
    }

    pub fn level(&self) -> Level {
        self.level
    }

    /// Who keeps the command to its limits: the kernel, or the holder, which looks ten times a second.
    pub fn limits(&self) -> &str {
        &self.limits
    }

    /// What the box could and could not do here, a sentence each.
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// How the main command ended, if it has. What it started may live on.
    pub fn exited(&self) -> Option<Exit> {
        self.status(Request::Status).exit
    }

    /// Waits until the main command ends.
    pub fn wait(&self, timeout: Duration) -> Option<Exit> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(exit) = self.exited() {
                return Some(exit);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            std::thread::sleep(left.min(POLL));
        }
    }

    /// User and system CPU of all that ever ran in the cell, in steps of 10 ms; `None` where the system does
    /// not tell.
    pub fn cpu(&self) -> Option<Duration> {
        self.status(Request::Usage).cpu
    }

    /// Bytes of stdout and stderr that were written, kept or not.
    pub fn log_bytes(&self) -> u64 {
        self.status(Request::Status).output
    }

    pub fn log_truncated(&self) -> bool {
        self.log_bytes() > self.log_limit
    }

    /// The last `bytes` of what was kept of stdout and stderr.
    pub fn log_tail(&self, bytes: usize) -> String {
        let kept = self.log.metadata().map_or(0, |found| found.len());
        let start = kept.saturating_sub(bytes as u64);
        let mut tail = vec![0; (kept - start) as usize];
        let mut read = 0;
        while read < tail.len() {
            match self.log.read_at(&mut tail[read..], start + read as u64) {
                Ok(0) | Err(_) => break,
                Ok(more) => read += more,
            }
        }
        String::from_utf8_lossy(&tail[..read]).into_owned()
    }

    /// Ends the command and all that it started; all is gone when this returns. Later calls do nothing.
    pub fn end(&self) {
        let mut state = self.state();
        if state.holder.is_none() {
            return;
        }
        // The last figures. A command that had ended by itself keeps its own exit.
        let last = ask(&mut state, Request::End);
        let last = match last {
            Ok((Reply::Status(status), _)) => Some(status),
            _ => None,
        };
        state.lose(last);
        drop(state);
        if self.level == Level::Plain {
            crate::holder::end_marked(&self.marker);
        }
    }

    fn status(&self, request: Request) -> Status {
        let mut state = self.state();
        if state.holder.is_some() {
            match ask(&mut state, request) {
                Ok((Reply::Status(status), _)) => {
                    let cpu = status.cpu.or(state.status.cpu);
                    state.status = Status { cpu, ..status };
                }
                _ => state.lose(None),
            }
        }
        state.status
    }

    fn ask(&self, request: Request) -> io::Result<(Reply, Option<OwnedFd>)> {
        let mut state = self.state();
        let answer = ask(&mut state, request);
        if answer.is_err() {
            state.lose(None);
        }
        answer
    }

    /// A panic elsewhere leaves the state usable: each exchange is whole or the holder is given up.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sees the holder off. With it go all processes of a box: the kernel ends a pid namespace whose first
    /// process ends, and waits for all of them before that process counts as ended.
    fn lose(&mut self, last: Option<Status>) {
        let Some((stream, mut holder)) = self.holder.take() else {
            return;
        };
        // Before the launcher's shell can remove the group; afterwards the shell's code tells.
        let ran_out = self.group.as_ref().is_some_and(Group::ran_out_of_memory);
        drop(stream);
        if !wait_for(&mut holder, PATIENCE) {
            if let Some(group) = &self.group {
                group.kill_all();
            }
            let _ = holder.kill();
            wait_for(&mut holder, PATIENCE);
        }
        let code = holder.try_wait().ok().flatten().and_then(|end| end.code());
        let killed = match last {
            Some(status) => {
                self.status = status;
                Killed::Ended
            }
            // The kernel may have chosen the holder, which is in the group as well.
            None if ran_out || code == Some(RAN_OUT_OF_MEMORY) => Killed::Memory,
            None => Killed::Holder,
        };
        self.status.exit.get_or_insert(Exit {
            code: None,
            signal: Some(9),
            killed: Some(killed),
        });
        self.group = None;
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.end();
    }
}

fn ask(state: &mut State, request: Request) -> io::Result<(Reply, Option<OwnedFd>)> {
    let (stream, _) = state.holder.as_ref().ok_or_else(gone)?;
    message::send(stream, &request.encode(), None)?;
    let (body, descriptor) = message::receive(stream)?.ok_or_else(gone)?;
    Ok((Reply::decode(&body)?, descriptor))
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the cell has ended")
}

fn wait_for(child: &mut Child, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Ok(Some(_)) | Err(_) => return true,
        }
    }
    false
}
