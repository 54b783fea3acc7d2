//! How long the hook takes on an app of 5,000 lines: `cargo run --release -p unrequested --example hook_speed -- [LINES]`.
//!
//! Copies the samples of FastAPI and Next.js, each in a folder of its own, until there are so many lines; commits them; then
//! runs the program as an agent does: at the start of a session, with a change and git to compare with, with a change and a
//! state, and with nothing changed. A time is wall time of the whole process in milliseconds; median and maximum of 15.

#![allow(clippy::print_stdout, reason = "a command")]
#![allow(
    clippy::unwrap_used,
    reason = "a measurement that cannot go on should stop"
)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use agent::recorded;

const TIMES: usize = 15;

fn main() {
    let lines: usize = std::env::args()
        .nth(1)
        .map_or(5_000, |word| word.parse().unwrap());
    let program = std::env::current_exe().unwrap();
    // Beside `examples/hook_speed`; `cargo build --release -p unrequested` makes it.
    let program = program
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("unrequested");
    assert!(program.is_file(), "cargo build --release -p unrequested");
    let folder =
        std::env::temp_dir().join(format!("unrequested-hook-speed-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let (written, files) = write(&folder, lines);
    git(&folder, &["init", "-q"]);
    git(&folder, &["add", "-A"]);
    git(&folder, &["commit", "-qm", "The app"]);
    println!("{written} lines in {files} files, {TIMES} runs each      median ms   max ms");
    let forget = || {
        let _ = fs::remove_dir_all(folder.join(".unrequested"));
    };
    let row = |name: &str, before: &dyn Fn(usize), event: &str, blocks: bool| {
        let mut times: Vec<f64> = (0..TIMES)
            .map(|number| {
                before(number);
                let begun = Instant::now();
                let said = hook(&program, &folder, event);
                let took = begun.elapsed().as_secs_f64() * 1000.0;
                assert_eq!(said.contains("\"block\""), blocks, "{name}: {said}");
                assert!(!said.contains("not checked"), "{name}: {said}");
                took
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!(
            "{name:<52} {:>9.0} {:>8.0}",
            times[TIMES / 2],
            times[TIMES - 1]
        );
    };
    row("a session begins", &|_| forget(), "SessionStart", false);
    let edit = |number: usize| {
        let path = folder.join("copy-0/app/main.py");
        let text = fs::read_to_string(&path).unwrap();
        let from = "def login(body: Credentials):\n";
        assert!(text.contains(from));
        fs::write(
            path,
            text.replace(from, &format!("{from}    print({number})\n")),
        )
        .unwrap();
    };
    row(
        "a change, compared with git",
        &|number| {
            forget();
            edit(number);
        },
        "Stop",
        true,
    );
    row(
        "a change, compared with the last stop",
        &edit,
        "Stop",
        false,
    );
    row("nothing was changed", &|_| (), "Stop", false);
    fs::remove_dir_all(&folder).unwrap();
}

fn write(folder: &Path, lines: usize) -> (usize, usize) {
    let (mut written, mut files, mut copy) = (0, 0, 0);
    let samples = [
        "fastapi/literal",
        "nextjs/literal",
        "fastapi/imports-first",
        "nextjs/imports-first",
    ];
    while written < lines {
        let (framework, name) = samples[copy % samples.len()].split_once('/').unwrap();
        let into: PathBuf = folder.join(format!("copy-{copy}"));
        fs::create_dir_all(&into).unwrap();
        recorded::write(framework, name, 6, &into).unwrap();
        for (path, text) in recorded::texts(framework, name, 6).unwrap() {
            let is_source = Path::new(&path)
                .extension()
                .is_some_and(|end| end != "json");
            if is_source && decision::is_read(&path) {
                written += text.lines().count();
                files += 1;
            }
        }
        copy += 1;
    }
    (written, files)
}

fn git(folder: &Path, words: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=ann", "-c", "user.email=ann@example.com"])
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn hook(program: &Path, folder: &Path, event: &str) -> String {
    let mut child = Command::new(program)
        .args(["hook", "claude-code"])
        .env_remove("CLAUDE_PROJECT_DIR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let text = format!(
        "{{\"session_id\":\"1\",\"cwd\":{:?},\"hook_event_name\":\"{event}\",\"source\":\"startup\"}}",
        folder.to_str().unwrap()
    );
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
