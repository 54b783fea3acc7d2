//! Killed at any moment, it loses nothing that was finished, and leaves nothing running.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const KILLS: u64 = 20;
const ONLY: &str = "note-read-other-user,sql-injection-search,search-other-user";

fn tool(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unrequested"));
    command.arg("--dir").arg(dir);
    command
}

/// Processes, zombies left out, that name this folder in their command line, environment or working directory.
fn processes_of(dir: &Path) -> Vec<String> {
    let needle = dir.display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.bytes().all(|byte| byte.is_ascii_digit()) || name == std::process::id().to_string()
        {
            continue;
        }
        let read = |file: &str| {
            fs::read(entry.path().join(file))
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let stat = read("stat").unwrap_or_default();
        if stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('Z'))
        {
            continue;
        }
        let cwd = fs::read_link(entry.path().join("cwd"))
            .map(|path| path.display().to_string())
            .unwrap_or_default();
        let all = format!(
            "{} {} {cwd}",
            read("cmdline").unwrap_or_default(),
            read("environ").unwrap_or_default()
        );
        if all.contains(&needle) {
            found.push(format!(
                "{name}: {}",
                read("cmdline").unwrap_or_default().replace('\0', " ")
            ));
        }
    }
    found
}

fn mounts_of(dir: &Path) -> usize {
    let needle = dir.display().to_string();
    fs::read_to_string("/proc/self/mountinfo")
        .unwrap()
        .lines()
        .filter(|line| line.contains(&needle))
        .count()
}

fn folder() -> PathBuf {
    // Not below /tmp, which the box shows as the app's own.
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("killed-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path.canonicalize().unwrap()
}

#[test]
fn killed_at_twenty_moments_it_leaves_nothing_running_and_keeps_what_was_finished() {
    let dir = folder();
    let mut finished = 0;
    // Spread over the run's whole length, in an order that no period of the run can follow.
    for kill in 0..KILLS {
        let moment = Duration::from_millis(60 + (kill * 7919) % 4000);
        let mut child = tool(&dir)
            .args(["--quiet", "bench", "--only", ONLY])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while begun.elapsed() < moment && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let gone = Instant::now();
        loop {
            let left = processes_of(&dir);
            if left.is_empty() {
                break;
            }
            assert!(
                gone.elapsed() < Duration::from_secs(5),
                "after kill {kill}: {left:?}"
            );
            sleep(Duration::from_millis(20));
        }
        assert_eq!(mounts_of(&dir), 0);
        let database = dir.join("ledger.db");
        if database.is_file() {
            let connection = rusqlite::Connection::open(&database).unwrap();
            let whole: String = connection
                .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                .unwrap();
            assert_eq!(whole, "ok");
            let done: i64 = connection
                .query_row(
                    "SELECT count(*) FROM unit WHERE state = 'done'",
                    [],
                    |row| row.get(0),
                )
                .unwrap_or(0);
            assert!(
                done >= finished,
                "{done} of {finished} finished units are left"
            );
            finished = done;
        }
    }
    // The next one resumes, ends, and removes what the killed ones could not.
    let output = tool(&dir)
        .args(["--quiet", "bench", "--only", ONLY])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let connection = rusqlite::Connection::open(dir.join("ledger.db")).unwrap();
    let twice: i64 = connection
        .query_row(
            "SELECT count(*) FROM (SELECT 1 FROM unit WHERE state = 'done' GROUP BY run, session HAVING count(*) > 1)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(twice, 0, "a finished session was run again");
    let cells = fs::read_dir(dir.join("cells")).map_or(0, Iterator::count);
    assert_eq!(cells, 0, "folders of cells are left");
    assert!(processes_of(&dir).is_empty());
    fs::remove_dir_all(&dir).unwrap();
}
