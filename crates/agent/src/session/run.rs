//! One prompt, run to its end in a cell. Nothing of it runs on.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cell::{Exit, Level, Limits, Spec};

use super::snapshot::first_commit;
use super::{Place, SessionError, files};
use crate::proxy::{self, Record, Settings};
use crate::{Cli, Step, Stopped, Transcript, Usage, Words, command, embedded};

/// In a box's own network nobody else has it; far from where apps are started.
const PORT: u16 = 47_811;
const TICK: Duration = Duration::from_millis(50);
/// More than any conversation; beyond it a line is cut and the step has no end.
const LARGEST: u64 = 256 << 20;

/// What an agent may use and see.
#[derive(Debug, Clone)]
pub struct Room {
    pub level: Level,
    /// Where its program is, and what else it must be able to read.
    pub read: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// For the step, and what the session has left of its own.
    pub step: Duration,
    /// Without a word of the agent, its commands or its model.
    pub quiet: Duration,
}

/// What a step left, before anybody says how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Its stdout as it was: from it the transcript can be read again.
    pub said: String,
    pub stderr: String,
    /// The agent's own record of the whole conversation, where there is one.
    pub record: Option<String>,
    pub transcript: Transcript,
    /// The step's own tokens, and whether the agent told them itself.
    pub usage: Option<Usage>,
    pub told: bool,
    /// What went to the model, as the proxy saw it.
    pub records: Vec<Record>,
    pub exit: Exit,
    pub stopped: Option<Stopped>,
    /// Whether the model was being waited for when it was over.
    pub waits: bool,
    pub took: Duration,
    pub level: Level,
    pub limits: String,
}

impl Place {
    /// The starter and the arm's files, as a repository with one commit, and an empty home.
    pub fn begin(&self, framework: &str, words: &[Words]) -> Result<(), SessionError> {
        let root = self.root();
        cell::remove_folder(&root).map_err(files(&root))?;
        for folder in [self.tree(), root.join("home")] {
            fs::create_dir_all(&folder).map_err(files(&folder))?;
        }
        if embedded::write_folder(&format!("study/starters/{framework}"), &self.tree())? == 0 {
            return Err(crate::Error::NoStarter(framework.to_owned()).into());
        }
        for file in words {
            super::files::write(&self.tree(), Path::new(&file.path), &file.text)
                .map_err(files(&self.tree()))?;
        }
        first_commit(&self.tree())
    }
}

/// Where the agent will find its model.
pub fn server(level: Level) -> Result<SocketAddr, SessionError> {
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    match level {
        Level::Boxed => Ok(local(PORT)),
        Level::Plain => {
            let free = TcpListener::bind(local(0)).and_then(|listener| listener.local_addr());
            free.map_err(files(Path::new("a free port")))
        }
    }
}

/// Runs the step; `way` says how its model is reached. `before` is the sum of the conversation's tokens so far.
pub fn run(
    cli: &Cli,
    step: &Step<'_>,
    room: &Room,
    way: Settings,
    times: Times,
    before: Usage,
) -> Result<Ran, SessionError> {
    let home = step.home();
    for (name, text) in (cli.settings)(step) {
        super::files::write(&home, &name, &text).map_err(files(&home))?;
    }
    let known = step.resume.and_then(|id| record(cli, step, id));
    let known = known.map_or(0, |text| text.len());
    let invocation = (cli.command)(step);
    let stderr = step.root.join("state/stderr");
    // Its errors would break its lines.
    let mut script = "exec \"$@\" 2>\"$0\"";
    if let Some(text) = command::stdin(step) {
        super::files::write(step.root, Path::new("state/stdin"), &text).map_err(files(&stderr))?;
        script = "exec \"$@\" 2>\"$0\" <\"${0%/*}/stdin\"";
    }
    let mut words = ["/bin/sh", "-c", script].map(Into::into).to_vec();
    words.push(stderr.clone().into_os_string());
    words.extend(invocation.command);
    let mut spec = Spec::new(step.root, words);
    spec.env = invocation.env;
    spec.read.clone_from(&room.read);
    spec.listen = vec![step.server];
    spec.limits = Limits {
        memory: 6 << 30,
        disk: 8 << 30,
        file_size: 4 << 30,
        log: LARGEST,
        cpu: Duration::from_secs(4 * 3600),
        ..Limits::default()
    };
    let begun = Instant::now();
    let cell = cell::spawn(&spec, room.level)?;
    let listener = cell
        .listener()
        .map_err(files(Path::new("the agent's network")))?;
    let served = proxy::serve(listener, way)?;

    let (mut heard, mut last_heard) = ((0, 0), Instant::now());
    let stopped = loop {
        if cell.wait(TICK).is_some() {
            break None;
        }
        let now = (served.passed(), cell.log_bytes());
        if now != heard {
            (heard, last_heard) = (now, Instant::now());
        }
        if begun.elapsed() >= times.step {
            break Some(Stopped::Time);
        }
        if last_heard.elapsed() >= times.quiet {
            break Some(Stopped::Quiet);
        }
    };
    let took = begun.elapsed();
    let waits = served.waits();
    // With it all ends that the agent or its commands left running, whatever session they are in.
    cell.end();
    let records = served.end();
    let exit = cell.exited().unwrap_or(Exit {
        code: None,
        signal: None,
        killed: None,
    });
    let said = cell.log_tail(LARGEST as usize);
    let mut transcript = (cli.read)(&said);
    if transcript.conversation.is_none() {
        transcript.conversation = step.resume.map(str::to_owned);
    }
    let record = transcript
        .conversation
        .as_deref()
        .and_then(|id| record(cli, step, id));
    let told = transcript
        .usage
        .or_else(|| transcript.total.and_then(|total| total.since(&before)));
    let new = record.as_deref().and_then(|text| text.get(known..));
    Ok(Ran {
        usage: told.or_else(|| new.and_then(|lines| (cli.recorded)(lines))),
        told: told.is_some(),
        records,
        stderr: super::files::read(&stderr, 64 << 10).unwrap_or_default(),
        said,
        record,
        transcript,
        exit,
        stopped,
        waits,
        took,
        level: cell.level(),
        limits: cell.limits().to_owned(),
    })
}

fn record(cli: &Cli, step: &Step<'_>, conversation: &str) -> Option<String> {
    // The id is the agent's word.
    let is_id = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if conversation.is_empty() || !conversation.chars().all(is_id) {
        return None;
    }
    let place = (cli.record)(conversation);
    let path = super::files::find(&step.home(), place.below, &place.name_ends)?;
    super::files::read(&path, LARGEST)
}
