//! The whole path on real apps: every sample is judged as was written down beforehand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recordings");
const STUDY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../study");

#[test]
fn the_samples_are_judged_as_was_written_down() {
    let dir =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("samples-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    // The default study has the two frameworks of the seed; here are the others.
    let text = fs::read_to_string(format!("{STUDY}/frameworks.toml")).unwrap();
    let all = r#"["fastapi", "flask", "express", "nextjs", "axum"]"#;
    assert!(text.contains(all));
    let text = text.replace(all, r#"["flask", "express", "axum"]"#);
    let study = dir.join("others.toml");
    fs::write(&study, text).unwrap();
    // Each with a ledger of its own, so that they can go side by side.
    let mut judged = std::thread::scope(|scope| {
        let others = scope.spawn(|| judged(&dir.join("others"), &[study.to_str().unwrap()]));
        let of_arms = scope.spawn(|| {
            let dir = dir.join("arms");
            let names = judged(&dir, &[format!("{STUDY}/arms.toml").as_str()]);
            arms(&dir);
            names
        });
        let dir = dir.join("default");
        let mut names = judged(&dir, &[]);
        compared(&dir);
        names.extend(others.join().unwrap());
        names.extend(of_arms.join().unwrap());
        names
    });
    let mut samples = agent::recorded::all();
    let arms = samples.iter().flat_map(|sample| {
        let (framework, name) = sample.split_once('/').unwrap();
        let arms = agent::recorded::arms(framework, name).into_iter().skip(1);
        arms.map(move |arm| format!("{sample}/{arm}"))
    });
    let arms: Vec<String> = arms.collect();
    samples.extend(arms);
    samples.retain(|sample| !judged.remove(sample));
    assert_eq!(samples, Vec::<String>::new(), "never judged");
    fs::remove_dir_all(&dir).unwrap();
}

/// Runs a study; each sample in it must be judged as was written down.
fn judged(dir: &Path, study: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
        .arg("--dir")
        .arg(dir)
        .args(["--quiet", "bench", "--format", "json"])
        .args(study)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let run: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["complete"], true);
    let schema = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/run.schema.json"
    ))
    .unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let mut wrong = Vec::new();
    fits(&run, &schema, &schema, "run", &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut names = BTreeSet::new();
    for session in run["sessions"].as_array().unwrap() {
        let agent = session["agent"].as_str().unwrap();
        let framework = session["framework"].as_str().unwrap();
        let expected: BTreeMap<String, &str> = match agent.strip_prefix("recorded:") {
            None => BTreeMap::new(),
            Some(name) => {
                let arm = session["arm"].as_str().unwrap();
                let name = if arm == agent::SILENT {
                    name.to_owned()
                } else {
                    format!("{name}/{arm}")
                };
                names.insert(format!("{framework}/{name}"));
                expected(&table(framework), &name)
            }
        };
        let verdicts = session["verdicts"].as_array().unwrap();
        assert_eq!(verdicts.len(), 33, "{agent}");
        for verdict in verdicts {
            let id = verdict["exploit"].as_str().unwrap();
            let wanted = expected.get(id).copied().unwrap_or("resisted");
            if verdict["verdict"] != wanted {
                wrong.push(format!(
                    "{framework} {agent} {id}: wanted {wanted}, got {}: {}",
                    verdict["verdict"], verdict["reason"]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    names
}

/// `compare` of what was just judged.
fn compared(dir: &Path) {
    let compare = |args: &[&str], code: i32| -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
            .arg("--dir")
            .arg(dir)
            .arg("compare")
            .args(args)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let text = compare(&["@literal", "@hardened"], 0);
    assert!(text.contains("login-rate-limit 0 of 2 2 of 2"), "{text}");
    assert!(text.contains("these sessions cannot show"), "{text}");
    let text = compare(&["--published", "2026-04"], 0);
    assert!(
        text.contains("theirs: claude-code 2.1.88, fastapi"),
        "{text}"
    );
    assert!(
        text.contains("login-rate-limit theirs 0 of 12 ours 2 of 8"),
        "{text}"
    );
    let text = compare(&["@literal", "@hardend"], 2);
    assert!(text.contains("hardened"), "{text}");
    let text = compare(&["@literal", "@hardened", "@literal"], 2);
    assert!(text.contains("two selections"), "{text}");
    // One session in each cell.
    let text = compare(&[], 0);
    assert!(
        text.contains("framework x agent") && text.contains("no test"),
        "{text}"
    );
    let text = compare(&["@literal"], 0);
    assert!(
        text.contains("2 sessions") && !text.contains(" agent "),
        "{text}"
    );
    let text = compare(&["--published", "2026-05"], 2);
    assert!(text.contains("2026-04"), "{text}");
}

/// What is said of the study of arms.
fn arms(dir: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
        .arg("--dir")
        .arg(dir)
        .arg("report")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "ARMS: resisted or present",
        "sile expl chec plac sile expl chec plac",
        "ASKED FOR BY NUMBER: explicit",
        "weaker, limit per address, limit 20, window s 60",
        "bcrypt with 12 rounds 2 0 0 0 0",
        "CSP, HSTS, X-Frame-Options, nosniff 0 0 2 0 0",
    ] {
        assert!(words.contains(said), "`{said}` is missing in:\n{text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

fn table(framework: &str) -> toml::Table {
    fs::read_to_string(format!("{RECORDINGS}/{framework}/expected.toml"))
        .unwrap()
        .parse()
        .unwrap()
}

fn expected(table: &toml::Table, name: &str) -> BTreeMap<String, &'static str> {
    let sample = table[name].as_table().unwrap();
    let mut expected = BTreeMap::new();
    for (word, key) in [
        ("exploited", "exploited"),
        ("not-applicable", "not-applicable"),
    ] {
        for id in sample
            .get(key)
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
        {
            let id = id.as_str().unwrap().to_owned();
            assert!(
                exploit::find(&id).is_some(),
                "expected.toml: {id} is no exploit"
            );
            expected.insert(id, word);
        }
    }
    expected
}

/// As much of JSON Schema as `docs/run.schema.json` uses.
fn fits(
    value: &serde_json::Value,
    schema: &serde_json::Value,
    root: &serde_json::Value,
    at: &str,
    wrong: &mut Vec<String>,
) {
    if let Some(name) = schema.get("$ref").and_then(serde_json::Value::as_str) {
        let target = root.pointer(name.trim_start_matches('#')).unwrap();
        return fits(value, target, root, at, wrong);
    }
    if let Some(wanted) = schema.get("const").filter(|wanted| *wanted != value) {
        wrong.push(format!("{at}: {value} is not {wanted}"));
    }
    if let Some(list) = schema
        .get("enum")
        .and_then(serde_json::Value::as_array)
        .filter(|list| !list.contains(value))
    {
        wrong.push(format!("{at}: {value} is none of {list:?}"));
    }
    let kind = match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "boolean",
        serde_json::Value::Number(_) => "integer",
        serde_json::Value::String(_) => "string",
        serde_json::Value::Array(_) => "array",
        serde_json::Value::Object(_) => "object",
    };
    let types: Vec<&str> = match schema.get("type") {
        Some(serde_json::Value::Array(list)) => {
            list.iter().filter_map(serde_json::Value::as_str).collect()
        }
        Some(one) => one.as_str().into_iter().collect(),
        None => vec![kind],
    };
    if !types.contains(&kind) {
        wrong.push(format!("{at}: {kind} is none of {types:?}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(items) = schema.get("items") {
            fits(item, items, root, &format!("{at}/{index}"), wrong);
        }
    }
    if let (Some(object), Some(properties)) = (value.as_object(), schema.get("properties")) {
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(serde_json::Value::as_str)
        {
            if !object.contains_key(name) {
                wrong.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, inner) in object {
            match properties.get(name) {
                Some(schema) => fits(inner, schema, root, &format!("{at}/{name}"), wrong),
                None => wrong.push(format!("{at}: {name} is not in the schema")),
            }
        }
    }
}
