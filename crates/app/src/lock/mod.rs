//! Lock files of other managers than npm and pip, read so that npm and pip install the versions that they name.
//!
//! The managers themselves are not run: they may be missing, and some run code of the tree while they only fetch
//! (`.pnpmfile.cjs`, `yarnPath`, plugins). What cannot be followed exactly is not followed, and the reason is said.

mod bun;
mod layout;
mod pipenv;
mod pnpm;
mod poetry;
mod python;
mod uv;
mod yarn;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::tree::read_file;
pub(crate) use layout::Layout;
use layout::{Graph, Need, Package};
pub(crate) use python::{Pins, Python, of_python};

/// Why a lock file is not followed.
type Unfit = String;

/// No lock file of an app comes near it.
const LARGEST: usize = 16 << 20;

const NPM: [&str; 2] = ["npm-shrinkwrap.json", "package-lock.json"];

/// What says which versions a Node tree has.
pub(crate) enum Versions {
    /// npm's own lock file.
    Npm(Vec<u8>),
    /// Another manager's, as npm would have written it.
    Other(Layout),
    /// Nothing that could be followed: the manifest's ranges.
    Ranges,
}

pub(crate) struct Node {
    pub(crate) versions: Versions,
    /// For people: whose versions they are, where that is not plain.
    pub(crate) remark: Option<String>,
}

/// The lock files of other managers, with the manager's name as `packageManager` has it.
const OTHERS: [(&str, &str); 4] = [
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
];

/// Reads the lock file of a Node tree. Of several, the one of the manager that `packageManager` names; else npm's.
pub(crate) fn of_node(tree: &Path, manifest: &[u8]) -> Node {
    let manifest: Value = serde_json::from_slice(manifest).unwrap_or_default();
    let named = manifest.get("packageManager").and_then(Value::as_str);
    let named = named.and_then(|text| text.split('@').next());
    let there = |file: &str| tree.join(file).is_file();
    let npm = NPM.into_iter().find(|file| there(file));
    let others: Vec<_> = OTHERS.into_iter().filter(|(file, _)| there(file)).collect();
    let of_named = others.iter().find(|(_, manager)| Some(*manager) == named);
    let chosen = match (npm, of_named) {
        (_, Some((file, _))) => Some(*file),
        (Some(file), None) => Some(file),
        (None, None) => others.first().map(|(file, _)| *file),
    };
    let Some(file) = chosen else {
        let above = above(tree);
        let why = "it is that of a workspace above the folder that is checked";
        return Node {
            versions: Versions::Ranges,
            remark: above.map(|file| not_followed(&file.display().to_string(), why)),
        };
    };
    let (versions, mut remark) = match (file, read_file(tree, file)) {
        (_, Ok(bytes)) if NPM.contains(&file) => (Versions::Npm(bytes), None),
        (_, Ok(bytes)) => match layout(file, &bytes, &manifest) {
            Ok(layout) => {
                let remark = format!("The packages are those of {file}, installed by npm.");
                (Versions::Other(layout), Some(remark))
            }
            Err(why) => (Versions::Ranges, Some(not_followed(file, &why))),
        },
        (_, Err(error)) => {
            let why = format!("it cannot be read: {error}");
            (Versions::Ranges, Some(not_followed(file, &why)))
        }
    };
    let beside: Vec<&str> = npm
        .into_iter()
        .chain(others.iter().map(|(file, _)| *file))
        .filter(|one| *one != file)
        .collect();
    if !beside.is_empty() {
        let more = format!(
            "Of several lock files {file} was taken, not {}; `packageManager` in package.json says which.",
            beside.join(", ")
        );
        remark = Some(remark.map_or(more.clone(), |first| format!("{first} {more}")));
    }
    Node { versions, remark }
}

/// The lock file of a workspace that a tree may be a member of.
fn above(tree: &Path) -> Option<PathBuf> {
    const HIGHEST: usize = 6;
    let tree = tree.canonicalize().ok()?;
    for folder in tree.ancestors().skip(1).take(HIGHEST) {
        let manifest = read_file(folder, "package.json").unwrap_or_default();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap_or_default();
        if manifest.get("workspaces").is_some() || folder.join("pnpm-workspace.yaml").is_file() {
            let files = NPM.into_iter().chain(OTHERS.map(|(file, _)| file));
            let mut paths = files.map(|file| folder.join(file));
            return paths.find(|path| path.is_file());
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    None
}

pub(crate) fn not_followed(file: &str, why: &str) -> String {
    format!(
        "{file} was not followed: {}. The packages are what the manifest's ranges give today.",
        short(why)
    )
}

/// A lock file's words may be of any length.
fn short(text: &str) -> String {
    let mut short: String = text.chars().take(240).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn layout(file: &'static str, bytes: &[u8], manifest: &Value) -> Result<Layout, Unfit> {
    if file == "bun.lockb" {
        return Err(
            "its format is binary; `bun install --save-text-lockfile` writes one that is read"
                .into(),
        );
    }
    if bytes.len() > LARGEST {
        return Err(format!("it has more than {} MiB", LARGEST >> 20));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| format!("it is no text: {error}"))?;
    let graph = match file {
        "pnpm-lock.yaml" => pnpm::read(text, manifest),
        "yarn.lock" => yarn::read(text, manifest),
        _ => bun::read(text, manifest),
    }?;
    graph.layout(file)
}

fn yaml(text: &str) -> Result<Value, Unfit> {
    serde_saphyr::from_str(text).map_err(|error| format!("it is no YAML: {error}"))
}

/// The entries of a table, as texts.
fn texts(table: Option<&Value>) -> impl Iterator<Item = (&str, String)> {
    let table = table.and_then(Value::as_object);
    table
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str(), plain(value)?)))
}

/// YAML has numbers where a text was meant.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A text or a list of them.
fn list(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(all)) => all.iter().filter_map(plain).collect(),
        Some(one) => plain(one).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A direct dependency of a manifest.
struct Wanted {
    folder: String,
    range: String,
    optional: bool,
}

/// In the order in which managers read them: what is in a later list too is that list's.
fn wanted(manifest: &Value) -> Vec<Wanted> {
    let lists = ["devDependencies", "dependencies", "optionalDependencies"];
    let mut all: Vec<Wanted> = Vec::new();
    for name in lists {
        for (folder, range) in texts(manifest.get(name)) {
            all.retain(|one| one.folder != folder);
            all.push(Wanted {
                folder: folder.to_owned(),
                range,
                optional: name == "optionalDependencies",
            });
        }
    }
    all
}

fn out_of_step(folder: &str, range: &str, locked: Option<&str>) -> Unfit {
    match locked {
        Some(locked) => format!(
            "it is out of step with package.json, which wants {folder} {range}; it was written for {locked}"
        ),
        None => format!(
            "it is out of step with package.json, which wants {folder} {range}; it knows none"
        ),
    }
}

/// `name@rest`, where the name may begin with `@`.
fn split_at(text: &str) -> Option<(&str, &str)> {
    let at = text.get(1..)?.find('@')? + 1;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests;
