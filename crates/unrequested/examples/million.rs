//! A ledger with a million verdicts, and how long the reports of it take:
//! `cargo run --release -p unrequested --example million`
//!
//! 203 finished runs of 150 sessions with 33 exploits each, two frameworks and three arms. The newest run has all requests
//! that a usual session has, the others three an exploit. Facts, requests and replies are made up in the form of real ones;
//! the decisions of each session are read from a shipped sample. Everything is below one folder, which is removed at the end;
//! `-- --keep FOLDER` keeps it.
//! It ends with 1 where a report takes 2 s, 500 MB or 5 MB of page.

#![allow(clippy::print_stdout, reason = "it is a command")]

use std::error::Error;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use model::decision::{Decided, InForce, Told};
use model::{Facts, Observation, Sees};
use rusqlite::{Connection, Transaction, params};

const SCHEMA: [&str; 6] = [
    include_str!("../src/ledger/001.sql"),
    include_str!("../src/ledger/002.sql"),
    include_str!("../src/ledger/003.sql"),
    include_str!("../src/ledger/004.sql"),
    include_str!("../src/ledger/005.sql"),
    include_str!("../src/ledger/006.sql"),
];
const RUNS: usize = 203;
const SESSIONS: usize = 150;
/// Requests of one exploit: a usual session makes about 640 with 33.
const USUAL: usize = 19;
const FEW: usize = 3;
/// 2026-11-01
const BEGUN: i64 = 1_793_491_200_000;

const LONGEST: Duration = Duration::from_secs(2);
const MOST_MB: f64 = 500.0;
const LARGEST_PAGE: usize = 5_000_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let keep = match arguments.as_slice() {
        [] => None,
        [flag, folder] if flag == "--keep" => Some(PathBuf::from(folder)),
        _ => return Err("usage: million [--keep FOLDER]".into()),
    };
    let folder = keep.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("unrequested-million-{}", std::process::id()))
    });
    std::fs::create_dir_all(&folder)?;
    let good = measured(&folder);
    if keep.is_none() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(if good? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn measured(folder: &Path) -> Result<bool> {
    let path = folder.join("ledger.db");
    if !path.is_file() {
        let begun = Instant::now();
        fill(&path)?;
        println!("made in {:.0} s", begun.elapsed().as_secs_f64());
    }
    let connection = Connection::open(&path)?;
    let count = |table: &str| -> Result<u64> {
        let query = format!("SELECT count(*) FROM {table}");
        Ok(connection.query_row(&query, [], |row| row.get(0))?)
    };
    println!(
        "{} runs, {} sessions, {} verdicts, {} requests, {:.1} GB\n",
        count("run")?,
        count("unit")?,
        count("attack")?,
        count("exchange")?,
        std::fs::metadata(&path)?.len() as f64 / 1e9
    );
    let oldest: String =
        connection.query_row("SELECT id FROM run ORDER BY begun LIMIT 1", [], |row| {
            row.get(0)
        })?;
    drop(connection);
    println!(
        "{:<46}{:>7}{:>7}{:>9}{:>10}",
        "", "s", "CPU s", "peak MB", "bytes"
    );
    let mut good = true;
    for words in [
        vec!["report", "--list"],
        vec!["report"],
        vec!["report", &oldest],
        vec!["report", "--format", "json"],
        vec!["report", "--format", "csv"],
        vec!["report", "--format", "markdown"],
        vec!["report", "--format", "html"],
    ] {
        good &= measure(folder, &words)?;
    }
    Ok(good)
}

/// Runs the tool beside this program, and says what it took.
fn measure(folder: &Path, words: &[&str]) -> Result<bool> {
    let this = std::env::current_exe()?;
    let tool = this
        .parent()
        .and_then(Path::parent)
        .map(|release| release.join("unrequested"))
        .filter(|tool| tool.is_file())
        .ok_or("build the tool first: cargo build --release -p unrequested")?;
    let begun = Instant::now();
    let mut child = Command::new(tool)
        .arg("--dir")
        .arg(folder)
        .args(words)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdout = child.stdout.take().ok_or("no stdout")?;
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).map(|_| bytes.len())
    });
    // The peak only grows while a process lives.
    let status = format!("/proc/{}/status", child.id());
    let stat = format!("/proc/{}/stat", child.id());
    let (mut peak, mut cpu) = (0.0_f64, 0.0_f64);
    let ended = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        peak = peak.max(kb.unwrap_or(0.0) / 1000.0);
        // Of user and system, in hundredths of a second.
        let text = std::fs::read_to_string(&stat).unwrap_or_default();
        let fields: Vec<&str> = text
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = fields
            .iter()
            .skip(11)
            .take(2)
            .filter_map(|one| one.parse::<f64>().ok());
        cpu = cpu.max(ticks.sum::<f64>() / 100.0);
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let took = begun.elapsed();
    let bytes = reader.join().map_err(|_| "the reader panicked")??;
    let is_page = words.contains(&"html");
    let good =
        ended.success() && took < LONGEST && peak < MOST_MB && (!is_page || bytes < LARGEST_PAGE);
    println!(
        "{:<46}{:>7.2}{cpu:>7.2}{peak:>9.0}{bytes:>10}{}",
        words.join(" "),
        took.as_secs_f64(),
        if good { "" } else { "   TOO MUCH" }
    );
    Ok(good)
}

fn fill(path: &Path) -> Result<()> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    for migration in SCHEMA {
        connection.execute_batch(migration)?;
    }
    connection.pragma_update(None, "user_version", SCHEMA.len())?;
    let told = [told("fastapi")?, told("nextjs")?];
    for run in 0..RUNS {
        let change = connection.transaction()?;
        one(&change, run, &told)?;
        change.commit()?;
    }
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

