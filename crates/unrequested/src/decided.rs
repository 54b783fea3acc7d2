//! Decisions with what only the surroundings know: the step they came with, who asked, who reviewed.

use std::fs;
use std::path::Path;

use agent::Arm;
use model::decision::{
    Asked, Decided, Decision, InForce, Origin, Reading, Review, Stride, Told, Turn, changes,
};
use serde::{Deserialize, Serialize};

use crate::exit::Fatal;
use crate::ledger::TurnRow;

/// What people have reviewed, committed with the app.
pub(crate) const LOCK: &str = "unrequested.decisions.toml";

/// Files in which people tell agents what they want.
const WISHES: [&str; 5] = [
    "CLAUDE.md",
    ".claude/CLAUDE.md",
    "AGENTS.md",
    "CLAUDE.local.md",
    ".github/copilot-instructions.md",
];

/// Somebody's words: who, and what.
pub(crate) type Wish = (String, String);

/// What a wish of a prompt begins with; its id follows.
const PROMPT: &str = "prompt ";

/// What the files of an app ask for.
pub(crate) fn wishes(tree: &Path) -> Vec<Wish> {
    WISHES
        .iter()
        .filter_map(|name| {
            Some((
                (*name).to_owned(),
                fs::read_to_string(tree.join(name)).ok()?,
            ))
        })
        .collect()
}

/// What a session was asked up to and including the step `last`: by its arm's files, and by the prompts, in the words in
/// which its turns say that they were given.
pub(crate) fn given(arm: &Arm, turns: &[TurnRow], last: &str) -> Vec<Wish> {
    let files = arm
        .files
        .iter()
        .map(|file| (file.path.clone(), file.text.clone()));
    let words = |step: &str| {
        let mut turns = turns.iter().rev();
        turns
            .find(|turn| turn.step == step && turn.state == "done")?
            .prompt
            .clone()
    };
    let prompts = arm
        .prompts
        .iter()
        .filter(|prompt| prompt.id.as_str() <= last);
    let prompts = prompts.map(|prompt| {
        let text = words(&prompt.id).unwrap_or_else(|| prompt.text.clone());
        (format!("{PROMPT}{}", prompt.id), text)
    });
    files.chain(prompts).collect()
}

/// Puts everything together. `steps` are the readings so far, the last one is the app as it is.
pub(crate) fn told(steps: Vec<(String, Reading)>, wishes: &[Wish], lock: &Lock) -> Told {
    let mut earlier: Vec<(String, Vec<String>)> = Vec::new();
    let mut last = Reading::default();
    let mut strides = Vec::new();
    let several = steps.len() > 1;
    for (step, reading) in steps {
        if several {
            let turns = changes(&last.decisions, &reading.decisions);
            strides.push(Stride {
                step: step.clone(),
                changes: turns.iter().map(Turn::from).collect(),
                burden: reading.burden.clone(),
            });
        }
        let prints = reading.decisions.iter().map(Decision::fingerprint);
        earlier.push((step, prints.collect()));
        last = reading;
    }
    let decisions = last
        .decisions
        .into_iter()
        .map(|decision| {
            let print = decision.fingerprint();
            let came = earlier
                .iter()
                .rev()
                .take_while(|(_, prints)| prints.contains(&print))
                .last();
            let step = came.map(|(step, _)| step.clone()).unwrap_or_default();
            Decided {
                asked: asked(&decision, &step, wishes),
                step,
                reviewed: lock.review(&decision),
                in_force: InForce::Untested,
                tests: decision::find(&decision.decision)
                    .map(|entry| {
                        entry
                            .matter
                            .exploits
                            .iter()
                            .map(|id| (*id).to_owned())
                            .collect()
                    })
                    .unwrap_or_default(),
                decision,
            }
        })
        .collect();
    Told {
        decisions,
        unread: last.unread,
        burden: last.burden,
        files: last.files,
        lines: last.lines,
        steps: strides,
    }
}

/// The first sentence that asks for a matter. What was there before its prompt came was not asked for; what is still absent after
/// it was.
fn asked(decision: &Decision, step: &str, wishes: &[Wish]) -> Option<Asked> {
    let words = decision::find(&decision.decision)?.matter.words;
    let is_in_time = |by: &str| {
        let prompt = by.strip_prefix(PROMPT);
        step.is_empty() || decision.origin == Origin::Absent || prompt.is_none_or(|id| id <= step)
    };
    for (by, text) in wishes.iter().filter(|(by, _)| is_in_time(by)) {
        for sentence in sentences(text) {
            let lower = sentence.to_lowercase();
            if words.iter().any(|word| lower.contains(word)) {
                return Some(Asked {
                    by: by.clone(),
                    words: sentence.to_owned(),
                });
            }
        }
    }
    None
}

/// Lines, and in lines the sentences.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split(". "))
        .map(|one| one.trim().trim_start_matches(['-', '*', '#', ' ']))
        .filter(|one| !one.is_empty())
}

/// The file of reviews.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lock {
    version: u32,
    #[serde(default, rename = "review")]
    reviews: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// What was reviewed, whole: a decision that reads otherwise is another.
    decision: String,
    reason: String,
    by: String,
    date: String,
}

impl Default for Lock {
    fn default() -> Self {
        Self {
            version: 1,
            reviews: Vec::new(),
        }
    }
}

