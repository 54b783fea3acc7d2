//! Node: `node_modules` per lock file, in two phases. First the packages are fetched, with the network and without any
//! script of theirs; then their scripts run, in a box without a network or credentials.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cell::{Level, Spec};

use super::{InstallError, Installed, claim, command};

/// What this machine has to install Node packages with.
#[derive(Debug, Clone)]
pub struct Node {
    pub version: String,
    /// The folder of `node` and `npm`.
    pub bin: PathBuf,
    /// Where they are, when that is not a place of the system's own.
    pub home: Option<PathBuf>,
}

const LONGEST: Duration = Duration::from_secs(600);
const LOCK: &str = "package-lock.json";

impl Node {
    /// Looks for Node 20 or newer, and for npm.
    pub fn look() -> Result<Self, InstallError> {
        let missing = |why: String| InstallError::NoNode(why);
        let asked = Command::new("node")
            .args(["-p", "process.versions.node + '\\n' + process.execPath"])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| missing(format!(" ({error})")))?;
        let text = String::from_utf8_lossy(&asked.stdout).into_owned();
        let mut lines = text.lines();
        let version = lines.next().unwrap_or_default().to_owned();
        let major = version
            .split('.')
            .next()
            .and_then(|major| major.parse::<u32>().ok());
        if major.is_none_or(|major| major < 20) {
            return Err(missing(format!(" (found {version})")));
        }
        let npm = Command::new("npm")
            .arg("--version")
            .stdin(Stdio::null())
            .output();
        if !npm.is_ok_and(|output| output.status.success()) {
            return Err(missing(" (npm is missing)".to_owned()));
        }
        let program = PathBuf::from(lines.next().unwrap_or("/usr/bin/node"));
        let bin = program
            .parent()
            .unwrap_or_else(|| Path::new("/usr/bin"))
            .to_path_buf();
        let home = bin
            .parent()
            .filter(|home| !home.starts_with("/usr") && *home != Path::new("/"))
            .map(Path::to_path_buf);
        Ok(Self { version, bin, home })
    }

    /// What must be readable in a box for node to run.
    pub(crate) fn read(&self) -> impl Iterator<Item = PathBuf> {
        self.home.clone().into_iter()
    }
}

pub(super) fn install(
    tree: &Path,
    tools: &Node,
    level: Level,
    cache: &Path,
) -> Result<Installed, InstallError> {
    let read = |name: &str| fs::read(tree.join(name));
    let manifest = read("package.json")
        .map_err(|error| InstallError::Folder(tree.join("package.json"), error))?;
    let lock = read(LOCK).ok();
    let mut key = blake3::Hasher::new();
    key.update(format!("node {} {}", tools.version, std::env::consts::ARCH).as_bytes());
    // With a lock file, scripts and names in the manifest change nothing of what is installed.
    key.update(lock.as_deref().unwrap_or(&manifest));
    let key = key.finalize().to_hex();
    let claim = claim(&cache.join("node"), &key.as_str()[..24])?;
    let folder = claim.folder.clone();
    let modules = folder.join("tree/node_modules");
    let installed = |cached| Installed {
        bin: tools.bin.clone(),
        read: std::iter::once(folder.clone())
            .chain(tools.read())
            .collect(),
        links: vec![("node_modules".to_owned(), modules.clone())],
        cached,
    };
    if claim.is_complete() {
        return Ok(installed(true));
    }
    let inside = folder.join("tree");
    let failed = |error| InstallError::Folder(inside.clone(), error);
    fs::create_dir_all(&modules).map_err(failed)?;
    fs::write(inside.join("package.json"), &manifest).map_err(failed)?;
    let verb = if let Some(lock) = &lock {
        fs::write(inside.join(LOCK), lock).map_err(failed)?;
        "ci"
    } else {
        "install"
    };
    let fetch = |verb| {
        let words = ["npm", verb, "--ignore-scripts", "--no-audit", "--no-fund"];
        command(&words, &inside)
    };
    match fetch(verb) {
        // A lock file that npm itself left out of step with its manifest: people then run `npm install`, too.
        Err(InstallError::Unsatisfiable(words)) if words.contains("EUSAGE") => fetch("install")?,
        other => other?,
    }
    if has_scripts(&inside) {
        rebuild(&folder, tools, level)?;
    }
    claim.complete()?;
    Ok(installed(false))
}

/// Whether a package wants to run something at install. npm notes it in the lock file that it keeps itself.
fn has_scripts(inside: &Path) -> bool {
    let kept = inside.join("node_modules/.package-lock.json");
    fs::read_to_string(kept).is_ok_and(|text| text.contains("\"hasInstallScript\": true"))
}

fn rebuild(folder: &Path, tools: &Node, level: Level) -> Result<(), InstallError> {
    let mut spec = Spec::new(folder, ["npm", "rebuild", "--no-audit", "--no-fund"]);
    spec.read = tools.read().collect();
    spec.limits.memory = 4 << 30;
    spec.limits.disk = 8 << 30;
    spec.env = environment(folder, &tools.bin);
    // Headers of the system's own node spare a build from source the download of them.
    if Path::new("/usr/include/node/node.h").is_file() {
        spec.env.push(("npm_config_nodedir".into(), "/usr".into()));
    }
    let cell = cell::spawn(&spec, level)?;
    let exit = cell.wait(LONGEST);
    let words = last_words(&cell);
    cell.end();
    match exit {
        Some(exit) if exit.success() => Ok(()),
        Some(exit) => Err(InstallError::Failed {
            command: format!("npm rebuild, without a network, {exit}"),
            words,
        }),
        None => Err(InstallError::TimedOut(LONGEST.as_secs(), words)),
    }
}

/// The environment of a command of npm's in a cell.
pub(crate) fn environment(
    root: &Path,
    bin: &Path,
) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
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
pub(crate) fn last_words(cell: &cell::Cell) -> String {
    let text = cell.log_tail(4096);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(12)..].join(" / ")
}
