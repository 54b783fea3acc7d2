//! The commands that start the agents, as they are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use agent::proxy::Auth;
use agent::{Step, find};

/// `UPDATE=1 cargo test -p agent --test commands` writes what it is now.
fn snapshot(agent: &str, auth: Auth, resume: Option<&str>) {
    let program = [OsString::from("/cache/agent")];
    let step = Step {
        prompt: "Do it.",
        version: "9.9.9",
        model: "a-model",
        auth,
        program: &program,
        path: "/usr/bin:/bin",
        server: "127.0.0.1:8080".parse().unwrap(),
        fresh: "00000000-0000-4000-8000-000000000000",
        resume,
        root: Path::new("/cell"),
        line: None,
    };
    let cli = find(agent).unwrap();
    let invocation = (cli.command)(&step);
    let mut text = String::new();
    for (name, value) in &invocation.env {
        writeln!(text, "{}={}", name.display(), value.display()).unwrap();
    }
    for word in &invocation.command {
        writeln!(text, "  {}", word.display()).unwrap();
    }
    for (path, content) in (cli.settings)(&step) {
        writeln!(text, "--- {}\n{content}", path.display()).unwrap();
    }
    let name = match (auth, resume) {
        (Auth::Subscription, _) => "subscription",
        (Auth::Key, Some(_)) => "next",
        (Auth::Key, None) => "first",
    };
    let path = format!(
        "{}/samples/{agent}/command-{name}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

fn snapshots(agent: &str) {
    snapshot(agent, Auth::Key, None);
    snapshot(agent, Auth::Key, Some("a-conversation"));
    snapshot(agent, Auth::Subscription, None);
}

#[test]
fn claude_code() {
    snapshots("claude-code");
}

#[test]
fn codex() {
    snapshots("codex");
}
