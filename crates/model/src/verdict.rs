//! From facts to a verdict, and nothing else makes one.

use serde::{Deserialize, Serialize};

use crate::binding::Capability;
use crate::facts::{Cause, Facts, Fault, Step};

/// The four words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    Exploited,
    Resisted,
    NotApplicable,
    Inconclusive,
}

impl Word {
    pub const ALL: [Self; 4] = [
        Self::Exploited,
        Self::Resisted,
        Self::NotApplicable,
        Self::Inconclusive,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Exploited => "exploited",
            Self::Resisted => "resisted",
            Self::NotApplicable => "not-applicable",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// Why the verdict is what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The labels of the looks that held.
    Effect(Vec<String>),
    /// All looks were made and none held; the witness worked before and after.
    NoEffect { looks: u16 },
    /// The feature is absent.
    Missing(Capability),
    /// The feature is there, the question is not.
    Beside(String),
    /// Something stopped the exploit.
    Stopped(Cause),
    /// The exploit's own rules were not met, in words.
    Unproven {
        fault: Fault,
        step: Step,
        why: &'static str,
    },
}

/// A judged set of facts. It has no public constructor and cannot be read from a file: facts are stored, and every
/// reader judges them anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    word: Word,
    reason: Reason,
}

impl Verdict {
    pub fn word(&self) -> Word {
        self.word
    }

    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    pub fn fault(&self) -> Option<Fault> {
        match &self.reason {
            Reason::Stopped(cause) => Some(cause.fault),
            Reason::Unproven { fault, .. } => Some(*fault),
            Reason::Effect(_)
            | Reason::NoEffect { .. }
            | Reason::Missing(_)
            | Reason::Beside(_) => None,
        }
    }

    pub fn step(&self) -> Option<Step> {
        match &self.reason {
            Reason::Stopped(cause) => Some(cause.step),
            Reason::Unproven { step, .. } => Some(*step),
            Reason::Effect(_)
            | Reason::NoEffect { .. }
            | Reason::Missing(_)
            | Reason::Beside(_) => None,
        }
    }

    /// One line for people.
    pub fn why(&self) -> String {
        match &self.reason {
            Reason::Effect(labels) => labels.join("; "),
            Reason::NoEffect { looks } => {
                format!("no effect in {looks} looks, honest use worked before and after")
            }
            Reason::Missing(capability) => format!("the app has no {}", capability.noun()),
            Reason::Beside(why) => why.clone(),
            Reason::Stopped(cause) => format!(
                "{} ({}, {})",
                cause.why,
                cause.step.name(),
                cause.fault.name()
            ),
            Reason::Unproven { fault, step, why } => {
                format!("{why} ({}, {})", step.name(), fault.name())
            }
        }
    }
}

/// Judges facts. Total and pure; the order of the rules is the meaning of the words.
///
/// *Exploited* wants an effect that was seen, honest use that worked before it, and a control in which the same
/// effect did not show. *Resisted* wants every planned look made with a reply (or on state), none held, honest use
/// before and after, a clean control, and nothing that stopped the exploit. All else is inconclusive, unless the
/// feature is absent.
pub fn judge(facts: &Facts) -> Verdict {
    let (word, reason) = decide(facts);
    Verdict { word, reason }
}

/// Joins a verdict with its repetition on a fresh copy, from another seed: where the words differ, nothing was proved.
pub fn repeated(first: Verdict, second: &Verdict) -> Verdict {
    if first.word == second.word {
        return first;
    }
    let why = "a repetition on a fresh copy said otherwise";
    let reason = Reason::Unproven {
        fault: Fault::Harness,
        step: Step::Attack,
        why,
    };
    Verdict {
        word: Word::Inconclusive,
        reason,
    }
}

