//! npm audit: known vulnerabilities of the packages of a lock file, asked of the registry's server. It is given the manifest and
//! the lock file alone: an `.npmrc` of the tree could send what it asks, and the environment, elsewhere.

use std::collections::BTreeMap;

use report::scan::{Extent, Hit, Said};
use serde::Deserialize;

use super::{Asked, Job, Scanner, parsed};

pub(super) const NPM_AUDIT: Scanner = Scanner {
    id: "npm-audit",
    program: "npm",
    install: "npm comes with Node",
    manifests: &["package-lock.json"],
    files: &["package.json", "package-lock.json"],
    server: |_| Some("known vulnerabilities"),
    job: |_, _| Ok(job()),
    read,
};

pub(super) fn job() -> Job {
    let words = "audit --json --package-lock-only --ignore-scripts";
    Job {
        arguments: words.split(' ').map(Into::into).collect(),
        env: vec![("npm_config_update_notifier", "false".into())],
        read: vec![],
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Audit(Audit),
    Refused { message: String },
    Failed { error: Failed },
}

#[derive(Deserialize)]
struct Audit {
    #[serde(rename = "auditReportVersion")]
    _version: u32,
    vulnerabilities: BTreeMap<String, Vulnerable>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Vulnerable {
    severity: String,
    range: String,
    via: Vec<Via>,
}

/// An advisory, or another vulnerable package through which this one is.
#[derive(Deserialize)]
#[serde(untagged)]
enum Via {
    Advisory {
        title: String,
        url: String,
        severity: String,
        range: String,
    },
    Package(String),
}

#[derive(Deserialize)]
struct Metadata {
    dependencies: Dependencies,
}

#[derive(Deserialize)]
struct Dependencies {
    total: u64,
}

#[derive(Deserialize)]
struct Failed {
    #[serde(default)]
    code: String,
    summary: String,
}

fn read(text: &str, _asked: &Asked) -> Result<Said, String> {
    let audit = match parsed::<Answer>(text)? {
        Answer::Audit(audit) => audit,
        Answer::Refused { message } => return Err(message),
        Answer::Failed { error } => return Err(format!("{} {}", error.code, error.summary)),
    };
    let mut findings = Vec::new();
    for (name, one) in &audit.vulnerabilities {
        let mut through = Vec::new();
        for via in &one.via {
            match via {
                Via::Advisory {
                    title,
                    url,
                    severity,
                    range,
                } => findings.push(Hit {
                    rule: url.rsplit('/').next().unwrap_or(url).to_owned(),
                    severity: severity.clone(),
                    package: Some(format!("{name} {range}")),
                    says: title.clone(),
                    ..Hit::default()
                }),
                Via::Package(other) => through.push(other.as_str()),
            }
        }
        if !through.is_empty() {
            findings.push(Hit {
                rule: "through".to_owned(),
                severity: one.severity.clone(),
                package: Some(format!("{name} {}", one.range)),
                says: format!("depends on {}", through.join(", ")),
                ..Hit::default()
            });
        }
    }
    Ok(Said {
        examined: Extent {
            packages: Some(audit.metadata.dependencies.total),
            ..Extent::default()
        },
        findings,
        remarks: vec![],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::tests::{asked, no_part_is_an_answer};

    const FOUND: &str = include_str!("../../tests/scan/npm-11.19.1-found.json");
    const REFUSED: &str = include_str!("../../tests/scan/npm-11.19.1-refused.json");

    #[test]
    fn packages_and_what_is_known_of_them() {
        let said = read(FOUND, &asked()).unwrap();
        assert_eq!(said.examined.packages, Some(65));
        let [one] = said.findings.as_slice() else {
            panic!("{:?}", said.findings);
        };
        assert_eq!(
            (
                one.rule.as_str(),
                one.severity.as_str(),
                one.package.as_deref()
            ),
            ("GHSA-aaaa", "high", Some("next <99"))
        );
    }

    #[test]
    fn a_server_that_refuses_is_no_clean_answer() {
        assert!(
            read(REFUSED, &asked())
                .unwrap_err()
                .starts_with("405 Method Not Allowed")
        );
        let no_lock = r#"{"error": {"code": "ENOLOCK", "summary": "This command requires an existing lockfile."}}"#;
        assert!(read(no_lock, &asked()).unwrap_err().starts_with("ENOLOCK"));
    }

    #[test]
    fn a_package_that_is_vulnerable_through_another_is_counted_as_such() {
        let text = FOUND.replacen("\"via\": [", "\"via\": [\"react\", ", 1);
        let said = read(&text, &asked()).unwrap();
        assert_eq!(said.findings.len(), 2);
        assert_eq!(said.findings[1].says, "depends on react");
    }

    #[test]
    fn half_an_answer_is_none() {
        no_part_is_an_answer(&NPM_AUDIT, FOUND);
    }
}
