//! The agent `recorded`: a sample session is a folder overlay per step, hand-written, on top of the starter.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::{Arm, Error, SILENT, Words, embedded};

/// Who a sample session is said to be by, everywhere it shows up.
pub const LABEL: &str = "hand-written sample";

/// The names of a framework's sample sessions.
pub fn names(framework: &str) -> Vec<String> {
    let mut names: Vec<String> = embedded::folder(&format!("recordings/{framework}"))
        .iter()
        .filter_map(|(path, _)| path.split_once('/'))
        .map(|(name, _)| name.to_owned())
        .collect();
    names.dedup();
    names
}

/// All sample sessions: `fastapi/hardened`, …
pub fn all() -> Vec<String> {
    let mut frameworks: Vec<&str> = embedded::folder("recordings")
        .iter()
        .filter_map(|(path, _)| path.split_once('/'))
        .map(|(framework, _)| framework)
        .collect();
    frameworks.dedup();
    frameworks
        .into_iter()
        .flat_map(|framework| {
            names(framework)
                .into_iter()
                .map(move |name| format!("{framework}/{name}"))
        })
        .collect()
}

/// The steps of one, in order: `1-auth`, …
pub fn steps(framework: &str, name: &str) -> Vec<String> {
    let mut steps: Vec<String> = embedded::folder(&format!("recordings/{framework}/{name}"))
        .iter()
        .filter_map(|(path, _)| path.split_once('/'))
        .map(|(step, _)| step.to_owned())
        .filter(|step| step.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    steps.dedup();
    steps
}

/// The arms that a sample was written for, `silent` first.
pub fn arms(framework: &str, name: &str) -> Vec<String> {
    let own = embedded::folder(&format!("recordings/{framework}/{name}/arms"));
    let own = own
        .into_iter()
        .filter_map(|(path, _)| path.strip_suffix(".toml").map(str::to_owned));
    std::iter::once(SILENT.to_owned()).chain(own).collect()
}

/// The texts of a sample after step number `last` by their paths, without writing them. What is no text is left out.
pub fn texts(framework: &str, name: &str, last: usize) -> Result<BTreeMap<String, String>, Error> {
    texts_in(framework, name, SILENT, last)
}

/// The same under an arm.
pub fn texts_in(
    framework: &str,
    name: &str,
    arm: &str,
    last: usize,
) -> Result<BTreeMap<String, String>, Error> {
    let mut all = BTreeMap::new();
    for (path, file) in folders(framework, name, arm, last)?
        .iter()
        .flat_map(|folder| embedded::folder(folder))
    {
        if let Ok(text) = std::str::from_utf8(file.bytes) {
            all.insert(path.to_owned(), text.to_owned());
        }
    }
    for words in told(arm)? {
        all.insert(words.path, words.text);
    }
    for change in changes(framework, name, arm, last)? {
        change.apply(&mut all)?;
    }
    Ok(all)
}

/// What is laid over each other, in order.
fn folders(framework: &str, name: &str, arm: &str, last: usize) -> Result<Vec<String>, Error> {
    let steps = steps(framework, name);
    if steps.is_empty() {
        return Err(unknown(framework, name));
    }
    let known = arms(framework, name);
    if !known.iter().any(|one| one == arm) {
        return Err(Error::NoArm {
            sample: format!("{framework}/{name}"),
            arm: arm.to_owned(),
            known: known.join(", "),
        });
    }
    let sample = format!("recordings/{framework}/{name}");
    let mut folders = vec![format!("study/starters/{framework}")];
    for step in steps.iter().take(last) {
        folders.push(format!("{sample}/{step}"));
        folders.push(format!("{sample}/arms/{arm}/{step}"));
    }
    Ok(folders)
}

/// The files that an arm puts into the work tree.
fn told(arm: &str) -> Result<Vec<Words>, Error> {
    Ok(Arm::find(arm)?.files)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    #[serde(rename = "change")]
    changes: Vec<Change>,
}

/// How an arm's sample differs from the silent one, from a step on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// The number of that step.
    from: usize,
    /// The last step at which it is made.
    until: Option<usize>,
    file: String,
    /// Stands in the file just once; left out where the file is new.
    find: Option<String>,
    replace: String,
}

