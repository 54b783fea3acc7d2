//! pip-audit: known vulnerabilities of Python packages, asked of a server. It is shown the packages that were installed to
//! boot the app; told to resolve requirements itself it would build, and so run, what they name.

use std::path::Path;

use report::scan::{Extent, Hit, Outcome, Said};
use serde::Deserialize;

use app::framework::{Language, recognise};

use super::{Asked, Job, Scanner, parsed};

pub(super) const PIP_AUDIT: Scanner = Scanner {
    id: "pip-audit",
    program: "pip-audit",
    install: "python3 -m pip install pip-audit",
    manifests: &["requirements.txt", "pyproject.toml"],
    files: &[],
    server: |_| Some("known vulnerabilities"),
    job,
    read,
};

/// What a virtual environment has of itself.
const OF_THE_ENVIRONMENT: [&str; 3] = ["pip", "setuptools", "wheel"];

fn job(tree: &Path, asked: &Asked) -> Result<Job, Outcome> {
    let framework = recognise(tree).filter(|one| one.language == Language::Python);
    let Some(framework) = framework else {
        return Err(Outcome::ExaminedNothing {
            why: "its requirements name no Python framework that is known here, so they were not installed".to_owned(),
        });
    };
    let workshop = app::Workshop::new(asked.level, app::cache_folder());
    let installed = app::install(tree, framework, &workshop).map_err(|error| Outcome::Broke {
        why: format!("its packages could not be installed: {error}"),
    })?;
    let library = installed.bin.with_file_name("lib");
    let versions = std::fs::read_dir(&library).into_iter().flatten().flatten();
    let packages = versions
        .map(|one| one.path().join("site-packages"))
        .find(|path| path.is_dir());
    let Some(packages) = packages else {
        return Err(Outcome::Broke {
            why: format!("{} has no packages", library.display()),
        });
    };
    Ok(Job {
        arguments: arguments(&packages),
        env: vec![],
        read: vec![packages],
    })
}

pub(super) fn arguments(packages: &Path) -> Vec<std::ffi::OsString> {
    let words = "--format json --desc off --progress-spinner off --path";
    let mut arguments: Vec<_> = words.split(' ').map(Into::into).collect();
    arguments.push(packages.into());
    arguments
}

#[derive(Deserialize)]
struct Answer {
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    version: Option<String>,
    vulns: Option<Vec<Known>>,
    skip_reason: Option<String>,
}

#[derive(Deserialize)]
struct Known {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    fix_versions: Vec<String>,
}

fn read(text: &str, _asked: &Asked) -> Result<Said, String> {
    let answer: Answer = parsed(text)?;
    let mut said = Said::default();
    let mut packages = 0;
    for one in &answer.dependencies {
        if OF_THE_ENVIRONMENT.contains(&one.name.as_str()) {
            continue;
        }
        let (Some(version), Some(known)) = (&one.version, &one.vulns) else {
            let why = one.skip_reason.as_ref();
            let why =
                why.ok_or_else(|| format!("its answer does not say what became of {}", one.name))?;
            said.remarks.push(format!("not examined: {why}"));
            continue;
        };
        packages += 1;
        for vulnerability in known {
            let aliases = match vulnerability.aliases.as_slice() {
                [] => String::new(),
                names => format!("{}, ", names.join(", ")),
            };
            let fixed = match vulnerability.fix_versions.as_slice() {
                [] => "no fixed version is known".to_owned(),
                versions => format!("fixed in {}", versions.join(", ")),
            };
            said.findings.push(Hit {
                rule: vulnerability.id.clone(),
                package: Some(format!("{} {version}", one.name)),
                says: aliases + &fixed,
                ..Hit::default()
            });
        }
    }
    said.examined = Extent {
        packages: Some(packages),
        ..Extent::default()
    };
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::tests::{asked, no_part_is_an_answer};

    const FOUND: &str = include_str!("../../tests/scan/pip-audit-2.10.1-found.json");
    const SKIPPED: &str = include_str!("../../tests/scan/pip-audit-2.10.1-skipped.json");

    #[test]
    fn packages_and_what_is_known_of_them() {
        let said = read(FOUND, &asked()).unwrap();
        // 11 with pip and setuptools.
        assert_eq!(said.examined.packages, Some(9));
        let [one] = said.findings.as_slice() else {
            panic!("{:?}", said.findings);
        };
        assert_eq!(
            (one.rule.as_str(), one.package.as_deref()),
            ("PYSEC-0000-1", Some("pyjwt 2.15.1"))
        );
        assert_eq!(one.says, "CVE-0000-1, fixed in 99.0");
    }

    #[test]
    fn packages_that_the_server_does_not_know_were_not_examined() {
        let said = read(SKIPPED, &asked()).unwrap();
        assert_eq!(said.remarks.len(), 9);
        let outcome = Outcome::of(said);
        assert!(
            matches!(outcome, Outcome::ExaminedNothing { .. }),
            "{outcome:?}"
        );
    }

    #[test]
    fn a_package_without_an_answer_is_no_clean_package() {
        let odd = r#"{"dependencies": [{"name": "a", "version": "1"}], "fixes": []}"#;
        assert!(read(odd, &asked()).is_err());
    }

    #[test]
    fn half_an_answer_is_none() {
        no_part_is_an_answer(&PIP_AUDIT, FOUND);
        no_part_is_an_answer(&PIP_AUDIT, SKIPPED);
    }
}
