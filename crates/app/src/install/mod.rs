//! An app's dependencies, installed once per set of requirements and used read-only. A file per language.
//!
//! While packages are fetched, nothing of them runs; what of them must run, does so in a box, without a network.

mod node;
mod python;
mod rust;

pub use node::Node;
pub(crate) use node::{environment, last_words};
pub use python::Python;
pub use rust::Rust;
pub(crate) use rust::prepare;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cell::Level;

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
    #[error("installing took longer than {0} s; is a package registry reachable? Last words: {1}")]
    TimedOut(u64, String),
    #[error("the build failed: {0}")]
    Build(String),
    #[error("no box for what packages run at install: {0}")]
    Box(#[from] cell::CellError),
    #[error("{command} failed: {words}")]
    Failed { command: String, words: String },
}

impl InstallError {
    /// Whether it is the app's own fault: requirements that nobody can satisfy, a source that does not build.
    pub fn is_the_apps(&self) -> bool {
        matches!(self, Self::Unsatisfiable(_) | Self::Build(_))
    }

    /// Whether a program is missing on this machine.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::NoPython(_) | Self::NoNode(_) | Self::NoRust(_))
    }
}

const LONGEST: Duration = Duration::from_secs(600);

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

/// Installs a tree's dependencies below `cache`, or finds them there.
pub fn install(
    tree: &Path,
    framework: &Framework,
    level: Level,
    cache: &Path,
) -> Result<Installed, InstallError> {
    match framework.language {
        Language::Python => python::install(tree, &Python::look()?, cache),
        Language::Node => node::install(tree, &Node::look()?, level, cache),
        Language::Rust => rust::install(tree, &Rust::look()?, level, cache),
    }
}

/// A folder of the cache that this process may fill: nobody else does while it is held.
pub(crate) struct Claim {
    pub(crate) folder: PathBuf,
    made: PathBuf,
    _lock: fs::File,
}

impl Claim {
    pub(crate) fn is_complete(&self) -> bool {
        self.made.is_file()
    }

    pub(crate) fn complete(&self) -> Result<(), InstallError> {
        fs::write(&self.made, "").map_err(|error| InstallError::Folder(self.made.clone(), error))
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
        made: folder.join(".complete"),
        folder,
        _lock: lock,
    };
    if !claim.is_complete() && claim.folder.exists() {
        fs::remove_dir_all(&claim.folder).map_err(failed(&claim.folder))?;
    }
    Ok(claim)
}

/// Runs one of this machine's own programs, in `folder`.
pub(crate) fn command(arguments: &[&str], folder: &Path) -> Result<(), InstallError> {
    let shown = arguments.join(" ");
    let begun = Instant::now();
    let failed = |words: String| InstallError::Failed {
        command: shown.clone(),
        words,
    };
    let mut child = Command::new(arguments[0])
        .args(&arguments[1..])
        .env_remove("PYTHONDONTWRITEBYTECODE")
        .env_remove("NODE_ENV")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let stderr = child.stderr.take();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = stderr.read_to_end(&mut text);
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().rev().take(12).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    });
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if begun.elapsed() > LONGEST => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(InstallError::TimedOut(
                    LONGEST.as_secs(),
                    reader.join().unwrap_or_default(),
                ));
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(failed(error.to_string())),
        }
    };
    let words = reader.join().unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    let unsatisfiable = [
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
    if unsatisfiable.iter().any(|sign| words.contains(sign)) {
        return Err(InstallError::Unsatisfiable(words));
    }
    Err(failed(words))
}
