//! The holder: the first process in a cell. It makes the box, starts the command, hands out sockets, keeps
//! the log and the limits, and ends everything when the tool says so or dies.
//!
//! It is this same program, started again with a hidden argument; it reads no configuration and trusts nobody
//! but the other end of its stdin.

#[cfg(target_os = "linux")]
mod disk;
mod mounts;
#[cfg(target_os = "linux")]
mod network;
mod output;
mod processes;
mod start;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal, WaitOptions};

use crate::message::{self, Reply, Request, Setup, Status};
use crate::{Exit, Killed, Level, Limits, group, launch, sockets};
use disk::Disk;
use output::Output;
pub(crate) use processes::end_marked;

/// How often the limits are looked at. A process of the command costs some 20 microseconds each time.
const TICK: Duration = Duration::from_millis(100);

/// Must be the first thing in `main`: a process that was started as a cell's holder never returns from here.
pub fn holder_main_if_asked() {
    if std::env::args_os().nth(1).as_deref() == Some(launch::HOLDER_ARGUMENT.as_ref()) {
        let code = match run() {
            Ok(()) => 0,
            Err(error) => {
                use std::io::Write;
                let _ = writeln!(io::stderr(), "the holder failed: {error}");
                1
            }
        };
        #[expect(
            clippy::exit,
            reason = "a holder is a process of its own that has no other main"
        )]
        std::process::exit(code);
    }
    launch::this_program_can_hold();
}

fn run() -> io::Result<()> {
    let control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Away from the tool's terminal, so that its Ctrl-C is the tool's affair only.
    let _ = rustix::process::setsid();
    let Some((body, _)) = message::receive(&control)? else {
        return Ok(());
    };
    let setup = Setup::decode(&body)?;
    let answer = |reply: &Reply| message::send(&control, &reply.encode(), None);

    // The box does not show it.
    let memory = setup.out_of_memory.as_ref();
    let memory = memory.and_then(|path| File::open(path).ok());
    let details = match prepare(&setup) {
        Ok(details) => details,
        Err(why) => return answer(&Reply::NoBox(why)),
    };
    let mut listeners = Vec::new();
    for at in setup.spec.listen.iter().rev() {
        match sockets::listening(*at) {
            Ok(listener) => listeners.push(listener),
            Err(error) => return answer(&Reply::NoBox(format!("cannot listen at {at}: {error}"))),
        }
    }
    let (output, pipe) = Output::new(setup.spec.limits.log)?;
    let main = match start::command(&setup, pipe) {
        Ok(main) => main,
        Err(why) => return answer(&Reply::NoStart(why)),
    };
    answer(&Reply::Started(details))?;
    Holder {
        main_ended: watch_end(main),
        control,
        output,
        memory,
        main,
        level: setup.level,
        disk: Disk::new(&setup.spec.root, setup.spec.limits.disk),
        limits: setup.spec.limits,
        exit: None,
        killed: None,
        listeners,
    }
    .serve()
}

