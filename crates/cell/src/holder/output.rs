//! The command's stdout and stderr: read always, so that it never blocks; kept up to a limit.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec};

const CHUNK: usize = 64 << 10;
/// What is still read once the command has ended: a pipe holds far less, but others may go on writing.
const LAST_READS: usize = 64;

pub(crate) struct Output {
    pipe: Option<File>,
    /// Our stdout, which the tool opened for us.
    log: io::Stdout,
    limit: u64,
    written: u64,
    chunk: Vec<u8>,
}

impl Output {
    /// And the end to write to.
    pub(crate) fn new(limit: u64) -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = pipe()?;
        let output = Self {
            pipe: Some(File::from(ours)),
            log: io::stdout(),
            limit,
            written: 0,
            chunk: vec![0; CHUNK],
        };
        Ok((output, theirs))
    }

    pub(crate) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn read_once(&mut self) {
        let Some(pipe) = &mut self.pipe else {
            return;
        };
        match pipe.read(&mut self.chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => self.pipe = None,
            Ok(read) => {
                let room = self.limit.saturating_sub(self.written);
                let kept = (read as u64).min(room) as usize;
                self.written += read as u64;
                // A full disk costs log lines and nothing else.
                let _ = self.log.write_all(&self.chunk[..kept]);
                let _ = self.log.flush();
            }
        }
    }

    /// Reads what is there without waiting for more.
    pub(crate) fn drain(&mut self) {
        for _ in 0..LAST_READS {
            let Some(pipe) = self.pipe() else { return };
            let mut waiting = [PollFd::new(&pipe, PollFlags::IN)];
            if !matches!(
                rustix::event::poll(&mut waiting, Some(&Timespec::default())),
                Ok(1..)
            ) {
                return;
            }
            self.read_once();
        }
    }
}

#[cfg(target_os = "linux")]
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

#[cfg(not(target_os = "linux"))]
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = rustix::pipe::pipe()?;
    for end in [&ours, &theirs] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok((ours, theirs))
}
