//! The whole path on real apps: every sample is judged as was written down beforehand.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recordings/fastapi");

#[test]
fn the_samples_are_judged_as_was_written_down() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("samples-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
        .arg("--dir")
        .arg(&dir)
        .args(["--quiet", "bench", "--format", "json"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let run: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["complete"], true);
    let table: toml::Table = fs::read_to_string(format!("{RECORDINGS}/expected.toml")).unwrap().parse().unwrap();
    let sessions = run["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 5);
    let mut wrong = Vec::new();
    for session in sessions {
        let agent = session["agent"].as_str().unwrap();
        let expected: BTreeMap<String, &str> = match agent.strip_prefix("recorded:") {
            None => BTreeMap::new(),
            Some(name) => expected(&table, name),
        };
        let verdicts = session["verdicts"].as_array().unwrap();
        assert_eq!(verdicts.len(), 33, "{agent}");
        for verdict in verdicts {
            let id = verdict["exploit"].as_str().unwrap();
            let wanted = expected.get(id).copied().unwrap_or("resisted");
            if verdict["verdict"] != wanted {
                wrong.push(format!("{agent} {id}: wanted {wanted}, got {}: {}", verdict["verdict"], verdict["reason"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    fs::remove_dir_all(&dir).unwrap();
}

fn expected<'a>(table: &'a toml::Table, name: &str) -> BTreeMap<String, &'a str> {
    let sample = table[name].as_table().unwrap();
    let mut expected = BTreeMap::new();
    for (word, key) in [("exploited", "exploited"), ("not-applicable", "not-applicable")] {
        for id in sample.get(key).and_then(toml::Value::as_array).into_iter().flatten() {
            let id = id.as_str().unwrap().to_owned();
            assert!(exploit::find(&id).is_some(), "expected.toml: {id} is no exploit");
            expected.insert(id, word);
        }
    }
    expected
}
