//! Which packages an app uses, in which versions, by its manifests and lock files.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::Lang;

/// The packages of one language.
#[derive(Debug, Default, Clone)]
pub(crate) struct Packages {
    /// By their names as the manifest writes them, lower case; what it asks for: `==5.0.0`, `^3.0.3`, empty.
    pub(crate) direct: BTreeMap<String, String>,
    /// For development only.
    pub(crate) development: BTreeMap<String, String>,
    /// By the lock file; `None` without one that is understood.
    pub(crate) locked: Option<BTreeMap<String, BTreeSet<String>>>,
}

/// All packages of an app.
#[derive(Debug, Default, Clone)]
pub(crate) struct Manifests {
    pub(crate) python: Packages,
    pub(crate) script: Packages,
    pub(crate) rust: Packages,
}

impl Manifests {
    pub(crate) fn read(files: &[(String, String)]) -> Self {
        let mut all = Self::default();
        // The ones nearest to the root are the app's.
        let mut order: Vec<&(String, String)> = files.iter().collect();
        order.sort_by_key(|(path, _)| (path.matches('/').count(), path.clone()));
        let mut seen = BTreeSet::new();
        for (path, text) in order {
            let name = path.rsplit('/').next().unwrap_or(path);
            if !seen.insert(name) {
                continue;
            }
            match name {
                "requirements.txt" => requirements(text, &mut all.python.direct),
                "pyproject.toml" => pyproject(text, &mut all.python),
                "poetry.lock" | "uv.lock" => lock_toml(text, &mut all.python.locked),
                "package.json" => package_json(text, &mut all.script),
                "package-lock.json" => package_lock(text, &mut all.script.locked),
                "yarn.lock" => yarn_lock(text, &mut all.script.locked),
                "pnpm-lock.yaml" => pnpm_lock(text, &mut all.script.locked),
                "Cargo.toml" => cargo_toml(text, &mut all.rust),
                "Cargo.lock" => lock_toml(text, &mut all.rust.locked),
                _ => {}
            }
        }
        all
    }

    pub(crate) fn of(&self, lang: Lang) -> &Packages {
        match lang {
            Lang::Python => &self.python,
            Lang::Script => &self.script,
            Lang::Rust => &self.rust,
        }
    }

    pub(crate) fn direct(&self) -> u32 {
        let all = [&self.python, &self.script, &self.rust];
        all.iter().map(|one| one.direct.len() as u32).sum()
    }

    /// Packages that lock files name beside the direct ones; `None` where there is no lock file.
    pub(crate) fn transitive(&self) -> Option<u32> {
        let all = [&self.python, &self.script, &self.rust];
        let locked: Vec<u32> = all
            .iter()
            .filter_map(|one| {
                let locked = one.locked.as_ref()?;
                let direct = |name: &&String| {
                    !one.direct.contains_key(*name) && !one.development.contains_key(*name)
                };
                Some(locked.keys().filter(direct).count() as u32)
            })
            .collect();
        (!locked.is_empty()).then(|| locked.iter().sum())
    }
}

impl Packages {
    /// The version of a package: the locked one, else what the manifest pins or asks for.
    pub(crate) fn version(&self, name: &str) -> Option<String> {
        let name = name.to_ascii_lowercase();
        if let Some(versions) = self.locked.as_ref().and_then(|locked| locked.get(&name)) {
            return versions.last().cloned();
        }
        let asked = self.direct.get(&name)?.trim_start_matches("==");
        (!asked.is_empty()).then(|| asked.to_owned())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.direct.contains_key(&name.to_ascii_lowercase())
    }
}

/// The name of a Python package as pip compares them.
fn python_name(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace(['_', '.'], "-")
}

fn requirement(line: &str, into: &mut BTreeMap<String, String>) {
    let line = line.split(['#', ';']).next().unwrap_or_default();
    let line = line
        .split(" --")
        .next()
        .unwrap_or_default()
        .trim_matches([' ', '\t', '\\']);
    if line.is_empty() || line.starts_with('-') {
        return;
    }
    let end = line
        .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
        .unwrap_or(line.len());
    let rest = line[end..].trim();
    let asked = rest
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .map_or(rest, |(_, asked)| asked.trim());
    into.insert(python_name(&line[..end]), asked.replace(' ', ""));
}

