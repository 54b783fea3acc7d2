//! The GitHub Action and the pre-commit hooks, compared with the command line that they call and run against it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const TOOL: &str = env!("CARGO_BIN_EXE_unrequested");

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!(
        "unrequested-workflow-{}-{name}",
        std::process::id()
    ));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

/// The text of a YAML block `key: |` after `from`, without its indentation.
fn block(text: &str, from: &str) -> String {
    let rest = &text[text.find(from).unwrap_or_else(|| panic!("no {from}"))..];
    let mut lines = rest
        .lines()
        .skip_while(|line| !line.trim_end().ends_with("run: |"));
    let head = lines.next().unwrap();
    let indent = head.len() - head.trim_start().len();
    lines
        .take_while(|line| line.trim().is_empty() || line.len() - line.trim_start().len() > indent)
        .map(|line| line.get(indent + 2..).unwrap_or_default().to_owned() + "\n")
        .collect()
}

/// All `--flags` in a text.
fn flags(text: &str) -> Vec<String> {
    let mut all: Vec<String> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| word.starts_with("--") && word.len() > 3)
        .map(str::to_owned)
        .collect();
    all.sort();
    all.dedup();
    all
}

fn help(command: &str) -> Vec<String> {
    let output = Command::new(TOOL)
        .args([command, "--help"])
        .output()
        .unwrap();
    flags(&String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_action_uses_flags_formats_and_inputs_that_there_are() {
    let text = read("action.yml");
    let script = block(&text, "id: check");
    let known = help("check");
    for flag in flags(&script) {
        assert!(
            known.contains(&flag),
            "{flag} is no flag of check: {known:?}"
        );
    }
    let formats: Vec<&str> = script
        .split("--format \"")
        .skip(1)
        .map(|rest| rest.split('=').next().unwrap())
        .collect();
    assert_eq!(formats, ["html", "sarif", "junit", "json", "markdown"]);
    // Each input reaches the script through a variable, and no other way.
    let inputs: Vec<&str> = text
        .split("${{ inputs.")
        .skip(1)
        .map(|rest| rest.split(' ').next().unwrap())
        .collect();
    assert_eq!(inputs.len(), 6);
    for input in inputs {
        assert!(
            text.contains(&format!("\n  {input}:\n    description: ")),
            "{input} is no input"
        );
    }
    assert!(
        !script.contains("${{"),
        "an input in a script's text can be a command"
    );
}

/// Runs the action's own script, as GitHub's bash does.
fn action(home: &Path, app: &str, fail_on: &str) -> (Output, String, String) {
    let bin = home.join("temp/unrequested/bin");
    fs::create_dir_all(&bin).unwrap();
    let link = bin.join("unrequested");
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(TOOL, &link).unwrap();
    let output = Command::new("bash")
        .args([
            "--noprofile",
            "--norc",
            "-eo",
            "pipefail",
            "-c",
            &block(&read("action.yml"), "id: check"),
        ])
        .current_dir(home)
        .env("RUNNER_TEMP", home.join("temp"))
        .env("GITHUB_OUTPUT", home.join("output"))
        .env("GITHUB_STEP_SUMMARY", home.join("summary"))
        .env("APP", app)
        .env("FAIL_ON", fail_on)
        .env("HARDENING", "false")
        .env("SINCE", "")
        .env("BASELINE", "")
        .env("REPORTS", "re ports")
        .output()
        .unwrap();
    let text = |name: &str| fs::read_to_string(home.join(name)).unwrap_or_default();
    (output, text("output"), text("summary"))
}

#[test]
fn the_actions_script_writes_its_reports_and_ends_as_check_does() {
    let home = folder("action");
    let app = home.join("app");
    agent::recorded::write("fastapi", "literal", 6, &app).unwrap();
    let (output, values, summary) = action(&home, "app", "exploited");
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(10), "{said}");
    assert!(
        values.contains("exit-code=10") && values.contains("sarif=re ports/unrequested.sarif"),
        "{values}"
    );
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let token = stdout
        .lines()
        .next()
        .unwrap()
        .strip_prefix("::stop-commands::")
        .unwrap();
    assert!(
        token.len() == 32 && stdout.ends_with(&format!("::{token}::\n")),
        "{stdout}"
    );
    assert!(
        summary.starts_with("## unrequested: 2 things are exploitable"),
        "{summary}"
    );
    for end in ["html", "sarif", "xml", "json", "md"] {
        assert!(
            home.join(format!("re ports/unrequested.{end}")).is_file(),
            "{end}"
        );
    }
    let (output, values, _) = action(&home, "--no-such-folder", "never");
    assert_eq!(output.status.code(), Some(2), "a path is no flag");
    assert!(values.ends_with("exit-code=2\n"), "{values}");
    fs::remove_dir_all(&home).unwrap();
}

#[test]
fn the_hooks_call_commands_and_flags_that_there_are() {
    let home = folder("hooks");
    let text = read(".pre-commit-hooks.yaml");
    let entries: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("entry: unrequested "))
        .collect();
    assert_eq!(entries.len(), text.matches("- id: ").count());
    assert_eq!(entries.len(), 2);
    for entry in entries {
        let words: Vec<&str> = entry.split(' ').collect();
        let known = help(words[0]);
        for flag in flags(entry) {
            assert!(known.contains(&flag), "{entry}: {flag}");
        }
        // In a folder with nothing in it the words are understood, and there is nothing to do or no such revision.
        let output = Command::new(TOOL)
            .args(&words)
            .current_dir(&home)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("Usage:"), "{entry}: {said}");
        assert!(
            matches!(output.status.code(), Some(2 | 12)),
            "{entry}: {said}"
        );
    }
    fs::remove_dir_all(&home).unwrap();
}
