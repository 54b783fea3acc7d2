//! An app's dependencies, installed once per set of requirements and used read-only.
//!
//! Wheels only: nothing of a package runs while it is installed.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::framework::{Framework, Language, requirements};

/// A set of dependencies, ready to be used.
#[derive(Debug, Clone)]
pub struct Installed {
    /// What goes first in `PATH`.
    pub bin: PathBuf,
    /// Folders the app must be able to read.
    pub read: Vec<PathBuf>,
    /// Whether it was there already.
    pub cached: bool,
}

/// What this machine has to install with.
#[derive(Debug, Clone)]
pub struct Tools {
    pub python: PathBuf,
    /// Where its standard library is, when that is not a place of the system's own.
    pub home: Option<PathBuf>,
    pub python_version: String,
    pub uv: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error(
        "no Python 3.11 or newer was found as `python3`{0}; install it (Debian: apt-get install python3 python3-venv)"
    )]
    NoPython(String),
    #[error("cannot write {0}: {1}")]
    Folder(PathBuf, std::io::Error),
    #[error("the requirements cannot be installed: {0}")]
    Unsatisfiable(String),
    #[error("installing took longer than {0} s; is a package registry reachable? Last words: {1}")]
    TimedOut(u64, String),
    #[error("{command} failed: {words}")]
    Failed { command: String, words: String },
}

impl InstallError {
    /// Whether it is the app's own fault: requirements that nobody can satisfy.
    pub fn is_the_apps(&self) -> bool {
        matches!(self, Self::Unsatisfiable(_))
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

impl Tools {
    /// Looks for Python and uv.
    pub fn look() -> Result<Self, InstallError> {
        let asked = Command::new("python3")
            .args([
                "-c",
                "import os, sys; print('%d.%d.%d' % sys.version_info[:3]); print(os.path.realpath(sys.executable)); print(sys.base_prefix)",
            ])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| InstallError::NoPython(format!(" ({error})")))?;
        let text = String::from_utf8_lossy(&asked.stdout).into_owned();
        let mut lines = text.lines();
        let version = lines.next().unwrap_or_default().to_owned();
        let minor = version
            .strip_prefix("3.")
            .and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
        if minor.is_none_or(|minor| minor < 11) {
            let found = if version.is_empty() {
                String::new()
            } else {
                format!(" (found {version})")
            };
            return Err(InstallError::NoPython(found));
        }
        let uv = Command::new("uv")
            .arg("--version")
            .stdin(Stdio::null())
            .output();
        let uv = uv
            .is_ok_and(|output| output.status.success())
            .then(|| PathBuf::from("uv"));
        Ok(Self {
            python: PathBuf::from(lines.next().unwrap_or("python3")),
            home: lines
                .next()
                .filter(|home| *home != "/usr")
                .map(PathBuf::from),
            python_version: version,
            uv,
        })
    }
}

/// Installs a tree's dependencies below `cache`, or finds them there.
pub fn install(
    tree: &Path,
    framework: &Framework,
    tools: &Tools,
    cache: &Path,
) -> Result<Installed, InstallError> {
    match framework.language {
        Language::Python => python(tree, tools, cache),
    }
}

fn python(tree: &Path, tools: &Tools, cache: &Path) -> Result<Installed, InstallError> {
    let lines = requirements(tree);
    // What is not bound to versions may change: the key has the day's order of lines, not their meaning.
    let key =
        blake3::hash(format!("python {}\n{}", tools.python_version, lines.join("\n")).as_bytes())
            .to_hex();
    let folder = cache.join("python").join(&key.as_str()[..24]);
    let made = folder.join(".complete");
    let installed = |cached| Installed {
        bin: folder.join("bin"),
        read: std::iter::once(folder.clone())
            .chain(tools.home.clone())
            .collect(),
        cached,
    };
    if made.is_file() {
        return Ok(installed(true));
    }
    let parent = cache.join("python");
    fs::create_dir_all(&parent).map_err(|error| InstallError::Folder(parent.clone(), error))?;
    let lock = fs::File::create(parent.join(format!("{}.lock", &key.as_str()[..24])))
        .map_err(|error| InstallError::Folder(parent.clone(), error))?;
    lock.lock()
        .map_err(|error| InstallError::Folder(parent.clone(), error))?;
    if made.is_file() {
        return Ok(installed(true));
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| InstallError::Folder(folder.clone(), error))?;
    }
    let target = folder.to_string_lossy().into_owned();
    let python = tools.python.to_string_lossy().into_owned();
    let wanted = parent.join(format!("{}.txt", &key.as_str()[..24]));
    fs::write(&wanted, lines.join("\n") + "\n")
        .map_err(|error| InstallError::Folder(wanted.clone(), error))?;
    let wanted = wanted.to_string_lossy().into_owned();
    if let Some(uv) = &tools.uv {
        let uv = uv.to_string_lossy().into_owned();
        command(&[&uv, "venv", "--quiet", "--python", &python, &target])?;
        let inside = format!("{target}/bin/python");
        // Copies: a file linked into uv's cache could be changed by the app for everybody.
        let arguments = [
            &uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            &inside,
            "--link-mode",
            "copy",
            "--no-build",
            "--compile-bytecode",
            "-r",
            &wanted,
        ];
        command(&arguments)?;
    } else {
        command(&[&python, "-m", "venv", &target])?;
        let pip = format!("{target}/bin/pip");
        let arguments = [
            &pip,
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--only-binary",
            ":all:",
            "-r",
            &wanted,
        ];
        command(&arguments)?;
    }
    fs::write(&made, "").map_err(|error| InstallError::Folder(made.clone(), error))?;
    Ok(installed(false))
}

fn command(arguments: &[&str]) -> Result<(), InstallError> {
    let shown = arguments.join(" ");
    let begun = Instant::now();
    let failed = |words: String| InstallError::Failed {
        command: shown.clone(),
        words,
    };
    let mut child = Command::new(arguments[0])
        .args(&arguments[1..])
        .env_remove("PYTHONDONTWRITEBYTECODE")
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
        let lines: Vec<&str> = text.lines().rev().take(6).collect();
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
    ];
    if unsatisfiable.iter().any(|sign| words.contains(sign)) {
        return Err(InstallError::Unsatisfiable(words));
    }
    Err(failed(words))
}
