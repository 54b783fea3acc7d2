//! What the hook remembers of a project: what was there when a session began or was last looked at, and what it has sent
//! anybody back for.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;
/// The folder that is used where nobody names one.
const OURS: &str = ".unrequested";
/// Sessions and findings that are remembered; the oldest go first.
const SESSIONS: usize = 16;
const TOLD: usize = 400;
/// A file that we wrote is smaller.
const LARGEST: u64 = 4 << 20;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    version: u32,
    /// The newest last.
    seen: Vec<Seen>,
    told: Vec<Told>,
}

/// What a session was seen with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    pub(super) session: String,
    /// Of the files: the same as long as nothing was written.
    pub(super) stamp: String,
    /// Prints of the findings that were there.
    pub(super) open: Vec<String>,
}

/// What was said.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    pub(super) session: String,
    pub(super) finding: String,
    pub(super) print: String,
    /// Whether it was sure; what was noted as a doubt can still send somebody back.
    pub(super) sure: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            version: VERSION,
            seen: Vec::new(),
            told: Vec::new(),
        }
    }
}

impl State {
    pub(super) fn session(&self, session: &str) -> Option<&Seen> {
        self.seen.iter().find(|one| one.session == session)
    }

    /// The session that was looked at last.
    pub(super) fn last(&self) -> Option<&Seen> {
        self.seen.last()
    }

    pub(super) fn see(&mut self, seen: Seen) {
        self.seen.retain(|one| one.session != seen.session);
        self.seen.push(seen);
        let over = self.seen.len().saturating_sub(SESSIONS);
        self.seen.drain(..over);
    }

    /// Whether this was said in this session, or in any while the code was the same.
    pub(super) fn was_told(&self, one: &Told) -> bool {
        self.told
            .iter()
            .filter(|told| told.sure || !one.sure)
            .any(|told| {
                told.print == one.print
                    || told.session == one.session && told.finding == one.finding
            })
    }

    pub(super) fn tell(&mut self, one: Told) {
        self.told.push(one);
        let over = self.told.len().saturating_sub(TOLD);
        self.told.drain(..over);
    }
}

/// The state's file, held for this process alone.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    _lock: File,
}

impl Place {
    /// One file for each project, since `--dir` may be shared.
    pub(super) fn hold(dir: &Path, project: &Path) -> Result<Self, String> {
        let name = blake3::hash(project.as_os_str().as_encoded_bytes()).to_hex();
        let path = dir.join(format!("hook-{}.json", &name[..12]));
        let failed = |error: std::io::Error| format!("cannot write {}: {error}", dir.display());
        // A repository that was cloned may have a link there, which leads out of it; whoever names a folder knows it.
        let is_ours = dir == project.join(OURS);
        if is_ours && dir.is_symlink() {
            return Err(format!(
                "{} is a link, and is not followed; name the folder with --dir",
                dir.display()
            ));
        }
        let is_new = !dir.exists();
        if is_new {
            fs::create_dir_all(dir).map_err(failed)?;
        }
        if is_new || is_ours {
            ignored(dir, is_new).map_err(failed)?;
        }
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .custom_flags(no_link())
            .open(path.with_extension("lock"))
            .map_err(failed)?;
        // A file system without locks: then nobody else is seen.
        let _ = lock.lock();
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn read(&self) -> Result<State, String> {
        let damaged = |why: String| {
            format!(
                "{} is damaged ({why}); remove it, and it is begun anew",
                self.path.display()
            )
        };
        let mut options = File::options();
        let file = match options.read(true).custom_flags(no_link()).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(State::default());
            }
            Err(error) => return Err(format!("cannot read {}: {error}", self.path.display())),
        };
        let mut text = String::new();
        file.take(LARGEST + 1)
            .read_to_string(&mut text)
            .map_err(|error| damaged(error.to_string()))?;
        if text.len() as u64 > LARGEST {
            return Err(damaged("too large".to_owned()));
        }
        let state: State =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if state.version == VERSION {
            Ok(state)
        } else {
            Err(damaged(format!("version {}", state.version)))
        }
    }

    /// Whole or not at all. The disk is not waited for: the agent is.
    pub(super) fn write(&self, state: &State) -> Result<(), String> {
        let failed =
            |error: std::io::Error| format!("cannot write {}: {error}", self.path.display());
        let text = serde_json::to_string(state).map_err(|error| error.to_string())?;
        let beside = self.path.with_extension("new");
        // What an ended process left, or a link that somebody put there.
        let _ = fs::remove_file(&beside);
        let written = File::create_new(&beside)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&beside, &self.path));
        written.map_err(|error| {
            let _ = fs::remove_file(&beside);
            failed(error)
        })
    }
}

fn no_link() -> i32 {
    OFlags::NOFOLLOW.bits().cast_signed()
}

/// What is kept there is nothing to commit.
fn ignored(dir: &Path, is_new: bool) -> std::io::Result<()> {
    let path = dir.join(".gitignore");
    match File::create_new(&path) {
        Ok(mut file) => file.write_all(b"*\n").inspect_err(|_| {
            let _ = fs::remove_file(&path);
            if is_new {
                let _ = fs::remove_dir(dir);
            }
        }),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            if is_new {
                let _ = fs::remove_dir(dir);
            }
            Err(error)
        }
    }
}
