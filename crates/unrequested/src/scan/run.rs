//! Runs one scanner on one copy of a tree, in a box, within bounds.

use std::ffi::OsString;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cell::{Limits, Network, Spec};
use report::scan::{Outcome, Said};

use super::tool::{Tool, number, of_the_network};
use super::{Asked, Job, Scanner};

/// Answers of real scanners on large apps have a few megabytes.
const LARGEST: u64 = 64 << 20;
/// For a program to say its version.
const VERSION: Duration = Duration::from_secs(60);

/// The folder of a cell with a copy of a tree, removed at its end.
pub(crate) struct Copy(PathBuf);

impl Copy {
    /// Below the ledger's folder of cells, whose leftovers the next start removes.
    pub(crate) fn empty(cells: &Path) -> std::io::Result<Self> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let root = cells.join(format!("{}-scan{number}", std::process::id()));
        std::fs::create_dir_all(root.join("tree"))?;
        Ok(Self(root))
    }

    pub(crate) fn of(cells: &Path, tree: &Path) -> Result<Self, String> {
        let copy = Self::empty(cells).map_err(|error| error.to_string())?;
        app::copy_tree(tree, &copy.tree()).map_err(|error| error.to_string())?;
        Ok(copy)
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.0.join("tree")
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = cell::remove_folder(&self.0);
    }
}

/// What one scanner has to say of a tree, which is a copy itself; it gets a copy of its own.
pub(crate) fn examine(
    scanner: &Scanner,
    tool: &Tool,
    tree: &Path,
    cells: &Path,
    asked: &Asked,
) -> Outcome {
    answer(scanner, tool, tree, cells, asked).map_or_else(|outcome| outcome, Outcome::of)
}

fn answer(
    scanner: &Scanner,
    tool: &Tool,
    tree: &Path,
    cells: &Path,
    asked: &Asked,
) -> Result<Said, Outcome> {
    let broke = |why: String| Outcome::Broke { why };
    let job = (scanner.job)(tree, asked)?;
    let copy = if scanner.files.is_empty() {
        Copy::of(cells, tree).map_err(broke)?
    } else {
        some(cells, tree, scanner.files).map_err(broke)?
    };
    hear_nothing_of(&copy.tree()).map_err(|error| broke(error.to_string()))?;
    let network = (scanner.server)(asked).is_some();
    let ran = run(tool, &copy, job, network, asked.longest, asked.level).map_err(broke)?;
    if let Some(why) = ran.unfinished {
        return Err(broke(with(&why, &ran.stderr)));
    }
    (scanner.read)(&ran.stdout, asked)
        .map_err(|why| broke(with(&format!("{why} ({})", ran.exit), &ran.stderr)))
}

/// What a program says of its version, run in a box of its own.
pub(crate) fn version(tool: &Tool, cells: &Path, level: cell::Level) -> Option<String> {
    let copy = Copy::empty(cells).ok()?;
    let job = Job {
        arguments: vec!["--version".into()],
        ..Job::default()
    };
    let ran = run(tool, &copy, job, false, VERSION, level).ok()?;
    ran.unfinished.is_none().then_some(())?;
    number(&ran.stdout)
}

/// A copy of these files of the tree alone; those that are no ordinary files of it are left out.
fn some(cells: &Path, tree: &Path, names: &[&str]) -> Result<Copy, String> {
    let copy = Copy::empty(cells).map_err(|error| error.to_string())?;
    for name in names {
        if let Ok(bytes) = app::read_file(tree, name) {
            std::fs::write(copy.tree().join(name), bytes).map_err(|error| error.to_string())?;
        }
    }
    Ok(copy)
}

