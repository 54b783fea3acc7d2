//! Where a scanner's program is, and what a box must show for it to run.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program that is installed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tool {
    pub(crate) program: PathBuf,
    pub(crate) read: Vec<PathBuf>,
    /// Folders of programs that it starts.
    pub(crate) path: Vec<PathBuf>,
    /// Folders of Python packages that its interpreter would not find by itself in a box.
    pub(super) python_path: Option<OsString>,
}

impl Tool {
    /// Looks for a program in the user's `PATH`.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .filter_map(|folder| std::path::absolute(folder.join(name)).ok())
            .filter(|file| is_program(file))
            .find_map(|file| behind_a_shim(file, name))
            .map(Self::at)
    }

    /// The program that is there, if it is one.
    pub(crate) fn at_path(file: &Path) -> Option<Self> {
        is_program(file).then(|| Self::at(file.to_path_buf()))
    }

    fn at(program: PathBuf) -> Self {
        let mut tool = Self {
            read: cell::installed_in(&program).into_iter().collect(),
            path: program
                .parent()
                .map(Path::to_path_buf)
                .into_iter()
                .collect(),
            python_path: None,
            program,
        };
        match interpreter(&tool.program) {
            Some(Interpreter::Python(python)) => tool.with_python(&python),
            Some(Interpreter::Node) => {
                if let Ok(node) = app::Node::look() {
                    tool.read.extend(node.home);
                    tool.path.push(node.bin);
                }
            }
            None => {}
        }
        tool
    }

    /// What the user's own interpreter has on its path is shown to it in the box, too.
    fn with_python(&mut self, python: &Path) {
        let asked = Command::new(python)
            .args([
                "-c",
                "import sys; print(sys.base_prefix, sys.prefix, *sys.path, sep='\\n')",
            ])
            .current_dir("/")
            .stdin(Stdio::null())
            .output();
        let text = asked.map_or(String::new(), |output| {
            String::from_utf8_lossy(&output.stdout).into_owned()
        });
        let mut places = text
            .lines()
            .map(PathBuf::from)
            .filter(|path| path.is_absolute() && path.parent().is_some() && path.is_dir());
        let prefixes: Vec<PathBuf> = places.by_ref().take(2).collect();
        let others: Vec<PathBuf> = places
            .filter(|path| !prefixes.iter().any(|prefix| path.starts_with(prefix)))
            .collect();
        self.python_path = std::env::join_paths(&others)
            .ok()
            .filter(|_| !others.is_empty());
        self.read.extend(prefixes);
        self.read.extend(others);
    }
}

/// The number in what a program says of its version.
pub(super) fn number(said: &str) -> Option<String> {
    let first = said.lines().find(|line| !line.trim().is_empty())?;
    first
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .map(str::to_owned)
}

fn is_program(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// pyenv puts a script in the place of programs; of versions that are not chosen, too.
fn behind_a_shim(file: PathBuf, name: &str) -> Option<PathBuf> {
    let is_shim = file
        .parent()
        .is_some_and(|folder| folder.ends_with(".pyenv/shims"));
    if !is_shim {
        return Some(file);
    }
    let asked = Command::new("pyenv")
        .args(["which", name])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let found = PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim());
    (asked.status.success() && is_program(&found)).then_some(found)
}

#[derive(Debug, PartialEq, Eq)]
enum Interpreter {
    Python(PathBuf),
    Node,
}

/// What a script names in its first line.
fn interpreter(program: &Path) -> Option<Interpreter> {
    let mut start = Vec::new();
    let file = std::fs::File::open(program).ok()?;
    file.take(1024).read_to_end(&mut start).ok()?;
    named_in(&String::from_utf8_lossy(&start))
}

fn named_in(start: &str) -> Option<Interpreter> {
    let mut lines = start.lines();
    let mut words = lines.next()?.strip_prefix("#!")?.split_whitespace();
    let mut named = PathBuf::from(words.next()?);
    if named.ends_with("env") {
        named = words.find(|word| !word.starts_with('-'))?.into();
    } else if named.ends_with("sh")
        && let Some(line) = lines.next().and_then(|line| line.strip_prefix("'''exec'"))
    {
        // What pip writes where the path is too long for a first line.
        let quoted = line.trim_start();
        let path = match quoted.strip_prefix('"') {
            Some(rest) => rest.split('"').next(),
            None => quoted.split_whitespace().next(),
        };
        named = path?.into();
    }
    let file = named.file_name()?.to_string_lossy().into_owned();
    match file.as_str() {
        "node" => Some(Interpreter::Node),
        name if name.starts_with("python") || name.starts_with("pypy") => {
            Some(Interpreter::Python(named))
        }
        _ => None,
    }
}

/// The user's variables that say how a server is reached, for what may ask one. None of them is a password by its meaning.
pub(super) fn of_the_network() -> HashMap<OsString, OsString> {
    const NAMES: [&str; 14] = [
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "npm_config_registry",
        "PIP_INDEX_URL",
        "PIP_AUDIT_VULNERABILITY_SERVICE",
        "PIP_AUDIT_OSV_URL",
    ];
    NAMES
        .iter()
        .filter_map(|name| Some(((*name).into(), std::env::var_os(name)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_first_number_of_what_is_said() {
        for (said, wanted) in [
            ("bandit 1.9.4\n  python version = 3.11.7", Some("1.9.4")),
            ("1.185.0\n", Some("1.185.0")),
            ("\npip-audit 2.10.1", Some("2.10.1")),
            ("no version", None),
            ("", None),
        ] {
            assert_eq!(number(said).as_deref(), wanted, "{said}");
        }
    }

    #[test]
    fn scripts_name_their_interpreter_in_more_than_one_way() {
        let python = |path: &str| Some(Interpreter::Python(path.into()));
        for (start, wanted) in [
            (
                "#!/opt/v/bin/python3\nimport re",
                python("/opt/v/bin/python3"),
            ),
            ("#!/usr/bin/env python3\n", python("python3")),
            ("#!/usr/bin/env -S python3 -E\n", python("python3")),
            ("#!/usr/bin/env node\n", Some(Interpreter::Node)),
            (
                "#!/bin/sh\n'''exec' \"/home/a b/bin/python3.11\" \"$0\" \"$@\"\n' '''\n",
                python("/home/a b/bin/python3.11"),
            ),
            (
                "#!/bin/sh\n'''exec' /v/bin/python \"$0\" \"$@\"\n",
                python("/v/bin/python"),
            ),
            ("#!/bin/sh\nexec true\n", None),
            ("\u{7f}ELF", None),
            ("", None),
        ] {
            assert_eq!(named_in(start), wanted, "{start}");
        }
    }
}
