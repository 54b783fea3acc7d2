//! A control: the hardened sample with a change, and what the suite must say of it.
//!
//! `controls/<framework>/<exploit>/<name>.toml`; the first comment says what an author who writes this thinks.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use model::calibration::{Expected, Kind};
use serde::Deserialize;

/// The app that all controls change.
pub(crate) const BASE: &str = "hardened";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kind: Kind,
    /// The exploits that must say "exploited".
    trips: Vec<String>,
    /// The exploits that must say "resisted", with a note.
    #[serde(default)]
    reports: Vec<String>,
    #[serde(default)]
    change: Vec<Change>,
    #[serde(default)]
    new: Vec<New>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    file: String,
    /// Text that occurs exactly once.
    find: String,
    replace: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    file: String,
    content: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Control {
    pub(crate) framework: String,
    /// `sql-injection-search/f-string`.
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// Its first comment.
    pub(crate) about: String,
    trips: Vec<String>,
    reports: Vec<String>,
    change: Vec<Change>,
    new: Vec<New>,
    /// Its file, for the key.
    pub(crate) text: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum BadControl {
    #[error("{0}: {1}")]
    Syntax(String, Box<toml::de::Error>),
    #[error("{0}: {1}")]
    Rule(String, String),
    #[error("{id}: `find` of {file} occurs {count} times, not once: {find:?}")]
    Find {
        id: String,
        file: String,
        count: usize,
        find: String,
    },
    #[error("{id}: {file}: {error}")]
    Io {
        id: String,
        file: String,
        error: std::io::Error,
    },
}

impl Control {
    /// The unchanged app: all exploits must resist.
    pub(crate) fn base(framework: &str) -> Self {
        Self {
            framework: framework.to_owned(),
            id: BASE.to_owned(),
            kind: Kind::NearMiss,
            about: "The hardened sample as it is.".to_owned(),
            trips: Vec::new(),
            reports: Vec::new(),
            change: Vec::new(),
            new: Vec::new(),
            text: String::new(),
        }
    }

    /// Reads a control; `id` is `<exploit>/<name>`.
    pub(crate) fn parse(framework: &str, id: &str, text: &str) -> Result<Self, BadControl> {
        let file: File = toml::from_str(text)
            .map_err(|error| BadControl::Syntax(id.to_owned(), Box::new(error)))?;
        let about: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with('#'))
            .map(|line| line.trim_start_matches('#').trim())
            .collect();
        let control = Self {
            framework: framework.to_owned(),
            id: id.to_owned(),
            kind: file.kind,
            about: about.join(" "),
            trips: file.trips,
            reports: file.reports,
            change: file.change,
            new: file.new,
            text: text.to_owned(),
        };
        control
            .rules()
            .map_err(|why| BadControl::Rule(id.to_owned(), why))?;
        Ok(control)
    }

    fn rules(&self) -> Result<(), String> {
        for id in self.trips.iter().chain(&self.reports) {
            if exploit::find(id).is_none() {
                return Err(format!("there is no exploit `{id}`"));
            }
        }
        let own = self.exploit();
        if exploit::find(own).is_none() {
            return Err(format!("it lies in `{own}/`, which is no exploit"));
        }
        if self.about.is_empty() {
            return Err(
                "its first line must be a comment that says what its author thinks".to_owned(),
            );
        }
        if self.change.is_empty() && self.new.is_empty() {
            return Err("it changes nothing".to_owned());
        }
        let names = |list: &[String]| list.iter().any(|id| id == own);
        match self.kind {
            Kind::Mutant if !names(&self.trips) && !names(&self.reports) => {
                Err(format!("a mutant must trip or be reported by `{own}`"))
            }
            Kind::NearMiss | Kind::BlindSpot if names(&self.trips) => {
                Err(format!("a {} must not trip `{own}`", self.kind.name()))
            }
            Kind::Mutant | Kind::NearMiss | Kind::BlindSpot => Ok(()),
        }
    }

    /// The exploit whose folder it lies in; empty for the base.
    pub(crate) fn exploit(&self) -> &str {
        self.id.split_once('/').map_or("", |(exploit, _)| exploit)
    }

    pub(crate) fn expected(&self, exploit: &str) -> Expected {
        let names = |list: &[String]| list.iter().any(|id| id == exploit);
        if names(&self.trips) {
            Expected::Exploited
        } else if names(&self.reports) {
            Expected::Reported
        } else {
            Expected::Resisted
        }
    }

    /// The exploits that a control is mainly about: its own and those that it names; for the base all.
    pub(crate) fn concerns(&self, exploit: &str) -> bool {
        self.id == BASE || self.exploit() == exploit || self.expected(exploit) != Expected::Resisted
    }

    /// Changes an app that is held in memory.
    pub(crate) fn apply_to(&self, tree: &mut BTreeMap<String, String>) -> Result<(), BadControl> {
        for change in &self.change {
            let text = tree.get(&change.file).map_or("", String::as_str);
            let new = self.replaced(change, text)?;
            tree.insert(change.file.clone(), new);
        }
        for new in &self.new {
            tree.insert(new.file.clone(), new.content.clone());
        }
        Ok(())
    }

    /// This one's changes, then the other's.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.id = format!("{} + {}", self.id, other.id);
        self.trips.extend(other.trips.iter().cloned());
        self.reports.extend(other.reports.iter().cloned());
        self.change.extend(other.change.iter().cloned());
        self.new.extend(other.new.iter().cloned());
        self.text.push_str(&other.text);
        self
    }

    fn replaced(&self, change: &Change, old: &str) -> Result<String, BadControl> {
        let count = old.matches(&change.find).count();
        if count != 1 || change.find.is_empty() {
            return Err(BadControl::Find {
                id: self.id.clone(),
                file: change.file.clone(),
                count,
                find: change.find.clone(),
            });
        }
        Ok(old.replacen(&change.find, &change.replace, 1))
    }

    /// Changes a tree.
    pub(crate) fn apply(&self, tree: &Path) -> Result<(), BadControl> {
        let io = |file: &str| {
            let (id, file) = (self.id.clone(), file.to_owned());
            move |error| BadControl::Io { id, file, error }
        };
        for change in &self.change {
            let path = self.inside(tree, &change.file)?;
            let old = fs::read_to_string(&path).map_err(io(&change.file))?;
            fs::write(&path, self.replaced(change, &old)?).map_err(io(&change.file))?;
        }
        for new in &self.new {
            let path = self.inside(tree, &new.file)?;
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(io(&new.file))?;
            }
            fs::write(&path, &new.content).map_err(io(&new.file))?;
        }
        Ok(())
    }

    fn inside(&self, tree: &Path, file: &str) -> Result<std::path::PathBuf, BadControl> {
        let plain = Path::new(file)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !plain || file.is_empty() {
            let why = format!("`{file}` is no path inside the app");
            return Err(BadControl::Rule(self.id.clone(), why));
        }
        Ok(tree.join(file))
    }
}

