//! Runs one untrusted command and all that it starts, and ends all of it.
//!
//! A *cell* is one command in a box of its own: no network but its own loopback, a read-only system, one
//! writable folder, bounded memory, processes and log. A small process of ours, the *holder*, is the first
//! process in the box; it makes sockets in the box's network for us, and everything in the box dies with it.
//! The holder is this same program with a hidden argument, so `main` begins with `holder_main_if_asked()`. Test
//! binaries have no such `main`: they use `target/<profile>/cell-holder`, which `cargo test` at the workspace root
//! builds, and which `cargo build -p cell` builds for the tests of one crate.
//! This crate never looks at what the command says or serves, and it never trusts it to end by itself.

mod cell;
mod group;
mod holder;
mod launch;
mod message;
mod probe;
mod remove;
mod sockets;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use cell::Cell;
pub use holder::holder_main_if_asked;
pub use launch::{holder_exe, installed_in, spawn};
pub use probe::{Probe, probe};
pub use remove::remove_folder;

/// How strongly a command is kept apart from the machine: what was had, not what was wished for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Own pid, network, mount, ipc and uts namespaces.
    Boxed,
    /// Ordinary processes, found and ended through their ancestry.
    Plain,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boxed => "namespaces",
            Self::Plain => "plain processes",
        })
    }
}

/// What the command can reach beyond its own loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Network {
    #[default]
    Loopback,
    /// The machine's own network: for fetching packages, never for running what they contain.
    Host,
}

/// What the command may use up before it is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Resident bytes of all processes together.
    pub memory: u64,
    /// Processes alive at one time.
    pub processes: u64,
    /// Bytes of any one file it writes.
    pub file_size: u64,
    /// Bytes of all files in its folder together.
    pub disk: u64,
    /// Bytes kept of its output; the rest is counted and dropped.
    pub log: u64,
    pub open_files: u64,
    /// Processor time of all processes together.
    pub cpu: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 2 << 30,
            processes: 512,
            file_size: 1 << 30,
            disk: 2 << 30,
            log: 8 << 20,
            open_files: 8192,
            cpu: Duration::from_secs(1800),
        }
    }
}

/// One command and what it may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The program, looked up in the `PATH` of `env` when it has no slash, and its arguments.
    pub command: Vec<OsString>,
    /// The whole environment: nothing is inherited. `Plain` adds `UNREQUESTED_CELL`, which marks its processes.
    pub env: Vec<(OsString, OsString)>,
    /// Where it starts; usually `root/tree`.
    pub cwd: PathBuf,
    /// The cell's own folder, with `tree`, `state`, `tmp`, `home` (writable) and `log` (ours), made where missing.
    /// The box shows `tmp` as `/tmp`.
    pub root: PathBuf,
    /// Folders or files to be readable that the box would not show: it shows the system (`/usr`, `/etc`, `/opt`, ...)
    /// and nothing of `/home`, `/root`, `/var`, `/run`, `/srv` or `/mnt`. Toolchains under a home belong here.
    pub read: Vec<PathBuf>,
    /// Folders or files to be covered. Of nested `read`, `hide` and `root` paths the deepest counts.
    pub hide: Vec<PathBuf>,
    pub limits: Limits,
    pub network: Network,
    /// Addresses in the command's network at which somebody out here listens: the sockets are there before the command
    /// starts, and are had by `Cell::listener`.
    pub listen: Vec<SocketAddr>,
}

impl Spec {
    /// A command in `root/tree` with an empty environment, the usual limits and no network.
    pub fn new<A: Into<OsString>>(
        root: impl Into<PathBuf>,
        command: impl IntoIterator<Item = A>,
    ) -> Self {
        let root = root.into();
        Self {
            command: command.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            cwd: root.join("tree"),
            root,
            read: Vec::new(),
            hide: Vec::new(),
            limits: Limits::default(),
            network: Network::Loopback,
            listen: Vec::new(),
        }
    }
}

/// How the main command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exit {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Set when it did not end by itself.
    pub killed: Option<Killed>,
}

impl Exit {
    pub fn success(&self) -> bool {
        self.code == Some(0) && self.killed.is_none()
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}")?,
            (None, Some(signal)) => write!(f, "signal {signal}")?,
            (None, None) => f.write_str("ended")?,
        }
        self.killed
            .map_or(Ok(()), |killed| write!(f, " (killed: {killed})"))
    }
}

/// Why a command was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Killed {
    /// It used more memory than its limit.
    Memory,
    /// It had more processes than its limit.
    Processes,
    /// It wrote more, or more files, than its limit.
    Disk,
    /// It computed longer than its limit.
    Cpu,
    /// `Cell::end` was called while it ran.
    Ended,
    /// The holder died, and all with it: the machine's memory ran out, or somebody killed it.
    Holder,
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Disk => "disk",
            Self::Cpu => "processor time",
            Self::Ended => "ended by us",
            Self::Holder => "its holder died",
        })
    }
}

/// Why no cell could be had. None of these says anything about the command's own behaviour.
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    #[error("no command given to run")]
    NoCommand,
    #[error("cannot prepare the cell's folder {path}: {source}")]
    Folder { path: PathBuf, source: io::Error },
    #[error("`{0}` is not installed; install the package `util-linux`, or run without a box")]
    Missing(&'static str),
    #[error("the box's holder program was not found: run `cargo build -p cell --bin cell-holder`")]
    NoHolder,
    #[error("cannot start the holder {path}: {source}")]
    Holder { path: PathBuf, source: io::Error },
    #[error("the box could not be made: {0}; `doctor` tells what is missing")]
    Box(String),
    #[error("cannot start `{program}` in the cell: {why}")]
    Start { program: String, why: String },
}
