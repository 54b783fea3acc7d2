//! Sessions of the real command lines, Claude Code and Codex, with a scripted model: what they leave is what the script has
//! them write, whatever happens on the way. `STUDY=1` plays the whole study: three of each.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use agent::{Usage, recorded};
use scripted::{Kind, Script, Server, Trouble};
use serde_json::Value;

const ONLY: &str = "missing-token,search-other-user,login-rate-limit";
const CANARY: &str = "sk-canary-5d2c81f0a7";

fn folder(name: &str) -> PathBuf {
    // Not below /tmp, which the box shows as the agent's own.
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("agents-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path.canonicalize().unwrap()
}

fn script(troubles: Vec<Trouble>) -> Script {
    Script {
        messages: "imports-first".into(),
        responses: "runtime-first".into(),
        chat: "runtime-first".into(),
        commands: Vec::new(),
        troubles,
        scenes: Vec::new(),
    }
}

fn trouble(step: usize, message: usize, times: u32, kind: Kind) -> Trouble {
    Trouble {
        step,
        message,
        times,
        kind,
    }
}

fn study(dir: &Path, agents: &str, frameworks: &str, replicates: u32) {
    study_in(dir, agents, frameworks, "silent", replicates);
}

fn study_in(dir: &Path, agents: &str, frameworks: &str, arm: &str, replicates: u32) {
    let text = format!(
        "version = 1\nagents = [{agents}]\nframeworks = [{frameworks}]\narms = [\"{arm}\"]\nreplicates = {replicates}\n\
         [budget]\npause_seconds = 1\nquiet_seconds = 120\n"
    );
    fs::write(dir.join("study.toml"), text).unwrap();
}

fn bench(dir: &Path, server: &Server) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unrequested"));
    command
        .arg("--dir")
        .arg(dir.join("runs-of-it"))
        .args(["bench", "--yes", "--format", "json", "--only", ONLY])
        .args(["--model-server", &format!("http://{}", server.address())])
        .arg(dir.join("study.toml"))
        // What a user has, and an agent must not see.
        .env("ANTHROPIC_API_KEY", CANARY)
        .env("OPENAI_API_KEY", CANARY)
        .env("HOME_OF_TESTS", CANARY);
    command
}

/// The run, and what was said on stderr.
fn done(mut command: Command, code: i32) -> (Value, String) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains(CANARY) && !said.contains(CANARY));
    (serde_json::from_str(&text).unwrap_or_default(), said)
}

struct Turn {
    session: String,
    step: String,
    state: String,
    ending: Option<String>,
    used: Option<Usage>,
}

