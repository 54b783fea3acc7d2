//! What an agent's command line is to us: one value per agent, one folder per value.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::command::{self, Line};
use crate::proxy::{self, Auth, Vendor};
use crate::{Ending, FindSignIn, Transcript, claude_code, codex};

/// A coding agent that is driven by its own command line.
pub struct Cli {
    /// `claude-code`.
    pub id: &'static str,
    /// For people: `Claude Code`.
    pub name: &'static str,
    /// Whose interface it speaks to its model.
    pub vendor: Vendor,
    /// Finds the user's own sign-in to a subscription; `None` where that cannot be used.
    pub subscription: Option<FindSignIn>,
    /// Where it is when the study names no other version.
    pub version: &'static str,
    pub model: &'static str,
    /// The packages of the versions that we know by their content, for each platform.
    pub packages: &'static [Package],
    /// Settings of ours, written into the fresh home before the first step: path below the home, and text.
    pub settings: fn(&Step<'_>) -> Vec<(PathBuf, String)>,
    /// The command of a step. Pure.
    pub command: fn(&Step<'_>) -> Invocation,
    /// Reads what the command said on its stdout. Never fails: what it does not know, it counts.
    pub read: fn(&str) -> Transcript,
    /// How the agent's own record of a conversation is found below the home: folders to look through, and the end of its
    /// name. It is archived as it is.
    pub record: fn(&str) -> Record,
    /// The tokens of some lines of that record: for steps that were ended before they told.
    pub recorded: fn(&str) -> Option<crate::Usage>,
    /// Between the rows that all agents have. Looked through in order; the first that fits is the ending.
    pub endings: &'static [Sign],
}

/// A version of an agent on a platform, by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    pub version: &'static str,
    /// `std::env::consts`: `linux`, `x86_64`.
    pub os: &'static str,
    pub arch: &'static str,
    /// The folder below `node_modules`.
    pub name: &'static str,
    /// What npm is asked for under this name: a version, or `npm:other@version`.
    pub wanted: &'static str,
    /// The archive, and the hash of it that npm compares.
    pub archive: &'static str,
    pub integrity: &'static str,
    /// Below the package's folder.
    pub program: &'static str,
    /// A script that wants Node before it.
    pub node: bool,
}

/// One prompt in one conversation.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    pub prompt: &'a str,
    /// The agent's, since settings are other ones in other versions.
    pub version: &'a str,
    pub model: &'a str,
    /// What the agent has a dummy of.
    pub auth: Auth,
    /// The agent's program, with what goes before it.
    pub program: &'a [OsString],
    /// `PATH` of the agent and its commands.
    pub path: &'a str,
    /// The address of the model's server, inside the agent's network.
    pub server: SocketAddr,
    /// An id of ours for the conversation, a UUID, for agents that take one.
    pub fresh: &'a str,
    /// The agent's own id of a conversation that is taken up again.
    pub resume: Option<&'a str>,
    /// The cell's writable folder: `tree`, `home` and `tmp` are below it.
    pub root: &'a Path,
    /// Of an agent by template, its words.
    pub line: Option<Line<'a>>,
}

impl Step<'_> {
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }
}

/// Where an agent keeps what it remembers of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Below the home.
    pub below: &'static str,
    pub name_ends: String,
}

/// What is run, and with which environment: there is no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    pub command: Vec<OsString>,
    pub env: Vec<(OsString, OsString)>,
}

/// What the ending of a step is looked up by.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    pub transcript: &'a Transcript,
    /// What went to the model, as the proxy saw it.
    pub asked: &'a [proxy::Record],
    pub exit: Option<i32>,
    /// Of the agent's stderr, the last part.
    pub stderr: &'a str,
    /// Whether the tree is another than before the step.
    pub changed: bool,
    /// Why we ended it.
    pub stopped: Option<Stopped>,
    /// Whether the model was being waited for then.
    pub waits: bool,
}

/// Why we ended an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The step's or the session's time was over.
    Time,
    /// For too long nothing was heard: of the agent, of its commands, of the model.
    Quiet,
}

impl Evidence<'_> {
    /// Whether the agent said that all went well, and left so.
    pub fn went_well(&self) -> bool {
        let close = &self.transcript.close;
        self.stopped.is_none() && close.told && close.ok && self.exit == Some(0)
    }

    /// Whether the vendor's error, or the agent's words of it, hold one of these.
    pub fn says(&self, words: &[&str]) -> bool {
        let close = &self.transcript.close;
        // On stderr stands also what the agent's tools printed: files, for one.
        let text = if close.why.is_empty() {
            self.stderr
        } else {
            close.why.as_str()
        };
        words.iter().any(|word| text.contains(word))
    }

    pub fn has_status(&self, of: impl Fn(u16) -> bool) -> bool {
        self.transcript.close.status.is_some_and(of)
    }

    /// Whether a command of the model's was still running.
    fn is_busy(&self) -> bool {
        // A list of things to do is open for the whole turn: no command runs.
        let commands = self
            .transcript
            .calls()
            .filter(|call| call.tool != "todo_list");
        commands.into_iter().any(|call| call.result.is_none()) || command::is_busy(self)
    }
}

