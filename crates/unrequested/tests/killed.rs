//! Killed at any moment, it loses nothing that was finished, and leaves nothing running: boxed and plain, with apps that are
//! installed and built. `KILLS=40 cargo test --release -p unrequested --test killed` kills as often for each.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const ONLY: &str = "note-read-other-user,sql-injection-search,search-other-user";

/// Nothing to build: that is the other kind of run.
const STUDY: &str = r#"
version = 1
agents = ["recorded:literal", "recorded:hardened"]
frameworks = ["fastapi"]
arms = ["silent"]
replicates = 1
"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// In a box where one can be had.
    Best,
    Plain,
}

fn kills(usual: u64) -> u64 {
    std::env::var("KILLS").map_or(usual, |text| text.parse().unwrap())
}

/// Without any right, not even root gets a box: as in a locked-down container. `None` where that cannot be had.
fn tool(dir: &Path, level: Level) -> Option<Command> {
    let program = env!("CARGO_BIN_EXE_unrequested");
    let mut command = match level {
        Level::Best => Command::new(program),
        Level::Plain => {
            let rights = ["--bounding-set=-all", "--inh-caps=-all"];
            let tried = Command::new("setpriv").args(rights).arg("true").output();
            if !tried.is_ok_and(|output| output.status.success()) {
                let _ = std::io::Write::write_all(
                    &mut std::io::stderr(),
                    b"NOT RUN: only root can give up the right to a box\n",
                );
                return None;
            }
            let mut command = Command::new("setpriv");
            command.args(rights).arg(program);
            command
        }
    };
    command.arg("--dir").arg(dir);
    Some(command)
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

/// Control groups that a process made, below those that we are in ourselves.
fn groups_of(pid: u32) -> Vec<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let start = format!("unrequested-{pid}-");
    let mut found = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next().unwrap(), fields.next().unwrap());
        let folder = format!("/sys/fs/cgroup/{controllers}/{path}");
        for folder in [
            Path::new(&folder).to_path_buf(),
            Path::new(&folder).join(".."),
        ] {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            found.extend(
                entries
                    .filter(|one| one.file_name().to_string_lossy().starts_with(&start))
                    .map(|one| one.path()),
            );
        }
    }
    found
}

fn folder(name: &str) -> PathBuf {
    // Not below /tmp, which the box shows as the app's own.
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("killed-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path.canonicalize().unwrap()
}

/// What was finished, in a ledger that must be whole.
fn finished(dir: &Path) -> i64 {
    let database = dir.join("ledger.db");
    if !database.is_file() {
        return 0;
    }
    let connection = rusqlite::Connection::open(&database).unwrap();
    let whole: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(whole, "ok");
    connection
        .query_row(
            "SELECT count(*) FROM unit WHERE state = 'done'",
            [],
            |row| row.get(0),
        )
        .unwrap_or(0)
}

/// Kills it at moments spread over `length`, in an order that no period of the run can follow; later ones where the machine
/// is so slow that nothing was finished. What was left has the time that a busy machine takes to end it.
fn kill_often(dir: &Path, kills: u64, length: u64, begin: impl Fn(u64) -> Command) -> Vec<PathBuf> {
    let mut known = 0;
    let (mut slowest, mut left_files, mut left_groups) = (Duration::ZERO, 0, Vec::new());
    for kill in 0..kills {
        let length = length
            * if known == 0 && kill * 2 >= kills {
                4
            } else {
                1
            };
        let moment = Duration::from_millis(60 + (kill * 7919) % length);
        let mut child = begin(kill)
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
            // An empty group that its shell never saw is for the next start to remove.
            let groups = groups_of(child.id()).into_iter();
            let groups: Vec<_> = groups.filter(|one| !is_empty(one)).collect();
            let left = processes_of(dir);
            if left.is_empty() && groups.is_empty() {
                break;
            }
            assert!(
                gone.elapsed() < Duration::from_secs(30),
                "after kill {kill}: {left:?} {groups:?}"
            );
            sleep(Duration::from_millis(20));
        }
        slowest = slowest.max(gone.elapsed());
        left_groups.extend(groups_of(child.id()));
        assert_eq!(mounts_of(dir), 0);
        left_files += fs::read_dir(dir.join("cells")).map_or(0, Iterator::count);
        let done = finished(dir);
        assert!(done >= known, "{done} of {known} finished units are left");
        known = done;
    }
    let mut said = String::new();
    let _ = writeln!(
        said,
        "{kills} kills: all gone after {} ms at most, {left_files} folders of cells and {} groups left for the next start, {known} units finished",
        slowest.as_millis(),
        left_groups.len(),
    );
    let _ = std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes());
    left_groups
}

fn is_empty(group: &Path) -> bool {
    fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|text| text.is_empty())
}