fn requirements(text: &str, into: &mut BTreeMap<String, String>) {
    for line in text.lines() {
        requirement(line, into);
    }
}

fn pyproject(text: &str, packages: &mut Packages) {
    let Ok(table) = text.parse::<toml::Table>() else {
        return;
    };
    let list = table
        .get("project")
        .and_then(|project| project.get("dependencies"))
        .and_then(toml::Value::as_array);
    for one in list.into_iter().flatten().filter_map(toml::Value::as_str) {
        requirement(one, &mut packages.direct);
    }
    let poetry = table
        .get("tool")
        .and_then(|tool| tool.get("poetry")?.get("dependencies")?.as_table());
    for (name, asked) in poetry.into_iter().flatten() {
        if name != "python" {
            let asked = asked
                .as_str()
                .or_else(|| asked.get("version").and_then(toml::Value::as_str));
            packages
                .direct
                .insert(python_name(name), asked.unwrap_or_default().to_owned());
        }
    }
}

fn lock_toml(text: &str, into: &mut Option<BTreeMap<String, BTreeSet<String>>>) {
    let Ok(table) = text.parse::<toml::Table>() else {
        return;
    };
    let all = into.get_or_insert_default();
    let list = table.get("package").and_then(toml::Value::as_array);
    for one in list.into_iter().flatten() {
        // The app itself has no source.
        let own = one.get("source").is_none_or(|source| {
            source.get("virtual").is_some() || source.get("editable").is_some()
        });
        let poetry = one.get("files").is_some();
        let part = |name: &str| one.get(name).and_then(toml::Value::as_str);
        if let (Some(name), Some(version)) = (part("name"), part("version"))
            && (poetry || !own)
        {
            all.entry(name.to_ascii_lowercase())
                .or_default()
                .insert(version.to_owned());
        }
    }
}

fn package_json(text: &str, packages: &mut Packages) {
    let Ok(json) = serde_json::from_str::<serde_json::Value>(text) else {
        return;
    };
    for (field, into) in [
        ("dependencies", &mut packages.direct),
        ("devDependencies", &mut packages.development),
    ] {
        let list = json.get(field).and_then(serde_json::Value::as_object);
        for (name, asked) in list.into_iter().flatten() {
            let asked = asked.as_str().unwrap_or_default();
            into.insert(name.to_ascii_lowercase(), asked.to_owned());
        }
    }
}

fn package_lock(text: &str, into: &mut Option<BTreeMap<String, BTreeSet<String>>>) {
    let Ok(json) = serde_json::from_str::<serde_json::Value>(text) else {
        return;
    };
    let all = into.get_or_insert_default();
    let list = json.get("packages").and_then(serde_json::Value::as_object);
    for (path, one) in list.into_iter().flatten() {
        let flag = |name: &str| one.get(name).and_then(serde_json::Value::as_bool) == Some(true);
        let (Some((_, name)), Some(version)) = (
            path.rsplit_once("node_modules/"),
            one.get("version").and_then(serde_json::Value::as_str),
        ) else {
            continue;
        };
        // What is for development, or for another machine, is not what runs.
        if !(flag("dev") || flag("optional") || flag("devOptional") || flag("peer")) {
            all.entry(name.to_ascii_lowercase())
                .or_default()
                .insert(version.to_owned());
        }
    }
}

fn yarn_lock(text: &str, into: &mut Option<BTreeMap<String, BTreeSet<String>>>) {
    let all = into.get_or_insert_default();
    let mut name = None;
    for line in text.lines() {
        if !line.starts_with([' ', '#']) && line.ends_with(':') {
            let first = line.trim_matches(['"', ':']).split(',').next();
            name = first
                .map(|one| one.trim_matches('"'))
                .and_then(|one| one.rsplit_once('@'))
                .map(|(name, _)| name.trim_end_matches("@npm").to_ascii_lowercase());
        } else if let Some(version) = line.trim().strip_prefix("version") {
            let version = version.trim_matches([' ', ':', '"']).to_owned();
            if let Some(name) = name.take() {
                all.entry(name).or_default().insert(version);
            }
        }
    }
}

