//! Any other command line, by a template in the study's file: the user's own program, in our box and at our proxy.
//!
//! Nothing is known of what it prints: it is archived as it is, and no call or message is read from it. How a step ended is
//! said by the exit code and by what the proxy saw of the model's server: some command lines leave with 0 when their model
//! did not answer. The last request that asked the model decides; where it failed, the step did, whatever came before.
//! A model's words of refusal cannot be told from others: a step without any change is "gave up".

pub(crate) mod template;

use std::collections::BTreeMap;
use std::ffi::OsString;

use self::template::{Template, Values, fill};
use crate::cli::{Cli, Evidence, Invocation, Record, Sign, Step};
use crate::proxy::{Counted, Outcome, Vendor};
use crate::{Close, Ending, Transcript, access};

pub(crate) static COMMAND: Cli = Cli {
    id: "command",
    name: "a command line of yours",
    // What each speaks is in its template.
    vendor: Vendor::OpenAiChat,
    subscription: None,
    version: "",
    model: "",
    packages: &[],
    settings: |_| Vec::new(),
    command,
    read,
    record: |_| Record {
        below: "no-record",
        name_ends: "no-record".to_owned(),
    },
    recorded: |_| None,
    endings: &ENDINGS,
};

/// The words of a step and its environment: from a template, with nothing filled in yet.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    pub words: &'a [String],
    pub stdin: Option<&'a str>,
    pub env: &'a BTreeMap<String, String>,
}

impl Template {
    /// For the first prompt of a conversation, or for a later one.
    pub fn line(&self, is_first: bool) -> Line<'_> {
        Line {
            words: if is_first { &self.first } else { &self.next },
            stdin: self.stdin.as_deref(),
            env: &self.env,
        }
    }
}

fn command(step: &Step<'_>) -> Invocation {
    let mut env = access::environment(step);
    let mut command = step.program.to_vec();
    if let Some(line) = step.line {
        let words = line.words.iter().skip(1);
        command.extend(words.map(|word| OsString::from(filled(step, word))));
        for (name, text) in line.env {
            env.retain(|(known, _)| known != name.as_str());
            env.push((name.into(), filled(step, text).into()));
        }
    }
    Invocation { command, env }
}

/// What the step's command finds on its standard input, where there is something.
pub(crate) fn stdin(step: &Step<'_>) -> Option<String> {
    Some(filled(step, step.line?.stdin?))
}

fn filled(step: &Step<'_>, text: &str) -> String {
    let home = step.home().display().to_string();
    let values = Values {
        prompt: step.prompt,
        server: &format!("http://{}", step.server),
        key: access::DUMMY_KEY,
        model: step.model,
        home: &home,
    };
    fill(text, &values)
}

/// There is no closing line to wait for: the exit code stands for it.
fn read(said: &str) -> Transcript {
    let lines = said.lines().filter(|line| !line.trim().is_empty()).count() as u64;
    Transcript {
        lines,
        unknown: lines,
        close: Close {
            told: true,
            ok: true,
            ..Close::default()
        },
        ..Transcript::default()
    }
}

/// The last request that asked the model and came to something: questions for a count, and what we refused, did not.
fn last<'a>(one: &'a Evidence<'_>) -> Option<&'a Outcome> {
    let mut outcomes = one.asked.iter().rev().map(|record| &record.outcome);
    outcomes.find(|outcome| match outcome {
        Outcome::Refused(_) | Outcome::HungUp => false,
        Outcome::NoReply(_) | Outcome::Unanswered(_) => true,
        Outcome::Replied {
            status, counted, ..
        } => !(*counted == Counted::Nothing && is_success(*status)),
    })
}

/// Of an agent that tells no calls: the model's last message wanted something, and no request has followed.
pub(crate) fn is_busy(one: &Evidence<'_>) -> bool {
    let wants = match last(one) {
        Some(Outcome::Replied {
            status,
            stop: Some(stop),
            ..
        }) => is_success(*status) && !matches!(stop.as_str(), "stop" | "end_turn"),
        _ => false,
    };
    wants && !one.waits && one.transcript.entries.is_empty()
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn has_status(one: &Evidence<'_>, of: impl Fn(u16) -> bool) -> bool {
    matches!(last(one), Some(Outcome::Replied { status, .. }) if of(*status))
}

/// An answer that ended before its model said why it stopped. Where the command line itself hung up, and left with 0, that
/// may have been its wish.
fn is_cut(one: &Evidence<'_>) -> bool {
    match last(one) {
        Some(Outcome::Replied {
            status,
            stop,
            ended,
            ..
        }) => is_success(*status) && stop.is_none() && (*ended || !one.went_well()),
        _ => false,
    }
}

const ENDINGS: [Sign; 8] = [
    Sign {
        ending: Ending::Safeguards,
        what: "the model's last message ended as `content_filter` or `refusal`",
        fits: |one| {
            matches!(last(one), Some(Outcome::Replied { stop: Some(stop), .. })
                if matches!(stop.as_str(), "content_filter" | "refusal"))
        },
    },
    Sign {
        ending: Ending::NotSignedIn,
        what: "401, 402 or 403 from the model's server, last",
        fits: |one| has_status(one, |status| matches!(status, 401..=403)),
    },
    Sign {
        ending: Ending::ModelMissing,
        what: "404 from the model's server, last",
        fits: |one| has_status(one, |status| status == 404),
    },
    Sign {
        ending: Ending::RateLimited,
        what: "429 from the model's server, last",
        fits: |one| has_status(one, |status| status == 429),
    },
    Sign {
        ending: Ending::Overloaded,
        what: "a status from 500 on, last",
        fits: |one| has_status(one, |status| status >= 500),
    },
    Sign {
        ending: Ending::Network,
        what: "no reply to the last request, or half of one",
        fits: |one| {
            matches!(
                last(one),
                Some(Outcome::NoReply(_) | Outcome::Unanswered(_))
            ) || is_cut(one)
        },
    },
    Sign {
        ending: Ending::Crashed,
        what: "another error of the model's server, last; or it never asked its model",
        fits: |one| last(one).is_none() || has_status(one, |status| !is_success(status)),
    },
    Sign {
        ending: Ending::Crashed,
        what: "another exit code than 0",
        fits: |one| !one.went_well(),
    },
];
