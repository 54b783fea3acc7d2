//! A sample in a repository, events of its sessions, and what the hook says to them.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use agent::recorded;
use serde_json::{Value, json};

pub(crate) const APP: &str = "app/main.py";

pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// A sample in a repository.
    pub(crate) fn of(name: &str) -> Self {
        let one = Self::without_git(name);
        one.git(&["init", "-q"]);
        one.commit();
        one
    }

    pub(crate) fn without_git(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        recorded::write("fastapi", name, 6, folder.path()).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=ann", "-c", "user.email=ann@example.com"])
            .args(words)
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", "A step"]);
    }

    pub(crate) fn replace(&self, from: &str, to: &str) {
        let path = self.path().join(APP);
        let old = fs::read_to_string(&path).unwrap();
        assert!(old.contains(from), "{from}");
        fs::write(path, old.replace(from, to)).unwrap();
    }

    /// A feature in the sign-in, without a limit.
    pub(crate) fn edit_the_sign_in(&self, word: &str) {
        let line = "    if not user or user[\"password\"] != hash_password(body.password):\n";
        self.replace(line, &format!("    print(\"{word}\")\n{line}"));
    }

    pub(crate) fn resume(&self, session: &str) -> Said {
        let mut event = self.event(session, "SessionStart");
        event["source"] = "resume".into();
        said(tool(&["hook", "claude-code"]), event.to_string().as_bytes())
    }

    pub(crate) fn event(&self, session: &str, name: &str) -> Value {
        json!({"session_id": session, "cwd": self.path(), "hook_event_name": name, "source": "startup"})
    }

    pub(crate) fn stop(&self, session: &str) -> Said {
        said(
            tool(&["hook", "claude-code"]),
            self.event(session, "Stop").to_string().as_bytes(),
        )
    }

    pub(crate) fn start(&self, session: &str) -> Said {
        let event = self.event(session, "SessionStart").to_string();
        said(tool(&["hook", "claude-code"]), event.as_bytes())
    }

    pub(crate) fn state(&self) -> Vec<std::path::PathBuf> {
        let folder = self.path().join(".unrequested");
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut found: Vec<_> = entries.map(|entry| entry.path()).collect();
        found.retain(|path| path.extension().is_some_and(|end| end == "json"));
        found
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Nothing,
    /// The reason, and what the user is told.
    Block(String, String),
    /// What the user is told.
    Told(String),
}

impl Said {
    pub(crate) fn reason(&self) -> &str {
        let Self::Block(reason, _) = self else {
            panic!("no block: {self:?}")
        };
        reason
    }

    pub(crate) fn not_checked(&self, why: &str) {
        let told = matches!(self, Self::Told(text) if text.contains("not checked: ") && text.contains(why));
        assert!(told, "{why}: {self:?}");
    }
}

pub(crate) fn tool(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unrequested"));
    command
        .args(words)
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("CLAUDE_PROJECT_DIR")
        .env_remove("UNREQUESTED_DIR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn ran(mut command: Command, event: &[u8]) -> Output {
    let mut child = command.spawn().unwrap();
    // It may have seen enough before the end.
    let _ = child.stdin.take().unwrap().write_all(event);
    child.wait_with_output().unwrap()
}

/// Whatever happens, the exit code is 0 and stdout is nothing or one object of the agents' form.
pub(crate) fn said(command: Command, event: &[u8]) -> Said {
    let output = ran(command, event);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    if text.is_empty() {
        return Said::Nothing;
    }
    let value: Value = serde_json::from_str(&text).unwrap();
    let known = ["decision", "reason", "systemMessage"];
    let object = value.as_object().unwrap();
    assert!(
        object.keys().all(|key| known.contains(&key.as_str())),
        "{text}"
    );
    let word = |name: &str| value[name].as_str().unwrap().to_owned();
    let message = word("systemMessage");
    assert!(!message.contains('\n'));
    if value["decision"] == "block" {
        Said::Block(word("reason"), message)
    } else {
        assert_eq!(object.len(), 1, "{text}");
        Said::Told(message)
    }
}
