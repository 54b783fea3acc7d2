//! A run as its readers see it: judged, scored, never stored in this form.

use serde::Serialize;

use crate::calibration::{Calibration, Status};
use crate::decision::{Burden, Decided, Stride, Told, Turn, Unread};
use crate::facts::{Fault, Step};
use crate::verdict::Word;

/// The version of the machine output; its JSON schema is `docs/run.schema.json`.
pub const SCHEMA: &str = "unrequested/run/1";

/// One run of `bench` or `check`.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    pub schema: &'static str,
    pub run: String,
    pub tool: String,
    /// Whether every session was booted and every exploit decided or undecided by the app's own fault.
    pub complete: bool,
    /// A hash over the exploits and their revisions: scores of different suites are never compared.
    pub suite: String,
    pub sessions: Vec<Session>,
    /// What is known of each exploit on the frameworks of these sessions.
    pub instrument: Vec<Calibration>,
    pub scores: Vec<Score>,
    /// For a run that attacked the kept trees of another: what has changed, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regrade: Option<Regrade>,
}

/// How a regraded run differs from its origin. Both were judged with today's rules, so a change is one of facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Regrade {
    /// The run whose trees were attacked again.
    pub origin: String,
    /// Whether that one had been finished; sessions that it had not begun are not here either.
    pub origin_finished: bool,
    /// How many verdicts are in both runs.
    pub compared: usize,
    pub changes: Vec<Change>,
}

/// One verdict that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub session: String,
    pub step: String,
    pub exploit: String,
    /// `None` where the exploit was not run.
    pub before: Option<Word>,
    pub after: Option<Word>,
    /// All that differs and may be the reason; never empty.
    pub why: Vec<Why>,
}

/// What differs between two verdicts on one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "cause", rename_all = "kebab-case")]
pub enum Why {
    /// No session of the origin was attacked with it, and the suite is another: new since, or left out then.
    New,
    /// The origin could have run it and did not: it was interrupted, or the exploit left out.
    NotRun,
    /// It is no exploit of today's suite.
    Gone,
    Revision {
        before: u16,
        after: u16,
    },
    /// The kept tree is not what was attacked then.
    AppDiffers,
    /// An older tool did not keep a hash of what it attacked.
    AppUnknown,
    /// It could not be decided before.
    UndecidedBefore {
        reason: String,
    },
    /// It was decided before and is not now.
    UndecidedNow {
        reason: String,
    },
    /// Another box or boot profile.
    Boot {
        before: String,
        after: String,
    },
    Tool {
        before: String,
        after: String,
    },
    /// Nothing that is known differs: chance, or the machine.
    Unexplained,
}

/// One app under attack.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    pub id: String,
    /// `recorded:hardened`, `reference`, or `none` for an app that was only checked.
    pub agent: String,
    /// With what the agent's model was paid: `key`, `subscription`, or `both` by turns. None for what calls no vendor's model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<String>,
    pub framework: String,
    pub arm: String,
    pub replicate: u32,
    pub step: String,
    pub boot: Option<Boot>,
    pub attack: Option<Cost>,
    /// Why nothing was attacked.
    pub trouble: Option<Trouble>,
    /// How the app ended while it was attacked, if it did: `signal 9 (killed: memory)`.
    pub ended: Option<String>,
    pub verdicts: Vec<Judged>,
    /// What the source decided; empty where there is none to read.
    pub decisions: Vec<Decided>,
    /// What was read, and what could not be.
    pub source: Option<Source>,
    /// Of an arm that asks for controls by their numbers, what became of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wanted: Vec<Answer>,
    /// Of an arm that tells findings, what became of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Split>,
    /// Where earlier steps were attacked, what they were; in order, and in no score.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// What was resisted after a step and exploited after a later one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regressions: Vec<Regression>,
}

/// A session as it was after one of its earlier steps. What no prompt had asked for by then is of tier hardening.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    pub step: String,
    pub attack: Option<Cost>,
    /// Why nothing was attacked.
    pub trouble: Option<Trouble>,
    /// How the app ended while it was attacked, if it did.
    pub ended: Option<String>,
    pub verdicts: Vec<Judged>,
    pub decisions: Vec<Decided>,
}

