//! What an author decided for a security matter, as the source says it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::verdict::Word;

/// Where what was chosen comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum Origin {
    /// A third-party package.
    Library {
        name: String,
        /// As the manifest or the lock file says; `None` where neither does.
        version: Option<String>,
    },
    /// A feature of the app's framework.
    Framework {
        name: String,
        version: Option<String>,
    },
    /// The language's standard library or runtime.
    Runtime { module: String },
    /// Written in the app's own source.
    HandWritten,
    /// All source that matters was read, and nothing decides it.
    Absent,
    /// Nothing was found, and something could not be read or followed.
    Unknown { why: String },
}

impl Origin {
    /// `library`, `framework`, `runtime`, `hand-written`, `absent` or `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Library { .. } => "library",
            Self::Framework { .. } => "framework",
            Self::Runtime { .. } => "runtime",
            Self::HandWritten => "hand-written",
            Self::Absent => "absent",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Whether something was chosen.
    pub fn is_chosen(&self) -> bool {
        !matches!(self, Self::Absent | Self::Unknown { .. })
    }
}

/// How sure the reading is that this is what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Guessed from names.
    Low,
    /// One step could not be followed.
    Medium,
    /// Every name was followed to where it comes from.
    High,
}

/// A place in the source. Lines and columns start at 1; columns count bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Relative to the tree, with `/`.
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub end_line: u32,
    /// The first line of what stands there, cut at 160 characters.
    pub text: String,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The matter: the id of its file, `password-hash`.
    pub decision: String,
    /// What was chosen, in a few words: `bcrypt`; empty where nothing was.
    pub choice: String,
    pub origin: Origin,
    /// Read from the code: `cost` is `12`.
    pub parameters: BTreeMap<String, String>,
    /// A published floor that it does not reach, in words: `35 % of OWASP's 600,000`.
    pub below: Option<String>,
    pub confidence: Confidence,
    /// The places that say so; the deciding one first.
    pub spans: Vec<Span>,
    /// Lines of the app's own code that do it by hand.
    pub lines: u32,
    pub notes: Vec<String>,
}

impl Decision {
    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// What changes when the decision does: everything but where it stands.
    pub fn fingerprint(&self) -> String {
        let mut text = format!(
            "{}: {} ({})",
            self.decision,
            self.choice,
            self.origin.word()
        );
        for (name, value) in &self.parameters {
            let _ = write!(text, " {name}={value}");
        }
        text
    }
}

/// A file, or a part of one, that could not be read or followed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unread {
    pub file: String,
    /// 0 for the whole file.
    pub line: u32,
    pub why: String,
}

/// What it costs to review a tree's choices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Burden {
    /// Packages that the manifest names.
    pub direct: u32,
    /// Packages that the lock file adds to those; `None` without a lock file.
    pub transitive: Option<u32>,
    /// Lines of the app's own code that do a security matter by hand.
    pub hand_written: u32,
}

/// All that was read in one tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    pub decisions: Vec<Decision>,
    pub unread: Vec<Unread>,
    pub burden: Burden,
    /// Source files and lines that were read.
    pub files: u32,
    pub lines: u32,
}

/// Whether what was decided is what the running app does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InForce {
    /// Chosen, and every exploit that tests it was resisted.
    Enforced,
    /// Chosen, and an exploit that tests it succeeded.
    NotInForce,
    /// Nobody chose it, and the exploits were resisted all the same: the framework's gift.
    Gift,
    /// Nobody chose it, and an exploit succeeded.
    Absent,
    /// No exploit tests it, or those that do were not run or not decided.
    Untested,
}

