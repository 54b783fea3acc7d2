//! The event that an agent hands over on stdin. Claude Code and Codex name its fields alike; recorded ones are in
//! `crates/unrequested/tests/events`.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Larger events come from no agent.
const LARGEST: u64 = 8 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The agent goes on because a hook had sent it back.
    SentBack,
    /// A session begins or goes on.
    Start {
        project: PathBuf,
        session: String,
        /// Others may have written since this session wrote last.
        fresh: bool,
    },
    /// The agent is done.
    Stop { project: PathBuf, session: String },
}

/// Reads one; `root` is the folder that the agent says its project is.
pub(super) fn read(from: impl Read, root: Option<&Path>) -> Result<Event, String> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("the event cannot be read: {error}"))?;
    if bytes.len() as u64 > LARGEST {
        return Err("the event is larger than 8 MiB".to_owned());
    }
    if bytes.trim_ascii().is_empty() {
        return Err("no event on stdin: an agent's settings call this command".to_owned());
    }
    let event: Value = serde_json::from_slice(&bytes)
        .map_err(|error| format!("the event is no JSON that can be read: {error}"))?;
    if !event.is_object() {
        return Err("the event is no JSON object".to_owned());
    }
    // Whatever is set there, it is not the first time.
    if !matches!(event["stop_hook_active"], Value::Null | Value::Bool(false)) {
        return Ok(Event::SentBack);
    }
    let text = |name: &str| {
        event[name]
            .as_str()
            .filter(|text| !text.is_empty())
            .ok_or_else(|| format!("the event has no {name}"))
    };
    let name = text("hook_event_name")?;
    let session = blake3::hash(text("session_id")?.as_bytes()).to_hex()[..16].to_owned();
    match name {
        "Stop" => Ok(Event::Stop {
            project: project(text("cwd")?, root)?,
            session,
        }),
        "SessionStart" => Ok(Event::Start {
            project: project(text("cwd")?, root)?,
            session,
            fresh: event["source"] == "startup" || event["source"] == "resume",
        }),
        other => Err(format!(
            "the event {} is none of this hook's, which are Stop and SessionStart",
            super::words::plain(other)
        )),
    }
}

fn project(cwd: &str, root: Option<&Path>) -> Result<PathBuf, String> {
    let shown = super::words::plain(cwd);
    let path = Path::new(cwd);
    if cwd.contains('\0') || !path.is_absolute() {
        return Err(format!("the event's cwd {shown} is no absolute path"));
    }
    let failed = |error: std::io::Error| format!("the event's cwd {shown}: {error}");
    let meta = path.symlink_metadata().map_err(failed)?;
    if meta.is_symlink() {
        return Err(format!(
            "the event's cwd {shown} is a link, and is not followed"
        ));
    }
    if !meta.is_dir() {
        return Err(format!("the event's cwd {shown} is no folder"));
    }
    let path = path.canonicalize().map_err(failed)?;
    // An agent may have gone into a folder of its project.
    let root = root.and_then(|root| root.canonicalize().ok());
    let project = root.filter(|root| path.starts_with(root)).unwrap_or(path);
    std::fs::read_dir(&project).map_err(failed)?;
    Ok(project)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Event, String> {
        read(text.as_bytes(), None)
    }

    #[test]
    fn who_was_sent_back_is_let_go_whatever_else_the_event_says() {
        for text in [
            r#"{"stop_hook_active":true}"#,
            r#"{"stop_hook_active":"yes","hook_event_name":"Stop","cwd":"nowhere"}"#,
            r#"{"stop_hook_active":1,"hook_event_name":7}"#,
        ] {
            assert_eq!(of(text), Ok(Event::SentBack), "{text}");
        }
    }

    #[test]
    fn what_is_no_event_says_why() {
        let deep = "[".repeat(100_000);
        let huge = format!("{{\"x\":\"{}\"}}", "x".repeat(9 << 20));
        for (text, why) in [
            ("", "no event on stdin"),
            ("{", "no JSON"),
            ("[]", "no JSON object"),
            (deep.as_str(), "no JSON"),
            (huge.as_str(), "larger than 8 MiB"),
            ("{}", "no hook_event_name"),
            (r#"{"hook_event_name":"Stop"}"#, "no session_id"),
            (r#"{"hook_event_name":"Stop","session_id":"1"}"#, "no cwd"),
            (
                r#"{"hook_event_name":"Stop","session_id":"1","cwd":"app"}"#,
                "no absolute path",
            ),
            (
                r#"{"hook_event_name":"Stop","session_id":"1","cwd":"/a\u0000b"}"#,
                "no absolute path",
            ),
            (
                r#"{"hook_event_name":"Stop","session_id":"1","cwd":"/no/such/folder"}"#,
                "/no/such/folder",
            ),
            (
                r#"{"hook_event_name":"PreToolUse","session_id":"1"}"#,
                "PreToolUse",
            ),
        ] {
            let said = of(text).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn a_folder_of_the_project_stands_for_the_project() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let inside = root.join("app");
        std::fs::create_dir(&inside).unwrap();
        let text = serde_json::json!({"hook_event_name": "Stop", "session_id": "1", "cwd": inside})
            .to_string();
        let project = |around: &Path| match read(text.as_bytes(), Some(around)) {
            Ok(Event::Stop { project, .. }) => project,
            other => panic!("{other:?}"),
        };
        assert_eq!(project(&root), root);
        assert_eq!(project(Path::new("/elsewhere")), inside);
    }
}
