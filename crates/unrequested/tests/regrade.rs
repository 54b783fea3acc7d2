//! `bench --regrade` at the command line: what it says when the exploit, the suite or the tree is not what it was, and when
//! there is nothing to attack again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde_json::Value;

const STUDY: &str = r#"
version = 1
agents = ["recorded:literal"]
frameworks = ["fastapi"]
arms = ["silent"]
replicates = 1
"#;
const SESSION: &str = "fastapi/recorded:literal/silent/1";
/// One that the sample resists, and one that it does not.
const ONLY: &str = "note-read-other-user,weak-password";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("regrade-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("study.toml"), STUDY).unwrap();
        Self(path)
    }

    fn tool(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unrequested"));
        command
            .args(["--quiet", "--dir"])
            .arg(self.0.join("ledger"))
            .args(words)
            .env("NO_COLOR", "1");
        command
    }

    /// A finished run of the study; its id.
    fn bench(&self) -> String {
        let study = self.0.join("study.toml");
        let words = ["bench", "--only", ONLY, "--format", "json"];
        let output = self.tool(&words).arg(study).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", all(&output));
        let run: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(run.get("regrade").is_none());
        run["run"].as_str().unwrap().to_owned()
    }

    fn regrade(&self, run: &str, code: i32) -> Value {
        let words = [
            "bench",
            "--regrade",
            run,
            "--only",
            ONLY,
            "--format",
            "json",
        ];
        let output = self.tool(&words).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", all(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn sql(&self) -> Connection {
        Connection::open(self.0.join("ledger/ledger.db")).unwrap()
    }

    fn tree(&self, run: &str) -> PathBuf {
        self.0
            .join("ledger/runs")
            .join(run)
            .join(SESSION.replace(['/', ':'], "-"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn all(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// `exploit: before -> after: causes` for each change of the sample's session.
fn changes(run: &Value) -> Vec<String> {
    let mut lines: Vec<String> = run["regrade"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            assert_eq!(change["session"], SESSION);
            let causes: Vec<&str> = change["why"]
                .as_array()
                .unwrap()
                .iter()
                .map(|why| why["cause"].as_str().unwrap())
                .collect();
            let word = |key: &str| change[key].as_str().unwrap_or("-").to_owned();
            format!(
                "{}: {} -> {}: {}",
                word("exploit"),
                word("before"),
                word("after"),
                causes.join(" ")
            )
        })
        .collect();
    lines.sort();
    lines
}

/// The ledger of a tool whose exploits were others: facts and revisions are what such a tool would have written.
#[test]
fn a_changed_verdict_is_shown_with_its_cause() {
    let folder = Folder::new("changed");
    let origin = folder.bench();
    let same = folder.regrade(&origin, 0);
    assert_eq!(same["regrade"]["origin"], origin);
    assert_eq!(same["regrade"]["compared"], 4);
    assert_eq!(changes(&same), [""; 0]);
    assert_ne!(same["run"], origin);

    let sql = folder.sql();
    let unit: i64 = sql
        .query_row(
            "SELECT id FROM unit WHERE run = ? AND session = ?",
            params![origin, SESSION],
            |row| row.get(0),
        )
        .unwrap();
    let facts = |id: &str| -> String {
        let wanted = "SELECT facts FROM attack WHERE unit = ? AND exploit = ? AND repeat = 0";
        sql.query_row(wanted, params![unit, id], |row| row.get(0))
            .unwrap()
    };
    let (resisted, exploited) = (facts("note-read-other-user"), facts("weak-password"));
    let set = "UPDATE attack SET facts = ?, revision = revision + ? WHERE unit = ? AND exploit = ?";
    sql.execute(set, params![exploited, 41, unit, "note-read-other-user"])
        .unwrap();
    sql.execute(set, params![resisted, 0, unit, "weak-password"])
        .unwrap();
    sql.execute(
        "INSERT INTO attack (unit, exploit, revision, attempt, repeat, facts, took_ms) VALUES (?, 'once-known', 1, 1, 0, ?, 1)",
        params![unit, resisted],
    )
    .unwrap();
    let run = folder.regrade(&origin, 0);
    assert_eq!(
        changes(&run),
        [
            "note-read-other-user: exploited -> resisted: revision",
            "once-known: resisted -> -: gone",
            "weak-password: resisted -> exploited: unexplained",
        ]
    );
    let revision = &run["regrade"]["changes"][0]["why"][0];
    assert_eq!(
        revision["before"].as_u64().unwrap(),
        revision["after"].as_u64().unwrap() + 41
    );

    // What was undecided then, an exploit that was not run, a tree that somebody has changed since.
    let undecided = serde_json::to_string(&model::Facts::default()).unwrap();
    sql.execute(set, params![undecided, -41, unit, "note-read-other-user"])
        .unwrap();
    sql.execute("DELETE FROM exchange WHERE attack IN (SELECT id FROM attack WHERE exploit = 'weak-password' AND unit = ?)", [unit])
        .unwrap();
    sql.execute(
        "DELETE FROM attack WHERE exploit IN ('weak-password', 'once-known') AND unit = ?",
        [unit],
    )
    .unwrap();
    fs::write(folder.tree(&origin).join("added.txt"), "since").unwrap();
    let run = folder.regrade(&origin, 0);
    assert_eq!(
        changes(&run),
        [
            "note-read-other-user: inconclusive -> resisted: app-differs undecided-before",
            "weak-password: - -> exploited: not-run",
        ]
    );
    // The report of it says the same, from the ledger alone.
    let id = run["run"].as_str().unwrap();
    let output = folder.tool(&["report", id]).output().unwrap();
    let text = all(&output);
    for words in [
        format!("regrade of {origin}").as_str(),
        "inconclusive -> resisted",
        "the kept tree is not what was attacked then",
    ] {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
    let listed = folder.tool(&["report", "--list"]).output().unwrap();
    assert!(all(&listed).contains(&format!("of {origin}")));
}

#[test]
fn a_tree_that_is_gone_is_undecided_and_nothing_was_tested() {
    let folder = Folder::new("gone");
    let origin = folder.bench();
    fs::remove_dir_all(folder.tree(&origin)).unwrap();
    let run = folder.regrade(&origin, 12);
    assert_eq!(run["complete"], false);
    let session = &run["sessions"][1];
    assert_eq!(session["id"], SESSION);
    assert!(
        session["trouble"]["why"]
            .as_str()
            .unwrap()
            .contains("is gone")
    );
    assert_eq!(session["trouble"]["fault"], "harness");
    for verdict in session["verdicts"].as_array().unwrap() {
        assert_eq!(verdict["verdict"], "inconclusive");
    }
    let lines = changes(&run);
    assert!(
        lines.contains(&"note-read-other-user: resisted -> inconclusive: undecided-now".to_owned()),
        "{lines:?}"
    );
    let text = all(&folder
        .tool(&["report", run["run"].as_str().unwrap()])
        .output()
        .unwrap());
    assert!(
        text.contains("not attacked again: its tree is gone"),
        "{text}"
    );

    // A ledger that was moved whole is found again.
    let moved = Folder::new("moved");
    let origin = moved.bench();
    moved
        .sql()
        .execute(
            "UPDATE unit SET tree = replace(tree, '/ledger/', '/elsewhere/')",
            [],
        )
        .unwrap();
    assert_eq!(changes(&moved.regrade(&origin, 0)), [""; 0]);
}

#[test]
fn what_is_no_run_with_trees_is_refused_before_anything_is_done() {
    let folder = Folder::new("refused");
    let refused = |words: &[&str], code: i32, says: &str| {
        let output = folder.tool(words).output().unwrap();
        let text = all(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(says), "{says} is missing in {text}");
    };
    refused(&["bench", "--regrade", "01a2"], 2, "no ledger");
    assert!(
        !folder.0.join("ledger").exists(),
        "a question made a ledger"
    );
    let words = [
        "check",
        "--sample",
        "literal",
        "--only",
        "weak-password",
        "--fail-on",
        "never",
    ];
    let output = folder.tool(&words).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", all(&output));
    let id: String = folder
        .sql()
        .query_row("SELECT id FROM run", [], |row| row.get(0))
        .unwrap();
    refused(
        &["bench", "--regrade", "no-such-run"],
        2,
        "no run no-such-run",
    );
    refused(&["bench", "--regrade", &id], 2, "keeps no trees");
    refused(
        &["bench", "--regrade", &id, "--only", "weak-pasword"],
        2,
        "weak-password",
    );
    refused(
        &["bench", "study.toml", "--regrade", &id],
        2,
        "cannot be used with",
    );
    let runs: i64 = folder
        .sql()
        .query_row("SELECT count(*) FROM run", [], |row| row.get(0))
        .unwrap();
    assert_eq!(runs, 1, "a refused wish left a run");
}

/// Kills the tool with SIGKILL as soon as the ledger says so.
fn kill_when(mut command: Command, ledger: &Path, ready: &str) {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    loop {
        let found = Connection::open_with_flags(ledger, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
            .and_then(|sql| sql.query_row(ready, [], |row| row.get::<_, bool>(0)))
            .unwrap_or_default();
        if found {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "never: {ready}");
        assert!(child.try_wait().unwrap().is_none(), "ended before: {ready}");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_interrupted_run_can_be_attacked_again_and_is_said_to_be_one() {
    let folder = Folder::new("interrupted");
    let ledger = folder.0.join("ledger/ledger.db");
    let mut bench = folder.tool(&["bench", "--only", ONLY]);
    bench.arg(folder.0.join("study.toml"));
    let begun = "SELECT count(*) FROM unit WHERE framework = 'fastapi'";
    kill_when(bench, &ledger, begun);
    let origin: String = folder
        .sql()
        .query_row("SELECT id FROM run WHERE ended IS NULL", [], |row| {
            row.get(0)
        })
        .unwrap();

    // The regrade is interrupted, too; the same command resumes it.
    let regrade = folder.tool(&["bench", "--regrade", &origin, "--only", ONLY]);
    let half = "SELECT count(*) FROM unit u JOIN run r ON r.id = u.run WHERE r.command = 'regrade' AND u.state = 'done'";
    kill_when(regrade, &ledger, half);
    let run = folder.regrade(&origin, 11);
    assert_eq!(run["regrade"]["origin_finished"], false);
    assert_eq!(run["complete"], false);
    let sql = folder.sql();
    let count = |what: &str| -> i64 { sql.query_row(what, [], |row| row.get(0)).unwrap() };
    assert_eq!(
        count("SELECT count(*) FROM run WHERE command = 'regrade'"),
        1
    );
    assert_eq!(
        count(
            "SELECT count(*) FROM unit u JOIN run r ON r.id = u.run WHERE r.command = 'regrade' AND u.agent = 'reference'"
        ),
        1,
        "what was finished is not done again"
    );
    let verdicts = run["sessions"][1]["verdicts"].as_array().unwrap();
    let words: Vec<&Value> = verdicts.iter().map(|one| &one["verdict"]).collect();
    assert_eq!(words, ["resisted", "exploited"]);
    for line in changes(&run) {
        assert!(line.ends_with(": not-run"), "{line}");
    }
    let id = run["run"].as_str().unwrap();
    let text = all(&folder.tool(&["report", id]).output().unwrap());
    assert!(text.contains("that run was interrupted"), "{text}");
}
