//! The lock files of uv, Poetry and Pipenv, as requirement lines with `==`, markers and hashes. pip reads the markers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{LARGEST, Unfit, not_followed, pipenv, poetry, short, uv};
use crate::tree::{read_file, read_text};

/// What is installed, and nothing beside it.
#[derive(Debug)]
pub(crate) struct Pins {
    pub(crate) lines: Vec<String>,
    /// Every line has hashes, and nothing else may be installed.
    pub(crate) hashed: bool,
}

pub(crate) struct Python {
    pub(crate) pins: Option<Pins>,
    /// For people: whose versions they are, where that is not plain.
    pub(crate) remark: Option<String>,
}

const FILES: [&str; 4] = ["uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock"];

/// Reads the lock file of a Python tree. A `requirements.txt` goes before it: it is what is told to pip.
pub(crate) fn of_python(tree: &Path) -> Python {
    let found: Vec<&'static str> = FILES
        .into_iter()
        .filter(|file| tree.join(file).is_file())
        .collect();
    let Some(file) = found.first().copied() else {
        return Python {
            pins: None,
            remark: None,
        };
    };
    if tree.join("requirements.txt").is_file() {
        let remark = format!(
            "The packages are those of requirements.txt; {} beside it was not followed.",
            found.join(", ")
        );
        return Python {
            pins: None,
            remark: Some(remark),
        };
    }
    match pins(file, tree) {
        Ok(pins) => Python {
            pins: Some(pins),
            remark: Some(format!(
                "The packages are those of {file}, installed by pip or uv."
            )),
        },
        Err(why) => Python {
            pins: None,
            remark: Some(not_followed(file, &why)),
        },
    }
}

fn pins(file: &str, tree: &Path) -> Result<Pins, Unfit> {
    let bytes = read_file(tree, file).map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() > LARGEST {
        return Err(format!("it has more than {} MiB", LARGEST >> 20));
    }
    let text = String::from_utf8(bytes).map_err(|error| format!("it is no text: {error}"))?;
    let manifest = read_text(tree, "pyproject.toml").unwrap_or_default();
    let pins = match file {
        "uv.lock" => uv::read(&text, &manifest),
        "poetry.lock" => poetry::read(&text, &manifest),
        "Pipfile.lock" => pipenv::read(&text, &read_text(tree, "Pipfile").unwrap_or_default()),
        _ => Err("its format is not read here".into()),
    }?;
    written(&pins)
}

/// One package at one version.
#[derive(Debug, Default)]
pub(super) struct Pin {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) hashes: Vec<String>,
    pub(super) when: When,
}

/// Alternatives of markers that must all be true; none is never, an empty one is always.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct When(Vec<BTreeSet<String>>);

/// No package is wanted for more reasons than these.
const MOST_REASONS: usize = 64;

impl When {
    pub(super) fn always() -> Self {
        Self(vec![BTreeSet::new()])
    }

    pub(super) fn marker(text: &str) -> Self {
        Self::always().and(text)
    }

    pub(super) fn and(&self, marker: &str) -> Self {
        let mut all = self.0.clone();
        let marker = marker.trim();
        if !marker.is_empty() {
            for one in &mut all {
                one.insert(marker.to_owned());
            }
        }
        Self(all)
    }

    /// Whether anything came by it.
    fn or(&mut self, other: &Self) -> Result<bool, Unfit> {
        let mut grew = false;
        for one in &other.0 {
            if self.0.iter().any(|known| known.is_subset(one)) {
                continue;
            }
            self.0.retain(|known| !one.is_subset(known));
            self.0.push(one.clone());
            grew = true;
        }
        if self.0.len() > MOST_REASONS {
            return Err("its markers are too many to be joined".into());
        }
        Ok(grew)
    }

    fn written(&self) -> String {
        let mut all: Vec<String> = self
            .0
            .iter()
            .map(|one| {
                let parts: Vec<String> = one.iter().map(|marker| format!("({marker})")).collect();
                parts.join(" and ")
            })
            .collect();
        if all.iter().any(String::is_empty) {
            return String::new();
        }
        // Else the order in which they were met would make another template of the same packages.
        all.sort();
        all.join(" or ")
    }
}