/// A tree is not to say what is found in it: files that do are taken out. An empty one of Semgrep's keeps it from leaving
/// out what it leaves out where there is none, as tests.
fn hear_nothing_of(tree: &Path) -> std::io::Result<()> {
    let mut folders = vec![tree.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let says = name == ".semgrepignore" || name == ".bandit";
            match (entry.file_type()?.is_dir(), says) {
                (true, true) => cell::remove_folder(&entry.path())?,
                (true, false) => folders.push(entry.path()),
                (false, true) => std::fs::remove_file(entry.path())?,
                (false, false) => {}
            }
        }
    }
    std::fs::write(tree.join(".semgrepignore"), "")
}

struct Ran {
    stdout: String,
    /// Its last words.
    stderr: String,
    exit: String,
    /// Why its output is not whole.
    unfinished: Option<String>,
}

fn run(
    tool: &Tool,
    copy: &Copy,
    job: Job,
    network: bool,
    longest: Duration,
    level: cell::Level,
) -> Result<Ran, String> {
    let root = copy.0.canonicalize().map_err(|error| error.to_string())?;
    let stderr = root.join("state/stderr");
    // Its complaints would break its answer.
    let mut words: Vec<OsString> = ["/bin/sh", "-c", "exec \"$@\" 2>\"$0\""]
        .map(Into::into)
        .to_vec();
    words.push(stderr.clone().into());
    words.push(tool.program.clone().into());
    words.extend(job.arguments);
    let mut spec = Spec::new(&root, words);
    spec.env = environment(tool, &root, network)?;
    spec.env.extend(
        job.env
            .into_iter()
            .map(|(name, value)| (name.into(), value)),
    );
    spec.read = tool.read.iter().cloned().chain(job.read).collect();
    spec.limits = Limits {
        memory: 4 << 30,
        file_size: 256 << 20,
        disk: 1 << 30,
        log: LARGEST,
        cpu: longest * 8,
        ..Limits::default()
    };
    if network {
        spec.network = Network::Host;
    }
    let cell = cell::spawn(&spec, level).map_err(|error| error.to_string())?;
    let ended = cell.wait(longest);
    cell.end();
    let unfinished = match ended {
        None => Some(format!(
            "it did not end within {} s, and was ended",
            longest.as_secs()
        )),
        Some(exit) if exit.killed.is_some() || exit.signal.is_some() => {
            Some(format!("it was ended: {exit}"))
        }
        Some(_) if cell.log_truncated() => {
            Some(format!("it printed more than {} MiB", LARGEST >> 20))
        }
        Some(_) => None,
    };
    Ok(Ran {
        stdout: if unfinished.is_none() {
            cell.log_tail(LARGEST as usize)
        } else {
            String::new()
        },
        stderr: last_words(&stderr),
        exit: ended.map_or(String::new(), |exit| exit.to_string()),
        unfinished,
    })
}

fn environment(
    tool: &Tool,
    root: &Path,
    network: bool,
) -> Result<Vec<(OsString, OsString)>, String> {
    let system = ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from);
    let path =
        std::env::join_paths(tool.path.iter().chain(&system)).map_err(|error| error.to_string())?;
    let mut env: Vec<(OsString, OsString)> = vec![
        ("PATH".into(), path),
        ("HOME".into(), root.join("home").into()),
        ("LANG".into(), "C.UTF-8".into()),
        ("SEMGREP_ENABLE_VERSION_CHECK".into(), "0".into()),
        ("SEMGREP_SEND_METRICS".into(), "off".into()),
    ];
    if let Some(python_path) = &tool.python_path {
        env.push(("PYTHONPATH".into(), python_path.clone()));
    }
    if network {
        env.extend(of_the_network());
    }
    Ok(env)
}

/// The end of a file that a scanner wrote, if it is still one of ours.
fn last_words(path: &Path) -> String {
    let ours = path.canonicalize().is_ok_and(|real| real == path);
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(600)))?;
        let mut bytes = Vec::new();
        file.take(600).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    if ours && path.is_file() {
        read().unwrap_or_default()
    } else {
        String::new()
    }
}

fn with(why: &str, stderr: &str) -> String {
    if stderr.is_empty() {
        why.to_owned()
    } else {
        format!("{why}; its last words: {stderr}")
    }
}