/// What the source of a shipped sample decided.
fn told(framework: &str) -> Result<String> {
    let texts = agent::recorded::texts(framework, "literal", 6)?;
    let files: Vec<(String, String)> = texts.into_iter().collect();
    let read = decision::read_files(&files);
    let decisions = read.decisions.into_iter().map(|one| {
        let tests = decision::find(&one.decision).map_or(&[][..], |entry| entry.matter.exploits);
        Decided {
            step: "6-production".to_owned(),
            asked: None,
            reviewed: None,
            in_force: InForce::Untested,
            tests: tests.iter().map(|id| (*id).to_owned()).collect(),
            decision: one,
        }
    });
    Ok(serde_json::to_string(&Told {
        decisions: decisions.collect(),
        unread: read.unread,
        burden: read.burden,
        files: read.files,
        lines: read.lines,
        steps: Vec::new(),
    })?)
}

fn one(change: &Transaction<'_>, run: usize, told: &[String; 2]) -> Result<()> {
    let id = format!("01a20000-0000-7000-8000-{run:012}");
    let begun = BEGUN + i64::try_from(run)? * 3_600_000;
    let suite: Vec<String> = exploit::Entry::study()
        .iter()
        .map(|entry| format!("{} r{}", entry.id, entry.exploit.revision))
        .collect();
    change.execute(
        "INSERT INTO run (id, begun, ended, command, tool, suite, study, study_hash, seed) VALUES (?,?,?,'bench',?,?,?,'h','s')",
        params![
            id,
            begun,
            begun + 1_800_000,
            env!("CARGO_PKG_VERSION"),
            &blake3::hash(suite.join("\n").as_bytes()).to_hex()[..16],
            agent::Study::default_text()
        ],
    )?;
    let requests = if run + 1 == RUNS { USUAL } else { FEW };
    for session in 0..SESSIONS {
        unit(change, (&id, run), session, requests, told)?;
    }
    Ok(())
}

fn unit(
    change: &Transaction<'_>,
    (run, number): (&str, usize),
    session: usize,
    requests: usize,
    told: &[String; 2],
) -> Result<()> {
    let at = session % 2;
    let framework = ["fastapi", "nextjs"][at];
    let agent = ["claude-code@2.1.330", "codex@0.142.0", "codex@0.150.0"][session / 2 % 3];
    let arm = ["silent", "checklist", "placebo"][session / 6 % 3];
    let replicate = session / 18 + 1;
    change.execute(
        "INSERT INTO unit (run, key, session, agent, framework, arm, replicate, step, attempt, state, tree, level, limits, profile,
         boot_ms, requests, wall_ms, app_cpu_ms, log, tree_hash) VALUES (?,'k',?,?,?,?,?,'6-production',1,'done','gone','namespaces',
         'memory: cgroup v2','production',900,640,9000,4000,'','h')",
        params![
            run,
            format!("{framework}/{agent}/{arm}/{replicate}"),
            agent,
            framework,
            arm,
            replicate
        ],
    )?;
    let unit = change.last_insert_rowid();
    change
        .prepare_cached("INSERT INTO reading (unit, told) VALUES (?,?)")?
        .execute(params![unit, told[at]])?;
    for (row, entry) in exploit::Entry::study().iter().enumerate() {
        // A quarter succeeds, one in a hundred is not decided.
        let lot = (number * 7919 + session * 104_729 + row * 1_299_709) % 100;
        let facts = serde_json::to_string(&facts(lot < 25, lot == 99))?;
        change
            .prepare_cached("INSERT INTO attack (unit, exploit, revision, attempt, repeat, facts, took_ms) VALUES (?,?,?,1,0,?,90)")?
            .execute(params![unit, entry.id, entry.exploit.revision, facts])?;
        let attack = change.last_insert_rowid();
        for number in 0..requests {
            let (sent, got) = (request(number), reply(number, lot));
            let (sent, got) = (blob(change, &sent)?, blob(change, &got)?);
            change
                .prepare_cached("INSERT INTO exchange (attack, number, who, label, source, sent, got, took_us) VALUES (?,?,'bob',?,'127.3.7.1',?,?,900)")?
                .execute(params![attack, number, format!("bob reads note {number}"), sent, got])?;
        }
    }
    Ok(())
}

fn facts(exploited: bool, stopped: bool) -> Facts {
    let looked = (0..6).map(|number| Observation {
        label: format!("bob's request {number} for alice's note was answered with her canary"),
        sees: Sees::Text(b"canaryqwkdjvmzxplrtyuiosd".to_vec()),
        held: exploited && number == 2,
        replied: true,
        exchange: Some(number % FEW as u32),
    });
    Facts {
        before: Some(true),
        control: Some(false),
        planned: if stopped { 7 } else { 6 },
        looked: looked.collect(),
        after: Some(true),
        ..Facts::default()
    }
}

fn request(number: usize) -> Vec<u8> {
    format!(
        "GET /api/notes/{number} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAuthorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIy\
         In0.c2lnbmF0dXJlb2Zib2I\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}

fn reply(number: usize, lot: usize) -> Vec<u8> {
    let body = format!(
        "{{\"id\":{number},\"title\":\"note {lot}\",\"body\":\"canaryqwkdjvmzxplrtyuiosd {}\"}}",
        "some words of a note ".repeat(8)
    );
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn blob(change: &Transaction<'_>, bytes: &[u8]) -> Result<Vec<u8>> {
    let hash = blake3::hash(bytes).as_bytes().to_vec();
    change
        .prepare_cached("INSERT OR IGNORE INTO blob (hash, form, bytes) VALUES (?,0,?)")?
        .execute(params![hash, bytes])?;
    Ok(hash)
}