/// A package, or what one of its extras adds to it.
pub(super) type Node = (usize, String);

/// Follows what is needed from the app's own, with the markers on the way.
pub(super) fn follow(
    own: Vec<(Node, String)>,
    needs: impl Fn(&Node) -> Result<Vec<(Node, String)>, Unfit>,
) -> Result<BTreeMap<Node, When>, Unfit> {
    const MOST_STEPS: usize = 200_000;
    let mut found: BTreeMap<Node, When> = BTreeMap::new();
    let mut waiting: Vec<(Node, When)> = own
        .into_iter()
        .map(|(node, marker)| (node, When::marker(&marker)))
        .collect();
    let mut steps = 0;
    while let Some((node, when)) = waiting.pop() {
        steps += 1;
        if steps > MOST_STEPS {
            return Err("its dependencies are too many to be followed".into());
        }
        let known = found.entry(node.clone()).or_default();
        if !known.or(&when)? {
            continue;
        }
        let known = known.clone();
        for (next, marker) in needs(&node)? {
            waiting.push((next, known.and(&marker)));
        }
    }
    Ok(found)
}

/// The markers under which a package is wanted, by itself or for one of its extras.
pub(super) fn by_package(found: BTreeMap<Node, When>) -> Result<BTreeMap<usize, When>, Unfit> {
    let mut all: BTreeMap<usize, When> = BTreeMap::new();
    for ((at, _), when) in found {
        all.entry(at).or_default().or(&when)?;
    }
    Ok(all)
}

fn written(pins: &[Pin]) -> Result<Pins, Unfit> {
    let mut lines = Vec::new();
    let hashed = !pins.is_empty()
        && pins
            .iter()
            .all(|pin| pin.hashes.iter().any(|one| is_hash(one)));
    for pin in pins {
        if !is_name(&pin.name) {
            return Err(format!("`{}` is no package's name", short(&pin.name)));
        }
        if !is_version(&pin.version) {
            return Err(format!(
                "{} has `{}` for a version",
                pin.name,
                short(&pin.version)
            ));
        }
        let mut line = format!("{}=={}", pin.name, pin.version);
        let marker = pin.when.written();
        if !is_marker(&marker) {
            return Err(format!("{} has the marker `{}`", pin.name, short(&marker)));
        }
        if !marker.is_empty() {
            line.push_str(" ; ");
            line.push_str(&marker);
        }
        if hashed {
            let mut hashes: Vec<&String> = pin.hashes.iter().filter(|one| is_hash(one)).collect();
            hashes.sort();
            hashes.dedup();
            for hash in hashes {
                line.push_str(" --hash=");
                line.push_str(hash);
            }
        }
        lines.push(line);
    }
    lines.sort();
    Ok(Pins { lines, hashed })
}

pub(super) fn normal(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        if !matches!(c, '-' | '_' | '.') {
            normal.extend(c.to_lowercase());
        } else if !normal.ends_with('-') {
            normal.push('-');
        }
    }
    normal
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_version(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_digit())
        && version
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".+!-_".contains(&byte))
}

/// It becomes part of a line that pip reads: no option, no second line, no variable, no place.
fn is_marker(marker: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || " ()'\"<>=!~._,*+-".contains(c);
    marker.chars().all(word) && !marker.contains("--")
}

fn is_hash(hash: &str) -> bool {
    hash.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64
            && hex
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The text of a TOML value, where it has it.
pub(super) fn text<'a>(table: Option<&'a toml::Value>, name: &str) -> Option<&'a str> {
    table?.get(name)?.as_str()
}

pub(super) fn array<'a>(table: Option<&'a toml::Value>, name: &str) -> &'a [toml::Value] {
    let found = table.and_then(|table| table.get(name)?.as_array());
    found.map_or(&[], Vec::as_slice)
}

pub(super) fn toml(text: &str) -> Result<toml::Value, Unfit> {
    text.parse::<toml::Table>()
        .map(toml::Value::Table)
        .map_err(|error| format!("it is no TOML: {}", error.message()))
}

#[cfg(test)]
mod tests;
