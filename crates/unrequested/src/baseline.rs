//! The baseline: findings that somebody accepted, with a reason and a day on which that ends. It hides nothing: what it
//! covers is said in every output, and what it covered once counts again.

use std::fs;
use std::path::Path;

use report::finding::{Finding, State};
use report::remedy;
use serde::{Deserialize, Serialize};

use crate::exit::Fatal;

/// Its place in the app's folder.
pub(crate) const BASELINE: &str = "unrequested.baseline.toml";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    version: u32,
    #[serde(default, rename = "accept", skip_serializing_if = "Vec::is_empty")]
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// A finding's id.
    pub(crate) finding: String,
    /// The exploits that succeeded when it was accepted. One more, and it is not covered.
    pub(crate) exploits: Vec<String>,
    pub(crate) reason: String,
    pub(crate) by: String,
    /// The last day on which it holds: `2027-01-31`, UTC.
    pub(crate) until: String,
}

impl Default for Baseline {
    fn default() -> Self {
        Self {
            version: 1,
            entries: Vec::new(),
        }
    }
}

impl Baseline {
    /// A file that is not there is an empty baseline.
    pub(crate) fn read(path: &Path) -> Result<Self, Fatal> {
        match fs::read_to_string(path) {
            Ok(text) => {
                Self::parse(&text).map_err(|why| Fatal::usage(format!("{}: {why}", path.display())))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Fatal::usage(format!(
                "cannot read {}: {error}",
                path.display()
            ))),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let baseline: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if baseline.version != 1 {
            return Err(format!(
                "version = {}; this tool reads version 1",
                baseline.version
            ));
        }
        for (number, entry) in baseline.entries.iter().enumerate() {
            let name = &entry.finding;
            let of_tier = name.strip_suffix("-hardening").unwrap_or(name);
            if remedy::find(name).is_none() && remedy::find(of_tier).is_none() {
                return Err(format!(
                    "there is no finding `{name}`; `unrequested list` names all"
                ));
            }
            for exploit in &entry.exploits {
                if exploit::find(exploit).is_none() {
                    return Err(format!("{name}: there is no exploit `{exploit}`"));
                }
            }
            if entry.exploits.is_empty() {
                return Err(format!("{name}: exploits is empty, so nothing is accepted"));
            }
            if entry.reason.trim().is_empty() {
                return Err(format!(
                    "{name}: reason is empty: why is it right for this app?"
                ));
            }
            if !is_day(&entry.until) {
                return Err(format!(
                    "{name}: until = {:?} is no day such as \"2027-01-31\"",
                    entry.until
                ));
            }
            if baseline.entries[..number]
                .iter()
                .any(|other| other.finding == *name)
            {
                return Err(format!("{name} is accepted twice"));
            }
        }
        Ok(baseline)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a finding by these exploits is accepted on this day.
    pub(crate) fn covers(&self, finding: &str, exploits: &[&str], today: &str) -> bool {
        self.entries.iter().any(|entry| {
            let name = &entry.finding;
            let same = name == finding || name.strip_suffix("-hardening") == Some(finding);
            same && entry.until.as_str() >= today
                && exploits
                    .iter()
                    .all(|id| entry.exploits.iter().any(|known| known == id))
        })
    }

    /// Marks what is covered. Returns what is to be said of entries that are expired, outgrown or without a finding; the
    /// last only where `whole` says that everything was tested.
    pub(crate) fn apply(&self, findings: &mut [Finding], today: &str, whole: bool) -> Vec<String> {
        let mut said = Vec::new();
        for entry in &self.entries {
            let Some(finding) = findings.iter_mut().find(|one| one.id == entry.finding) else {
                if whole {
                    said.push(format!(
                        "baseline: {} is no finding any more; its entry can go",
                        entry.finding
                    ));
                }
                continue;
            };
            let more: Vec<&str> = finding
                .exploits
                .iter()
                .filter(|id| !entry.exploits.contains(id))
                .map(String::as_str)
                .collect();
            if !more.is_empty() {
                said.push(format!(
                    "baseline: {} was accepted for {}, and now {} succeeds, too: it counts",
                    entry.finding,
                    entry.exploits.join(", "),
                    more.join(", ")
                ));
                continue;
            }
            // Days of this form sort as text.
            finding.state = if entry.until.as_str() < today {
                said.push(format!(
                    "baseline: {} was accepted until {}: it counts again",
                    entry.finding, entry.until
                ));
                State::Expired {
                    reason: entry.reason.clone(),
                    until: entry.until.clone(),
                }
            } else {
                State::Accepted {
                    reason: entry.reason.clone(),
                    by: entry.by.clone(),
                    until: entry.until.clone(),
                }
            };
        }
        said
    }

    /// Takes a finding as accepted, in the place of what was said of it before.
    pub(crate) fn accept(&mut self, finding: &Finding, reason: &str, by: &str, until: &str) {
        self.entries.retain(|entry| entry.finding != finding.id);
        self.entries.push(Entry {
            finding: finding.id.clone(),
            exploits: finding.exploits.clone(),
            reason: reason.to_owned(),
            by: by.to_owned(),
            until: until.to_owned(),
        });
        self.entries.sort_by(|a, b| a.finding.cmp(&b.finding));
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Fatal> {
        let body = toml::to_string(self).map_err(|error| Fatal::failed(error.to_string()))?;
        let text = format!(
            "# Findings that somebody accepted until a day; `unrequested check --accept` writes it. Commit it.\n{body}"
        );
        fs::write(path, text)
            .map_err(|error| Fatal::failed(format!("cannot write {}: {error}", path.display())))
    }
}

/// Whether this is a day of the calendar, as `2027-01-31`.
pub(crate) fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let number = |text: &str, length| {
        (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u32>().ok())
            .flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::run::Tier;

    fn finding(id: &str, exploits: &[&str]) -> Finding {
        Finding {
            id: id.into(),
            number: 1,
            tier: Tier::Requirement,
            title: String::new(),
            exploits: exploits.iter().map(|one| (*one).to_owned()).collect(),
            seen: vec![],
            why: String::new(),
            proofs: vec![],
            places: vec![],
            wanted: String::new(),
            fix: String::new(),
            idiom: None,
            cwe: vec![],
            asvs: vec![],
            trust: vec![],
            state: State::Open,
        }
    }

    const GOOD: &str = "version = 1\n[[accept]]\nfinding = \"file-ownership\"\nexploits = [\"file-read-other-user\"]\n\
        reason = \"shared on purpose\"\nby = \"ann\"\nuntil = \"2027-01-31\"\n";

    #[test]
    fn an_entry_covers_its_finding_until_its_day_and_is_then_said() {
        let baseline = Baseline::parse(GOOD).unwrap();
        let mut found = [finding("file-ownership", &["file-read-other-user"])];
        assert!(baseline.apply(&mut found, "2027-01-31", true).is_empty());
        assert!(
            matches!(&found[0].state, State::Accepted { reason, .. } if reason == "shared on purpose")
        );
        let said = baseline.apply(&mut found, "2027-02-01", true);
        assert!(found[0].state.counts() && matches!(found[0].state, State::Expired { .. }));
        assert!(said[0].contains("until 2027-01-31"), "{said:?}");
    }

    #[test]
    fn one_more_exploit_than_was_accepted_counts() {
        let baseline = Baseline::parse(GOOD).unwrap();
        let mut found = [finding(
            "file-ownership",
            &["file-read-other-user", "file-delete-other-user"],
        )];
        let said = baseline.apply(&mut found, "2026-11-25", true);
        assert_eq!(found[0].state, State::Open);
        assert!(
            said[0].contains("file-delete-other-user succeeds, too"),
            "{said:?}"
        );
    }

    #[test]
    fn an_entry_without_a_finding_is_said_only_of_a_whole_run() {
        let baseline = Baseline::parse(GOOD).unwrap();
        assert_eq!(baseline.apply(&mut [], "2026-11-25", true).len(), 1);
        assert!(baseline.apply(&mut [], "2026-11-25", false).is_empty());
    }

    #[test]
    fn what_is_wrong_in_the_file_is_named() {
        for (from, to, says) in [
            ("version = 1", "version = 2", "version 1"),
            ("reason", "because", "unknown field"),
            ("file-ownership", "file-ownershop", "no finding"),
            ("file-read-other-user", "file-red-other-user", "no exploit"),
            ("shared on purpose", " ", "reason is empty"),
            ("2027-01-31", "2027-02-30", "no day"),
            ("2027-01-31", "soon", "no day"),
            ("[\"file-read-other-user\"]", "[]", "exploits is empty"),
        ] {
            let why = Baseline::parse(&GOOD.replace(from, to)).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
        let twice = format!("{GOOD}{}", GOOD.strip_prefix("version = 1\n").unwrap());
        assert!(Baseline::parse(&twice).unwrap_err().contains("twice"));
        let without = GOOD.replace("until = \"2027-01-31\"\n", "");
        assert!(Baseline::parse(&without).unwrap_err().contains("until"));
    }

    #[test]
    fn what_is_accepted_is_read_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(BASELINE);
        let mut baseline = Baseline::read(&path).unwrap();
        assert!(baseline.is_empty());
        let one = finding("login-throttling", &["login-rate-limit"]);
        baseline.accept(&one, "behind \"a\" proxy\n]]> '''", "ann", "2027-01-31");
        baseline.accept(&one, "behind a proxy that limits", "bob", "2027-02-28");
        baseline.write(&path).unwrap();
        assert_eq!(Baseline::read(&path).unwrap(), baseline);
        assert_eq!(baseline.entries.len(), 1);
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for good in ["2026-11-25", "2028-02-29", "2000-02-29"] {
            assert!(is_day(good), "{good}");
        }
        for bad in [
            "2026-02-29",
            "2100-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-1-1",
            "+026-01-01",
            "2026-01-01-",
            "",
        ] {
            assert!(!is_day(bad), "{bad}");
        }
    }
}
