//! Every step of every sample boots, offers what its prompt asked for, and nothing of the later ones.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../../exploit/tests/support/side_by_side.rs"]
mod side_by_side;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use side_by_side::side_by_side;

/// For each feature an exploit that every sample resists, and the step that brings the feature.
const FEATURES: [(&str, usize); 5] = [
    ("missing-token", 1),
    ("file-read-other-user", 2),
    ("note-read-other-user", 3),
    ("admin-list-as-user", 4),
    ("webhook-replay", 5),
];

#[test]
fn every_step_offers_what_its_prompt_asked_for() {
    let dir =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("steps-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    let wrong = side_by_side(&jobs(), 3, |(framework, name, step)| {
        offered(&dir, framework, name, *step)
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    fs::remove_dir_all(&dir).unwrap();
}

/// What of the features is there too early or not at all.
fn offered(dir: &Path, framework: &str, name: &str, step: usize) -> Vec<String> {
    let tree = dir.join(format!("{framework}-{name}-{step}"));
    fs::create_dir_all(&tree).unwrap();
    agent::recorded::write(framework, name, step, &tree).unwrap();
    let only = FEATURES.map(|(id, _)| id).join(",");
    let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
        .arg("--dir")
        .arg(dir.join(format!("{framework}-{name}-{step}-ledger")))
        .args(["--quiet", "check", "--format", "json", "--only", &only])
        .arg(&tree)
        .output()
        .unwrap();
    let run: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let verdicts = run["sessions"][0]["verdicts"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut wrong = Vec::new();
    for (id, since) in FEATURES {
        let wanted = if step >= since {
            "resisted"
        } else {
            "not-applicable"
        };
        let verdict = verdicts.iter().find(|verdict| verdict["exploit"] == id);
        if verdict.is_none_or(|verdict| verdict["verdict"] != wanted) {
            wrong.push(format!(
                "{framework} {name}, step {step}, {id}: wanted {wanted}, got {verdict:?}\n{}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    wrong
}

/// All steps, but of a sample that has to be built one a day, each in its turn: Next.js and axum would take ten minutes.
/// `EVERY_STEP=1` in the environment tries them all.
fn jobs() -> Vec<(&'static str, String, usize)> {
    let every = std::env::var_os("EVERY_STEP").is_some();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let day = usize::try_from(now.as_secs() / 86_400).unwrap();
    let mut jobs = Vec::new();
    for framework in app::framework::ALL {
        let names = agent::recorded::names(framework.id)
            .into_iter()
            .filter(|name| !agent::recorded::steps(framework.id, name).is_empty());
        for (index, name) in names.enumerate() {
            let one = (day + index) % 5 + 1;
            for step in 1..=5 {
                if every || framework.build.is_none() || step == one {
                    jobs.push((framework.id, name.clone(), step));
                }
            }
        }
    }
    assert!(!jobs.is_empty());
    jobs
}