impl Lock {
    pub(crate) fn read(tree: &Path) -> Result<Self, Fatal> {
        let path = tree.join(LOCK);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                return Err(Fatal::usage(format!(
                    "cannot read {}: {error}",
                    path.display()
                )));
            }
        };
        let lock: Self = toml::from_str(&text)
            .map_err(|error| Fatal::usage(format!("{}: {error}", path.display())))?;
        if lock.version != 1 {
            return Err(Fatal::usage(format!(
                "{} has version {}; this tool reads version 1",
                path.display(),
                lock.version
            )));
        }
        Ok(lock)
    }

    fn review(&self, decision: &Decision) -> Option<Review> {
        let print = decision.fingerprint();
        let about = format!("{}: ", decision.decision);
        let exact = self.reviews.iter().find(|one| one.decision == print);
        let other = || {
            self.reviews
                .iter()
                .find(|one| one.decision.starts_with(&about))
        };
        let found = exact.or_else(other)?;
        Some(Review {
            by: found.by.clone(),
            date: found.date.clone(),
            reason: found.reason.clone(),
            holds: found.decision == print,
        })
    }

    /// Takes these decisions as reviewed, in the place of what was said of the same matters.
    pub(crate) fn accept(&mut self, decisions: &[&Decision], by: &str, date: &str, reason: &str) {
        for decision in decisions {
            let about = format!("{}: ", decision.decision);
            let current: Vec<String> = decisions
                .iter()
                .filter(|one| one.decision == decision.decision)
                .map(|one| one.fingerprint())
                .collect();
            self.reviews
                .retain(|one| !one.decision.starts_with(&about) || current.contains(&one.decision));
            let print = decision.fingerprint();
            self.reviews.retain(|one| one.decision != print);
            self.reviews.push(Entry {
                decision: print,
                reason: reason.to_owned(),
                by: by.to_owned(),
                date: date.to_owned(),
            });
        }
        self.reviews.sort_by(|a, b| a.decision.cmp(&b.decision));
    }

    pub(crate) fn write(&self, tree: &Path) -> Result<(), Fatal> {
        let path = tree.join(LOCK);
        let body = toml::to_string(self).map_err(|error| Fatal::failed(error.to_string()))?;
        let text = format!(
            "# Security decisions that somebody reviewed; `unrequested decisions --accept` writes it. Commit it.\n{body}"
        );
        fs::write(&path, text)
            .map_err(|error| Fatal::failed(format!("cannot write {}: {error}", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(file: &str) -> Reading {
        decision::read_files(&[("app.py".to_owned(), file.to_owned())])
    }

    const BCRYPT: &str =
        "import bcrypt\n\ndef keep(p):\n    return bcrypt.hashpw(p, bcrypt.gensalt(12))\n";

    #[test]
    fn a_decision_knows_the_step_it_came_with_and_who_asked() {
        let steps = vec![
            ("1-auth".to_owned(), reading(BCRYPT)),
            ("2-uploads".to_owned(), reading(&BCRYPT.replace("12", "10"))),
            ("3-search".to_owned(), reading(&BCRYPT.replace("12", "10"))),
        ];
        let wishes = [(
            "CLAUDE.md".to_owned(),
            "Be nice.\n- Use bcrypt. Tests too.".to_owned(),
        )];
        let told = told(steps, &wishes, &Lock::default());
        let hash = told
            .decisions
            .iter()
            .find(|one| one.decision.decision == "password-hash");
        let hash = hash.unwrap();
        assert_eq!(hash.step, "2-uploads");
        assert_eq!(hash.asked.as_ref().unwrap().words, "Use bcrypt");
        assert!(hash.reviewed.is_none());
    }

    #[test]
    fn what_was_there_before_a_prompt_was_not_asked_for_by_it() {
        const LOGIN: &str = "from fastapi import FastAPI\n\napp = FastAPI()\n\n@app.post(\"/login\")\n\
                             def login(email: str, password: str):\n    return {}\n";
        let by = |prompt: &str, code: &str, id: &str| {
            let steps = ["1-auth", "2-uploads", "3-search"];
            let steps = steps.map(|step| (step.to_owned(), reading(code)));
            let words = "Use bcrypt, and rate limiting for sign-in.".to_owned();
            let told = told(
                steps.to_vec(),
                &[(format!("{PROMPT}{prompt}"), words)],
                &Lock::default(),
            );
            let of = |one: &&Decided| one.decision.decision == id;
            let found = told.decisions.iter().find(of).unwrap();
            assert_eq!(found.step, "1-auth");
            found.asked.is_some()
        };
        assert!(by("1-auth", BCRYPT, "password-hash"));
        assert!(!by("3-search", BCRYPT, "password-hash"));
        // What was asked for in the end and is still not there was asked for.
        assert!(by("3-search", LOGIN, "login-throttling"));
    }

    #[test]
    fn a_review_holds_until_the_decision_changes() {
        let folder = tempfile::tempdir().unwrap();
        let before = reading(BCRYPT);
        let mut lock = Lock::read(folder.path()).unwrap();
        let all: Vec<&Decision> = before.decisions.iter().collect();
        lock.accept(&all, "ann", "2026-11-25", "fast enough");
        lock.write(folder.path()).unwrap();
        let lock = Lock::read(folder.path()).unwrap();
        let holds = |file: &str| {
            let told = told(vec![(String::new(), reading(file))], &[], &lock);
            let of = |one: &&Decided| one.decision.decision == "password-hash";
            let found = told.decisions.iter().find(of).unwrap();
            found.reviewed.clone().unwrap().holds
        };
        assert!(holds(BCRYPT));
        assert!(holds(&format!("\n\n{BCRYPT}")), "a place is no change");
        assert!(!holds(&BCRYPT.replace("12", "10")));
        std::fs::write(folder.path().join(LOCK), "version = 2\n").unwrap();
        assert!(
            Lock::read(folder.path())
                .unwrap_err()
                .why
                .contains("version 2")
        );
        std::fs::write(folder.path().join(LOCK), "version = 1\nx = 1\n").unwrap();
        assert!(
            Lock::read(folder.path())
                .unwrap_err()
                .why
                .contains("unknown field")
        );
    }
}
