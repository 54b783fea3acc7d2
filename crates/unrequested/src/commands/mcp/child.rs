//! One command of this program as a child: bounded in time and output, ended with all that it started when nobody waits any more.

use std::ffi::OsString;
use std::io::{self, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::wire::{Line, next_line};
use crate::interrupt::ENDS_WITH;

/// How often it is looked whether the child has ended.
const TICK: Duration = Duration::from_millis(20);
/// How often whoever waits hears of it.
const BEAT: Duration = Duration::from_secs(2);
/// What a child may take to end by itself. Clients give a server two seconds.
const GRACE: Duration = Duration::from_secs(1);
/// How long output is waited for that a grandchild may hold open.
const LATE_OUTPUT: Duration = Duration::from_secs(2);
const MOST_OUTPUT: u64 = 32 << 20;
const MOST_SAID: usize = 200;
const LONGEST_SAID: usize = 4096;

#[derive(Debug)]
pub(super) enum Event {
    /// The client does not want the answer any more.
    Cancel,
    Said(String),
    Output(io::Result<Vec<u8>>),
}

#[derive(Debug)]
pub(super) enum Ended {
    Done {
        /// `None`: a signal.
        code: Option<i32>,
        stdout: Vec<u8>,
        /// Lines of stderr.
        said: Vec<String>,
    },
    Cancelled,
    TooLate,
    Failed(String),
}

/// Runs it to its end, or ends it: by the deadline, or by an [`Event::Cancel`].
pub(super) fn run(
    arguments: &[OsString],
    folder: &Path,
    deadline: Duration,
    events: (&Sender<Event>, &Receiver<Event>),
    beat: &mut dyn FnMut(Duration, Option<&str>),
) -> Ended {
    let begun = Instant::now();
    let mut child = match start(arguments, folder, events.0) {
        Ok(child) => child,
        Err(error) => return Ended::Failed(format!("this program cannot start itself: {error}")),
    };
    let (mut said, mut output): (Vec<String>, _) = (Vec::new(), None);
    // The first at once: a short run is heard of as well.
    let mut next_beat = Duration::ZERO;
    let code = loop {
        match events.1.recv_timeout(TICK) {
            Ok(Event::Cancel) => {
                end(&mut child);
                return Ended::Cancelled;
            }
            Ok(Event::Said(line)) => keep(&mut said, line),
            Ok(Event::Output(all)) => output = Some(all),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        match child.try_wait() {
            Ok(Some(status)) => break status.code(),
            Ok(None) => {}
            Err(error) => {
                end(&mut child);
                return Ended::Failed(format!("the command was lost: {error}"));
            }
        }
        let elapsed = begun.elapsed();
        if elapsed > deadline {
            end(&mut child);
            return Ended::TooLate;
        }
        if elapsed > next_beat {
            next_beat = elapsed + BEAT;
            beat(elapsed, said.last().map(String::as_str));
        }
    };
    let ended = Instant::now();
    while output.is_none() && ended.elapsed() < LATE_OUTPUT {
        match events.1.recv_timeout(TICK) {
            Ok(Event::Cancel) => return Ended::Cancelled,
            Ok(Event::Said(line)) => keep(&mut said, line),
            Ok(Event::Output(all)) => output = Some(all),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
    for event in events.1.try_iter() {
        if let Event::Said(line) = event {
            keep(&mut said, line);
        }
    }
    match output {
        Some(Ok(stdout)) => Ended::Done { code, stdout, said },
        Some(Err(error)) => Ended::Failed(format!("the command's output is lost: {error}")),
        None => Ended::Failed("the command's output did not end".to_owned()),
    }
}

fn start(arguments: &[OsString], folder: &Path, events: &Sender<Event>) -> io::Result<Child> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env(ENDS_WITH, std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    if let Some(stdout) = child.stdout.take() {
        let events = events.clone();
        std::thread::spawn(move || {
            let mut all = Vec::new();
            let read = stdout.take(MOST_OUTPUT + 1).read_to_end(&mut all);
            let read = read.and_then(|_| {
                if all.len() as u64 > MOST_OUTPUT {
                    return Err(io::Error::other("it is over 32 MiB"));
                }
                Ok(all)
            });
            let _ = events.send(Event::Output(read));
        });
    }
    if let Some(stderr) = child.stderr.take() {
        let events = events.clone();
        std::thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            while let Ok(Some(line)) = next_line(&mut stderr, LONGEST_SAID) {
                if let Line::Text(text) = line {
                    let text = String::from_utf8_lossy(&text).trim().to_owned();
                    if events.send(Event::Said(text)).is_err() {
                        return;
                    }
                }
            }
        });
    }
    Ok(child)
}

fn keep(said: &mut Vec<String>, line: String) {
    if said.len() < MOST_SAID && !line.is_empty() {
        said.push(line);
    }
}

/// Asks it to end, so that it removes what it made, and then ends it and its group.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let signal = |signal| group.map(|group| kill_process_group(group, signal));
    signal(Signal::TERM);
    let asked = Instant::now();
    while asked.elapsed() < GRACE && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(TICK);
    }
    signal(Signal::KILL);
    let _ = child.wait();
}
