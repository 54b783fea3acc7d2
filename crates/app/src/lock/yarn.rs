//! `yarn.lock`: the format of Yarn 1, and the YAML of Yarn 2 and later.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Graph, Need, Package, Unfit, out_of_step, plain, split_at, texts, wanted, yaml};

pub(super) fn read(text: &str, manifest: &Value) -> Result<Graph, Unfit> {
    if text.contains("\n__metadata:") || text.starts_with("__metadata:") {
        berry(&yaml(text)?, manifest)
    } else if text.contains("# yarn lockfile v1") {
        classic(text, manifest)
    } else {
        Err("it is of no format of Yarn's".into())
    }
}

/// An entry, before its ranges are looked up.
#[derive(Default)]
struct Entry {
    package: Package,
    ranges: Vec<(String, String, bool)>,
}

/// Entries by their place in the file, and which of them each `name@range` stands for.
#[derive(Default)]
struct Entries {
    all: Vec<Entry>,
    by_range: BTreeMap<String, usize>,
}

impl Entries {
    fn graph(self, manifest: &Value, key: fn(&str, &str) -> String) -> Result<Graph, Unfit> {
        let forced: BTreeMap<String, String> = texts(manifest.get("resolutions"))
            .map(|(name, range)| (name.to_owned(), range))
            .collect();
        let find = |folder: &str, range: &str| {
            let found = self.by_range.get(&key(folder, range));
            found.or_else(|| self.by_range.get(&key(folder, forced.get(folder)?)))
        };
        let mut graph = Graph::default();
        for one in wanted(manifest) {
            let found = find(&one.folder, &one.range)
                .ok_or_else(|| out_of_step(&one.folder, &one.range, None))?;
            graph.needs.push(Need {
                folder: one.folder,
                key: found.to_string(),
                optional: one.optional,
            });
        }
        let needs: Vec<Vec<Need>> = self
            .all
            .iter()
            .map(|entry| {
                let of = |(folder, range, optional): &(String, String, bool)| Need {
                    folder: folder.clone(),
                    key: find(folder, range)
                        .map_or_else(|| key(folder, range), ToString::to_string),
                    optional: *optional,
                };
                entry.ranges.iter().map(of).collect()
            })
            .collect();
        for ((at, entry), needs) in self.all.into_iter().enumerate().zip(needs) {
            let package = Package {
                needs,
                ..entry.package
            };
            graph.packages.insert(at.to_string(), package);
        }
        Ok(graph)
    }
}

fn classic(text: &str, manifest: &Value) -> Result<Graph, Unfit> {
    let mut entries = Entries::default();
    let mut list = "";
    for (number, line) in text.lines().enumerate() {
        let bad = || format!("its line {} cannot be read", number + 1);
        let words = line.trim_start_matches(' ');
        let depth = line.len() - words.len();
        if words.trim().is_empty() || words.starts_with('#') {
            continue;
        }
        if depth == 0 {
            let patterns = words.strip_suffix(':').ok_or_else(bad)?;
            let patterns = split(patterns, ", ").ok_or_else(bad)?;
            let (folder, range) = patterns
                .first()
                .and_then(|one| split_at(one))
                .ok_or_else(bad)?;
            let name = match range.strip_prefix("npm:") {
                Some(real) => split_at(real).map_or(real, |(name, _)| name),
                None => folder,
            };
            let mut entry = Entry::default();
            name.clone_into(&mut entry.package.name);
            // A range that is a place: the version would say nothing of it.
            let mut ranges = patterns.iter().filter_map(|one| Some(split_at(one)?.1));
            if let Some(place) = ranges.find(|range| is_place(range)) {
                place.clone_into(&mut entry.package.version);
            }
            let at = entries.all.len();
            entries.all.push(entry);
            entries
                .by_range
                .extend(patterns.into_iter().map(|pattern| (pattern, at)));
            list = "";
            continue;
        }
        let entry = entries.all.last_mut().ok_or_else(bad)?;
        if depth == 2 && words.ends_with(':') {
            list = match words {
                "dependencies:" => "needs",
                "optionalDependencies:" => "optional",
                _ => "other",
            };
            continue;
        }
        let pair = split(words, " ").ok_or_else(bad)?;
        let [name, value] = pair.as_slice() else {
            return Err(bad());
        };
        match (depth, name.as_str()) {
            (2, "version") if entry.package.version.is_empty() => {
                value.clone_into(&mut entry.package.version);
            }
            (2, "resolved") if !value.starts_with("http://") && !value.starts_with("https://") => {
                value.clone_into(&mut entry.package.version);
            }
            (2, "integrity") => entry.package.integrity = Some(value.clone()),
            (4, _) if list == "needs" => entry.ranges.push((name.clone(), value.clone(), false)),
            (4, _) if list == "optional" => entry.ranges.push((name.clone(), value.clone(), true)),
            _ => {}
        }
    }
    entries.graph(manifest, |folder, range| format!("{folder}@{range}"))
}

