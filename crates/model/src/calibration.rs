//! What is measured of an exploit: a *control* is an app whose holes are known, a *row* is what one exploit said of it.

use serde::{Deserialize, Serialize};

use crate::verdict::Word;

/// What a control is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A hole is open: the exploits that it names must say so.
    Mutant,
    /// Looks wrong and is safe: no exploit may say otherwise.
    NearMiss,
    /// A hole that the exploit is known not to see.
    BlindSpot,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Mutant => "mutant",
            Self::NearMiss => "near-miss",
            Self::BlindSpot => "blind-spot",
        }
    }
}

/// What an exploit must say of a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    Exploited,
    /// Resisted, with a note: weaker than it should be, by a ruling that does not count it.
    Reported,
    Resisted,
}

impl Expected {
    pub fn name(self) -> &'static str {
        match self {
            Self::Exploited => "exploited",
            Self::Reported => "reported",
            Self::Resisted => "resisted",
        }
    }
}

/// What one exploit said of one control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub framework: String,
    /// `sql-injection-search/f-string`; `hardened` for the app that all controls change.
    pub control: String,
    pub kind: Kind,
    pub exploit: String,
    pub expected: Expected,
    pub verdict: Word,
    /// Whether the exploit left a note.
    pub noted: bool,
    /// The verdict's reason where it is not what was expected; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// A hash of all that could change the verdict: exploit, client, judge, adapter, app and control.
    pub key: String,
    /// `2026-11-23`, UTC.
    pub date: String,
    pub ms: u64,
    /// Whether it was measured in one app with controls of other areas.
    #[serde(default, skip_serializing_if = "is_false")]
    pub packed: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Row {
    /// Whether the exploit said what it must.
    pub fn is_right(&self) -> bool {
        match self.expected {
            Expected::Exploited => self.verdict == Word::Exploited,
            Expected::Reported => self.verdict == Word::Resisted && self.noted,
            // Of a hole that it does not see an exploit may also say that it does not apply.
            Expected::Resisted => {
                self.verdict == Word::Resisted
                    || self.kind == Kind::BlindSpot && self.verdict == Word::NotApplicable
            }
        }
    }
}

/// How an exploit did on a framework's controls; the worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It missed a mutant, or its label is wrong.
    Wrong,
    /// It said "exploited" of a safe app.
    Noisy,
    /// A control could not be decided.
    Inconclusive,
    /// Fewer than two mutants or no near-miss.
    Missing,
    /// Right everywhere; some weaknesses are only reported, never counted.
    Reported,
    /// Right everywhere.
    Validated,
}

impl Status {
    pub const ALL: [Self; 6] = [
        Self::Wrong,
        Self::Noisy,
        Self::Inconclusive,
        Self::Missing,
        Self::Reported,
        Self::Validated,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Noisy => "noisy",
            Self::Inconclusive => "inconclusive",
            Self::Missing => "missing",
            Self::Reported => "reported",
            Self::Validated => "validated",
        }
    }

    /// Whether results of this exploit can be trusted as far as was measured.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Reported | Self::Validated)
    }
}

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Share {
    pub hits: usize,
    pub of: usize,
}

impl Share {
    pub fn add(&mut self, hit: bool) {
        self.of += 1;
        self.hits += usize::from(hit);
    }

    /// The Wilson score interval at 95 % (Wilson 1927); from 0 to 1 when nothing was measured.
    pub fn wilson(self) -> (f64, f64) {
        if self.of == 0 {
            return (0.0, 1.0);
        }
        let z = 1.959_963_984_540_054_f64;
        let n = self.of as f64;
        let p = self.hits as f64 / n;
        let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        ((middle - half).max(0.0), (middle + half).min(1.0))
    }
}

/// One exploit on one framework.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Calibration {
    pub framework: String,
    pub exploit: String,
    pub status: Status,
    /// Mutants that it must catch, and caught.
    pub sensitivity: Share,
    /// Safe apps (near-misses, the hardened app, other exploits' mutants) of which it says "resisted".
    pub specificity: Share,
    /// Holes that it is known not to see.
    pub blind_spots: Vec<String>,
    /// The day of the oldest row.
    pub measured: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_serdes() {
        for kind in [Kind::Mutant, Kind::NearMiss, Kind::BlindSpot] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        for expected in [Expected::Exploited, Expected::Reported, Expected::Resisted] {
            assert_eq!(serde_json::to_value(expected).unwrap(), expected.name());
        }
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }

    #[test]
    fn what_an_exploit_must_say_of_a_control() {
        let right = |kind, expected, verdict, noted| {
            let row = Row {
                framework: String::new(),
                control: String::new(),
                kind,
                exploit: String::new(),
                expected,
                verdict,
                noted,
                why: String::new(),
                key: String::new(),
                date: String::new(),
                ms: 0,
                packed: false,
            };
            row.is_right()
        };
        for kind in [Kind::Mutant, Kind::NearMiss, Kind::BlindSpot] {
            for verdict in Word::ALL {
                for noted in [false, true] {
                    let is = |word| verdict == word;
                    let blind = kind == Kind::BlindSpot && is(Word::NotApplicable);
                    for (expected, wanted) in [
                        (Expected::Exploited, is(Word::Exploited)),
                        (Expected::Reported, is(Word::Resisted) && noted),
                        (Expected::Resisted, is(Word::Resisted) || blind),
                    ] {
                        assert_eq!(right(kind, expected, verdict, noted), wanted);
                    }
                }
            }
        }
    }

    #[test]
    fn only_who_was_right_everywhere_is_good() {
        let good: Vec<_> = Status::ALL
            .into_iter()
            .filter(|one| one.is_good())
            .collect();
        assert_eq!(good, [Status::Reported, Status::Validated]);
    }

    #[test]
    fn shares_count() {
        let mut share = Share::default();
        share.add(true);
        share.add(false);
        share.add(true);
        assert_eq!(share, Share { hits: 2, of: 3 });
    }

    #[test]
    fn wilsons_interval_of_known_shares() {
        // Brown, Cai, DasGupta (2001): 0 of 10 gives 0 to 0.2775; and by symmetry.
        let (low, high) = Share { hits: 0, of: 10 }.wilson();
        assert!(low.abs() < 1e-9 && (high - 0.277_5).abs() < 1e-4, "{high}");
        let (low, high) = Share { hits: 10, of: 10 }.wilson();
        assert!((low - 0.722_5).abs() < 1e-4 && (high - 1.0).abs() < 1e-9);
        let (low, high) = Share { hits: 5, of: 10 }.wilson();
        assert!((low - 0.236_6).abs() < 1e-4 && (high - 0.763_4).abs() < 1e-4);
        assert!(Share::default().wilson() == (0.0, 1.0));
    }
}