/// The rows that come first for every agent.
pub(crate) const STOPPED: [Sign; 3] = [
    Sign {
        ending: Ending::TimedOut,
        what: "the time was over",
        fits: |one| one.stopped == Some(Stopped::Time),
    },
    Sign {
        ending: Ending::TimedOut,
        what: "a command of the agent's ran, and nothing was heard for too long",
        fits: |one| one.stopped == Some(Stopped::Quiet) && one.is_busy(),
    },
    Sign {
        ending: Ending::Network,
        what: "the model was waited for, and nothing was heard for too long",
        fits: |one| one.stopped == Some(Stopped::Quiet),
    },
];

/// The rows that come last for every agent: it says that all went well.
pub(crate) const WENT_WELL: [Sign; 3] = [
    Sign {
        ending: Ending::Refused,
        what: "success without any change, and words of refusal",
        fits: |one| one.went_well() && !one.changed && refuses(one.transcript.last_words()),
    },
    Sign {
        ending: Ending::GaveUp,
        what: "success without any change",
        fits: |one| one.went_well() && !one.changed,
    },
    Sign {
        ending: Ending::Finished,
        what: "success",
        fits: |one| one.went_well(),
    },
];

/// Words by which models say that they will not.
fn refuses(text: &str) -> bool {
    const WORDS: [&str; 10] = [
        "can't help",
        "cannot help",
        "can't assist",
        "cannot assist",
        "unable to help",
        "unable to assist",
        "not able to help",
        "won't help",
        "must decline",
        "have to decline",
    ];
    let text = text.to_lowercase().replace('\u{2019}', "'");
    WORDS.iter().any(|word| text.contains(word))
}

/// A row of the table of endings.
pub struct Sign {
    pub ending: Ending,
    /// What it looks for, for people.
    pub what: &'static str,
    pub fits: fn(&Evidence<'_>) -> bool,
}

/// All agents that are driven without a template.
pub static ALL: [&Cli; 2] = [&claude_code::CLAUDE_CODE, &codex::CODEX];

/// The agent with this id.
pub fn find(id: &str) -> Option<&'static Cli> {
    if id.starts_with(command::template::PREFIX) {
        return Some(&command::COMMAND);
    }
    ALL.into_iter().find(|cli| cli.id == id)
}

impl Package {
    /// `package.json` and its lock file, by which npm fetches this very archive and nothing else.
    pub fn manifest(&self) -> [(&'static str, String); 2] {
        let wants = serde_json::json!({ self.name: self.wanted });
        let manifest = serde_json::json!({"name": "agent", "private": true, "dependencies": wants});
        let place = format!("node_modules/{}", self.name);
        let mut entry = serde_json::json!({
            "version": self.wanted.rsplit('@').next(), "resolved": self.archive, "integrity": self.integrity});
        if let Some(other) = self.wanted.strip_prefix("npm:") {
            entry["name"] = other.rsplit_once('@').map(|(name, _)| name).into();
        }
        let lock = serde_json::json!({"name": "agent", "lockfileVersion": 3, "requires": true,
            "packages": {"": {"name": "agent", "dependencies": wants}, place: entry}});
        [
            ("package.json", manifest.to_string()),
            ("package-lock.json", lock.to_string()),
        ]
    }
}

impl Cli {
    /// The first row that fits; nothing that fits no row is a result of the agent.
    pub fn ending(&self, evidence: &Evidence<'_>) -> Ending {
        let own = self.endings.iter();
        STOPPED
            .iter()
            .chain(own)
            .chain(&WENT_WELL)
            .find(|sign| (sign.fits)(evidence))
            .map_or(Ending::Crashed, |sign| sign.ending)
    }

    /// The versions that are known for some machine, the usual one first.
    pub fn versions(&self) -> Vec<&'static str> {
        let mut versions: Vec<&str> = self.packages.iter().map(|one| one.version).collect();
        versions.dedup();
        versions
    }

    /// The package of a version on this machine.
    pub fn package(&self, version: &str) -> Option<&'static Package> {
        self.packages.iter().find(|one| {
            one.version == version
                && one.os == std::env::consts::OS
                && one.arch == std::env::consts::ARCH
        })
    }
}

impl std::fmt::Debug for Cli {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}