fn pnpm_lock(text: &str, into: &mut Option<BTreeMap<String, BTreeSet<String>>>) {
    let all = into.get_or_insert_default();
    let mut inside = false;
    for line in text.lines() {
        if !line.starts_with(' ') && !line.is_empty() {
            inside = line.starts_with("packages:");
        } else if inside && line.starts_with("  ") && !line.starts_with("   ") {
            let key = line
                .trim()
                .trim_end_matches(':')
                .trim_matches(['\'', '"', '/']);
            if let Some((name, version)) = key.rsplit_once('@') {
                all.entry(name.to_ascii_lowercase())
                    .or_default()
                    .insert(version.to_owned());
            }
        }
    }
}

fn cargo_toml(text: &str, packages: &mut Packages) {
    let Ok(table) = text.parse::<toml::Table>() else {
        return;
    };
    for (field, into) in [
        ("dependencies", &mut packages.direct),
        ("dev-dependencies", &mut packages.development),
    ] {
        let list = table.get(field).and_then(toml::Value::as_table);
        for (name, asked) in list.into_iter().flatten() {
            let asked = asked
                .as_str()
                .or_else(|| asked.get("version").and_then(toml::Value::as_str));
            into.insert(
                name.to_ascii_lowercase(),
                asked.unwrap_or_default().to_owned(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Manifests {
        let files: Vec<(String, String)> = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        Manifests::read(&files)
    }

    #[test]
    fn versions_come_from_the_lock_file_first() {
        let all = read(&[
            (
                "requirements.txt",
                "PyJWT[crypto] == 2.15.1 ; python_version > '3'\n# bcrypt\nargon2_cffi\n-r x\n",
            ),
            (
                "package.json",
                r#"{"dependencies":{"bcryptjs":"^3.0.0"},"devDependencies":{"@types/node":"20"}}"#,
            ),
            (
                "package-lock.json",
                r#"{"packages":{"":{"version":"1"},"node_modules/bcryptjs":{"version":"3.0.3"},"node_modules/a/node_modules/b":{"version":"1.0.0"},"node_modules/t":{"version":"5","dev":true}}}"#,
            ),
        ]);
        assert_eq!(all.python.version("pyjwt").as_deref(), Some("2.15.1"));
        assert_eq!(all.python.version("argon2-cffi"), None);
        assert!(all.python.has("argon2-cffi") && !all.python.has("bcrypt"));
        assert_eq!(all.script.version("bcryptjs").as_deref(), Some("3.0.3"));
        assert_eq!((all.direct(), all.transitive()), (3, Some(1)));
    }

    #[test]
    fn other_lock_files() {
        let yarn = "# yarn lockfile v1\n\n\"@a/b@^1.0.0\", \"@a/b@^1.1.0\":\n  version \"1.2.0\"\n  dependencies:\n    c \"^1\"\n\nc@^1:\n  version \"1.0.1\"\n";
        let all = read(&[("yarn.lock", yarn)]);
        assert_eq!(all.script.version("@a/b").as_deref(), Some("1.2.0"));
        let pnpm = "lockfileVersion: '9.0'\n\npackages:\n\n  '@a/b@1.2.0':\n    resolution: {integrity: x}\n\n  c@1.0.1:\n    resolution: {integrity: x}\n\nsnapshots:\n\n  d@1.0.0: {}\n";
        let all = read(&[("pnpm-lock.yaml", pnpm)]);
        assert_eq!(all.script.version("@a/b").as_deref(), Some("1.2.0"));
        assert_eq!(all.transitive(), Some(2));
        let uv = "version = 1\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\n[[package]]\nname = \"anyio\"\nversion = \"4.1.0\"\nsource = { registry = \"x\" }\n";
        let all = read(&[
            (
                "pyproject.toml",
                "[project]\ndependencies = [\"fastapi>=0.1\"]\n",
            ),
            ("uv.lock", uv),
        ]);
        assert_eq!((all.direct(), all.transitive()), (1, Some(1)));
    }
}
