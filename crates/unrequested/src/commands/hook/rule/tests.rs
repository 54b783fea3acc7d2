//! The rule against apps whose holes are known: the samples' tables and the controls, none of which was written for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use agent::recorded;
use model::calibration::{Expected, Kind};
use report::remedy::NOT_FOR_AGENTS;

use super::*;
use crate::calibrate::control::shipped;
use crate::commands::hook::words;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Findings without a doubt.
fn sure(files: &BTreeMap<String, String>) -> Vec<Finding> {
    let files: Vec<(String, String)> = files.clone().into_iter().collect();
    of(decision::read_files_placed(&files))
}

fn of(placed: Placed) -> Vec<Finding> {
    let mut found = findings(placed, &Lock::default(), &Baseline::default(), "2026-11-26");
    found.retain(|one| one.doubt.is_none());
    found
}

/// What the exploits find, by what was written down before they were run; and what they cannot decide yet, though it is there.
fn table(path: &Path, name: Option<&str>) -> Vec<String> {
    let table: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
    let table = name.map_or(Some(&table), |name| table.get(name)?.as_table());
    let list = |key: &str| table.and_then(|table| table.get(key)?.as_array());
    let lists = [list("exploited"), list("holes")];
    let ids = lists.into_iter().flatten().flatten();
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// Names of the findings that none of their tests agrees with.
fn false_alarms(app: &str, found: &[Finding], is: impl Fn(&str) -> bool) -> Vec<String> {
    let wrong = found
        .iter()
        .filter(|one| !one.tests.iter().any(|id| is(id)));
    wrong.map(|one| format!("{app}: {}", one.name())).collect()
}

#[test]
fn on_every_sample_the_exploits_agree_with_each_finding() {
    let mut wrong = Vec::new();
    let mut right = BTreeMap::new();
    for sample in recorded::all() {
        let (framework, name) = sample.split_once('/').unwrap();
        let exploited = table(
            &Path::new(ROOT).join(format!("recordings/{framework}/expected.toml")),
            Some(name),
        );
        let found = sure(&recorded::texts(framework, name, 6).unwrap());
        wrong.extend(false_alarms(&sample, &found, |id| {
            exploited.iter().any(|one| one == id)
        }));
        right.insert(
            sample,
            found
                .iter()
                .map(|one| one.remedy.id)
                .collect::<BTreeSet<_>>(),
        );
    }
    for entry in fs::read_dir(Path::new(ROOT).join("samples"))
        .unwrap()
        .flatten()
    {
        let path = entry.path().join("expected.toml");
        if path.is_file() {
            let exploited = table(&path, None);
            let found = of(decision::read_placed(&entry.path()));
            let name = path.display().to_string();
            wrong.extend(false_alarms(&name, &found, |id| {
                exploited.iter().any(|one| one == id)
            }));
            right.insert(name, found.iter().map(|one| one.remedy.id).collect());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (sample, found) in &right {
        assert!(
            !sample.ends_with("/hardened") || found.is_empty(),
            "{sample}: {found:?}"
        );
    }
    let literal = [
        "login-throttling",
        "password-hash",
        "password-policy",
        "production-surface",
        "required-secrets",
        "security-headers",
    ];
    assert_eq!(right["fastapi/literal"], BTreeSet::from(literal));
    let together: usize = right.values().map(BTreeSet::len).sum();
    assert!(together >= 50, "{together} findings on all samples");
}

/// Changes of the hardened samples, each with the exploits it trips; most by somebody who had not seen any reader.
#[test]
fn on_every_control_the_exploits_agree_with_each_finding() {
    let (mut wrong, mut right, mut read) = (Vec::new(), 0, 0);
    for framework in ["fastapi", "nextjs"] {
        let hardened = recorded::texts(framework, "hardened", 6).unwrap();
        // In a blind spot is a hole that no exploit sees: what a reader says of it is not judged here.
        let all = shipped(framework).unwrap().into_iter();
        for control in all.filter(|control| control.kind != Kind::BlindSpot) {
            let mut tree = hardened.clone();
            control.apply_to(&mut tree).unwrap();
            let found = sure(&tree);
            let name = format!("{framework} {}", control.id);
            let alarms = false_alarms(&name, &found, |id| {
                control.expected(id) != Expected::Resisted
            });
            right += found.len() - alarms.len();
            wrong.extend(alarms);
            read += 1;
        }
    }
    assert!(wrong.is_empty(), "{read} read, {right} right: {wrong:#?}");
    assert!(read > 400 && right >= 15, "{read} read, {right} right");
}

#[test]
fn what_an_agent_is_told_holds_no_word_of_an_attack() {
    for sample in recorded::all() {
        let (framework, name) = sample.split_once('/').unwrap();
        let found = sure(&recorded::texts(framework, name, 6).unwrap());
        let text = words::block(&found, &[], "unrequested")
            .to_string()
            .to_lowercase();
        for word in NOT_FOR_AGENTS {
            assert!(!text.contains(word), "{sample}: {word}: {text}");
        }
    }
    // Also what no sample has.
    for matter in &MATTERS {
        let remedy = remedy::find(matter.remedy).unwrap();
        let entry = decision::find(matter.id).unwrap();
        assert!(
            remedy
                .exploits
                .iter()
                .any(|id| entry.matter.exploits.contains(id)),
            "{}",
            matter.id
        );
        let text = format!("{} {} {}", matter.id, entry.matter.title, remedy.wanted).to_lowercase();
        for word in NOT_FOR_AGENTS {
            assert!(!text.contains(word), "{}: {word}", matter.id);
        }
    }
}
