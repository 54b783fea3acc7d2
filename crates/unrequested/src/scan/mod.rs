//! Static scanners of others: a file each, whose name is its id. Each is run on a copy of a tree, in a box; what it says counts
//! only when it is whole.

mod bandit;
mod npm_audit;
mod pip_audit;
mod run;
mod semgrep;
mod tool;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use report::scan::{Outcome, Said};

pub(crate) use run::{Copy, examine, version};
pub(crate) use tool::Tool;

/// All of them, in the order in which they are shown.
pub(crate) const ALL: [&Scanner; 4] = [
    &bandit::BANDIT,
    &semgrep::SEMGREP,
    &pip_audit::PIP_AUDIT,
    &npm_audit::NPM_AUDIT,
];

/// What is known of a scanner.
pub(crate) struct Scanner {
    pub(crate) id: &'static str,
    pub(crate) program: &'static str,
    /// The command that installs it.
    pub(crate) install: &'static str,
    /// Without one of these files in the tree it has nothing to examine; empty for what looks for sources itself.
    manifests: &'static [&'static str],
    /// What of the tree it is given: these files alone, or all that is source where none are named.
    files: &'static [&'static str],
    /// What it asks of a server, when it does.
    server: fn(&Asked) -> Option<&'static str>,
    /// How it is called on a copy of the tree, in its folder.
    job: fn(&Path, &Asked) -> Result<Job, Outcome>,
    /// Reads its whole answer; an error says what is wrong with it.
    read: fn(&str, &Asked) -> Result<Said, String>,
}

/// A call.
#[derive(Debug, Default)]
struct Job {
    arguments: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    /// What the box has to show beside the program.
    read: Vec<PathBuf>,
}

/// What was asked of all scanners.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) network: bool,
    pub(crate) rules: Option<Rules>,
    pub(crate) longest: Duration,
    pub(crate) level: cell::Level,
}

/// Where Semgrep has its rules from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rules {
    /// A folder or a file, by its whole path.
    Local(PathBuf),
    /// `p/python`: a server has them.
    Registry(String),
}

impl Rules {
    /// What a user named; an error says what it is not.
    pub(crate) fn named(name: &Path) -> Result<Self, String> {
        if let Ok(path) = name.canonicalize() {
            return Ok(Self::Local(path));
        }
        match name.to_str() {
            Some(text) if text.starts_with("p/") || text.starts_with("r/") => {
                Ok(Self::Registry(text.to_owned()))
            }
            _ => Err(format!(
                "{} is no folder or file with rules of Semgrep, and no name in its registry as `p/python` is",
                name.display()
            )),
        }
    }
}

impl Scanner {
    /// Why it is not run on this tree, as far as that is known without running anything.
    pub(crate) fn refusal(&self, tree: &Path, asked: &Asked) -> Option<Outcome> {
        let has = |name: &&&str| tree.join(name).is_file();
        if !self.manifests.is_empty() && self.manifests.iter().find(has).is_none() {
            return Some(Outcome::ExaminedNothing {
                why: format!("the tree has no {}", self.manifests.join(", no ")),
            });
        }
        match (self.server)(asked) {
            Some(what) if !asked.network => Some(Outcome::NotRun {
                why: format!("it asks a server for {what}; --network allows it"),
            }),
            Some(_) | None => None,
        }
    }

    pub(crate) fn missing(&self) -> Outcome {
        Outcome::NotRun {
            why: format!("not installed; {}", self.install),
        }
    }
}

/// A tree's path as a scanner prints it, relative to the tree.
fn relative(path: &str) -> String {
    path.strip_prefix("./").unwrap_or(path).to_owned()
}

/// Words of an answer that is no JSON, or not the one that was expected.
fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    if text.trim().is_empty() {
        return Err("it printed nothing".to_owned());
    }
    serde_json::from_str(text).map_err(|error| format!("its answer cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn asked() -> Asked {
        Asked {
            network: false,
            rules: None,
            longest: Duration::from_secs(60),
            level: cell::Level::Plain,
        }
    }

    /// A scanner's answer cut at any byte, or with a part taken out, is never an answer.
    pub(super) fn no_part_is_an_answer(scanner: &Scanner, text: &str) {
        assert!((scanner.read)(text, &asked()).is_ok());
        let whole = text.trim_end();
        for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            let part = (scanner.read)(&whole[..end], &asked());
            assert!(part.is_err(), "{}: {end} bytes: {part:?}", scanner.id);
        }
        for other in [
            "",
            "\n",
            "null",
            "[]",
            "{}",
            "true",
            "Killed",
            "{\"results\": []}",
        ] {
            let read = (scanner.read)(other, &asked());
            assert!(read.is_err(), "{}: {other}: {read:?}", scanner.id);
        }
    }

    #[test]
    fn what_asks_a_server_is_run_only_when_that_was_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |id: &str, asked: &Asked| {
            let scanner = ALL.iter().find(|one| one.id == id).unwrap();
            scanner.refusal(folder.path(), asked)
        };
        let closed = asked();
        let open = Asked {
            network: true,
            ..asked()
        };
        for id in ["pip-audit", "npm-audit"] {
            let nothing = refused(id, &open);
            assert!(
                matches!(nothing, Some(Outcome::ExaminedNothing { .. })),
                "{nothing:?}"
            );
        }
        for name in ["requirements.txt", "package-lock.json"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        for id in ["pip-audit", "npm-audit"] {
            let not = refused(id, &closed);
            assert!(
                matches!(&not, Some(Outcome::NotRun { why }) if why.contains("--network")),
                "{not:?}"
            );
            assert_eq!(refused(id, &open), None);
        }
        assert_eq!(refused("bandit", &closed), None);
        assert_eq!(refused("semgrep", &closed), None);
        let registry = Asked {
            rules: Some(Rules::named(Path::new("p/python")).unwrap()),
            ..closed
        };
        assert!(matches!(
            refused("semgrep", &registry),
            Some(Outcome::NotRun { .. })
        ));
    }

    #[test]
    fn the_page_has_the_commands_as_they_are_run() {
        let rules = Rules::Local("RULES".into());
        let semgrep = Asked {
            rules: Some(rules),
            ..asked()
        };
        let semgrep = semgrep::job(Path::new("."), &semgrep).unwrap();
        let calls = [
            bandit::job().arguments,
            semgrep.arguments,
            pip_audit::arguments(Path::new("PACKAGES")),
            npm_audit::job().arguments,
        ];
        let page = include_str!("../../../../docs/scanners.md");
        for (scanner, arguments) in ALL.iter().zip(calls) {
            let words = arguments.join(std::ffi::OsStr::new(" "));
            let row = format!(
                "| `{}` | `{} {} ",
                scanner.id,
                scanner.program,
                words.display()
            );
            let row = row.trim_end().to_owned() + "` |";
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn rules_are_a_place_or_a_name_in_the_registry() {
        let folder = tempfile::tempdir().unwrap();
        let local = Rules::named(folder.path()).unwrap();
        assert_eq!(local, Rules::Local(folder.path().canonicalize().unwrap()));
        assert!(Rules::named(Path::new("p/python")).is_ok());
        for wrong in ["auto", "rules", "https://rules.example/a.yaml", "--config"] {
            assert!(Rules::named(Path::new(wrong)).is_err(), "{wrong}");
        }
    }
}
