//! An app's dependencies, installed once per set of requirements and used read-only. A file per language.
//!
//! While packages are fetched, nothing of them runs; what of them must run, does so in a box, without a network. What a
//! box left behind is never followed: it may be a link to anywhere.

mod node;
mod python;
mod rust;

pub use node::Node;
pub use python::Python;
pub use rust::Rust;
pub(crate) use rust::prepare;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cell::{Killed, Level, Limits, Network, Spec};

use model::Fault;

use crate::framework::{Framework, Language};

/// A set of dependencies, ready to be used.
#[derive(Debug, Clone)]
pub struct Installed {
    /// What goes first in `PATH`.
    pub bin: PathBuf,
    /// Folders the app must be able to read.
    pub read: Vec<PathBuf>,
    /// What the tree must have under these names: links to what is shared by all copies.
    pub links: Vec<(String, PathBuf)>,
    /// Whether it was there already.
    pub cached: bool,
    /// For people: which lock file the versions are from, or why one was not followed.
    pub remark: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error(
        "no Python 3.11 or newer was found as `python3`{0}; install it (Debian: apt-get install python3 python3-venv)"
    )]
    NoPython(String),
    #[error(
        "no Node 20 or newer with npm was found{0}; install it (Debian: apt-get install nodejs npm)"
    )]
    NoNode(String),
    #[error("no Rust toolchain was found as `rustc` and `cargo`{0}; install it with rustup")]
    NoRust(String),
    #[error("cannot write {0}: {1}")]
    Folder(PathBuf, std::io::Error),
    #[error("the requirements cannot be installed: {0}")]
    Unsatisfiable(String),
    #[error(
        "{0} does not come from a registry; what it runs while it is fetched could not be boxed"
    )]
    Elsewhere(String),
    #[error("`{command}` took longer than {seconds} s{hint}; last words: {words}")]
    TimedOut {
        command: String,
        seconds: u64,
        hint: &'static str,
        words: String,
    },
    #[error("the build failed: {0}")]
    Build(String),
    #[error("no box for what packages run at install: {0}")]
    Box(#[from] cell::CellError),
    #[error("{command} failed: {words}")]
    Failed { command: String, words: String },
    #[error("{error} ({remark})")]
    Unlocked {
        /// Why the lock file was not followed.
        remark: String,
        error: Box<InstallError>,
    },
}

impl InstallError {
    pub(crate) fn unlocked(self, remark: String) -> Self {
        Self::Unlocked {
            remark,
            error: Box::new(self),
        }
    }

    /// The app's: requirements that nobody can satisfy, a source that does not build. What others
    /// wrote, what took too long and what this version does not do is the harness's.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unsatisfiable(_) | Self::Build(_) => Fault::App,
            Self::Unlocked { error, .. } => error.fault(),
            Self::NoPython(_)
            | Self::NoNode(_)
            | Self::NoRust(_)
            | Self::Folder(..)
            | Self::Elsewhere(_)
            | Self::TimedOut { .. }
            | Self::Box(_)
            | Self::Failed { .. } => Fault::Harness,
        }
    }

    /// Whether a program is missing on this machine.
    pub fn is_missing(&self) -> bool {
        if let Self::Unlocked { error, .. } = self {
            return error.is_missing();
        }
        matches!(self, Self::NoPython(_) | Self::NoNode(_) | Self::NoRust(_))
    }
}

/// Where and within what bounds dependencies are installed and trees are built.
#[derive(Debug, Clone)]
pub struct Workshop {
    pub level: Level,
    pub cache: PathBuf,
    /// For one command.
    pub longest: Duration,
    pub limits: Limits,
}

impl Workshop {
    /// A production build of Next.js takes 1.2 GiB, a source build of a Node package four minutes.
    pub fn new(level: Level, cache: PathBuf) -> Self {
        Self {
            level,
            cache,
            longest: Duration::from_secs(900),
            limits: Limits {
                memory: 4 << 30,
                disk: 8 << 30,
                file_size: 8 << 30,
                cpu: Duration::from_secs(3 * 3600),
                ..Limits::default()
            },
        }
    }
}

