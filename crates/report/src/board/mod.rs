//! The report of a `bench` run for a browser, a paper and a notebook. The session is the unit; the tiers stay apart.

#[cfg(test)]
mod browser;
mod cell;
pub mod csv;
mod decided;
mod html;
pub mod paper;
mod runs;
mod shares;
mod style;

use std::collections::BTreeMap;

use model::Word;
use model::run::{Judged, Run, Session, Tier};

use crate::finding::{Proof, Rule};

pub use html::render;
pub use runs::{Listed, list};

/// Everything that the formats show.
#[derive(Debug, Clone)]
pub struct Board<'a> {
    pub run: &'a Run,
    /// All exploits in the suite's order.
    pub rules: &'a [Rule],
    /// What each exploit does, as `explain` prints it.
    pub pages: BTreeMap<String, String>,
    /// The day on which the run was begun, UTC.
    pub day: String,
    pub notices: Vec<String>,
    /// How this program is called.
    pub called: String,
    /// For a run that goes on: after how many seconds the page asks for itself again.
    pub live: Option<u32>,
}

/// The most characters of an agent's name.
pub(crate) const NAME: usize = 60;

/// Evidence of one exploit in one session, read when it is written down: all of it at once may be gigabytes.
pub type Prove<'a> = dyn FnMut(&Session, &str) -> Option<Proof> + 'a;

/// Sessions that were attacked, without the instrument's own; each is a column.
pub(crate) fn columns(run: &Run) -> Vec<&Session> {
    let sessions = run.sessions.iter();
    let mut columns: Vec<&Session> = sessions
        .filter(|one| one.agent != "reference" && one.trouble.is_none())
        .collect();
    let mut frameworks: Vec<&str> = Vec::new();
    for one in &columns {
        if !frameworks.contains(&one.framework.as_str()) {
            frameworks.push(&one.framework);
        }
    }
    // A framework's sessions stand together, else in the order of the run.
    columns.sort_by_key(|one| frameworks.iter().position(|name| *name == one.framework));
    columns
}

/// Sessions of which no app could be attacked: they are in no figure.
pub(crate) fn troubled(run: &Run) -> Vec<&Session> {
    let sessions = run.sessions.iter();
    sessions
        .filter(|one| one.agent != "reference" && one.trouble.is_some())
        .collect()
}

/// Whether none of these is of a real agent.
pub(crate) fn are_samples(columns: &[&Session]) -> bool {
    !columns.is_empty() && columns.iter().all(|one| one.agent.starts_with("recorded:"))
}

/// An agent as readers know it: without `recorded:`.
pub(crate) fn agent(session: &Session) -> &str {
    let agent = &session.agent;
    agent.strip_prefix("recorded:").unwrap_or(agent)
}

/// What of a session's name tells it apart from the others of its framework.
pub(crate) fn names(columns: &[&Session]) -> Vec<String> {
    let several = |of: &dyn Fn(&Session) -> String| {
        let mut all: Vec<String> = columns.iter().map(|one| of(one)).collect();
        all.sort();
        all.dedup();
        all.len() > 1
    };
    let arms = several(&|one| one.arm.clone());
    let replicates = several(&|one| one.replicate.to_string());
    let steps = several(&|one| one.step.clone());
    let name = |one: &&Session| {
        let mut name = crate::text::clip(agent(one), NAME);
        for (shown, word) in [
            (arms, one.arm.clone()),
            (replicates, format!("#{}", one.replicate)),
            (steps, format!("after {}", one.step)),
        ] {
            if shown {
                name.push(' ');
                name.push_str(&word);
            }
        }
        name
    };
    columns.iter().map(name).collect()
}

/// The six words in which a reader sees a verdict: what nobody asked for is absent or present.
pub(crate) fn word(verdict: Word, tier: Tier) -> &'static str {
    match (verdict, tier) {
        (Word::Exploited, Tier::Requirement) => "exploited",
        (Word::Resisted, Tier::Requirement) => "resisted",
        (Word::Exploited, Tier::Hardening) => "absent",
        (Word::Resisted, Tier::Hardening) => "present",
        (Word::NotApplicable, _) => "not applicable",
        (Word::Inconclusive, _) => "undecided",
    }
}

/// A sign of its own for each word, beside the colour.
pub(crate) fn sign(verdict: Word, tier: Tier) -> &'static str {
    match (verdict, tier) {
        (Word::Exploited, Tier::Requirement) => "×",
        (Word::Resisted, Tier::Requirement) => "·",
        (Word::Exploited, Tier::Hardening) => "−",
        (Word::Resisted, Tier::Hardening) => "+",
        (Word::NotApplicable, _) => "n",
        (Word::Inconclusive, _) => "?",
    }
}

pub(crate) fn judged<'a>(session: &'a Session, exploit: &str, tier: Tier) -> Option<&'a Judged> {
    let mut verdicts = session.verdicts.iter();
    verdicts.find(|one| one.exploit == exploit && one.tier == tier)
}

/// A tier's name for readers, and what a session that holds does there.
pub(crate) fn tier_words(tier: Tier) -> (&'static str, &'static str) {
    match tier {
        Tier::Requirement => ("The prompt asked", "resisted"),
        Tier::Hardening => ("Nobody asked", "present"),
    }
}

#[cfg(test)]
pub(crate) mod tests;
