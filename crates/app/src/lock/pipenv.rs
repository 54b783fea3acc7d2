//! `Pipfile.lock`: a flat list.

use serde_json::Value;

use super::Unfit;
use super::python::{Pin, When, normal, toml};

pub(super) fn read(lock: &str, manifest: &str) -> Result<Vec<Pin>, Unfit> {
    let lock: Value =
        serde_json::from_str(lock).map_err(|error| format!("it is no JSON: {error}"))?;
    let packages = lock
        .get("default")
        .and_then(Value::as_object)
        .ok_or("it has no list `default`")?;
    let manifest = toml(manifest).map_err(|why| format!("Pipfile cannot be read: {why}"))?;
    let wanted = manifest.get("packages").and_then(toml::Value::as_table);
    for (name, range) in wanted.into_iter().flatten() {
        let locked = packages
            .iter()
            .find(|(known, _)| normal(known) == normal(name));
        let version = locked.and_then(|(_, one)| one.get("version")?.as_str());
        let range = range.as_str().unwrap_or_default();
        if locked.is_none()
            || range.starts_with("==") && !range.contains('*') && version != Some(range)
        {
            return Err(format!(
                "it is out of step with Pipfile, which wants {name} {range}"
            ));
        }
    }
    let mut pins = Vec::new();
    for (name, package) in packages {
        let version = package.get("version").and_then(Value::as_str);
        let Some(version) = version.and_then(|text| text.strip_prefix("==")) else {
            let from = ["git", "path", "file", "url"];
            let from = from.iter().find_map(|kind| package.get(*kind)?.as_str());
            return Err(format!(
                "{name} is from `{}` and not from a registry",
                from.unwrap_or_default()
            ));
        };
        let hashes = package.get("hashes").and_then(Value::as_array);
        let markers = package.get("markers").and_then(Value::as_str);
        pins.push(Pin {
            name: name.clone(),
            version: version.to_owned(),
            hashes: hashes
                .into_iter()
                .flatten()
                .filter_map(|hash| hash.as_str().map(str::to_owned))
                .collect(),
            when: When::marker(markers.unwrap_or_default()),
        });
    }
    Ok(pins)
}
