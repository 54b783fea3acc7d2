//! `hook`: called by a coding agent's settings when it is done. Sends it back once for what it left out in code that it just
//! wrote. Its own troubles are said and never keep anybody: the exit code is always 0 (`docs/hook.md`).

mod event;
mod rule;
mod state;
mod words;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use clap::CommandFactory as _;
use decision::Placed;
use serde_json::Value;

use self::event::Event;
use self::rule::Finding;
use self::state::{Place, Seen, State, Told};
use super::{called, decisions, print};
use crate::baseline::{BASELINE, Baseline};
use crate::cli::{Cli, HookedAgent};
use crate::decided::Lock;
use crate::exit::{Exit, Fatal};

/// After this the agent waits for nothing more.
const DEADLINE: Duration = Duration::from_secs(5);
/// Nesting of a source is bounded, but what reads it goes as deep.
const STACK: usize = 64 << 20;

pub(super) fn run(dir: &Path, agent: HookedAgent) -> Exit {
    let dir = dir.to_path_buf();
    // Claude Code says where its project is; Codex starts its hooks there.
    let root = match agent {
        HookedAgent::ClaudeCode => std::env::var_os("CLAUDE_PROJECT_DIR").map(PathBuf::from),
        HookedAgent::Codex => None,
    };
    let (send, receive) = sync_channel(1);
    let worker = std::thread::Builder::new().stack_size(STACK);
    let started = worker.spawn(move || {
        let answer = answer(&dir, root.as_deref());
        // Whoever waited is gone when it came too late.
        let _ = send.send(answer);
    });
    let said = match started {
        Err(error) => Some(words::not_checked(&format!(
            "no thread can be started: {error}"
        ))),
        Ok(_) => match receive.recv_timeout(DEADLINE) {
            Ok(Ok(said)) => said,
            Ok(Err(why)) => Some(words::not_checked(&why)),
            Err(RecvTimeoutError::Timeout) => Some(words::not_checked(&format!(
                "it took longer than {} s",
                DEADLINE.as_secs()
            ))),
            Err(RecvTimeoutError::Disconnected) => {
                Some(words::not_checked("a fault of this tool, see its stderr"))
            }
        },
    };
    say(said);
    Exit::Done
}

/// Whether the command that was asked for is this one, though the rest of the line cannot be read.
pub(crate) fn is_asked_for() -> bool {
    let command = Cli::command();
    let takes_value = |word: &str| {
        command.get_arguments().any(|arg| {
            arg.get_action().takes_values()
                && (arg
                    .get_long()
                    .is_some_and(|long| word == format!("--{long}"))
                    || arg
                        .get_short()
                        .is_some_and(|short| word == format!("-{short}")))
        })
    };
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut words = words.iter().map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if takes_value(&word) {
            words.next();
        } else if !word.starts_with('-') {
            return word == "hook";
        }
    }
    false
}

/// The command line in an agent's settings is wrong: that keeps nobody either.
pub(crate) fn misused(error: &clap::Error) -> Exit {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    say(Some(words::not_checked(&format!(
        "{}; the commands are `unrequested hook claude-code` and `unrequested hook codex`",
        first.trim_start_matches("error: ")
    ))));
    Exit::Done
}

/// One line on stdout for the agent's program, and its message on stderr for whoever runs this by hand.
fn say(said: Option<Value>) {
    let Some(said) = said else { return };
    let message = said["systemMessage"].as_str().unwrap_or_default();
    let _ = writeln!(std::io::stderr(), "{message}");
    // Where nothing can be written nobody is kept, and that is all that can be done.
    let _ = print(&format!("{said}\n"));
}

