//! `hook` from outside: when it sends an agent back, and that its own troubles never do. `loop.rs` has the real agents.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod hostile;
mod project;

use std::fs;
use std::process::Command;

use crate::project::{APP, Project, Said, tool};

#[test]
fn a_finding_sends_back_once_and_again_only_when_the_code_around_it_is_another() {
    let app = Project::of("literal");
    assert_eq!(app.stop("1"), Said::Nothing, "nothing was written");
    app.replace("def health():", "# how it is\n\n\ndef health():");
    assert_eq!(
        app.stop("1"),
        Said::Nothing,
        "nothing but a comment was written"
    );
    app.edit_the_sign_in("seen");
    let first = app.stop("1");
    assert!(
        first
            .reason()
            .contains("login throttling at POST /api/auth/login (app/main.py:")
    );
    assert!(!first.reason().contains("2)"), "{first:?}");
    assert_eq!(app.stop("1"), Said::Nothing);
    app.edit_the_sign_in("seen twice");
    assert_eq!(
        app.stop("1"),
        Said::Nothing,
        "once in a session, whatever is written"
    );
    app.commit();
    assert_eq!(
        app.stop("2"),
        Said::Nothing,
        "the same code in another session"
    );
    app.replace("import sqlite3\n", "import sqlite3\n\n# moved down\n\n");
    assert_eq!(app.stop("2"), Said::Nothing, "moved, not changed");
    app.edit_the_sign_in("another day");
    assert!(app.stop("3").reason().contains("login throttling"));
    assert_eq!(
        app.git(&["status", "--short"]),
        " M app/main.py\n",
        "git sees nothing of ours"
    );
}

#[test]
fn who_writes_the_control_is_let_go() {
    let app = Project::of("literal");
    app.edit_the_sign_in("seen");
    app.replace(
        "def login(body: Credentials):\n",
        "def login(body: Credentials, request: Request):\n    if count(request.client.host) > 5:\n        raise HTTPException(429)\n",
    );
    app.replace(
        "def health():",
        "def count(host):\n    return 0\n\n\ndef health():",
    );
    assert_eq!(app.stop("1"), Said::Nothing);
}

#[test]
fn a_control_that_is_taken_away_is_missing() {
    let app = Project::of("hardened");
    assert_eq!(app.stop("1"), Said::Nothing);
    let file = app.path().join("app/auth.py");
    let text = fs::read_to_string(&file).unwrap();
    let without = text.replace("dependencies=[Depends(login_limit)]", "");
    assert_ne!(text, without);
    fs::write(file, without).unwrap();
    // The limiter is still there and nothing uses it: for a person to look at.
    let Said::Told(text) = app.stop("1") else {
        panic!("not told");
    };
    assert!(
        text.contains("not decided: login-throttling at POST /api/auth/login"),
        "{text}"
    );
}

#[test]
fn what_was_there_when_the_session_began_is_nobodys_fault() {
    let app = Project::without_git("literal");
    assert_eq!(app.start("1"), Said::Nothing);
    assert_eq!(app.stop("1"), Said::Nothing);
    app.edit_the_sign_in("seen");
    assert!(app.stop("1").reason().contains("login throttling"));
    // Without git and without a beginning nobody knows what is new.
    let app = Project::without_git("literal");
    app.stop("1")
        .not_checked("what was there before is not known");
    app.edit_the_sign_in("seen");
    assert!(app.stop("1").reason().contains("login throttling"));
}

#[test]
fn a_commit_of_the_agents_own_hides_nothing() {
    let app = Project::of("literal");
    assert_eq!(app.start("1"), Said::Nothing);
    app.edit_the_sign_in("seen");
    app.commit();
    assert!(app.stop("1").reason().contains("login throttling"));
}

#[test]
fn an_app_that_is_written_from_nothing_is_new_as_a_whole() {
    let app = Project::without_git("literal");
    app.git(&["init", "-q"]);
    let said = app.stop("1");
    for (title, test) in [
        ("API docs at app/main.py:", "docs-in-production"),
        (
            "login throttling at POST /api/auth/login",
            "login-rate-limit",
        ),
        ("password hash at app/main.py:", "password-storage"),
        (
            "password policy at POST /api/auth/register",
            "weak-password",
        ),
        ("secret source at app/main.py:", "default-secret"),
        ("security headers", "security-headers"),
    ] {
        assert!(said.reason().contains(title), "{title}: {said:?}");
        assert!(said.reason().contains(test), "{test}: {said:?}");
    }
    assert_eq!(app.stop("1"), Said::Nothing);
}