/// The shipped controls of a framework, by id.
pub(crate) fn shipped(framework: &str) -> Result<Vec<Control>, BadControl> {
    agent::folder(&format!("controls/{framework}"))
        .into_iter()
        .filter_map(|(name, file)| Some((name.strip_suffix(".toml")?, file)))
        .map(|(id, file)| Control::parse(framework, id, &String::from_utf8_lossy(file.bytes)))
        .collect()
}

/// The controls of a folder laid out as `controls/`: `<framework>/<exploit>/<name>.toml`.
pub(crate) fn read_folder(folder: &Path, framework: &str) -> Result<Vec<Control>, BadControl> {
    let root = folder.join(framework);
    let mut all = Vec::new();
    for exploit in sorted(&root) {
        for path in sorted(&exploit) {
            if path.extension().is_none_or(|end| end != "toml") {
                continue;
            }
            let id = path
                .strip_prefix(&root)
                .unwrap_or(&path)
                .with_extension("")
                .display()
                .to_string();
            let text = fs::read_to_string(&path).map_err(|error| BadControl::Io {
                id: id.clone(),
                file: path.display().to_string(),
                error,
            })?;
            all.push(Control::parse(framework, &id, &text)?);
        }
    }
    Ok(all)
}

fn sorted(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Why not.\nkind = \"mutant\"\ntrips = [\"weak-password\"]\n[[change]]\nfile = \"a.py\"\nfind = \"x = 1\"\nreplace = \"x = 2\"\n";

    fn parse(text: &str) -> Result<Control, String> {
        Control::parse("fastapi", "weak-password/none", text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_control_changes_what_occurs_once_and_nothing_else() {
        let tree = tempfile::tempdir().unwrap();
        let control = parse(TEXT).unwrap();
        for (old, count) in [("y", "0 times"), ("x = 1\nx = 1\n", "2 times")] {
            fs::write(tree.path().join("a.py"), old).unwrap();
            let error = control.apply(tree.path()).unwrap_err().to_string();
            assert!(error.contains(count), "{error}");
        }
        fs::write(tree.path().join("a.py"), "x = 1\ny\n").unwrap();
        control.apply(tree.path()).unwrap();
        let text = fs::read_to_string(tree.path().join("a.py")).unwrap();
        assert_eq!(text, "x = 2\ny\n");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |old: &str, new: &str| parse(&TEXT.replace(old, new)).unwrap_err();
        assert!(wrong("weak-password\"]", "weak-pass\"]").contains("weak-pass"));
        assert!(wrong("mutant", "mutan").contains("mutan"));
        assert!(wrong("mutant", "near-miss").contains("must not trip"));
        assert!(wrong("trips = [\"weak-password\"]", "trips = []").contains("must trip"));
        assert!(wrong("# Why not.\n", "").contains("comment"));
        assert!(wrong("replace", "replacement").contains("replacement"));
        let outside = parse(&TEXT.replace("a.py", "../a.py")).unwrap();
        let tree = tempfile::tempdir().unwrap();
        let error = outside.apply(tree.path()).unwrap_err().to_string();
        assert!(error.contains("no path inside"), "{error}");
    }

    #[test]
    fn the_shipped_controls_apply_to_the_hardened_sample() {
        for framework in app::framework::ALL {
            for control in shipped(framework.id).unwrap() {
                let mut tree = agent::recorded::texts(framework.id, BASE, 6).unwrap();
                control.apply_to(&mut tree).unwrap();
            }
        }
    }
}
