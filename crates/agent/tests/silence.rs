//! What reaches a silent agent says nothing that would make it think of security.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::path::{Path, PathBuf};

use agent::{Arm, SILENT};
use serde::Deserialize;

const STUDY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../study");

const LOCKS: [&str; 5] = [
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "uv.lock",
    "Cargo.lock",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Silence {
    version: u32,
    forbidden: Vec<String>,
    secret: Vec<String>,
}

fn silence() -> Silence {
    let silence: Silence =
        toml::from_str(&fs::read_to_string(format!("{STUDY}/silence.toml")).unwrap()).unwrap();
    assert_eq!(silence.version, 1);
    silence
}

/// Hyphen, space, underscore or nothing between the parts: all alike.
fn folded(text: &str) -> String {
    text.to_lowercase()
        .chars()
        .filter(|c| !matches!(c, '-' | ' ' | '_' | '\n'))
        .collect()
}

fn said(text: &str) -> Vec<String> {
    let silence = silence();
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || "`,.;:()".contains(c))
        .collect();
    // A variable's whole name only: `MY_JWT_SECRET_2` is another.
    let words: Vec<&str> = words
        .into_iter()
        .filter(|word| !silence.secret.iter().any(|name| name == word))
        .collect();
    let mut found: Vec<String> = Vec::new();
    for forbidden in silence
        .forbidden
        .iter()
        .map(String::as_str)
        .chain(["secret"])
    {
        let wanted = folded(forbidden);
        let in_a_word = words.iter().any(|word| folded(word).contains(&wanted));
        // Two words are joined only for what is written with a hyphen, or ends of words would meet by chance.
        let over_two = forbidden.contains('-')
            && words
                .windows(2)
                .any(|two| folded(&two.concat()).contains(&wanted));
        if in_a_word || over_two {
            found.push(forbidden.to_owned());
        }
    }
    found
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            files(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

#[test]
fn the_prompts_are_silent() {
    let prompts = agent::prompts().unwrap();
    assert_eq!(prompts.len(), 6);
    for prompt in prompts {
        assert_eq!(said(&prompt.text), Vec::<String>::new(), "{}", prompt.id);
    }
}

#[test]
fn an_arm_is_silent_where_it_says_so_and_only_there() {
    let mut loud = 0;
    for id in Arm::ids() {
        let arm = Arm::find(&id).unwrap();
        let prompts = arm.prompts.iter().map(|prompt| prompt.text.as_str());
        let files = arm
            .files
            .iter()
            .flat_map(|file| [file.path.as_str(), file.text.as_str()]);
        let heard: Vec<String> = prompts.chain(files).flat_map(said).collect();
        // Feedback's words are those of the findings.
        let speaks = !heard.is_empty() || arm.feedback.is_some();
        assert_eq!(arm.silent, !speaks, "{id}: {heard:?}");
        loud += usize::from(speaks);
    }
    assert!(loud >= 4);
}

#[test]
fn the_silent_arm_adds_nothing() {
    let arm = Arm::find(SILENT).unwrap();
    assert!(arm.silent && arm.files.is_empty() && arm.controls.is_empty());
    assert_eq!(arm.prompts, agent::prompts().unwrap());
}

#[test]
fn the_starters_are_silent() {
    let mut all = Vec::new();
    files(Path::new(&format!("{STUDY}/starters")), &mut all);
    assert!(all.len() >= 5);
    for path in all {
        let name = path.strip_prefix(STUDY).unwrap().display().to_string();
        assert_eq!(said(&name), Vec::<String>::new(), "the name {name}");
        // What a lock file names is chosen by the direct dependencies, not by us.
        if LOCKS.iter().any(|lock| path.ends_with(lock)) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(said(&text), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_planted_word_is_heard() {
    for (text, word) in [
        ("add a rate limit", "rate-limit"),
        ("add a Rate-Limit", "rate-limit"),
        ("ratelimit.py", "rate-limit"),
        ("HASHED_password", "hash"),
        ("input validation", "valid"),
        ("a secret", "secret"),
        ("JWT_SECRET_SAUCE and another_secret", "secret"),
        ("be safe", "safe"),
    ] {
        assert!(
            said(text).contains(&word.to_owned()),
            "{text}: {:?}",
            said(text)
        );
    }
    assert!(
        said("reads `JWT_SECRET`, WEBHOOK_SECRET and an Authorization: Bearer token").is_empty()
    );
}