/// A protection that a later step took away, or did not extend to what it added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Regression {
    pub exploit: String,
    /// At the step at which it succeeded.
    pub tier: Tier,
    /// The last step after which it was resisted.
    pub resisted: String,
    /// The first step after that one at which it succeeded.
    pub exploited: String,
    /// Steps between the two, of which nothing is known.
    pub between: Vec<String>,
    /// The first later step after which it was resisted again.
    pub again: Option<String>,
    /// What the source decided otherwise between the two, of the matters that the exploit tests; `None` where it tests none
    /// that was read at both.
    pub decided: Option<Vec<Turn>>,
}

/// Exploits that succeeded before an agent was told a part of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Split {
    pub told: Part,
    pub held_back: Part,
    /// Resisted before, and not any more.
    pub broken: Vec<String>,
}

/// Closed is what is resisted now, open what succeeds again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Part {
    pub closed: Vec<String>,
    pub open: Vec<String>,
    pub undecided: Vec<String>,
}

/// A control that was asked for as such, and what the session made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// As it was asked for.
    pub what: String,
    /// The matter that tells.
    pub decision: String,
    pub became: Became,
    /// What is there instead, in a few words.
    pub found: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Became {
    Obeyed,
    /// Other means than those that were asked for, and no published floor is missed.
    Otherwise,
    /// Under the number that was asked for, a part of it, or written and not in force.
    Weaker,
    Ignored,
    /// The source does not say it as such.
    Unread,
}

impl Became {
    pub const ALL: [Self; 5] = [
        Self::Obeyed,
        Self::Otherwise,
        Self::Weaker,
        Self::Ignored,
        Self::Unread,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Obeyed => "obeyed",
            Self::Otherwise => "otherwise",
            Self::Weaker => "weaker",
            Self::Ignored => "ignored",
            Self::Unread => "unread",
        }
    }
}

impl Session {
    /// What its source decided, as one value.
    pub fn told(&self) -> Option<Told> {
        let source = self.source.clone()?;
        Some(Told {
            decisions: self.decisions.clone(),
            unread: source.unread,
            burden: source.burden,
            files: source.files,
            lines: source.lines,
            steps: source.steps,
        })
    }
}

/// What was read of an app's source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    pub files: u32,
    pub lines: u32,
    pub unread: Vec<Unread>,
    pub burden: Burden,
    /// Of a session with several steps, what each of them decided.
    pub steps: Vec<Stride>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Boot {
    pub profile: &'static str,
    /// The level of the box: `namespaces` or `plain processes`, or `none` for an app that was already running.
    #[serde(rename = "box")]
    pub level: String,
    /// Who keeps the app to its limits: `memory: cgroup v2, processes: watched, ...`. Empty for an app that was already
    /// running.
    pub limits: String,
    pub ms: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cost {
    pub requests: u64,
    /// Without the boot.
    pub wall_ms: u64,
    /// The app's own processes, user and system time; `None` where it cannot be read.
    pub app_cpu_ms: Option<u64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Trouble {
    pub fault: Fault,
    pub step: Step,
    pub why: String,
    /// The app's last words.
    pub log: String,
}

/// Whether a prompt names or implies a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    Requirement,
    Hardening,
}

impl Tier {
    pub const ALL: [Self; 2] = [Self::Requirement, Self::Hardening];

    pub fn name(self) -> &'static str {
        match self {
            Self::Requirement => "requirement",
            Self::Hardening => "hardening",
        }
    }
}

/// One exploit's verdict on one app.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    pub exploit: String,
    pub area: String,
    pub tier: Tier,
    pub verdict: Word,
    pub reason: String,
    pub fault: Option<Fault>,
    pub step: Option<Step>,
    pub revision: u16,
    /// What is known of the exploit on this framework; `None` where it was not measured.
    pub calibration: Option<Status>,
    /// How many tries were made; the last one counts.
    pub attempts: u8,
    /// Milder things seen on the way.
    pub notes: Vec<String>,
    /// Ids of exchanges in the ledger; those that show the effect first.
    pub evidence: Vec<i64>,
    /// The exploit's one-sentence title, for people.
    #[serde(skip)]
    pub title: String,
}

impl Judged {
    /// Whether its exploit lies beyond the study's 33, and so outside of every score.
    pub fn is_depth(&self) -> bool {
        self.area == "depth"
    }
}

/// One session's counts in one tier. The two tiers are never added up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Score {
    pub session: String,
    pub tier: Tier,
    pub of: usize,
    pub exploited: usize,
    pub resisted: usize,
    pub not_applicable: usize,
    pub inconclusive: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_serdes() {
        for tier in Tier::ALL {
            assert_eq!(serde_json::to_value(tier).unwrap(), tier.name());
        }
    }
}
