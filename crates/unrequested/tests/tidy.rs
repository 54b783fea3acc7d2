//! What documents say of the code, compared with the code.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Files that may be longer than 700 lines. This list may only shrink.
const LONG: [&str; 0] = [];

fn files(folder: &Path, ends: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, ends, found);
        } else if path.extension().is_some_and(|end| end == ends) {
            found.push(path);
        }
    }
}

#[test]
fn crates_use_only_what_the_architecture_says() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(ROOT)
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<&str> = packages
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        let uses = package["dependencies"].as_array().unwrap().iter();
        let uses = uses
            .filter(|one| one["kind"].is_null())
            .map(|one| one["name"].as_str().unwrap());
        edges.insert(
            package["name"].as_str().unwrap(),
            uses.filter(|name| names.contains(name)).collect(),
        );
    }
    let text = fs::read_to_string(format!("{ROOT}/ARCHITECTURE.md")).unwrap();
    for (name, uses) in edges {
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| `crates/{name}` |")));
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for {name}"));
        let may = row.split('|').nth(3).unwrap().trim();
        let allowed: BTreeSet<&str> = may.split_whitespace().collect();
        assert!(
            may == "all" || uses == allowed,
            "{name} uses {uses:?}, ARCHITECTURE.md says {allowed:?}"
        );
    }
}

#[test]
fn no_file_is_over_700_lines() {
    let mut sources = Vec::new();
    files(&Path::new(ROOT).join("crates"), "rs", &mut sources);
    assert!(sources.len() > 50);
    for path in sources {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let name = path
            .strip_prefix(ROOT)
            .unwrap_or(&path)
            .display()
            .to_string();
        assert!(
            lines <= 700 || LONG.contains(&name.as_str()),
            "{name} has {lines} lines: split it by meaning"
        );
    }
}

#[test]
fn there_are_33_exploits_numbered_in_order_each_with_a_whole_page() {
    assert_eq!(exploit::Entry::study().len(), 33);
    let all = exploit::all();
    for (index, entry) in all.iter().enumerate() {
        assert_eq!(usize::from(entry.exploit.number), index + 1, "{}", entry.id);
        assert!(
            !entry.exploit.cwe.is_empty() && !entry.exploit.asvs.is_empty(),
            "{}",
            entry.id
        );
        for id in entry.exploit.asvs {
            let parts: Vec<&str> = id.trim_start_matches('V').split('.').collect();
            assert!(
                id.starts_with('V')
                    && parts.len() == 3
                    && parts.iter().all(|part| part.parse::<u8>().is_ok()),
                "{id}"
            );
        }
        for heading in ["## What it does", "## Does not cover"] {
            assert!(entry.page.contains(heading), "{}: no {heading}", entry.id);
        }
    }
}

/// But for lists of modules, and for what only tests and fuzz targets use.
#[test]
fn every_file_that_decides_has_been_changed_one_operator_at_a_time() {
    let mut sources = Vec::new();
    for folder in ["crates/exploit/src", "crates/model/src"] {
        files(&Path::new(ROOT).join(folder), "rs", &mut sources);
    }
    let names = sources.iter().map(|path| path.strip_prefix(ROOT).unwrap());
    let names = names.map(|path| path.to_str().unwrap().to_owned());
    let decides = |name: &String| {
        let beside = ["/tests/", "/fuzz/", "/tests.rs", "/lib.rs"];
        !beside.iter().any(|part| name.contains(part))
    };
    let text = fs::read_to_string(format!("{ROOT}/docs/mutants.txt")).unwrap();
    let heads = text.lines().filter_map(|line| line.strip_prefix("== "));
    let heads = heads.map(|line| line.split(' ').next().unwrap().to_owned());
    assert_eq!(
        names.filter(decides).collect::<BTreeSet<_>>(),
        heads.collect::<BTreeSet<_>>()
    );
}

#[test]
fn every_control_that_a_prompt_names_is_an_exploit() {
    let prompts = agent::prompts().unwrap();
    let named: Vec<String> = prompts
        .into_iter()
        .flat_map(|prompt| prompt.controls)
        .collect();
    assert_eq!(named.len(), 25);
    for id in &named {
        assert!(exploit::find(id).is_some(), "{id}");
    }
    assert_eq!(
        named.iter().collect::<BTreeSet<_>>().len(),
        25,
        "a control is named twice"
    );
}

#[test]
fn what_an_arm_names_is_there() {
    for id in agent::Arm::ids() {
        let arm = agent::Arm::find(&id).unwrap();
        let prompts = arm.prompts.iter().flat_map(|prompt| &prompt.controls);
        for named in prompts.chain(&arm.controls) {
            assert!(exploit::find(named).is_some(), "{id}: {named}");
        }
        for wanted in &arm.wanted {
            let matter = decision::find(&wanted.decision);
            assert!(matter.is_some(), "{id}: {}", wanted.decision);
            let mut steps = arm.prompts.iter();
            assert!(
                steps.any(|prompt| prompt.id == wanted.step),
                "{id}: {wanted:?}"
            );
        }
        let Some(feedback) = arm.feedback else {
            continue;
        };
        for held in &feedback.held_back {
            assert!(exploit::find(held).is_some(), "{id}: {held}");
        }
        // A finding is told whole or not at all.
        for remedy in report::remedy::all() {
            let held = remedy.exploits.iter();
            let held = held.filter(|one| feedback.held_back.iter().any(|id| id == *one));
            let held = held.count();
            assert!(
                held == 0 || held == remedy.exploits.len(),
                "{id}: {}",
                remedy.id
            );
        }
    }
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut documents = vec![];
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        documents.push(Path::new(ROOT).join(name));
    }
    files(&Path::new(ROOT).join("docs"), "md", &mut documents);
    let mut seen = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for word in text.split(['`', '(', ')', ' ', '\n', ',']) {
            let word = word.trim_end_matches(['.', ':', ';']);
            let ours = ["crates/", "docs/", "study/", "recordings/", ".ci/"]
                .iter()
                .any(|start| word.starts_with(start));
            if ours && !word.contains(['<', '*', '{']) && !word.ends_with("/NNN") {
                let whole = Path::new(ROOT).join(word);
                let starts = fs::read_dir(whole.parent().unwrap()).is_ok_and(|list| {
                    list.flatten().any(|one| {
                        one.path()
                            .display()
                            .to_string()
                            .starts_with(&whole.display().to_string())
                    })
                });
                assert!(
                    whole.exists() || starts,
                    "{} names {word}",
                    document.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 10);
}