fn turns(dir: &Path) -> Vec<Turn> {
    let ledger = rusqlite::Connection::open(dir.join("runs-of-it/ledger.db")).unwrap();
    let mut statement = ledger
        .prepare("SELECT session, step, state, ending, used FROM turn ORDER BY id")
        .unwrap();
    let rows = statement.query_map([], |row| {
        let used: Option<String> = row.get(4)?;
        Ok(Turn {
            session: row.get(0)?,
            step: row.get(1)?,
            state: row.get(2)?,
            ending: row.get(3)?,
            used: used.map(|text| serde_json::from_str(&text).unwrap()),
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// All files of a tree by their paths.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(root).unwrap().to_owned();
                found.insert(name.display().to_string(), fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

/// What a session left is the recording's last step, byte for byte.
fn is_the_recording(dir: &Path, session: &str, framework: &str, recording: &str) {
    let whole = dir.join(format!("wanted-{}", session.replace('/', "-")));
    recorded::write(framework, recording, 6, &whole).unwrap();
    let runs = fs::read_dir(dir.join("runs-of-it/runs")).unwrap().flatten();
    let name = session.replace(['/', ':'], "-");
    let left: Vec<PathBuf> = runs.map(|run| run.path().join(&name)).collect();
    let [left] = left.as_slice() else {
        panic!("one run, not {left:?}")
    };
    let (got, wanted) = (tree(left), tree(&whole));
    assert_eq!(
        got.keys().collect::<Vec<_>>(),
        wanted.keys().collect::<Vec<_>>(),
        "{session}"
    );
    for (path, bytes) in wanted {
        assert_eq!(got[&path], bytes, "{session} {path}");
    }
}

/// Nothing below the folder holds the key.
fn holds_no_canary(dir: &Path, server: &Server) {
    for (path, bytes) in tree(dir) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(CANARY), "{path}");
    }
    // The vendor gets it, in the one place where it wants it.
    for seen in server.seen() {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        assert!(!body.contains(CANARY) && !body.contains(agent::DUMMY_KEY));
        let headers = format!("{:?}", seen.headers);
        assert_eq!(headers.matches(CANARY).count(), 1, "{headers}");
        assert!(!headers.contains(agent::DUMMY_KEY), "{headers}");
    }
}

fn session<'a>(run: &'a Value, start: &str) -> &'a Value {
    let sessions = run["sessions"].as_array().unwrap().iter();
    let mut found = sessions.filter(|one| one["id"].as_str().unwrap().starts_with(start));
    found
        .next()
        .unwrap_or_else(|| panic!("no {start} in {run}"))
}

/// Verdicts as words, and decisions whole.
fn judged(session: &Value) -> (Vec<String>, Value) {
    let verdicts = session["verdicts"].as_array().unwrap().iter();
    let words = verdicts
        .map(|one| format!("{} {}", one["exploit"], one["verdict"]))
        .collect();
    (words, session["decisions"].clone())
}

#[test]
fn two_agents_play_two_recordings_on_two_frameworks() {
    let dir = folder("plays");
    let whole = std::env::var_os("STUDY").is_some();
    let replicates = if whole { 3 } else { 1 };
    study(
        &dir,
        r#""claude-code", "codex", "recorded:imports-first", "recorded:runtime-first""#,
        r#""fastapi", "nextjs""#,
        replicates,
    );
    let server = Server::start(script(Vec::new())).unwrap();
    let (run, said) = done(bench(&dir, &server), 0);
    assert_eq!(run["complete"], true, "{said}");
    let turns = turns(&dir);
    assert_eq!(turns.len() as u32, 4 * 6 * replicates);
    for framework in ["fastapi", "nextjs"] {
        for (agent, recording) in [
            ("claude-code@2.1.330", "imports-first"),
            ("codex@0.169.0", "runtime-first"),
        ] {
            for replicate in 1..=replicates {
                let id = format!("{framework}/{agent}/silent/{replicate}");
                is_the_recording(&dir, &id, framework, recording);
                let of_sample = format!("{framework}/recorded:{recording}/silent/{replicate}");
                assert_eq!(
                    judged(session(&run, &id)),
                    judged(session(&run, &of_sample)),
                    "{id}"
                );
                let own: Vec<&Turn> = turns.iter().filter(|turn| turn.session == id).collect();
                assert_eq!(own.len(), 6);
                for (index, turn) in own.iter().enumerate() {
                    let reads =
                        agent.starts_with("claude") && writes_over(framework, recording, index + 1);
                    let wanted: Usage = (0..3 + usize::from(reads))
                        .map(|message| scripted::tokens(index + 1, message))
                        .sum();
                    assert_eq!(turn.used, Some(wanted), "{id} {}", turn.step);
                    assert_eq!(turn.ending.as_deref(), Some("finished"));
                }
            }
        }
    }
    holds_no_canary(&dir, &server);
    costs_are_the_scripts(&dir, &turns);
    fs::remove_dir_all(&dir).unwrap();
}

/// The last step's commands are what these agents make of it.
fn mends() -> (usize, String) {
    let one = "title LIKE ? OR body LIKE ?";
    let command =
        format!("test ! -f app/notes.py || sed -i 's/AND {one}/AND ({one})/' app/notes.py");
    (7, command)
}

#[test]
fn what_was_found_is_told_in_part_and_what_became_of_it_is_said() {
    let dir = folder("feedback");
    study_in(
        &dir,
        r#""claude-code", "codex""#,
        r#""fastapi""#,
        "feedback",
        1,
    );
    let mut script = script(Vec::new());
    script.commands = vec![mends()];
    let server = Server::start(script).unwrap();
    let mut scored = bench(&dir, &server);
    scored.arg("--score-steps");
    let (run, said) = done(scored, 0);
    assert_eq!(run["sessions"].as_array().unwrap().len(), 3, "{said}");
    // `runtime-first` had both; the limit is held back.
    let codex = session(&run, "fastapi/codex");
    assert_eq!(codex["step"], "7-feedback");
    let split = serde_json::json!({
        "told": {"closed": ["search-other-user"], "open": [], "undecided": []},
        "held_back": {"closed": [], "open": ["login-rate-limit"], "undecided": []},
        "broken": [],
    });
    assert_eq!(codex["feedback"], split);
    was_attacked_once_before_the_feedback(&dir, codex);
    let claude = session(&run, "fastapi/claude-code");
    assert_eq!(claude["feedback"]["told"]["closed"], serde_json::json!([]));
    let bodies: Vec<String> = server
        .seen()
        .iter()
        .map(|seen| String::from_utf8_lossy(&seen.body).into_owned())
        .collect();
    let heard = |words: &str| bodies.iter().any(|body| body.contains(words));
    assert!(heard("A check of this app found what follows"));
    assert!(heard("1. Wanted: ") && heard("app/notes.py:"), "{bodies:?}");
    assert!(heard("Nothing was found."), "of what may be told");
    assert!(!heard("Retry-After"), "the limit is held back");
    holds_no_canary(&dir, &server);
    fs::remove_dir_all(&dir).unwrap();
}

/// What was attacked for the findings is the stage after the sixth step.
fn was_attacked_once_before_the_feedback(dir: &Path, session: &Value) {
    let stages = session["stages"].as_array().unwrap();
    let words: Vec<String> = stages
        .iter()
        .map(|one| {
            let mut verdicts = one["verdicts"].as_array().unwrap().iter();
            let found = verdicts.find(|one| one["exploit"] == "search-other-user");
            format!("{} {}", one["step"], found.unwrap()["verdict"])
        })
        .collect();
    let wanted = [
        r#""1-auth" "not-applicable""#,
        r#""2-uploads" "not-applicable""#,
        r#""3-search" "exploited""#,
        r#""4-admin" "exploited""#,
        r#""5-webhooks" "exploited""#,
        r#""6-production" "exploited""#,
    ];
    assert_eq!(words, wanted);
    assert!(session.get("regressions").is_none(), "{session}");
    let ledger = rusqlite::Connection::open(dir.join("runs-of-it/ledger.db")).unwrap();
    let units = "SELECT count(*) FROM unit WHERE session = ? AND state = 'done'";
    let units: i64 = ledger
        .query_row(units, [session["id"].as_str().unwrap()], |row| row.get(0))
        .unwrap();
    assert_eq!(units, 7);
}

#[test]
fn an_app_that_does_not_start_is_told_nothing_and_ends_its_session() {
    let dir = folder("no-app");
    study_in(&dir, r#""codex""#, r#""fastapi""#, "feedback", 1);
    let mut script = script(Vec::new());
    script.commands = vec![(6, "printf '#!/bin/sh\\nexit 3\\n' > start.sh".into())];
    let server = Server::start(script).unwrap();
    let (run, said) = done(bench(&dir, &server), 0);
    assert_eq!(run["complete"], true, "{said}");
    let codex = session(&run, "fastapi/codex");
    assert_eq!(codex["step"], "6-production");
    assert_eq!(codex["trouble"]["fault"], "app", "{said}");
    assert!(codex.get("feedback").is_none());
    assert_eq!(turns(&dir).len(), 6, "the last prompt has nothing to tell");
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn the_checklist_is_in_front_of_both_agents_from_the_first_prompt_on() {
    let dir = folder("checklist");
    study_in(
        &dir,
        r#""claude-code", "codex""#,
        r#""fastapi""#,
        "checklist",
        1,
    );
    let server = Server::start(script(Vec::new())).unwrap();
    let (run, _) = done(bench(&dir, &server), 0);
    for (agent, vendor) in [("claude-code", "/v1/messages"), ("codex", "/responses")] {
        let bodies: Vec<String> = server
            .seen()
            .iter()
            .filter(|seen| seen.path.contains(vendor))
            .map(|seen| String::from_utf8_lossy(&seen.body).into_owned())
            .filter(|body| body.contains("Implement the auth system"))
            .collect();
        assert!(!bodies.is_empty(), "{agent}");
        for body in bodies {
            assert!(body.contains("Security Defaults"), "{agent}: {body}");
        }
        let session = session(&run, &format!("fastapi/{agent}"));
        let verdicts = session["verdicts"].as_array().unwrap().iter();
        let limit = verdicts
            .clone()
            .find(|one| one["exploit"] == "login-rate-limit");
        assert_eq!(limit.unwrap()["tier"], "requirement");
    }
    fs::remove_dir_all(&dir).unwrap();
}

/// Tokens as the proxy counted them, priced by hand; and what was said, in the form that others read.
fn costs_are_the_scripts(dir: &Path, turns: &[Turn]) {
    let report = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unrequested"));
        command
            .arg("--dir")
            .arg(dir.join("runs-of-it"))
            .arg("report");
        let output = command.args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let prices = dir.join("prices.toml");
    let row = |name: &str, one: u32| {
        format!(
            "[[model]]\nname = \"{name}\"\ninput = {one}\ncache_read = {one}\ncache_write = {one}\noutput = {one}\nsource = \"-\"\n"
        )
    };
    let models = row("claude-sonnet-4-5", 1000) + &row("gpt-5.5", 2000);
    fs::write(
        &prices,
        format!("version = 1\ndate = \"2026-01-02\"\n{models}"),
    )
    .unwrap();
    let text = report(&["--cost", "--prices", &prices.display().to_string()]);
    let dollars: u64 = turns
        .iter()
        .map(|turn| {
            let used = turn.used.unwrap();
            let each = if turn.session.contains("codex") { 2 } else { 1 };
            each * (used.all_input() + used.output)
        })
        .sum();
    let wanted = format!(
        "together ${:.2}; list prices of 2026-01-02",
        dollars as f64 / 1000.0
    );
    assert!(text.contains(&wanted), "{wanted} is missing in\n{text}");
    // The vendor's count, with which the agents' own agree.
    assert!(
        !text.contains("by the agent") && !text.contains("the agent says"),
        "{text}"
    );
    let atif = report(&["--format", "atif"]);
    let sessions: Vec<Value> = atif
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(sessions.len() * 6, turns.len());
    for one in &sessions {
        assert_eq!(one["schema_version"], "ATIF-v1.7");
        let own = turns
            .iter()
            .filter(|turn| one["trajectory_id"] == turn.session);
        let used: Usage = own.filter_map(|turn| turn.used).sum();
        assert_eq!(
            one["final_metrics"]["total_prompt_tokens"],
            used.all_input()
        );
        assert_eq!(one["final_metrics"]["total_completion_tokens"], used.output);
    }
    assert!(!atif.contains(CANARY) && !text.contains(CANARY));
}

/// Whether a step changes what is there already: Claude Code reads that before it writes, one message more.
fn writes_over(framework: &str, recording: &str, step: usize) -> bool {
    let name = &recorded::steps(framework, recording)[step - 1];
    let before = recorded::texts(framework, recording, step - 1).unwrap();
    let overlay = agent::folder(&format!("recordings/{framework}/{recording}/{name}"));
    overlay.iter().any(|(path, _)| before.contains_key(*path))
}

/// Requests for the first two prompts.
fn early(server: &Server) -> usize {
    let seen = server.seen();
    seen.iter()
        .filter(|seen| seen.at.is_some_and(|(step, _)| step <= 2))
        .count()
}

/// The model is rate-limited at the second prompt, for longer than the agent has patience; then the tool is killed in the
/// middle of the third.
fn a_session_that_is_disturbed(agent: &str, label: &str, recording: &str, patience: u32) {
    let dir = folder(agent);
    study(&dir, &format!("\"{agent}\""), "\"fastapi\"", 1);
    let server = Server::start(script(vec![
        trouble(2, 1, patience, Kind::Status(429)),
        trouble(3, 1, 1, Kind::Stall),
    ]))
    .unwrap();
    let mut child = bench(&dir, &server)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !server.seen().iter().any(|seen| seen.at == Some((3, 1))) {
        assert!(
            begun.elapsed() < Duration::from_secs(300),
            "it never came to the third prompt"
        );
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = early(&server);

    let (run, said) = done(bench(&dir, &server), 0);
    assert!(said.contains("resuming run"), "{said}");
    assert_eq!(run["complete"], true, "{said}");
    assert_eq!(early(&server), before, "a finished step was paid for twice");
    let id = format!("fastapi/{label}/silent/1");
    is_the_recording(&dir, &id, "fastapi", recording);
    let told: Vec<String> = turns(&dir)
        .iter()
        .map(|turn| {
            format!(
                "{} {} {}",
                turn.step,
                turn.state,
                turn.ending.clone().unwrap_or_default()
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "1-auth done finished",
            "2-uploads failed rate-limited",
            "2-uploads done finished",
            "3-search running ",
            "3-search done finished",
            "4-admin done finished",
            "5-webhooks done finished",
            "6-production done finished",
        ]
    );
    holds_no_canary(&dir, &server);
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn claude_code_is_disturbed() {
    a_session_that_is_disturbed("claude-code", "claude-code@2.1.330", "imports-first", 4);
}

#[test]
fn codex_is_disturbed() {
    a_session_that_is_disturbed("codex", "codex@0.169.0", "runtime-first", 1);
}

/// A step costs about five dollars at these prices, and the second one passes the limit.
#[test]
fn money_that_is_spent_ends_the_session_and_what_is_there_is_attacked() {
    let dir = folder("money");
    study(&dir, "\"claude-code\"", "\"fastapi\"", 1);
    let text = fs::read_to_string(dir.join("study.toml")).unwrap();
    fs::write(
        dir.join("study.toml"),
        format!("{text}session_dollars = 6\n"),
    )
    .unwrap();
    let prices = dir.join("prices.toml");
    let table = "version = 1\ndate = \"2026-01-02\"\n[[model]]\nname = \"claude-sonnet-4-5\"\ninput = 1000\ncache_read = 1000\n\
         cache_write = 1000\noutput = 1000\nsource = \"-\"\n";
    fs::write(&prices, table).unwrap();
    let server = Server::start(script(Vec::new())).unwrap();
    let run = |dir: &Path| {
        let mut command = bench(dir, &server);
        command.arg("--prices").arg(&prices);
        command
    };
    let (judged, said) = done(run(&dir), 0);
    let told: Vec<String> = turns(&dir)
        .iter()
        .map(|turn| format!("{} {}", turn.step, turn.ending.clone().unwrap_or_default()))
        .collect();
    assert_eq!(
        told,
        ["1-auth finished", "2-uploads budget-spent"],
        "{said}"
    );
    assert!(
        said.contains("the budget of this session is spent"),
        "{said}"
    );
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.at.is_none_or(|(step, _)| step <= 2))
    );
    let session = session(&judged, "fastapi/claude-code");
    assert_eq!(session["step"], "2-uploads");
    assert!(session["trouble"].is_null(), "{session}");
    // Without a price nobody could keep the limit.
    fs::write(&prices, table.replace("claude-sonnet-4-5", "another")).unwrap();
    let output = run(&dir).arg("--fresh").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("claude-sonnet-4-5 has no price"));
    fs::remove_dir_all(&dir).unwrap();
}

/// The first request of each step passes, as nothing is used yet.
#[test]
fn tokens_of_a_step_that_are_spent_end_the_step_and_the_next_has_its_own() {
    let dir = folder("tokens");
    study(&dir, "\"codex\"", "\"fastapi\"", 1);
    let text = fs::read_to_string(dir.join("study.toml")).unwrap();
    fs::write(dir.join("study.toml"), format!("{text}step_tokens = 1\n")).unwrap();
    let server = Server::start(script(Vec::new())).unwrap();
    let output = bench(&dir, &server).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the budget of this step is spent"), "{said}");
    let turns = turns(&dir);
    assert_eq!(turns.len(), 6, "{said}");
    for (number, turn) in turns.iter().enumerate() {
        assert_eq!(turn.ending.as_deref(), Some("budget-spent"), "{said}");
        assert_eq!(turn.used, Some(scripted::tokens(number + 1, 0)), "{said}");
    }
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_will_not_go_otherwise_is_not_tried_again_and_goes_on_with_the_same_command() {
    let dir = folder("key");
    study(&dir, "\"codex\"", "\"fastapi\"", 1);
    let bad = Server::start(script(vec![trouble(2, 0, u32::MAX, Kind::Status(401))])).unwrap();
    let (run, said) = done(bench(&dir, &bad), 11);
    assert!(said.contains("not-signed-in"), "{said}");
    assert_eq!(run["complete"], false);
    let trouble = &session(&run, "fastapi/codex")["trouble"];
    assert_eq!(trouble["fault"], "harness", "{run}");
    let states = |dir: &Path| -> Vec<String> {
        let turns = turns(dir);
        turns
            .iter()
            .map(|turn| format!("{} {}", turn.step, turn.state))
            .collect()
    };
    assert_eq!(states(&dir), ["1-auth done", "2-uploads failed"]);

    let good = Server::start(script(Vec::new())).unwrap();
    let (run, said) = done(bench(&dir, &good), 0);
    assert_eq!(run["complete"], true, "{said}");
    assert!(
        good.seen()
            .iter()
            .all(|seen| seen.at.is_none_or(|(step, _)| step >= 2))
    );
    assert_eq!(states(&dir).len(), 7);
    is_the_recording(
        &dir,
        "fastapi/codex@0.169.0/silent/1",
        "fastapi",
        "runtime-first",
    );
    holds_no_canary(&dir, &bad);
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn without_a_model_or_a_known_version_it_says_what_is_missing() {
    let dir = folder("missing");
    study(&dir, "\"codex\"", "\"fastapi\"", 1);
    let tool = |study: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unrequested"));
        command
            .arg("--dir")
            .arg(dir.join("runs-of-it"))
            .arg("bench")
            .arg(study);
        command
    };
    let output = tool(&dir.join("study.toml")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(20), "{said}");
    assert!(said.contains("--model-server"), "{said}");
    let text = fs::read_to_string(dir.join("study.toml")).unwrap();
    fs::write(
        dir.join("study.toml"),
        format!("{text}[agent.codex]\nversion = \"9.9.9\"\n"),
    )
    .unwrap();
    let output = tool(&dir.join("study.toml"))
        .args([
            "--yes",
            "--model-server",
            "http://127.0.0.1:9",
            "--only",
            "missing-token",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(20), "{said}");
    assert!(said.contains("9.9.9") && said.contains("0.169.0"), "{said}");
    fs::remove_dir_all(&dir).unwrap();
}