impl InForce {
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforced => "in force",
            Self::NotInForce => "not in force",
            Self::Gift => "not chosen, yet in force",
            Self::Absent => "absent",
            Self::Untested => "not tested",
        }
    }

    /// Its name where there is something to say, else nothing.
    pub fn told(self) -> &'static str {
        if self == Self::Untested {
            ""
        } else {
            self.name()
        }
    }

    /// Joins a decision with the verdicts of the exploits that test it. All must have resisted for "in force"; one that
    /// succeeded is enough for the contrary; one that is undecided leaves it open.
    pub fn of(origin: &Origin, verdicts: &[Word]) -> Self {
        let exploited = verdicts.contains(&Word::Exploited);
        let resisted = verdicts.contains(&Word::Resisted)
            && verdicts
                .iter()
                .all(|word| matches!(word, Word::Resisted | Word::NotApplicable));
        match (origin, exploited, resisted) {
            (Origin::Unknown { .. }, _, _) => Self::Untested,
            (Origin::Absent, true, _) => Self::Absent,
            (Origin::Absent, false, true) => Self::Gift,
            (_, true, _) => Self::NotInForce,
            (_, false, true) => Self::Enforced,
            (_, false, false) => Self::Untested,
        }
    }
}

/// Who asked for a decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Asked {
    /// `prompt 2-uploads`, `CLAUDE.md`
    pub by: String,
    /// The sentence or line.
    pub words: String,
}

/// Who reviewed a decision, and said why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Review {
    pub by: String,
    /// `2026-11-25`, UTC.
    pub date: String,
    pub reason: String,
    /// Whether it is still the same decision.
    pub holds: bool,
}

/// A decision with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    pub decision: Decision,
    /// The step at which it became what it is: `1-auth`; empty where there are no steps.
    pub step: String,
    /// `None`: nobody asked.
    pub asked: Option<Asked>,
    /// `None`: nobody reviewed.
    pub reviewed: Option<Review>,
    pub in_force: InForce,
    /// The exploits that test it.
    pub tests: Vec<String>,
}

/// What was read of one app, with who asked and who reviewed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub decisions: Vec<Decided>,
    pub unread: Vec<Unread>,
    pub burden: Burden,
    pub files: u32,
    pub lines: u32,
    /// Of a session with several steps, what each of them decided.
    #[serde(default)]
    pub steps: Vec<Stride>,
}

/// What one step of a session decided, and what there is to review after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stride {
    pub step: String,
    pub changes: Vec<Turn>,
    pub burden: Burden,
}

/// A [`Change`] that is kept: new without `before`, gone without `after`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Decision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Decision>,
}

impl Turn {
    /// The decision as it is now, or as it was last.
    pub fn decision(&self) -> Option<&Decision> {
        self.after.as_ref().or(self.before.as_ref())
    }
}

impl From<&Change<'_>> for Turn {
    fn from(change: &Change<'_>) -> Self {
        let (before, after) = match change {
            Change::New(new) => (None, Some(*new)),
            Change::Changed(old, new) => (Some(*old), Some(*new)),
            Change::Gone(old) => (Some(*old), None),
        };
        Self {
            before: before.cloned(),
            after: after.cloned(),
        }
    }
}