fn changes(framework: &str, name: &str, arm: &str, last: usize) -> Result<Vec<Change>, Error> {
    let path = format!("recordings/{framework}/{name}/arms/{arm}.toml");
    let Some(file) = embedded::file(&path) else {
        return Ok(Vec::new());
    };
    let text = String::from_utf8_lossy(file.bytes);
    let mut read: Changes =
        toml::from_str(&text).map_err(|error| Error::Recording(path, error.to_string()))?;
    read.changes
        .retain(|change| change.from <= last && change.until.is_none_or(|until| last <= until));
    Ok(read.changes)
}

impl Change {
    fn apply(self, all: &mut BTreeMap<String, String>) -> Result<(), Error> {
        let Some(find) = self.find else {
            all.insert(self.file, self.replace);
            return Ok(());
        };
        let text = all.get_mut(&self.file);
        let found = text.as_ref().map_or(0, |text| text.matches(&find).count());
        match text {
            Some(text) if found == 1 => *text = text.replace(&find, &self.replace),
            _ => {
                let why = format!("found {found} times, not once: {find}");
                return Err(Error::Recording(self.file, why));
            }
        }
        Ok(())
    }
}

fn unknown(framework: &str, name: &str) -> Error {
    Error::NoRecording {
        framework: framework.to_owned(),
        name: name.to_owned(),
        known: names(framework).join(", "),
    }
}

/// Writes the starter and the overlays up to and including step number `last` (1 to 6) into an empty folder.
pub fn write(framework: &str, name: &str, last: usize, into: &Path) -> Result<(), Error> {
    write_in(framework, name, SILENT, last, into)
}

/// The same under an arm.
pub fn write_in(
    framework: &str,
    name: &str,
    arm: &str,
    last: usize,
    into: &Path,
) -> Result<(), Error> {
    for (number, folder) in folders(framework, name, arm, last)?.iter().enumerate() {
        if embedded::write_folder(folder, into)? == 0 && number == 0 {
            return Err(Error::NoStarter(framework.to_owned()));
        }
    }
    if arm != SILENT {
        for (path, text) in texts_in(framework, name, arm, last)? {
            let to = into.join(path);
            let failed = |error| Error::Write(to.clone(), error);
            if let Some(parent) = to.parent() {
                std::fs::create_dir_all(parent).map_err(failed)?;
            }
            // Over what is there, so that what can be run stays so.
            std::fs::write(&to, text).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arm_of_a_sample_can_be_written_at_every_step() {
        let mut seen = 0;
        for sample in all() {
            let (framework, name) = sample.split_once('/').unwrap();
            for arm in arms(framework, name) {
                let mut before = BTreeMap::new();
                for step in 1..=6 {
                    let texts = texts_in(framework, name, &arm, step).unwrap();
                    assert_ne!(texts, before, "{sample} {arm} {step}");
                    before = texts;
                }
                if arm != SILENT {
                    seen += 1;
                    let silent = texts(framework, name, 6).unwrap();
                    assert_ne!(silent, before, "{sample} {arm}");
                    let folder = tempfile::tempdir().unwrap();
                    write_in(framework, name, &arm, 6, folder.path()).unwrap();
                    for (path, text) in before {
                        let written = std::fs::read_to_string(folder.path().join(&path)).unwrap();
                        assert_eq!(written, text, "{path}");
                    }
                    let start = folder.path().join("start.sh");
                    let mode = std::fs::metadata(start).unwrap().permissions();
                    assert_ne!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o111, 0);
                }
            }
        }
        assert!(seen >= 6, "{seen}");
        let unknown = texts_in("fastapi", "hardened", "explicit", 6).unwrap_err();
        assert!(unknown.to_string().contains("silent"), "{unknown}");
    }

    #[test]
    fn a_change_is_made_once_or_not_at_all() {
        let change = |find: &str| Change {
            from: 1,
            until: None,
            file: "a".into(),
            find: Some(find.into()),
            replace: "x".into(),
        };
        let mut all: BTreeMap<String, String> = [("a".to_owned(), "one two two".to_owned())].into();
        change("one").apply(&mut all).unwrap();
        assert_eq!(all["a"], "x two two");
        for find in ["two", "three"] {
            assert!(change(find).apply(&mut all).is_err());
        }
    }
}
