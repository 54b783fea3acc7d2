//! Sessions as ATIF v1.7, validated with the public `atif` package, which `.ci/run` installs into `target/atif`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use agent::atif::{About, Part, trajectory};
use agent::{Call, CallResult, Ending, Entry, Prices, Role, Settled, Transcript, Usage, settle};
use serde_json::{Value, json};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/atif");

/// Each line of stdin is one document; one line of an answer for each.
const VALIDATE: &str = "
import json, sys
from atif import Trajectory
for line in sys.stdin:
    try:
        found = Trajectory.model_validate(json.loads(line))
        print('ok', len(found.steps))
    except Exception as error:
        print('no', str(error).replace(chr(10), ' '))
";

/// What the package says of each document; `None` where it is not installed.
fn validate(documents: &[Value]) -> Option<Vec<String>> {
    if !Path::new(PACKAGE).join("atif").is_dir() {
        let _ = std::io::stderr().write_all(
            b"NOT RUN: no package atif; python3 -m pip install --target target/atif atif==1.7.0\n",
        );
        return None;
    }
    let mut python = Command::new("python3")
        .args(["-c", VALIDATE])
        .env("PYTHONPATH", PACKAGE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = documents.iter().map(|one| format!("{one}\n")).collect();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let output = python.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), documents.len(), "{text}");
    Some(answers)
}

fn settled(transcript: &Transcript) -> Settled {
    settle(
        transcript,
        None,
        None,
        "gpt-5.4",
        &Prices::shipped().unwrap(),
    )
}

fn of(transcripts: &[Transcript]) -> Value {
    let settled: Vec<Settled> = transcripts.iter().map(settled).collect();
    let parts: Vec<Part<'_>> = transcripts
        .iter()
        .zip(&settled)
        .map(|(transcript, settled)| Part {
            transcript,
            settled,
            ending: Ending::Finished,
        })
        .collect();
    let about = About {
        session: "fastapi/codex/silent/1",
        agent: "codex",
        version: "0.116.0",
        model: "gpt-5.4",
    };
    trajectory(&about, &parts, &Prices::shipped().unwrap())
}

fn agent_entry(calls: Vec<Call>) -> Entry {
    let mut entry = Entry::new(Role::Agent);
    entry.text = "done".into();
    entry.calls = calls;
    entry
}

fn call(id: &str, arguments: Value, result: Option<&str>) -> Call {
    Call {
        id: id.into(),
        tool: "exec".into(),
        arguments,
        result: result.map(|text| CallResult {
            text: text.into(),
            failed: text == "failed",
        }),
    }
}

/// Everything that a recorded or a hostile transcript brings.
fn documents() -> Vec<Value> {
    let mut all = Vec::new();
    for id in ["claude-code", "codex"] {
        let cli = agent::find(id).unwrap();
        let mut names: Vec<_> = fs::read_dir(Path::new(SAMPLES).join(id))
            .unwrap()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
            .collect();
        names.sort();
        let transcripts: Vec<Transcript> = names
            .iter()
            .map(|path| {
                let mut read = (cli.read)(&String::from_utf8_lossy(&fs::read(path).unwrap()));
                read.step = path.file_stem().unwrap().to_string_lossy().into_owned();
                read
            })
            .collect();
        assert!(transcripts.len() > 5, "{id}");
        all.extend(transcripts.iter().map(|one| of(std::slice::from_ref(one))));
        all.push(of(&transcripts));
    }
    let mut hostile = Transcript {
        step: "1-auth".into(),
        unknown: 3,
        ..Transcript::default()
    };
    let mut first = agent_entry(vec![
        call("a", json!("*** Begin Patch"), Some("failed")),
        call("a", json!([1]), Some("twice")),
        call("", json!(null), None),
        call("", json!({"cmd": "ls"}), Some("\u{0}\u{1b}[31m\u{fffd}")),
    ]);
    first.at = Some("not a time".into());
    first.reasoning = "because".into();
    first.usage = Some(Usage {
        input: u64::MAX,
        output: u64::MAX,
        cache_read: 1,
        ..Usage::default()
    });
    let mut warning = Entry::new(Role::Program);
    warning.calls = vec![call("w", json!({}), Some("x"))];
    warning.usage = Some(Usage::default());
    warning.at = Some("2026-11-23T10:00:00.123456789+01:00".into());
    hostile.entries = vec![Entry::new(Role::User), first, warning];
    all.push(of(&[hostile]));
    all.push(of(&[]));
    all
}

#[test]
fn every_recorded_and_every_hostile_transcript_is_valid() {
    let documents = documents();
    let Some(answers) = validate(&documents) else {
        return;
    };
    for (answer, document) in answers.iter().zip(&documents) {
        let steps = document["steps"].as_array().unwrap().len();
        assert_eq!(*answer, format!("ok {steps}"), "{document:#}");
    }
}

#[test]
fn the_validator_would_have_seen_faults() {
    let good = of(&[Transcript {
        entries: vec![agent_entry(vec![call("a", json!({}), Some("x"))])],
        ..Transcript::default()
    }]);
    let mut bad = Vec::new();
    for (at, value) in [
        ("/steps/0/step_id", json!(2)),
        ("/steps/0/source", json!("model")),
        ("/steps/0/observation/results/0/source_call_id", json!("b")),
        ("/steps/0/tool_calls/0/arguments", json!("text")),
        ("/agent/name", json!(null)),
    ] {
        let mut one = good.clone();
        *one.pointer_mut(at).unwrap() = value;
        bad.push(one);
    }
    let Some(answers) = validate(&bad) else {
        return;
    };
    for answer in answers {
        assert!(answer.starts_with("no"), "{answer}");
    }
}

#[test]
fn tokens_are_all_that_was_read_and_costs_are_ours() {
    let mut entry = agent_entry(vec![]);
    let usage = Usage {
        input: 100,
        cache_read: 50,
        cache_write: 0,
        output: 10,
        reasoning: 4,
    };
    entry.usage = Some(usage);
    let transcript = Transcript {
        step: "1-auth".into(),
        usage: Some(usage),
        claimed_cost: Some(77.0),
        entries: vec![entry],
        ..Transcript::default()
    };
    let document = of(&[transcript]);
    // 100 x 2.5 + 50 x 0.25 + 10 x 15 millionths.
    let cost = 0.000_412_5;
    let metrics = &document["steps"][0]["metrics"];
    assert_eq!(metrics["prompt_tokens"], 150);
    assert_eq!(metrics["cached_tokens"], 50);
    assert_eq!(metrics["completion_tokens"], 10);
    assert_eq!(metrics["cost_usd"], cost);
    let total = &document["final_metrics"];
    assert_eq!(total["total_prompt_tokens"], 150);
    assert_eq!(total["total_cost_usd"], cost);
    assert!(!document.to_string().contains("77"));
}
