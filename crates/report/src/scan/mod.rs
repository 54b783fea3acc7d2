//! What static scanners found, beside what the exploits showed. Two things that stand at the same place are said to do so;
//! that they are the same defect is never said.

mod terminal;

use std::collections::BTreeMap;

use model::Word;
use model::run::{Session, Tier};
use serde::Serialize;

use crate::finding;

pub use terminal::render;

/// The version of the machine output (docs/scanners.md).
pub const SCHEMA: &str = "unrequested/scan/1";

/// Lines between a finding of a scanner and the deciding code up to which both are at the same place.
pub const NEAR: u32 = 3;

/// One call of `scan`.
#[derive(Debug, Clone, Serialize)]
pub struct Scan {
    pub schema: &'static str,
    pub tool: String,
    /// The run whose trees these are.
    pub run: Option<String>,
    /// What the scanners ran in: `namespaces` or `plain processes`.
    #[serde(rename = "box")]
    pub level: String,
    pub trees: Vec<Tree>,
}

/// One tree: a session's, or a folder.
#[derive(Debug, Clone, Serialize)]
pub struct Tree {
    /// The session's id, or the folder.
    pub name: String,
    /// Empty for a folder.
    pub step: String,
    /// Why no scanner was run on it.
    pub not_scanned: Option<String>,
    /// What the ledger has of it; `None` for a folder.
    pub exploits: Option<Exploits>,
    pub scanners: Vec<Looked>,
}

/// The verdicts of the study's exploits on one session, by their words. The tiers are never added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Exploits {
    /// Of the tier of requirements.
    pub exploited: usize,
    /// Of the tier of hardening: a protection that nobody asked for is not there.
    pub absent: usize,
    /// Of both tiers.
    pub resisted: usize,
    pub undecided: usize,
    pub not_applicable: usize,
}

/// What became of one scanner on one tree.
#[derive(Debug, Clone, Serialize)]
pub struct Looked {
    pub scanner: &'static str,
    /// As it says it itself.
    pub version: Option<String>,
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Of files of a session's tree that were examined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Outcome {
    Examined(Said),
    /// It ran or could have, and there was nothing for it: this is no "0 findings".
    ExaminedNothing {
        why: String,
    },
    NotRun {
        why: String,
    },
    /// Whatever it would have found is not known.
    Broke {
        why: String,
    },
}

/// What a scanner said, whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Said {
    pub examined: Extent,
    pub findings: Vec<Hit>,
    /// What it could not read, and the like.
    pub remarks: Vec<String>,
}

/// How much a scanner looked at, in the units in which it says so itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Extent {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<u64>,
}

impl Extent {
    fn parts(&self) -> [(Option<u64>, &'static str); 4] {
        [
            (self.files, "file"),
            (self.lines, "line"),
            (self.packages, "package"),
            (self.rules, "rule"),
        ]
    }
}

/// One finding of a scanner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// The scanner's own id: `B608`.
    pub rule: String,
    /// The scanner's own word, lower case; empty where it has none.
    pub severity: String,
    /// Relative to the tree; `None` for a finding about a package.
    pub file: Option<String>,
    pub line: u32,
    pub end_line: u32,
    /// `name version`, of an audit.
    pub package: Option<String>,
    pub says: String,
}

/// How a scanner's findings lie beside what the exploits showed. A cause is what `check` counts as one finding: exploits
/// that the same remedy closes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Beside {
    /// Causes of which at least one exploit succeeded.
    pub causes: usize,
    /// Of these, causes that have code which decided them; the others are things that nobody wrote.
    pub with_code: usize,
    pub same_place: Vec<SamePlace>,
}

/// Deciding code that has a finding in or near its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SamePlace {
    /// The remedy's id, as in `check` and `fix`.
    pub cause: String,
    pub tier: Tier,
    pub exploits: Vec<String>,
    /// The decision's id.
    pub decision: String,
    pub file: String,
    pub line: u32,
    pub end_line: u32,
    pub findings: Vec<Hit>,
}

impl Outcome {
    /// What a scanner's whole answer comes to.
    pub fn of(said: Said) -> Self {
        let parts = said.examined.parts();
        let Some((_, unit)) = parts.iter().find(|(count, _)| *count == Some(0)) else {
            return Self::Examined(said);
        };
        if !said.findings.is_empty() {
            return Self::Broke {
                why: format!("it reports findings and says that it examined 0 {unit}s"),
            };
        }
        let remark = match said.remarks.as_slice() {
            [] => String::new(),
            [only] => format!("; {only}"),
            [first, rest @ ..] => format!("; {first} (and {} more)", rest.len()),
        };
        Self::ExaminedNothing {
            why: format!("0 {unit}s{remark}"),
        }
    }

    pub fn said(&self) -> Option<&Said> {
        match self {
            Self::Examined(said) => Some(said),
            Self::ExaminedNothing { .. } | Self::NotRun { .. } | Self::Broke { .. } => None,
        }
    }
}

impl Said {
    /// Findings by the scanner's own severities, the worst first.
    pub fn severities(&self) -> Vec<(&str, usize)> {
        let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
        for hit in &self.findings {
            let rank = WORST_FIRST.iter().position(|word| *word == hit.severity);
            let key = (rank.unwrap_or(WORST_FIRST.len()), hit.severity.as_str());
            *counts.entry(key).or_default() += 1;
        }
        counts
            .into_iter()
            .map(|((_, word), count)| (word, count))
            .collect()
    }
}

/// The words of Bandit, Semgrep and npm.
const WORST_FIRST: [&str; 9] = [
    "critical", "high", "error", "moderate", "medium", "warning", "low", "info", "",
];

/// The counts of the study's exploits on a session.
pub fn exploits(session: &Session) -> Exploits {
    let mut all = Exploits::default();
    for judged in session.verdicts.iter().filter(|one| !one.is_depth()) {
        match (judged.verdict, judged.tier) {
            (Word::Exploited, Tier::Requirement) => all.exploited += 1,
            (Word::Exploited, Tier::Hardening) => all.absent += 1,
            (Word::Resisted, _) => all.resisted += 1,
            (Word::Inconclusive, _) => all.undecided += 1,
            (Word::NotApplicable, _) => all.not_applicable += 1,
        }
    }
    all
}

/// Sets a scanner's findings beside the code that decided what the exploits showed. What audits find is in no place.
pub fn beside(session: &Session, said: &Said) -> Option<Beside> {
    said.examined.files?;
    let causes = finding::gather(session, &[], &[], &[]);
    let mut same_place = Vec::new();
    let mut with_code = 0;
    for cause in &causes {
        let places: Vec<_> = cause
            .places
            .iter()
            .filter_map(|place| Some((place.file.as_ref()?, place)))
            .collect();
        with_code += usize::from(!places.is_empty());
        for (file, place) in places {
            let near = |hit: &&Hit| {
                hit.file.as_ref() == Some(file)
                    && hit.line <= place.end_line.max(place.line).saturating_add(NEAR)
                    && place.line <= hit.end_line.max(hit.line).saturating_add(NEAR)
            };
            let found: Vec<Hit> = said.findings.iter().filter(near).cloned().collect();
            if !found.is_empty() {
                same_place.push(SamePlace {
                    cause: cause.id.clone(),
                    tier: cause.tier,
                    exploits: cause.exploits.clone(),
                    decision: place.decision.clone(),
                    file: file.clone(),
                    line: place.line,
                    end_line: place.end_line,
                    findings: found,
                });
            }
        }
    }
    Some(Beside {
        causes: causes.len(),
        with_code,
        same_place,
    })
}

#[cfg(test)]
mod tests;