/// Where dependencies are kept: `$UNREQUESTED_CACHE`, else the user's cache folder.
pub fn cache_folder() -> PathBuf {
    let named = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    named("UNREQUESTED_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|cache| cache.join("unrequested")))
        .or_else(|| named("HOME").map(|home| home.join(".cache/unrequested")))
        .unwrap_or_else(|| std::env::temp_dir().join("unrequested-cache"))
}

/// Installs a tree's dependencies below the workshop's cache, or finds them there.
pub fn install(
    tree: &Path,
    framework: &Framework,
    workshop: &Workshop,
) -> Result<Installed, InstallError> {
    match framework.language {
        Language::Python => python::install(tree, &Python::look()?, workshop),
        Language::Node => node::install(tree, &Node::look()?, workshop),
        Language::Rust => rust::install(tree, &Rust::look()?, workshop),
    }
}

/// Installs what a folder's `package.json` and lock file name, without being about an app. The program of a package must not
/// need what its install script would do: no script runs.
pub fn install_packages(folder: &Path, workshop: &Workshop) -> Result<Installed, InstallError> {
    node::install(folder, &Node::look()?, workshop)
}

/// Removes from `cache` what a killed process began and nobody fills now.
pub fn remove_unfinished(cache: &Path) {
    for kind in ["python", "node", "rust", "build"] {
        for entry in fs::read_dir(cache.join(kind))
            .into_iter()
            .flatten()
            .flatten()
        {
            let lock = entry.path();
            let folder = lock.with_extension("");
            let is_lock = lock.extension().is_some_and(|end| end == "lock");
            if is_lock
                && folder.is_dir()
                && let Ok(file) = fs::File::open(&lock)
                && file.try_lock().is_ok()
                && !lock.with_extension(COMPLETE).is_file()
            {
                let _ = cell::remove_folder(&folder);
            }
        }
    }
}

/// Beside a folder, since what runs in there may write anything in it.
const COMPLETE: &str = "complete";
/// What of a folder is used later.
const KEPT: [&str; 3] = ["tree", "vendor", "out"];

/// A folder of the cache that this process may fill: nobody else does while it is held.
pub(crate) struct Claim {
    pub(crate) folder: PathBuf,
    made: PathBuf,
    _lock: fs::File,
}

impl Claim {
    pub(crate) fn is_complete(&self) -> bool {
        self.made.is_file() && self.folder.is_dir()
    }

    pub(crate) fn complete(&self) -> Result<(), InstallError> {
        self.complete_with("")
    }

    /// With what is to be said whenever it is used.
    pub(crate) fn complete_with(&self, remark: &str) -> Result<(), InstallError> {
        let failed = |error| InstallError::Folder(self.folder.clone(), error);
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if !KEPT.iter().any(|kept| entry.file_name() == *kept) {
                cell::remove_folder(&entry.path()).map_err(failed)?;
            }
        }
        fs::write(&self.made, remark)
            .map_err(|error| InstallError::Folder(self.made.clone(), error))
    }

    pub(crate) fn remark(&self) -> Option<String> {
        fs::read_to_string(&self.made)
            .ok()
            .filter(|text| !text.is_empty())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_complete() {
            let _ = cell::remove_folder(&self.folder);
        }
    }
}

/// Claims `parent/name`. When it is not complete, it is not there.
pub(crate) fn claim(parent: &Path, name: &str) -> Result<Claim, InstallError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error| InstallError::Folder(path, error)
    };
    fs::create_dir_all(parent).map_err(failed(parent))?;
    let path = parent.join(format!("{name}.lock"));
    let lock = fs::File::create(&path).map_err(failed(&path))?;
    lock.lock().map_err(failed(&path))?;
    let folder = parent.join(name);
    let claim = Claim {
        made: parent.join(format!("{name}.{COMPLETE}")),
        folder,
        _lock: lock,
    };
    if !claim.is_complete() {
        cell::remove_folder(&claim.folder).map_err(failed(&claim.folder))?;
    }
    Ok(claim)
}

