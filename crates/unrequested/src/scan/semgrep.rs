//! Semgrep: patterns in sources of many languages. It has no rules of its own: a folder of them is given, or its registry is
//! asked, which is a server.
//!
//! Of what the tree says to it nothing is heard: neither `.semgrepignore` nor `nosemgrep`.

use std::path::Path;

use report::scan::{Extent, Hit, Outcome, Said};
use serde::Deserialize;

use super::{Asked, Job, Rules, Scanner, parsed, relative};

pub(super) const SEMGREP: Scanner = Scanner {
    id: "semgrep",
    program: "semgrep",
    install: "python3 -m pip install semgrep",
    manifests: &[],
    files: &[],
    server: |asked| {
        let registry = matches!(asked.rules, Some(Rules::Registry(_)));
        registry.then_some("its rules")
    },
    job,
    read,
};

pub(super) fn job(_tree: &Path, asked: &Asked) -> Result<Job, Outcome> {
    let (config, read) = match &asked.rules {
        None => {
            return Err(Outcome::NotRun {
                why: "it has no rules of its own: --semgrep-config FOLDER names some".to_owned(),
            });
        }
        Some(Rules::Local(path)) => (path.clone().into_os_string(), vec![path.clone()]),
        Some(Rules::Registry(name)) => (name.into(), vec![]),
    };
    // With `--time` it counts rules, and as scanned only files that a rule is for.
    let words = "scan --json --time --quiet --metrics off --disable-version-check --disable-nosem --no-git-ignore --config";
    let mut arguments: Vec<_> = words.split(' ').map(Into::into).collect();
    arguments.extend([config, ".".into()]);
    Ok(Job {
        arguments,
        read,
        env: vec![],
    })
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Found>,
    errors: Vec<Failed>,
    paths: Paths,
    /// `None` where it gave up before it looked.
    time: Option<Time>,
}

#[derive(Deserialize)]
struct Paths {
    scanned: Vec<String>,
}

#[derive(Deserialize)]
struct Time {
    rules: Vec<String>,
}

#[derive(Deserialize)]
struct Found {
    check_id: String,
    path: String,
    start: At,
    end: At,
    extra: Extra,
}

#[derive(Deserialize)]
struct At {
    line: u32,
}

#[derive(Deserialize)]
struct Extra {
    severity: String,
    message: String,
}

#[derive(Deserialize)]
struct Failed {
    level: String,
    message: Option<String>,
    short_msg: Option<String>,
    long_msg: Option<String>,
    path: Option<String>,
}

impl Failed {
    fn words(&self) -> &str {
        let all = [&self.message, &self.long_msg, &self.short_msg];
        let said = all.into_iter().flatten().next();
        said.map_or("an error without words", String::as_str)
    }
}

fn read(text: &str, asked: &Asked) -> Result<Said, String> {
    let answer: Answer = parsed(text)?;
    let rules = answer.time.as_ref().map_or(0, |time| time.rules.len());
    // An error about no file of the tree is about its rules or itself: what it then did not find says nothing.
    let own = answer
        .errors
        .iter()
        .find(|one| one.path.is_none() && one.level == "error");
    match (own, &answer.time) {
        (Some(error), _) if rules == 0 => return Err(error.words().to_owned()),
        (None, None) => return Err("its answer does not say which rules it ran".to_owned()),
        _ => {}
    }
    Ok(Said {
        examined: Extent {
            files: Some(answer.paths.scanned.len() as u64),
            rules: Some(rules as u64),
            ..Extent::default()
        },
        findings: answer
            .results
            .iter()
            .map(|one| Hit {
                rule: short(&one.check_id, asked.rules.as_ref()),
                severity: one.extra.severity.to_lowercase(),
                file: Some(relative(&one.path)),
                line: one.start.line,
                end_line: one.end.line,
                package: None,
                says: one.extra.message.clone(),
            })
            .collect(),
        remarks: answer
            .errors
            .iter()
            .map(|one| match &one.path {
                Some(path) => format!("not or partly read: {}: {}", relative(path), one.words()),
                None => one.words().to_owned(),
            })
            .collect(),
    })
}

/// It puts the folder of its rules before their names, with dots.
fn short(id: &str, rules: Option<&Rules>) -> String {
    let Some(Rules::Local(path)) = rules else {
        return id.to_owned();
    };
    let folder = if path.is_file() {
        path.parent()
    } else {
        Some(path.as_path())
    };
    let dotted = folder
        .map(|folder| folder.to_string_lossy().trim_matches('/').replace('/', "."))
        .unwrap_or_default();
    id.strip_prefix(&dotted)
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(id)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::tests::{asked, no_part_is_an_answer};

    const FOUND: &str = include_str!("../../tests/scan/semgrep-1.185.0-found.json");
    const NOTHING: &str = include_str!("../../tests/scan/semgrep-1.185.0-nothing.json");
    const NO_RULES: &str = include_str!("../../tests/scan/semgrep-1.185.0-no-rules.json");
    const BAD_RULE: &str = include_str!("../../tests/scan/semgrep-1.185.0-bad-rule.json");

    #[test]
    fn files_rules_findings_and_what_was_read_in_part() {
        let asked = Asked {
            rules: Some(Rules::Local("/tmp/scan/sg/rules".into())),
            ..asked()
        };
        let said = read(FOUND, &asked).unwrap();
        assert_eq!(
            (said.examined.files, said.examined.rules),
            (Some(5), Some(2))
        );
        let [one] = said.findings.as_slice() else {
            panic!("{:?}", said.findings);
        };
        assert_eq!(
            (
                one.rule.as_str(),
                one.severity.as_str(),
                one.file.as_deref(),
                one.line,
                one.end_line
            ),
            ("shell", "error", Some("app/c.py"), 2, 2)
        );
        assert_eq!(said.remarks.len(), 2);
        assert!(
            said.remarks[0].starts_with("not or partly read: app/d.py: "),
            "{:?}",
            said.remarks
        );
    }

    #[test]
    fn rules_for_another_language_examine_nothing() {
        let outcome = Outcome::of(read(NOTHING, &asked()).unwrap());
        assert!(
            matches!(outcome, Outcome::ExaminedNothing { .. }),
            "{outcome:?}"
        );
    }

    #[test]
    fn rules_that_are_none_are_an_error_although_files_are_called_scanned() {
        assert!(
            read(NO_RULES, &asked())
                .unwrap_err()
                .starts_with("No config given")
        );
        assert!(BAD_RULE.contains("app/a.py"));
        assert!(
            read(BAD_RULE, &asked())
                .unwrap_err()
                .contains("Rule parse error")
        );
    }

    #[test]
    fn half_an_answer_is_none() {
        no_part_is_an_answer(&SEMGREP, FOUND);
        no_part_is_an_answer(&SEMGREP, NOTHING);
    }

    #[test]
    fn without_rules_it_is_not_run() {
        let not = job(Path::new("."), &asked()).unwrap_err();
        assert!(
            matches!(&not, Outcome::NotRun { why } if why.contains("--semgrep-config")),
            "{not:?}"
        );
    }

    #[test]
    fn a_rule_is_named_from_its_folder_on() {
        let rules = Rules::Local("/home/me/rules".into());
        for (id, wanted) in [
            ("home.me.rules.python.sql", "python.sql"),
            ("home.me.rulesets.sql", "home.me.rulesets.sql"),
            ("sql", "sql"),
        ] {
            assert_eq!(short(id, Some(&rules)), wanted);
        }
    }
}