#[test]
fn what_somebody_accepted_is_silent() {
    let app = Project::of("literal");
    let output = tool(&[
        "decisions",
        "--accept",
        "login-throttling",
        "--reason",
        "the gateway limits",
    ])
    .current_dir(app.path())
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    app.edit_the_sign_in("seen");
    assert_eq!(app.stop("1"), Said::Nothing);
    let lock = app.path().join("unrequested.decisions.toml");
    fs::remove_file(&lock).unwrap();
    let entry = |until: &str| {
        format!(
            "version = 1\n[[accept]]\nfinding = \"login-throttling\"\nexploits = [\"login-rate-limit\"]\nreason = \"a gateway\"\n\
             by = \"ann\"\nuntil = \"{until}\"\n"
        )
    };
    let baseline = app.path().join("unrequested.baseline.toml");
    fs::write(&baseline, entry("2999-01-01")).unwrap();
    app.edit_the_sign_in("seen again");
    assert_eq!(app.stop("2"), Said::Nothing);
    fs::write(&baseline, entry("2020-01-01")).unwrap();
    app.edit_the_sign_in("and again");
    assert!(app.stop("3").reason().contains("login throttling"));
    // What cannot be read might accept it.
    fs::write(&lock, "version = 7\n").unwrap();
    app.edit_the_sign_in("once more");
    app.stop("4").not_checked("unrequested.decisions.toml");
}

#[test]
fn what_was_not_read_is_said_to_the_user_and_keeps_nobody() {
    let app = Project::of("literal");
    app.edit_the_sign_in("seen");
    fs::write(app.path().join("app/other.py"), "def broken(:\n  ((\n").unwrap();
    let Said::Told(text) = app.stop("1") else {
        panic!("not told");
    };
    assert!(
        text.contains("login-throttling") && text.contains("app/other.py could not be read"),
        "{text}"
    );
    assert_eq!(app.stop("1"), Said::Nothing);
}

#[test]
fn what_others_wrote_before_a_session_was_taken_up_again_is_not_its_fault() {
    let app = Project::of("literal");
    assert_eq!(app.start("1"), Said::Nothing);
    assert_eq!(app.stop("1"), Said::Nothing);
    app.edit_the_sign_in("somebody else");
    assert_eq!(app.resume("1"), Said::Nothing);
    assert_eq!(app.stop("1"), Said::Nothing);
    app.edit_the_sign_in("the agent");
    assert!(app.stop("1").reason().contains("login throttling"));
}

#[test]
fn what_was_only_a_doubt_sends_back_once_it_is_sure() {
    let broken = |app: &Project| {
        fs::write(app.path().join("app/other.py"), "def broken(:\n  ((\n").unwrap();
    };
    let mended = |app: &Project| fs::write(app.path().join("app/other.py"), "x = 1\n").unwrap();
    for begun in [false, true] {
        let app = Project::of("literal");
        if begun {
            assert_eq!(app.start("1"), Said::Nothing);
        }
        broken(&app);
        app.edit_the_sign_in("seen");
        assert!(matches!(app.stop("1"), Said::Told(_)));
        mended(&app);
        assert!(app.stop("1").reason().contains("login throttling"));
        broken(&app);
        assert_eq!(app.stop("1"), Said::Nothing, "it was said for sure");
    }
    // A doubt of before the session stays what was before, also when it is none any more.
    let app = Project::of("literal");
    broken(&app);
    assert_eq!(app.start("1"), Said::Nothing);
    mended(&app);
    assert_eq!(app.stop("1"), Said::Nothing);
}

#[test]
fn a_finding_in_another_file_is_another() {
    let app = Project::of("literal");
    let secret = |name: &str| {
        let text = format!(
            "import os\nimport jwt\n\n\ndef {name}_token(user):\n    \
             return jwt.encode({{\"sub\": user}}, os.environ.get(\"{name}_SECRET\", \"change-me\"), algorithm=\"HS256\")\n"
        );
        fs::write(app.path().join(format!("app/{name}.py")), text).unwrap();
        let main = format!(
            "from app.{name} import {name}_token\n\n\n@app.get(\"/api/{name}\")\ndef {name}():\n    return {name}_token(\"1\")\n"
        );
        let path = app.path().join(APP);
        fs::write(&path, fs::read_to_string(&path).unwrap() + "\n\n" + &main).unwrap();
    };
    assert_eq!(app.start("1"), Said::Nothing);
    for name in ["first", "second"] {
        secret(name);
        let said = app.stop("1");
        let place = format!("secret source at app/{name}.py:");
        assert!(said.reason().contains(&place), "{said:?}");
    }
}

/// The command that the agent is to see end well ends with 10 as long as the control is missing.
#[test]
fn the_acceptance_command_fails_until_the_control_is_there() {
    let app = Project::of("literal");
    app.edit_the_sign_in("seen");
    let said = app.stop("1");
    let reason = said.reason();
    let command = reason.split("Acceptance: `").nth(1).unwrap();
    let command = command.split('`').next().unwrap();
    let bin = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(
        env!("CARGO_BIN_EXE_unrequested"),
        bin.path().join("unrequested"),
    )
    .unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(app.path())
        .env("PATH", format!("{}:{path}", bin.path().display()))
        .env_remove("UNREQUESTED_DIR")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(10), "{command}: {output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
}