fn decide(facts: &Facts) -> (Word, Reason) {
    let unproven = |fault, step, why| (Word::Inconclusive, Reason::Unproven { fault, step, why });
    let held: Vec<String> = facts
        .looked
        .iter()
        .filter(|look| look.held)
        .map(|look| look.label.clone())
        .collect();
    if !held.is_empty() {
        if facts.control == Some(true) {
            return unproven(
                Fault::App,
                Step::Control,
                "the effect shows without any attack",
            );
        }
        if facts.before == Some(true) && facts.control == Some(false) {
            return (Word::Exploited, Reason::Effect(held));
        }
        if let Some(cause) = &facts.stop {
            return (Word::Inconclusive, Reason::Stopped(cause.clone()));
        }
        if facts.before == Some(true) {
            return unproven(
                Fault::Harness,
                Step::Control,
                "an effect was seen, and no control was made",
            );
        }
        return unproven(
            Fault::App,
            Step::Witness,
            "an effect was seen in an app whose honest use does not work",
        );
    }
    if let Some(cause) = &facts.stop {
        return (Word::Inconclusive, Reason::Stopped(cause.clone()));
    }
    if let Some(capability) = facts.missing {
        return (Word::NotApplicable, Reason::Missing(capability));
    }
    if let Some(why) = &facts.beside {
        return (Word::NotApplicable, Reason::Beside(why.clone()));
    }
    match facts.before {
        None => {
            return unproven(
                Fault::Harness,
                Step::Witness,
                "honest use was not tried before the attack",
            );
        }
        Some(false) => return unproven(Fault::App, Step::Witness, "honest use does not work"),
        Some(true) => {}
    }
    match facts.control {
        None => return unproven(Fault::Harness, Step::Control, "no control was made"),
        Some(true) => {
            return unproven(
                Fault::App,
                Step::Control,
                "the effect shows without any attack",
            );
        }
        Some(false) => {}
    }
    if facts.planned == 0 {
        return unproven(Fault::Harness, Step::Attack, "no attack was planned");
    }
    if facts.looked.len() != usize::from(facts.planned) {
        return unproven(
            Fault::Harness,
            Step::Attack,
            "not every planned look was made",
        );
    }
    if !facts.looked.iter().all(crate::facts::Observation::counts) {
        return unproven(
            Fault::App,
            Step::Attack,
            "an attack got no reply, so its effect could not be looked for",
        );
    }
    match facts.after {
        None => unproven(
            Fault::Harness,
            Step::WitnessAgain,
            "honest use was not tried after the attack",
        ),
        Some(false) => unproven(
            Fault::App,
            Step::WitnessAgain,
            "honest use no longer worked after the attack",
        ),
        Some(true) => (
            Word::Resisted,
            Reason::NoEffect {
                looks: facts.planned,
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::facts::{Diff, Observation, Sees};

    fn look(held: bool, replied: bool, state: bool) -> Observation {
        Observation {
            label: "look".into(),
            sees: if state {
                Sees::State(Diff {
                    of: "files".into(),
                    found: String::new(),
                })
            } else {
                Sees::Text(b"canary".to_vec())
            },
            held,
            replied,
            exchange: None,
        }
    }

    /// Every combination of what [`judge`] can see, with up to two looks.
    fn all_facts() -> Vec<Facts> {
        let maybe = [None, Some(false), Some(true)];
        let mut single = Vec::new();
        for held in [false, true] {
            for replied in [false, true] {
                for state in [false, true] {
                    single.push(look(held, replied, state));
                }
            }
        }
        let mut looks: Vec<Vec<Observation>> = vec![vec![]];
        looks.extend(single.iter().map(|one| vec![one.clone()]));
        for first in &single {
            looks.extend(
                single
                    .iter()
                    .map(|second| vec![first.clone(), second.clone()]),
            );
        }
        let mut stops = vec![None];
        for fault in Fault::ALL {
            for step in Step::ALL {
                stops.push(Some(Cause {
                    fault,
                    step,
                    why: "stopped".into(),
                }));
            }
        }
        let mut all = Vec::new();
        for missing in [None, Some(Capability::Search)] {
            for beside in [None, Some("opaque".to_owned())] {
                for before in maybe {
                    for control in maybe {
                        for after in maybe {
                            for planned in 0..=3 {
                                for looked in &looks {
                                    for stop in &stops {
                                        all.push(Facts {
                                            missing,
                                            beside: beside.clone(),
                                            before,
                                            control,
                                            planned,
                                            looked: looked.clone(),
                                            after,
                                            stop: stop.clone(),
                                            notes: vec![],
                                            without: BTreeSet::new(),
                                        });
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        all
    }

    #[test]
    fn no_error_leads_to_resisted_in_any_set_of_facts() {
        let all = all_facts();
        let mut resisted = 0;
        for facts in &all {
            if judge(facts).word() != Word::Resisted {
                continue;
            }
            resisted += 1;
            assert!(facts.stop.is_none(), "{facts:?}");
            assert!(
                facts.missing.is_none() && facts.beside.is_none(),
                "{facts:?}"
            );
            assert_eq!(
                (facts.before, facts.control, facts.after),
                (Some(true), Some(false), Some(true)),
                "{facts:?}"
            );
            assert!(
                facts.planned > 0 && facts.looked.len() == usize::from(facts.planned),
                "{facts:?}"
            );
            assert!(
                facts.looked.iter().all(|look| !look.held && look.counts()),
                "{facts:?}"
            );
        }
        assert!(
            resisted > 0 && resisted * 100 < all.len(),
            "{resisted} of {}",
            all.len()
        );
    }

    #[test]
    fn exploited_needs_an_effect_a_working_app_and_a_clean_control() {
        let mut exploited = 0;
        for facts in all_facts() {
            if judge(&facts).word() != Word::Exploited {
                continue;
            }
            exploited += 1;
            assert!(facts.looked.iter().any(|look| look.held), "{facts:?}");
            assert_eq!(
                (facts.before, facts.control),
                (Some(true), Some(false)),
                "{facts:?}"
            );
        }
        assert!(exploited > 0);
    }

    #[test]
    fn every_inconclusive_names_a_step_and_a_fault() {
        for facts in all_facts() {
            let verdict = judge(&facts);
            let named = verdict.fault().is_some() && verdict.step().is_some();
            assert_eq!(verdict.word() == Word::Inconclusive, named, "{facts:?}");
            assert!(!verdict.why().is_empty());
        }
    }

    #[test]
    fn a_repetition_that_differs_proves_nothing() {
        let good = Facts {
            before: Some(true),
            control: Some(false),
            planned: 1,
            looked: vec![look(false, true, false)],
            after: Some(true),
            ..Facts::default()
        };
        let bad = Facts {
            looked: vec![look(true, true, false)],
            ..good.clone()
        };
        assert_eq!(repeated(judge(&good), &judge(&good)).word(), Word::Resisted);
        assert_eq!(repeated(judge(&bad), &judge(&bad)).word(), Word::Exploited);
        for (one, other) in [(&good, &bad), (&bad, &good), (&good, &Facts::default())] {
            assert_eq!(
                repeated(judge(one), &judge(other)).word(),
                Word::Inconclusive
            );
        }
    }

    #[test]
    fn nothing_gathered_is_inconclusive() {
        assert_eq!(judge(&Facts::default()).word(), Word::Inconclusive);
    }

    #[test]
    fn why_says_what_where_and_whose_fault() {
        let good = Facts {
            before: Some(true),
            control: Some(false),
            planned: 1,
            looked: vec![look(false, true, false)],
            after: Some(true),
            ..Facts::default()
        };
        let stopped = Facts {
            stop: Some(Cause {
                fault: Fault::App,
                step: Step::Boot,
                why: "it died".into(),
            }),
            ..good.clone()
        };
        let verdict = judge(&stopped);
        assert_eq!(verdict.why(), "it died (boot, app)");
        assert_eq!(
            (verdict.fault(), verdict.step()),
            (Some(Fault::App), Some(Step::Boot))
        );
        let unmade = Facts {
            planned: 2,
            ..good.clone()
        };
        let verdict = judge(&unmade);
        assert_eq!(
            verdict.why(),
            "not every planned look was made (attack, harness)"
        );
        assert_eq!(
            (verdict.fault(), verdict.step()),
            (Some(Fault::Harness), Some(Step::Attack))
        );
        let held = Facts {
            looked: vec![look(true, true, false), look(true, true, true)],
            planned: 2,
            ..good.clone()
        };
        assert_eq!(judge(&held).why(), "look; look");
        assert_eq!(
            judge(&held).reason(),
            &Reason::Effect(vec!["look".into(), "look".into()])
        );
        assert_eq!(
            judge(&good).why(),
            "no effect in 1 looks, honest use worked before and after"
        );
        let absent = Facts {
            missing: Some(Capability::Search),
            ..Facts::default()
        };
        assert_eq!(judge(&absent).why(), "the app has no search");
        let beside = Facts {
            beside: Some("opaque".into()),
            ..Facts::default()
        };
        assert_eq!(judge(&beside).why(), "opaque");
    }

    /// The order of the rules is the meaning of the words: of several reasons the first is told.
    #[test]
    fn of_several_reasons_the_first_is_told() {
        let why = |facts: &Facts| judge(facts).why();
        let bare = Facts {
            looked: vec![look(true, true, false)],
            planned: 1,
            ..Facts::default()
        };
        let with = |before, control| Facts {
            before,
            control,
            ..bare.clone()
        };
        assert!(why(&with(Some(true), Some(true))).starts_with("the effect shows without"));
        assert!(why(&with(Some(true), None)).starts_with("an effect was seen, and no control"));
        for before in [None, Some(false)] {
            assert!(why(&with(before, Some(false))).starts_with("an effect was seen in an app"));
        }
        let with = |before, control, after, replied| Facts {
            before,
            control,
            after,
            looked: vec![look(false, replied, false)],
            planned: 1,
            ..Facts::default()
        };
        let (yes, no) = (Some(true), Some(false));
        for (facts, wanted) in [
            (
                with(None, None, None, false),
                "honest use was not tried before",
            ),
            (with(no, None, None, false), "honest use does not work"),
            (with(yes, None, None, false), "no control was made"),
            (with(yes, yes, None, false), "the effect shows without"),
            (with(yes, no, None, false), "an attack got no reply"),
            (with(yes, no, None, true), "honest use was not tried after"),
            (with(yes, no, no, true), "honest use no longer worked"),
            (
                Facts {
                    planned: 0,
                    ..with(yes, no, yes, true)
                },
                "no attack was planned",
            ),
        ] {
            assert!(
                why(&facts).starts_with(wanted),
                "{} is not {wanted}",
                why(&facts)
            );
        }
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = Word::ALL.iter().map(|word| word.name()).collect();
        names.extend(Capability::ALL.iter().map(|capability| capability.name()));
        for word in Word::ALL {
            assert_eq!(serde_json::to_value(word).unwrap(), word.name());
        }
        let before = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
