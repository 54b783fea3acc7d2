//! `pnpm-lock.yaml`, as pnpm 8 (format 6) and pnpm 9 and later (format 9) write it.

use serde_json::Value;

use super::{Graph, Need, Package, Unfit, list, out_of_step, plain, split_at, texts, wanted, yaml};

pub(super) fn read(text: &str, manifest: &Value) -> Result<Graph, Unfit> {
    // pnpm 10 may put a document about itself before the app's.
    let lock = yaml(text.rsplit("\n---\n").next().unwrap_or(text))?;
    let format = lock
        .get("lockfileVersion")
        .and_then(plain)
        .unwrap_or_default();
    let split = match format.split('.').next() {
        Some("9") => true,
        Some("6") => false,
        _ => {
            return Err(format!(
                "its format is {format:?}; those of pnpm 8 and later (6 and 9) are read"
            ));
        }
    };
    let root = match lock.get("importers") {
        Some(importers) => importers.get(".").ok_or("it does not know this folder")?,
        None => &lock,
    };
    let needs = roots(root, manifest, &lock)?;
    let mut graph = Graph {
        needs,
        ..Graph::default()
    };
    let packages = lock.get("packages");
    let instances = if split {
        lock.get("snapshots")
    } else {
        packages
    };
    for (key, instance) in instances.and_then(Value::as_object).into_iter().flatten() {
        let key = key.strip_prefix('/').unwrap_or(key);
        let plain_key = key.split('(').next().unwrap_or(key);
        let facts = if split {
            packages.and_then(|all| all.get(plain_key))
        } else {
            Some(instance)
        };
        let resolution = facts.and_then(|facts| facts.get("resolution"));
        let Some((name, version)) = split_at(plain_key) else {
            continue;
        };
        let name = facts
            .and_then(|facts| facts.get("name")?.as_str())
            .unwrap_or(name);
        let of = |list: &str, optional| {
            texts(instance.get(list)).map(move |(folder, to)| need(folder, &to, optional))
        };
        let package = Package {
            name: name.to_owned(),
            version: elsewhere(resolution).unwrap_or(version).to_owned(),
            integrity: resolution
                .and_then(|one| one.get("integrity")?.as_str())
                .map(str::to_owned),
            os: list(facts.and_then(|facts| facts.get("os"))),
            cpu: list(facts.and_then(|facts| facts.get("cpu"))),
            libc: list(facts.and_then(|facts| facts.get("libc"))),
            needs: of("dependencies", false)
                .chain(of("optionalDependencies", true))
                .collect(),
        };
        graph.packages.insert(key.to_owned(), package);
    }
    Ok(graph)
}

/// Where a package is from, when that is not a registry. The address of a registry's archive is left out: its
/// hash says what it must be, and this machine's settings say where it is asked for.
fn elsewhere(resolution: Option<&Value>) -> Option<&str> {
    let resolution = resolution?;
    if resolution.get("integrity").is_some() && resolution.get("directory").is_none() {
        return None;
    }
    ["repo", "directory", "path", "tarball"]
        .iter()
        .find_map(|name| resolution.get(*name)?.as_str())
}

fn roots(root: &Value, manifest: &Value, lock: &Value) -> Result<Vec<Need>, Unfit> {
    let wanted = wanted(manifest);
    let overridden: Vec<&str> = texts(lock.get("overrides")).map(|(name, _)| name).collect();
    let mut needs = Vec::new();
    for one in &wanted {
        let lists = ["dependencies", "devDependencies", "optionalDependencies"];
        let locked = lists
            .iter()
            .find_map(|list| root.get(*list)?.get(&one.folder))
            .ok_or_else(|| out_of_step(&one.folder, &one.range, None))?;
        let specifier = locked.get("specifier").and_then(plain).unwrap_or_default();
        if specifier != one.range && !overridden.contains(&one.folder.as_str()) {
            return Err(out_of_step(&one.folder, &one.range, Some(&specifier)));
        }
        let version = locked.get("version").and_then(plain).unwrap_or_default();
        if let Some(member) = version.strip_prefix("link:") {
            return Err(format!(
                "{} is the folder {member} beside the app, which is not copied with its packages",
                one.folder
            ));
        }
        needs.push(need(&one.folder, &version, one.optional));
    }
    Ok(needs)
}

/// A version, or a name and a version where the folder is called otherwise.
fn need(folder: &str, to: &str, optional: bool) -> Need {
    let to = to.strip_prefix('/').unwrap_or(to);
    // As pnpm tells them apart: an address has its colon, and peers their bracket, before any `@`.
    let head = to.split([':', '(']).next().unwrap_or(to);
    let key = if split_at(head).is_some() {
        to.to_owned()
    } else {
        format!("{folder}@{to}")
    };
    Need {
        folder: folder.to_owned(),
        key,
        optional,
    }
}