/// How a decision of one reading stands to those of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<'a> {
    New(&'a Decision),
    Changed(&'a Decision, &'a Decision),
    Gone(&'a Decision),
}

/// What changed from one reading to another. Places do not count, nor what is absent in both.
pub fn changes<'a>(before: &'a [Decision], after: &'a [Decision]) -> Vec<Change<'a>> {
    let mut left: Vec<&Decision> = Vec::new();
    let mut came: Vec<&Decision> = after.iter().collect();
    for old in before {
        let same = |new: &&Decision| new.fingerprint() == old.fingerprint();
        match came.iter().position(same) {
            Some(at) => {
                came.remove(at);
            }
            None => left.push(old),
        }
    }
    let mut all = Vec::new();
    for new in came {
        let same = |old: &&Decision| old.decision == new.decision;
        match left.iter().position(same) {
            Some(at) => all.push(Change::Changed(left.remove(at), new)),
            None => all.push(Change::New(new)),
        }
    }
    all.extend(left.into_iter().map(Change::Gone));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(matter: &str, choice: &str, cost: &str) -> Decision {
        Decision {
            decision: matter.into(),
            choice: choice.into(),
            origin: Origin::HandWritten,
            parameters: [("cost".to_owned(), cost.to_owned())].into(),
            below: None,
            confidence: Confidence::High,
            spans: Vec::new(),
            lines: 1,
            notes: Vec::new(),
        }
    }

    #[test]
    fn an_origin_is_called_what_it_is_kept_as() {
        let (name, version) = ("x".to_owned(), None);
        let chosen = [
            Origin::Library {
                name: name.clone(),
                version: version.clone(),
            },
            Origin::Framework {
                name: name.clone(),
                version,
            },
            Origin::Runtime {
                module: name.clone(),
            },
            Origin::HandWritten,
        ];
        let not = [Origin::Absent, Origin::Unknown { why: name }];
        for (origin, is_chosen) in chosen
            .iter()
            .map(|one| (one, true))
            .chain(not.iter().map(|one| (one, false)))
        {
            let kept = serde_json::to_value(origin).unwrap();
            assert_eq!(kept["from"], origin.word());
            assert_eq!(origin.is_chosen(), is_chosen, "{origin:?}");
        }
    }

    #[test]
    fn what_changed_is_told_by_choice_and_parameters_and_not_by_place() {
        let hash = decided("password-hash", "bcrypt", "12");
        let moved = Decision {
            lines: 9,
            notes: vec!["elsewhere".into()],
            ..hash.clone()
        };
        let weaker = decided("password-hash", "bcrypt", "4");
        let headers = decided("security-headers", "helmet", "0");
        assert_eq!(
            hash.fingerprint(),
            "password-hash: bcrypt (hand-written) cost=12"
        );
        assert_eq!(
            (hash.parameter("cost"), hash.parameter("salt")),
            (Some("12"), None)
        );
        let old = [hash.clone(), headers.clone()];
        assert_eq!(changes(&old, &[headers.clone(), moved]), []);
        let now = [weaker.clone(), decided("rate-limit", "own", "5")];
        let wanted = [
            Change::Changed(&old[0], &now[0]),
            Change::New(&now[1]),
            Change::Gone(&old[1]),
        ];
        assert_eq!(changes(&old, &now), wanted);
        let told = wanted.iter().map(|one| Turn::from(one).decision().cloned());
        assert_eq!(
            told.collect::<Vec<_>>(),
            [Some(weaker), Some(now[1].clone()), Some(headers)]
        );
    }

    #[test]
    fn what_was_not_tested_is_not_told() {
        assert_eq!(InForce::Untested.told(), "");
        for other in [
            InForce::Enforced,
            InForce::NotInForce,
            InForce::Gift,
            InForce::Absent,
        ] {
            assert_eq!(other.told(), other.name());
        }
        let names = [InForce::NotInForce, InForce::Untested].map(InForce::name);
        assert_eq!(names, ["not in force", "not tested"]);
    }

    #[test]
    fn only_a_whole_set_of_resisted_verdicts_is_in_force() {
        let hand = Origin::HandWritten;
        let of = |origin: &Origin, verdicts: &[Word]| InForce::of(origin, verdicts);
        let all = [
            Word::Exploited,
            Word::Resisted,
            Word::NotApplicable,
            Word::Inconclusive,
        ];
        for a in all {
            for b in all {
                let said = of(&hand, &[a, b]);
                let undecided = [a, b].contains(&Word::Inconclusive);
                assert!(!(undecided && said == InForce::Enforced), "{a:?} {b:?}");
                assert!(!([a, b].contains(&Word::Exploited) && said != InForce::NotInForce));
                let unknown = Origin::Unknown { why: String::new() };
                assert_eq!(of(&unknown, &[a, b]), InForce::Untested);
            }
        }
        assert_eq!(of(&hand, &[]), InForce::Untested);
        assert_eq!(of(&hand, &[Word::NotApplicable]), InForce::Untested);
        assert_eq!(of(&hand, &[Word::Resisted]), InForce::Enforced);
        assert_eq!(of(&Origin::Absent, &[Word::Resisted]), InForce::Gift);
        assert_eq!(of(&Origin::Absent, &[Word::Exploited]), InForce::Absent);
    }
}