fn is_place(range: &str) -> bool {
    match range.strip_prefix("npm:") {
        Some(real) => split_at(real).is_some_and(|(_, range)| range.contains([':', '/'])),
        None => range.contains([':', '/']),
    }
}

/// The parts of a line; one in quotes may hold the separator.
fn split(line: &str, separator: &str) -> Option<Vec<String>> {
    let (mut parts, mut rest) = (Vec::new(), line);
    loop {
        let end;
        if rest.starts_with('"') {
            let mut ended = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            parts.push(ended.next()?.ok()?);
            end = ended.byte_offset();
        } else {
            end = rest.find(separator).unwrap_or(rest.len());
            parts.push(rest[..end].to_owned());
        }
        match rest[end..].strip_prefix(separator) {
            Some(more) => rest = more,
            None => return rest[end..].trim().is_empty().then_some(parts),
        }
    }
}

fn berry(lock: &Value, manifest: &Value) -> Result<Graph, Unfit> {
    let mut entries = Entries::default();
    for (patterns, value) in lock.as_object().into_iter().flatten() {
        let Some(resolution) = value.get("resolution").and_then(Value::as_str) else {
            continue;
        };
        let Some((name, place)) = split_at(resolution) else {
            return Err(format!("`{resolution}` is no package"));
        };
        let built_in = place.starts_with("patch:") && place.contains("#optional!builtin<");
        let version = match place.strip_prefix("npm:") {
            // Behind `::` stands the address of its archive; as elsewhere, this machine's settings say where it is asked for.
            Some(version) => version.split("::").next().unwrap_or(version).to_owned(),
            None if built_in => value.get("version").and_then(plain).unwrap_or_default(),
            None => place.to_owned(),
        };
        let condition = |kind: &str| -> Vec<String> {
            let all = value.get("conditions").and_then(Value::as_str);
            all.into_iter()
                .flat_map(|all| all.split(" & "))
                .filter_map(|one| one.trim().strip_prefix(kind)?.strip_prefix('='))
                .map(str::to_owned)
                .collect()
        };
        let optional = |folder: &str| {
            let meta = value
                .get("dependenciesMeta")
                .and_then(|meta| meta.get(folder));
            let flag = meta.and_then(|meta| meta.get("optional"));
            flag.and_then(Value::as_bool).unwrap_or(false)
        };
        let at = entries.all.len();
        entries.all.push(Entry {
            package: Package {
                name: name.to_owned(),
                version,
                os: condition("os"),
                cpu: condition("cpu"),
                libc: condition("libc"),
                ..Package::default()
            },
            ranges: texts(value.get("dependencies"))
                .map(|(folder, range)| (folder.to_owned(), range, optional(folder)))
                .collect(),
        });
        let patterns = patterns.split(", ").map(str::to_owned);
        entries
            .by_range
            .extend(patterns.map(|pattern| (pattern, at)));
    }
    entries.graph(manifest, |folder, range| {
        if range.contains(':') {
            format!("{folder}@{range}")
        } else {
            format!("{folder}@npm:{range}")
        }
    })
}
