//! The gate can fail: labels swapped, an app that does not start, a control that does not apply, an app that dies.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const OPEN: &str = r#"# The owner is forgotten.
kind = "mutant"
trips = ["note-read-other-user"]
[[change]]
file = "app/notes.py"
find = '"SELECT * FROM notes WHERE id = ? AND owner = ?", (note_id, user["id"])'
replace = '"SELECT * FROM notes WHERE id = ?", (note_id,)'
"#;

const SAFE: &str = r#"# Another status.
kind = "near-miss"
trips = []
[[change]]
file = "app/notes.py"
find = 'from .auth import current_user'
replace = 'from .auth import current_user  # as before'
"#;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("calibrate-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("fastapi/note-read-other-user")).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.0.join("fastapi/note-read-other-user").join(name);
        fs::write(path, text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> (Output, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
            .arg("--dir")
            .arg(self.0.join("ledger"))
            .arg("--quiet")
            .arg("calibrate")
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        (output, text)
    }

    /// Only what is in this folder, and only the exploit that it is about.
    fn measured(&self) -> (Option<i32>, String) {
        let folder = self.0.display().to_string();
        let (output, text) = self.run(&[
            "--controls",
            &folder,
            "--only",
            "note-read-other-user",
            "--control",
            "note-read",
        ]);
        (output.status.code(), text)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn right_labels_pass_and_swapped_labels_are_both_named() {
    let folder = Folder::new("labels");
    folder.put("open.toml", OPEN);
    folder.put("safe.toml", SAFE);
    let (code, text) = folder.measured();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("1/1"), "{text}");

    folder.put(
        "open.toml",
        &OPEN
            .replace("\"mutant\"", "\"near-miss\"")
            .replace("[\"note-read-other-user\"]", "[]"),
    );
    folder.put(
        "safe.toml",
        &SAFE
            .replace("\"near-miss\"", "\"mutant\"")
            .replace("trips = []", "trips = [\"note-read-other-user\"]"),
    );
    let (code, text) = folder.measured();
    assert_eq!(code, Some(10), "{text}");
    assert!(
        text.contains("open: note-read-other-user said exploited, not resisted"),
        "{text}"
    );
    assert!(
        text.contains("safe: note-read-other-user said resisted, not exploited"),
        "{text}"
    );
}

#[test]
fn a_control_that_cannot_be_decided_is_never_right() {
    let folder = Folder::new("undecided");
    // Does not compile; the feature is gone; what is to be changed is not there.
    folder.put("syntax.toml", &OPEN.replace("(note_id,)'", "(note_id,'"));
    folder.put(
        "dead.toml",
        &OPEN.replace(
            "\"SELECT * FROM notes WHERE id = ?\"",
            "\"SELECT * FROM gone WHERE id = ?\"",
        ),
    );
    folder.put(
        "absent.toml",
        &OPEN.replace("find = '\"SELECT", "find = '\"SELCT"),
    );
    let (code, text) = folder.measured();
    assert_eq!(code, Some(11), "{text}");
    for name in ["syntax", "dead", "absent"] {
        let line = format!("{name}: note-read-other-user said inconclusive");
        assert!(text.contains(&line), "{line}:\n{text}");
    }
}

#[test]
fn a_patch_gets_its_name_and_a_dying_app_resists_nothing() {
    let folder = Folder::new("patch");
    folder.put("open.toml", OPEN);
    let control = folder
        .0
        .join("fastapi/note-read-other-user/open.toml")
        .display()
        .to_string();
    let only = "note-read-other-user,search-other-user,missing-token";
    let (output, text) = folder.run(&["--patch", &control, "--only", only]);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("The hole has one name: note-read-other-user."),
        "{text}"
    );

    let diff = diff_of(&folder.0, "note_id, user[\"id\"]", "note_id, -1");
    let diff = diff.display().to_string();
    let (output, text) = folder.run(&["--patch", &diff, "--only", only]);
    // Nobody reads any note: no exploit can say that others cannot.
    assert_eq!(output.status.code(), Some(11), "{text}");
    assert!(text.contains("undecided  note-read-other-user"), "{text}");

    diff_of(&folder.0, "note_id, nobody", "note_id, -1");
    let (output, text) = folder.run(&["--patch", &diff]);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("does not apply"), "{text}");

    for request in ["1", "4", "9"] {
        let (output, text) = folder.run(&[
            "--patch",
            &control,
            "--only",
            "note-read-other-user",
            "--kill-app-at",
            request,
        ]);
        assert_eq!(output.status.code(), Some(11), "{request}: {text}");
        assert!(
            text.contains(" 0 exploited, 0 resisted"),
            "{request}: {text}"
        );
    }
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn the_printed_table_is_that_of_the_book() {
    let folder = Folder::new("table");
    let book = format!("{ROOT}/docs/calibration.json");
    let (output, _) = folder.run(&["--table", "--book", &book]);
    let kept = fs::read_to_string(format!("{ROOT}/docs/calibration.md")).unwrap();
    assert!(
        output.stdout == kept.as_bytes(),
        "docs/calibration.md is not what `unrequested calibrate --table` prints"
    );
    // A row that is wrong must change the table, or nothing is derived from it.
    let text = fs::read_to_string(&book).unwrap();
    let other = folder.0.join("other.json");
    fs::write(
        &other,
        text.replacen(
            r#""expected":"exploited","verdict":"exploited""#,
            r#""expected":"exploited","verdict":"resisted""#,
            1,
        ),
    )
    .unwrap();
    let (changed, _) = folder.run(&["--table", "--book", &other.display().to_string()]);
    assert_ne!(changed.stdout, output.stdout);
}

#[test]
fn the_quick_gate_passes_and_takes_its_exploits_from_the_command_line() {
    let folder = Folder::new("quick");
    let only = "note-read-other-user,security-headers,webhook-unsigned,upload-oversize";
    let (output, text) = folder.run(&["--quick", "--only", only]);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("4 of 4 can be trusted as far as measured"),
        "{text}"
    );
}

/// A change of the line that reads a note, as git writes it.
fn diff_of(folder: &Path, old: &str, new: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../recordings/fastapi/hardened/3-search/app/notes.py");
    let text = fs::read_to_string(path).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains("WHERE id = ? AND owner = ?"))
        .unwrap();
    let with = |words: &str| text.replace(line, &line.replace("note_id, user[\"id\"]", words));
    for (name, text) in [("a", with(old)), ("b", with(new))] {
        fs::create_dir_all(folder.join(name).join("app")).unwrap();
        fs::write(folder.join(name).join("app/notes.py"), text).unwrap();
    }
    let output = Command::new("git")
        .args(["diff", "--no-index", "--no-prefix"])
        .args(["a/app/notes.py", "b/app/notes.py"])
        .current_dir(folder)
        .output()
        .unwrap();
    let diff = folder.join("a.diff");
    fs::write(&diff, output.stdout).unwrap();
    diff
}
