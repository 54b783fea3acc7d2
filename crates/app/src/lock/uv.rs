//! `uv.lock`: each package with what it needs, under which markers. The groups for development are left out.

use std::collections::BTreeMap;

use toml::Value;

use super::Unfit;
use super::python::{Node, Pin, array, by_package, follow, normal, text, toml};

pub(super) fn read(lock: &str, manifest: &str) -> Result<Vec<Pin>, Unfit> {
    let lock = toml(lock)?;
    let format = lock.get("version").and_then(Value::as_integer);
    if format != Some(1) {
        return Err(format!("its format is {format:?}; 1 is read"));
    }
    let packages = array(Some(&lock), "package");
    let is_own = |package: &&Value| {
        let source = package.get("source");
        ["virtual", "editable"]
            .iter()
            .any(|kind| text(source, kind) == Some("."))
    };
    let own = packages
        .iter()
        .find(is_own)
        .ok_or("it does not know this folder")?;
    compare(own, manifest)?;
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, package) in packages.iter().enumerate() {
        let name = normal(text(Some(package), "name").unwrap_or_default());
        by_name.entry(name).or_default().push(at);
    }
    let edges = |list: &[Value]| -> Result<Vec<(Node, String)>, Unfit> {
        let mut edges = Vec::new();
        for one in list {
            let name = text(Some(one), "name").unwrap_or_default();
            let version = text(Some(one), "version");
            let known = by_name.get(&normal(name)).map_or(&[][..], Vec::as_slice);
            let fits = |at: &&usize| {
                version.is_none() || text(Some(&packages[**at]), "version") == version
            };
            let found: Vec<usize> = known.iter().filter(fits).copied().collect();
            let [at] = found.as_slice() else {
                return Err(format!("it names {name} and has {} of it", found.len()));
            };
            let marker = text(Some(one), "marker").unwrap_or_default();
            if marker.contains("extra") {
                return Err(format!(
                    "{name} is wanted under `{marker}`, of extras that exclude each other"
                ));
            }
            edges.push(((*at, String::new()), marker.to_owned()));
            for extra in array(Some(one), "extra").iter().filter_map(Value::as_str) {
                edges.push(((*at, extra.to_owned()), marker.to_owned()));
            }
        }
        Ok(edges)
    };
    let found = follow(edges(array(Some(own), "dependencies"))?, |(at, extra)| {
        let package = Some(&packages[*at]);
        if extra.is_empty() {
            edges(array(package, "dependencies"))
        } else {
            edges(array(
                package.and_then(|one| one.get("optional-dependencies")),
                extra,
            ))
        }
    })?;
    let mut pins = Vec::new();
    for (at, when) in by_package(found)? {
        let package = Some(&packages[at]);
        let name = text(package, "name").unwrap_or_default();
        let source = package.and_then(|one| one.get("source"));
        if text(source, "registry").is_none() {
            let from = source.map(ToString::to_string).unwrap_or_default();
            return Err(format!("{name} is from {from} and not from a registry"));
        }
        let sdist = package.and_then(|one| one.get("sdist"));
        let files = array(package, "wheels").iter().chain(sdist);
        pins.push(Pin {
            name: name.to_owned(),
            version: text(package, "version").unwrap_or_default().to_owned(),
            hashes: files
                .filter_map(|file| text(Some(file), "hash"))
                .map(str::to_owned)
                .collect(),
            when,
        });
    }
    Ok(pins)
}

/// Whether the lock file was written for this manifest: names and ranges, without the markers, which uv rewrites.
fn compare(own: &Value, manifest: &str) -> Result<(), Unfit> {
    let project = toml(manifest).map_err(|why| format!("pyproject.toml cannot be read: {why}"))?;
    let mut wanted: Vec<(String, String)> = array(project.get("project"), "dependencies")
        .iter()
        .filter_map(Value::as_str)
        .map(split)
        .collect();
    let listed = array(own.get("metadata"), "requires-dist");
    let mut locked: Vec<(String, String)> = listed
        .iter()
        .filter(|one| !text(Some(one), "marker").is_some_and(|marker| marker.contains("extra")))
        .map(|one| {
            let range = text(Some(one), "specifier").unwrap_or_default();
            (
                normal(text(Some(one), "name").unwrap_or_default()),
                sorted(range),
            )
        })
        .collect();
    wanted.sort();
    locked.sort();
    let missing = wanted.iter().find(|one| !locked.contains(one));
    let more = locked.iter().find(|one| !wanted.contains(one));
    match missing.or(more) {
        None => Ok(()),
        Some((name, range)) => Err(format!(
            "it is out of step with pyproject.toml, where {name}{range} is {}",
            if missing.is_some() { "new" } else { "no more" }
        )),
    }
}

/// `httpx[http2] >= 0.2, < 1 ; python_version > "3"` is `httpx` and `<1,>=0.2`.
fn split(requirement: &str) -> (String, String) {
    let requirement = requirement.split(';').next().unwrap_or_default();
    let end = requirement
        .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
        .unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at(end);
    let rest = rest.trim();
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']').map_or("", |(_, rest)| rest),
        None => rest,
    };
    let rest = rest.trim().trim_start_matches('(').trim_end_matches(')');
    // An address is not in the list of ranges.
    let range = if rest.starts_with('@') { "" } else { rest };
    (normal(name), sorted(range))
}

fn sorted(range: &str) -> String {
    let mut parts: Vec<String> = range
        .split(',')
        .map(|part| part.split_whitespace().collect())
        .collect();
    parts.sort();
    parts.join(",")
}