/// What is to be said, if anything.
fn answer(dir: &Path, root: Option<&Path>) -> Result<Option<Value>, String> {
    let (project, session, fresh) = match event::read(std::io::stdin().lock(), root)? {
        Event::SentBack => return Ok(None),
        Event::Start {
            project,
            session,
            fresh,
        } => (project, session, Some(fresh)),
        Event::Stop { project, session } => (project, session, None),
    };
    let place = Place::hold(&project.join(dir), &project)?;
    let mut state = place.read()?;
    if fresh == Some(false) && (state.session(&session).is_some() || state.last().is_some()) {
        return Ok(None);
    }
    let stamp = blake3::hash(decision::stamp(&project).as_bytes()).to_string();
    let known = state.session(&session).or_else(|| state.last());
    if fresh.is_none() && known.is_some_and(|seen| seen.stamp == stamp) {
        return Ok(None);
    }
    let rules = Rules::read(&project)?;
    let found = rules.findings(decision::read_placed(&project));
    let before: Option<BTreeSet<String>> = match (fresh, known) {
        (Some(_), _) => None,
        (None, Some(seen)) => Some(seen.open.iter().cloned().collect()),
        // Nothing can be due then.
        (None, None) if found.is_empty() => Some(BTreeSet::new()),
        (None, None) => committed(&project)?.map(|placed| prints(rules.findings(placed).iter())),
    };
    // A doubt that came since is no finding yet.
    let was_there = |one: &&Finding| {
        let before = before.as_ref();
        one.doubt.is_none() || before.is_none_or(|before| before.contains(&one.print()))
    };
    state.see(Seen {
        session: session.clone(),
        stamp,
        open: prints(found.iter().filter(was_there)).into_iter().collect(),
    });
    let Some(before) = before else {
        place.write(&state)?;
        let blind = fresh.is_none().then(|| {
            words::not_checked(
                "what was there before is not known (nothing of it is in git, and no session was seen yet); from now on it is",
            )
        });
        return Ok(blind);
    };
    let (due, notes) = due(found, &before, &session, &mut state);
    // First what is remembered: nobody is sent back twice.
    place.write(&state)?;
    Ok(match (due.as_slice(), notes.as_slice()) {
        ([], []) => None,
        ([], notes) => Some(words::note(&words::unsure(notes))),
        (due, notes) => Some(words::block(due, notes, called())),
    })
}

/// The findings that came with what was written since, and that were not spoken of; and those that are not sure.
fn due(
    found: Vec<Finding>,
    before: &BTreeSet<String>,
    session: &str,
    state: &mut State,
) -> (Vec<Finding>, Vec<Finding>) {
    let told = |one: &Finding| Told {
        session: session.to_owned(),
        finding: one.name(),
        print: one.print(),
        sure: one.doubt.is_none(),
    };
    let is_due = |one: &Finding| {
        let told = told(one);
        !before.contains(&told.print) && !state.was_told(&told)
    };
    let due: Vec<Finding> = found.into_iter().filter(is_due).collect();
    for one in &due {
        state.tell(told(one));
    }
    due.into_iter().partition(|one| one.doubt.is_none())
}

fn prints<'a>(findings: impl Iterator<Item = &'a Finding>) -> BTreeSet<String> {
    findings.map(Finding::print).collect()
}

/// What git has of the project: an empty tree before the first commit, nothing where git does not keep the project.
fn committed(project: &Path) -> Result<Option<Placed>, String> {
    let is_so = |words: &[&str]| decisions::git(project, words).is_some();
    if !is_so(&["rev-parse", "--git-dir"]) {
        return Ok(None);
    }
    let files = if is_unborn(project) {
        Vec::new()
    } else {
        decisions::files_at(project, "HEAD").map_err(|error| error.why)?
    };
    if files.is_empty() && is_so(&["check-ignore", "--quiet", "."]) {
        return Ok(None);
    }
    Ok(Some(decision::read_files_placed(&files)))
}

/// Whether there is no commit yet; a branch whose file is there is damaged.
fn is_unborn(project: &Path) -> bool {
    let git = |words: &[&str]| decisions::git(project, words);
    let head = ["rev-parse", "--verify", "--quiet", "HEAD"];
    git(&head).is_none()
        && git(&["symbolic-ref", "--quiet", "HEAD"])
            .and_then(|branch| git(&["rev-parse", "--git-path", branch.trim()]))
            .is_some_and(|file| !project.join(file.trim()).exists())
}

/// What people accepted.
struct Rules {
    lock: Lock,
    baseline: Baseline,
    today: String,
}

impl Rules {
    fn read(project: &Path) -> Result<Self, String> {
        let why = |error: Fatal| error.why;
        Ok(Self {
            lock: Lock::read(project).map_err(why)?,
            baseline: Baseline::read(&project.join(BASELINE)).map_err(why)?,
            today: crate::ledger::today().map_err(|error| error.to_string())?,
        })
    }

    fn findings(&self, placed: Placed) -> Vec<Finding> {
        rule::findings(placed, &self.lock, &self.baseline, &self.today)
    }
}