/// Fetches packages with one of this machine's own tools, in `root/tree`: with its network, its settings and a user's
/// credentials, so nothing that it fetches may run. A cell of plain processes, since those end when we do.
pub(crate) fn fetch(words: &[&str], root: &Path, workshop: &Workshop) -> Result<(), InstallError> {
    let mut spec = Spec::new(root, words.iter().copied());
    spec.env = std::env::vars_os()
        .filter(|(name, _)| name != "PYTHONDONTWRITEBYTECODE" && name != "NODE_ENV")
        .collect();
    spec.network = Network::Host;
    run(spec, Level::Plain, workshop, Whose::Tools)
}

/// Whose code a command runs, and so whose fault its failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Tools,
    Packages,
    App,
}

/// Runs a command within the workshop's bounds, to its end; nothing of it is left running.
pub(crate) fn run(
    mut spec: Spec,
    level: Level,
    workshop: &Workshop,
    whose: Whose,
) -> Result<(), InstallError> {
    spec.limits = workshop.limits.clone();
    let command: Vec<_> = spec
        .command
        .iter()
        .map(|word| word.to_string_lossy())
        .collect();
    let command = command.join(" ");
    let cell = cell::spawn(&spec, level)?;
    let exit = cell.wait(workshop.longest);
    let words = last_words(&cell);
    cell.end();
    let Some(exit) = exit else {
        return Err(InstallError::TimedOut {
            command,
            seconds: workshop.longest.as_secs(),
            hint: match whose {
                Whose::Tools => " (is a package registry reachable?)",
                Whose::Packages | Whose::App => "",
            },
            words,
        });
    };
    if exit.success() {
        return Ok(());
    }
    let unsatisfiable = UNSATISFIABLE.iter().any(|sign| words.contains(sign));
    match whose {
        // Not the app's doing: the machine's memory ran out, or somebody ended the holder.
        Whose::App if exit.killed == Some(Killed::Holder) => {}
        Whose::App => return Err(InstallError::Build(format!("{exit}: {words}"))),
        Whose::Tools if unsatisfiable => return Err(InstallError::Unsatisfiable(words)),
        Whose::Tools if words.contains("npm error An unknown git error") => {
            return Err(InstallError::Elsewhere("a dependency from git".into()));
        }
        Whose::Tools | Whose::Packages => {}
    }
    Err(InstallError::Failed {
        command: format!("{command}, {exit}"),
        words,
    })
}

/// What npm, pip and uv say of requirements that nobody can satisfy.
const UNSATISFIABLE: [&str; 11] = [
    "No matching distribution",
    "No solution found",
    "ResolutionImpossible",
    "Invalid requirement",
    "npm error code ETARGET",
    "npm error code E404",
    "npm error code EUSAGE",
    "npm error code ERESOLVE",
    "npm error code EJSONPARSE",
    "npm error code EINVALIDPACKAGENAME",
    "--locked was passed",
];

/// The environment of a command in a cell.
pub(crate) fn environment(root: &Path, bin: &Path) -> Vec<(OsString, OsString)> {
    vec![
        (
            "PATH".into(),
            format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()).into(),
        ),
        ("HOME".into(), root.join("home").into()),
        ("LANG".into(), "C.UTF-8".into()),
        ("CI".into(), "1".into()),
        ("npm_config_update_notifier".into(), "false".into()),
    ]
}

/// The last lines of a cell's output, in one.
fn last_words(cell: &cell::Cell) -> String {
    let text = cell.log_tail(4096);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(12)..].join(" / ")
}