#[cfg(target_os = "linux")]
fn prepare(setup: &Setup) -> Result<Vec<String>, String> {
    match setup.level {
        Level::Plain => {
            // Whatever loses its parent becomes our child, so the tree below us is complete.
            rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
                .map_err(|error| format!("cannot become a subreaper: {error}"))?;
            Ok(vec![
                "no box: the command sees the machine's files and network".into(),
            ])
        }
        Level::Boxed => {
            if setup.spec.network == crate::Network::Loopback {
                network::bring_up(crate::cell::OUTSIDE)
                    .map_err(|error| format!("cannot set up the loopback network: {error}"))?;
            }
            mounts::make(setup)
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn prepare(setup: &Setup) -> Result<Vec<String>, String> {
    match setup.level {
        Level::Plain => Ok(vec![
            "no box, and only the command's own process group is ended".into(),
        ]),
        Level::Boxed => Err("only Linux has namespaces".into()),
    }
}

struct Holder {
    control: UnixStream,
    output: Output,
    /// Counts how often the kernel found no memory for the command.
    memory: Option<File>,
    main: Pid,
    /// Becomes readable when the command ends, where the system has such a thing.
    main_ended: Option<OwnedFd>,
    level: Level,
    limits: Limits,
    disk: Disk,
    exit: Option<Exit>,
    killed: Option<Killed>,
    /// Not yet handed out; the next one is the last.
    listeners: Vec<OwnedFd>,
}

impl Holder {
    /// One loop and no threads: what was written before the command ended is in the log before its end is told.
    fn serve(mut self) -> io::Result<()> {
        let mut next_look = Instant::now() + TICK;
        loop {
            let [asked, wrote, ended] = self.poll(next_look)?;
            if wrote {
                self.output.read_once();
            }
            let look = Instant::now() >= next_look;
            if ended || look {
                self.reap();
            }
            if look {
                self.keep_limits();
                next_look = Instant::now() + TICK;
            }
            if asked && !self.answer().unwrap_or(false) {
                self.end_all();
                return Ok(());
            }
        }
    }

    fn poll(&self, until: Instant) -> io::Result<[bool; 3]> {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut waiting = vec![PollFd::new(&self.control, PollFlags::IN)];
        let pipe = self.output.pipe();
        if let Some(pipe) = &pipe {
            waiting.push(PollFd::new(pipe, PollFlags::IN));
        }
        if let Some(ended) = &self.main_ended {
            waiting.push(PollFd::new(ended, PollFlags::IN));
        }
        match rustix::event::poll(&mut waiting, Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = waiting.iter().map(|one| !one.revents().is_empty());
        Ok([
            ready.next() == Some(true),
            pipe.is_some() && ready.next() == Some(true),
            self.main_ended.is_some() && ready.next() == Some(true),
        ])
    }

    /// Collects all that have died: as the first process, we inherit every orphan.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid == self.main {
                self.main_ended = None;
                self.output.drain();
                if self.memory_ran_out() {
                    self.killed.get_or_insert(Killed::Memory);
                }
                self.exit = Some(Exit {
                    code: status.exit_status(),
                    signal: status.terminating_signal(),
                    killed: self.killed,
                });
            }
        }
    }

    fn keep_limits(&mut self) {
        let Some(used) = processes::usage(self.level) else {
            return;
        };
        let excess = if used.processes > self.limits.processes {
            Killed::Processes
        } else if self.memory_ran_out()
            || used.memory > self.limits.memory
                && processes::shared_memory_counted_once(self.level)
                    .is_none_or(|memory| memory > self.limits.memory)
        {
            Killed::Memory
        } else if used.cpu > self.limits.cpu {
            Killed::Cpu
        } else if self.disk.is_exceeded() {
            Killed::Disk
        } else {
            return;
        };
        self.killed.get_or_insert(excess);
        // The command may have ended before what it left behind went too far; the cause is worth more.
        if let Some(exit) = &mut self.exit {
            exit.killed.get_or_insert(excess);
        }
        self.kill_all();
        self.reap();
    }

    fn memory_ran_out(&self) -> bool {
        let mut text = [0; 512];
        let read = self.memory.as_ref().map(|file| file.read_at(&mut text, 0));
        let read = read.and_then(Result::ok).unwrap_or(0);
        group::kills(&String::from_utf8_lossy(&text[..read])) > 0
    }

    /// False when the tool is gone or wants the end.
    fn answer(&mut self) -> io::Result<bool> {
        let Some((body, _)) = message::receive(&self.control)? else {
            return Ok(false);
        };
        let request = Request::decode(&body)?;
        match request {
            Request::Status => self.tell_status(false)?,
            Request::Usage => self.tell_status(true)?,
            Request::End => {
                self.reap();
                self.tell_status(true)?;
                return Ok(false);
            }
            Request::Listener => {
                let socket = self.listeners.pop();
                let reply = match &socket {
                    Some(_) => Reply::Socket,
                    None => Reply::Failed("no listening socket is left".into()),
                };
                let socket = socket.as_ref().map(AsFd::as_fd);
                message::send(&self.control, &reply.encode(), socket)?;
            }
            Request::Socket(from) => match sockets::bound(from) {
                Ok(socket) => {
                    message::send(&self.control, &Reply::Socket.encode(), Some(socket.as_fd()))?;
                }
                Err(error) => {
                    let why = format!("cannot make a socket from {from}: {error}");
                    message::send(&self.control, &Reply::Failed(why).encode(), None)?;
                }
            },
        }
        Ok(true)
    }

    fn tell_status(&self, with_cpu: bool) -> io::Result<()> {
        let status = Reply::Status(Status {
            exit: self.exit,
            cpu: with_cpu
                .then(|| processes::usage(self.level))
                .flatten()
                .map(|usage| usage.cpu),
            output: self.output.written(),
        });
        message::send(&self.control, &status.encode(), None)
    }

    fn kill_all(&self) {
        match self.level {
            // "Minus one": everything that we may signal except ourselves, which in our pid namespace is all.
            Level::Boxed => {
                let _ = rustix::process::kill_process_group(Pid::INIT, Signal::KILL);
            }
            Level::Plain => processes::kill_descendants(self.main),
        }
    }

    /// In a box our own end is everybody's, at once and by the kernel's hand.
    fn end_all(&self) {
        if self.level == Level::Plain {
            processes::kill_descendants(self.main);
        }
    }
}

#[cfg(target_os = "linux")]
fn watch_end(main: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(main, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn watch_end(_: Pid) -> Option<OwnedFd> {
    None
}