/// The next one removes what the killed ones could not.
fn nothing_is_left(dir: &Path, groups: &[PathBuf]) {
    let left: Vec<_> = groups.iter().filter(|one| one.exists()).collect();
    assert!(left.is_empty(), "{left:?}");
    let cells = fs::read_dir(dir.join("cells")).map_or(0, Iterator::count);
    assert_eq!(cells, 0, "folders of cells are left");
    assert!(processes_of(dir).is_empty());
    for kind in ["python", "node", "build"] {
        let all = fs::read_dir(dir.join("cache").join(kind));
        for entry in all.into_iter().flatten().flatten() {
            let path = entry.path();
            assert!(
                !path.is_dir() || path.with_extension("complete").is_file(),
                "half of {} is left",
                path.display()
            );
        }
    }
}

fn a_bench_that_is_killed(level: Level, name: &str, usual: u64) {
    let dir = folder(name);
    let study = dir.join("study.toml");
    fs::write(&study, STUDY).unwrap();
    let bench = || {
        let mut command = tool(&dir, level)?;
        command
            .args(["--quiet", "bench", "--only", ONLY])
            .arg(&study);
        Some(command)
    };
    if bench().is_none() {
        return;
    }
    let groups = kill_often(&dir, kills(usual), 4000, |_| bench().unwrap());
    let output = bench().unwrap().output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(
        said.contains("WARNING: no box here"),
        level == Level::Plain,
        "{said}"
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
    nothing_is_left(&dir, &groups);
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn in_a_box_it_leaves_nothing_running_and_keeps_what_was_finished() {
    a_bench_that_is_killed(Level::Best, "bench", 8);
}

#[test]
fn without_a_box_it_leaves_nothing_running_and_keeps_what_was_finished() {
    a_bench_that_is_killed(Level::Plain, "bench-plain", 5);
}

/// An app of Next.js's kind, with a package of that name made here: one second each to install, build and start.
fn write_app(dir: &Path) {
    let package = dir.join("next/package");
    fs::create_dir_all(&package).unwrap();
    let manifest = r#"{"name":"next","version":"1.0.0","scripts":{"install":"sleep 1"}}"#;
    fs::write(package.join("package.json"), manifest).unwrap();
    let archive = dir.join("next.tgz");
    let packed = Command::new("tar")
        .arg("-C")
        .arg(dir.join("next"))
        .arg("-czf")
        .args([&archive, Path::new("package")])
        .status();
    assert!(packed.unwrap().success());
    let app = dir.join("app");
    fs::create_dir_all(&app).unwrap();
    let manifest = format!(
        r#"{{"dependencies":{{"next":"file:{}"}},"scripts":{{"build":"(setsid sleep 30 &) ; sleep 1; mkdir -p .next"}}}}"#,
        archive.display()
    );
    fs::write(app.join("package.json"), manifest).unwrap();
    let server = "import http.server, os, time\n\
         class H(http.server.BaseHTTPRequestHandler):\n\
         \x20   def do_GET(self):\n\
         \x20       self.send_response(200); self.end_headers(); self.wfile.write(b'{\"status\":\"ok\"}')\n\
         time.sleep(1)\n\
         http.server.HTTPServer(('0.0.0.0', int(os.environ['PORT'])), H).serve_forever()\n";
    fs::write(app.join("server.py"), server).unwrap();
    fs::write(app.join("start.sh"), "#!/bin/sh\nexec python3 server.py\n").unwrap();
}

fn a_check_that_is_killed(level: Level, name: &str) {
    let dir = folder(name);
    if tool(&dir, level).is_none() {
        return;
    }
    write_app(&dir);
    let check = |kill: u64| {
        // Another source is another build; of three, one begins with its packages.
        fs::write(dir.join("app/kill"), kill.to_string()).unwrap();
        if kill.is_multiple_of(3) {
            for entry in fs::read_dir(dir.join("cache/node"))
                .into_iter()
                .flatten()
                .flatten()
            {
                if entry
                    .path()
                    .extension()
                    .is_some_and(|end| end == "complete")
                {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
        }
        let mut command = tool(&dir, level).unwrap();
        command
            .args(["--quiet", "check", "--only", "missing-token"])
            .arg(dir.join("app"))
            .env("UNREQUESTED_CACHE", dir.join("cache"));
        command
    };
    let groups = kill_often(&dir, kills(5), 7000, check);
    let output = check(0).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(12), "{said}");
    assert!(!said.contains("Nothing was attacked"), "{said}");
    nothing_is_left(&dir, &groups);
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn in_a_box_installs_and_builds_leave_nothing() {
    a_check_that_is_killed(Level::Best, "check");
}

#[test]
fn without_a_box_installs_and_builds_leave_nothing() {
    a_check_that_is_killed(Level::Plain, "check-plain");
}

#[test]
fn a_box_that_cannot_be_had_is_refused_where_it_is_required() {
    let dir = folder("required");
    let Some(mut command) = tool(&dir, Level::Plain) else {
        return;
    };
    let output = command
        .args(["--require-box", "check", "--sample", "hardened"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(20), "{said}");
    assert!(said.contains("no box can be had here"), "{said}");
    fs::remove_dir_all(&dir).unwrap();
}
