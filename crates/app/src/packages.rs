//! The packages of a Cargo tree: its own, and the members of its workspace.

use std::fs;
use std::path::{Path, PathBuf};

use crate::tree::read_text;

pub(crate) struct Package {
    folder: PathBuf,
    manifest: toml::Table,
}

/// Those that can be read. Of patterns only a last `*` is understood, which is what workspaces use.
pub(crate) fn packages(tree: &Path) -> Vec<Package> {
    let Some(root) = manifest(tree) else {
        return Vec::new();
    };
    let mut folders = vec![tree.to_path_buf()];
    if let Some(workspace) = root.get("workspace") {
        let list = |name: &str| -> Vec<PathBuf> {
            let paths = workspace.get(name).and_then(toml::Value::as_array);
            let paths = paths.into_iter().flatten();
            paths
                .filter_map(|path| path.as_str().map(|path| tree.join(path)))
                .collect()
        };
        for path in list("members") {
            match path.parent() {
                Some(parent) if path.ends_with("*") => {
                    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
                    folders.extend(entries.map(|entry| entry.path()));
                }
                _ => folders.push(path),
            }
        }
        let excluded = list("exclude");
        folders.retain(|folder| !excluded.contains(folder));
    }
    folders.sort();
    folders.dedup();
    folders
        .into_iter()
        .filter_map(|folder| {
            let manifest = manifest(&folder).filter(|manifest| manifest.contains_key("package"))?;
            Some(Package { folder, manifest })
        })
        .collect()
}

/// The program of the packages that depend on a framework, if there is one only.
pub(crate) fn program(tree: &Path, dependency: &str) -> Option<Vec<String>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let programs: Vec<String> = packages(tree)
        .iter()
        .filter(|package| package.dependencies().any(|name| name == dependency))
        .flat_map(Package::programs)
        .collect();
    match programs.as_slice() {
        [one] if one.chars().all(plain) => Some(vec![format!("target/release/{one}")]),
        _ => None,
    }
}

fn manifest(folder: &Path) -> Option<toml::Table> {
    let text = read_text(folder, "Cargo.toml")?;
    text.parse().ok()
}

impl Package {
    pub(crate) fn dependencies(&self) -> impl Iterator<Item = &str> {
        let list = self.manifest.get("dependencies");
        let list = list.and_then(toml::Value::as_table);
        list.into_iter()
            .flat_map(|list| list.keys().map(String::as_str))
    }

    /// The names of the programs that it makes, but for those in `src/bin`.
    pub(crate) fn programs(&self) -> Vec<String> {
        let name = |of: &toml::Value| Some(of.get("name")?.as_str()?.to_owned());
        let named = self.manifest.get("bin").and_then(toml::Value::as_array);
        if let Some(named) = named {
            return named.iter().filter_map(name).collect();
        }
        let own = self.manifest.get("package").and_then(name);
        own.filter(|_| self.folder.join("src/main.rs").is_file())
            .into_iter()
            .collect()
    }
}
