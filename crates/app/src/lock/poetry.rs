//! `poetry.lock`. Since format 2.1 each package says for which groups and under which markers it is; before, that follows from
//! what needs it. The groups for development are left out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

use super::Unfit;
use super::python::{Node, Pin, When, array, by_package, follow, normal, text, toml};

pub(super) fn read(lock: &str, manifest: &str) -> Result<Vec<Pin>, Unfit> {
    let lock = toml(lock)?;
    let metadata = lock.get("metadata");
    let format = text(metadata, "lock-version").unwrap_or_default();
    let project = toml(manifest).map_err(|why| format!("pyproject.toml cannot be read: {why}"))?;
    let hash = text(metadata, "content-hash").unwrap_or_default();
    if !hashes(&project).iter().any(|one| one == hash) {
        return Err("it is out of step with pyproject.toml, by its own hash of it".into());
    }
    let packages = array(Some(&lock), "package");
    let wanted = match format {
        "2.1" => listed(packages),
        "1.1" | "2.0" => followed(packages, &project)?,
        _ => {
            return Err(format!(
                "its format is {format:?}; 1.1, 2.0 and 2.1 are read"
            ));
        }
    };
    let mut pins = Vec::new();
    for (at, when) in wanted {
        let package = Some(&packages[at]);
        let name = text(package, "name").unwrap_or_default();
        let source = package.and_then(|one| one.get("source"));
        if source.is_some() && text(source, "type") != Some("legacy") {
            let from = text(source, "url").unwrap_or_default();
            return Err(format!("{name} is from {from} and not from a registry"));
        }
        let before = metadata.and_then(|one| one.get("files"));
        let files = array(package, "files").iter().chain(array(before, name));
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

fn is_optional(one: Option<&Value>) -> bool {
    let flag = one.and_then(|one| one.get("optional"));
    flag.and_then(Value::as_bool).unwrap_or(false)
}

fn listed(packages: &[Value]) -> BTreeMap<usize, When> {
    let of = |(at, package): (usize, &Value)| {
        let groups = array(Some(package), "groups");
        if is_optional(Some(package)) || !groups.iter().any(|group| group.as_str() == Some("main"))
        {
            return None;
        }
        let markers = package.get("markers");
        let marker = markers.and_then(|all| all.as_str().or_else(|| all.get("main")?.as_str()));
        Some((at, When::marker(marker.unwrap_or_default())))
    };
    packages.iter().enumerate().filter_map(of).collect()
}

fn followed(packages: &[Value], project: &Value) -> Result<BTreeMap<usize, When>, Unfit> {
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, package) in packages.iter().enumerate() {
        let name = normal(text(Some(package), "name").unwrap_or_default());
        by_name.entry(name).or_default().push(at);
    }
    let edges = |name: &str, wanted: &Value, extra: &str| -> Result<Vec<(Node, String)>, Unfit> {
        let list = wanted
            .as_array()
            .map_or_else(|| std::slice::from_ref(wanted), Vec::as_slice);
        let mut edges = Vec::new();
        for one in list {
            if is_optional(Some(one)) && extra.is_empty() {
                continue;
            }
            let at = match by_name.get(&normal(name)).map(Vec::as_slice) {
                Some([at]) => *at,
                found => {
                    let count = found.map_or(0, <[usize]>::len);
                    return Err(format!("it names {name} and has {count} of it"));
                }
            };
            let marker = without_extra(text(Some(one), "markers").unwrap_or_default(), extra);
            edges.push(((at, String::new()), marker.clone()));
            for extra in array(Some(one), "extras").iter().filter_map(Value::as_str) {
                edges.push(((at, normal(extra)), marker.clone()));
            }
        }
        Ok(edges)
    };
    let poetry = project.get("tool").and_then(|tool| tool.get("poetry"));
    let own = poetry.and_then(|poetry| poetry.get("dependencies")?.as_table());
    let mut first = Vec::new();
    for (name, wanted) in own.into_iter().flatten() {
        if name != "python" {
            first.extend(edges(name, wanted, "")?);
        }
    }
    let found = follow(first, |(at, extra)| {
        let package = &packages[*at];
        let needs = package.get("dependencies").and_then(Value::as_table);
        let of_extra: Vec<String> = package
            .get("extras")
            .and_then(Value::as_table)
            .into_iter()
            .flatten()
            .filter(|(name, _)| !extra.is_empty() && normal(name) == *extra)
            .flat_map(|(_, list)| list.as_array().into_iter().flatten())
            .filter_map(|one| one.as_str()?.split([' ', '[', '(']).next().map(normal))
            .collect();
        let mut all = Vec::new();
        for (name, wanted) in needs.into_iter().flatten() {
            if extra.is_empty() || of_extra.contains(&normal(name)) {
                all.extend(edges(name, wanted, extra)?);
            }
        }
        Ok(all)
    })?;
    by_package(found)
}

/// Outside the package that has it, `extra` is never true.
fn without_extra(marker: &str, extra: &str) -> String {
    let mut marker = marker.to_owned();
    if !extra.is_empty() {
        for quote in ['"', '\''] {
            let asked = format!("extra == {quote}{extra}{quote}");
            marker = marker.replace(&asked, "python_version >= \"3\"");
        }
    }
    marker
}

/// The manifest's hash as Poetry computes it: today, without the groups (before 2.3), and before 2.
fn hashes(project: &Value) -> [String; 3] {
    let poetry = project.get("tool").and_then(|tool| tool.get("poetry"));
    let groups = project
        .get("dependency-groups")
        .filter(|groups| groups.as_table().is_some_and(|groups| !groups.is_empty()));
    let of_project: Vec<(&str, &Value)> =
        ["dependencies", "optional-dependencies", "requires-python"]
            .into_iter()
            .filter_map(|name| Some((name, project.get("project")?.get(name)?)))
            .collect();
    let of_poetry = |alone: bool| {
        let names = [
            "dependencies",
            "dev-dependencies",
            "extras",
            "group",
            "source",
        ];
        let mut parts = Vec::new();
        for name in names {
            let value = poetry.and_then(|poetry| poetry.get(name));
            // A name that is not there counts as nothing, where it is of the first format's.
            if value.is_some() || alone && name != "group" {
                parts.push((name, value.map_or_else(|| "null".to_owned(), json)));
            }
        }
        object(parts)
    };
    let whole = |groups: Option<&Value>| {
        if of_project.is_empty() && groups.is_none() {
            return of_poetry(true);
        }
        let mut parts = Vec::new();
        if let Some(groups) = groups {
            parts.push(("dependency-groups", json(groups)));
        }
        if !of_project.is_empty() {
            let all = of_project.iter().map(|(name, value)| (*name, json(value)));
            parts.push(("project", object(all.collect())));
        }
        parts.push(("tool", object(vec![("poetry", of_poetry(false))])));
        object(parts)
    };
    [whole(groups), whole(None), of_poetry(true)].map(|text| {
        let hash = Sha256::digest(text.as_bytes());
        hash.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    })
}

fn object(parts: Vec<(&str, String)>) -> String {
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(name, value)| format!("{}: {value}", quoted(name)))
        .collect();
    format!("{{{}}}", parts.join(", "))
}

/// As Python's `json.dumps` with sorted keys writes it.
fn json(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(flag) => flag.to_string(),
        Value::Datetime(time) => quoted(&time.to_string()),
        Value::Array(all) => {
            let all: Vec<String> = all.iter().map(json).collect();
            format!("[{}]", all.join(", "))
        }
        Value::Table(table) => object(sorted(table)),
    }
}

fn sorted(table: &Table) -> Vec<(&str, String)> {
    let mut parts: Vec<_> = table
        .iter()
        .map(|(name, value)| (name.as_str(), json(value)))
        .collect();
    parts.sort();
    parts
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for unit in text.encode_utf16() {
        match char::from_u32(u32::from(unit)).filter(char::is_ascii) {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some(c) if c >= ' ' => out.push(c),
            _ => {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out.push('"');
    out
}
