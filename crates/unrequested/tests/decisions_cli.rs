//! `decisions` from outside: what changed, what was reviewed, bad input.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn tool(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_unrequested"))
        .args(["--dir", "ledger", "decisions"])
        .args(args)
        .current_dir(folder)
        .env_remove("CARGO_MANIFEST_DIR")
        .output()
        .unwrap()
}

fn git(folder: &Path, args: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=ann", "-c", "user.email=ann@example.com"])
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The sample as a folder.
fn app() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    agent::recorded::write("fastapi", "hardened", 6, folder.path()).unwrap();
    folder
}

fn replace(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let old = fs::read_to_string(&path).unwrap();
    assert!(old.contains(from));
    fs::write(path, old.replace(from, to)).unwrap();
}

#[test]
fn since_a_revision_only_what_was_decided_otherwise_is_shown() {
    let app = app();
    let folder = app.path();
    git(folder, &["init", "-q"]);
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-qm", "first"]);
    let output = tool(folder, &["--since", "HEAD"]);
    assert!(text(&output).contains("No security decision changed since HEAD"));
    // A comment and another place are no change.
    replace(
        folder,
        "app/passwords.py",
        "import bcrypt\n",
        "# kept by\n\nimport bcrypt\n",
    );
    let output = tool(folder, &["--since", "HEAD", "--fail-on", "changed"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    replace(folder, "app/passwords.py", "ROUNDS = 12", "ROUNDS = 8");
    replace(
        folder,
        "app/auth.py",
        "dependencies=[Depends(login_limit)]",
        "",
    );
    let output = tool(folder, &["--since", "HEAD", "--fail-on", "changed"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(10), "{said}");
    assert!(said.contains("2 decided otherwise"), "{said}");
    assert!(
        said.contains("before: bcrypt, cost 12") && said.contains("login-throttling"),
        "{said}"
    );
    let output = tool(folder, &["--since", "HEAD", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["changes"].as_array().unwrap().len(), 2);
    for (revision, why) in [("nosuch", "no such commit"), ("--output=x", "no revision")] {
        let output = tool(folder, &[&format!("--since={revision}")]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains(why), "{}", text(&output));
    }
}

#[test]
fn a_review_is_kept_with_the_app_and_ends_with_the_decision() {
    let app = app();
    let folder = app.path();
    let output = tool(folder, &["--accept", "password-hash"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("--reason"), "{}", text(&output));
    let accept = [
        "--accept",
        "password-hash,cors",
        "--reason",
        "as OWASP says",
        "--by",
        "ann",
    ];
    let output = tool(folder, &accept);
    assert!(
        text(&output).contains("2 decisions are reviewed"),
        "{}",
        text(&output)
    );
    let lock = fs::read_to_string(folder.join("unrequested.decisions.toml")).unwrap();
    assert!(
        lock.contains("password-hash: bcrypt (library) cost=12") && lock.contains("as OWASP says"),
        "{lock}"
    );
    // Again: nothing is written twice.
    tool(folder, &accept);
    assert_eq!(
        fs::read_to_string(folder.join("unrequested.decisions.toml")).unwrap(),
        lock
    );
    let output = tool(folder, &["--only", "password-hash"]);
    assert!(
        text(&output).contains("reviewed by ann"),
        "{}",
        text(&output)
    );
    replace(folder, "app/passwords.py", "ROUNDS = 12", "ROUNDS = 13");
    let output = tool(folder, &["--fail-on", "changed"]);
    assert_eq!(output.status.code(), Some(10));
    assert!(
        text(&output).contains("1 decision changed since it was reviewed: password-hash"),
        "{}",
        text(&output)
    );
    fs::write(
        folder.join("unrequested.decisions.toml"),
        "version = 1\n[[review]]\nx = 1\n",
    )
    .unwrap();
    let output = tool(folder, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output).contains("unrequested.decisions.toml"),
        "{}",
        text(&output)
    );
}

#[test]
fn what_cannot_be_read_is_said_with_a_way_out() {
    let empty = tempfile::tempdir().unwrap();
    let output = tool(empty.path(), &[]);
    assert_eq!(output.status.code(), Some(12));
    assert!(
        text(&output).contains("no source that can be read"),
        "{}",
        text(&output)
    );
    for (args, why) in [
        (&["nosuch"][..], "no folder, and no run"),
        (
            &["--only", "pasword-hash"][..],
            "did you mean `password-hash`",
        ),
        (&["--sample", "nosuch"][..], "nosuch"),
        (
            &["--sample", "hardened", "--accept", "--reason", "x"][..],
            "wants the app's folder",
        ),
    ] {
        let output = tool(empty.path(), args);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(why), "{}", text(&output));
    }
    fs::write(empty.path().join("app.py"), "def broken(:\n").unwrap();
    let output = tool(empty.path(), &[]);
    assert!(
        text(&output).contains("not read: app.py"),
        "{}",
        text(&output)
    );
}

#[test]
fn steps_say_what_each_prompt_decided_and_what_there_was_to_review() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--sample", "fastapi/runtime-first", "--steps"];
    let output = tool(folder.path(), &args);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let place = |words: &str| {
        text.find(words)
            .unwrap_or_else(|| panic!("{words}: {text}"))
    };
    assert!(place("1-auth") < place("+ password-hash"));
    assert!(place("+ password-hash") < place("2-uploads"));
    assert!(place("5-webhooks") < place("+ webhook-verification"));
    assert!(!text.contains("+ security-headers"), "{text}");
    assert_eq!(text.matches("of its own do security by hand").count(), 6);
    let app = app();
    let output = tool(app.path(), &["--steps"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_wish_names_who_asked() {
    let app = app();
    fs::write(
        app.path().join("CLAUDE.md"),
        "# Rules\n- Put a rate limit on every sign-in.\n",
    )
    .unwrap();
    let output = tool(app.path(), &["--only", "login-throttling"]);
    assert!(
        text(&output).contains("asked by CLAUDE.md"),
        "{}",
        text(&output)
    );
    let output = tool(app.path(), &["--only", "password-hash"]);
    assert!(
        text(&output).contains("asked by nobody"),
        "{}",
        text(&output)
    );
}
