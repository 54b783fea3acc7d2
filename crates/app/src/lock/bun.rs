//! `bun.lock`: JSON with commas before brackets' ends, in which a package's key is the path on which it is found.

use serde_json::Value;

use super::{Graph, Need, Package, Unfit, list, out_of_step, plain, split_at, texts, wanted};

pub(super) fn read(text: &str, manifest: &Value) -> Result<Graph, Unfit> {
    let lock: Value = serde_json::from_slice(&without_last_commas(text))
        .map_err(|error| format!("it is no JSON: {error}"))?;
    let format = lock
        .get("lockfileVersion")
        .and_then(plain)
        .unwrap_or_default();
    if !matches!(format.as_str(), "0" | "1") {
        return Err(format!("its format is {format:?}; 0 and 1 are read"));
    }
    let root = lock.get("workspaces").and_then(|all| all.get(""));
    let packages = lock
        .get("packages")
        .and_then(Value::as_object)
        .ok_or("it names no packages")?;
    let mut graph = Graph::default();
    for one in wanted(manifest) {
        let lists = ["dependencies", "devDependencies", "optionalDependencies"];
        let locked = lists
            .iter()
            .find_map(|list| root?.get(*list)?.get(&one.folder).and_then(plain));
        if locked.as_deref() != Some(one.range.as_str()) {
            return Err(out_of_step(&one.folder, &one.range, locked.as_deref()));
        }
        graph.needs.push(Need {
            key: one.folder.clone(),
            folder: one.folder,
            optional: one.optional,
        });
    }
    for (path, value) in packages {
        let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let Some((name, version)) = parts.first().and_then(Value::as_str).and_then(split_at) else {
            return Err(format!("`{path}` names no package"));
        };
        let facts = parts.iter().find(|part| part.is_object());
        let of = |kind: &str| facts.and_then(|facts| facts.get(kind));
        let needs = |kind: &str, optional| {
            texts(of(kind)).map(move |(folder, _)| Need {
                folder: folder.to_owned(),
                key: String::new(),
                optional,
            })
        };
        let found = needs("dependencies", false)
            .chain(needs("optionalDependencies", true))
            // A peer that is not there was optional; npm's own lock files say no more of it.
            .chain(needs("peerDependencies", true))
            .map(|need| Need {
                key: key(packages, path, &need.folder),
                ..need
            })
            .collect();
        graph.packages.insert(
            path.clone(),
            Package {
                name: name.to_owned(),
                version: version.to_owned(),
                integrity: parts
                    .iter()
                    .skip(1)
                    .filter_map(Value::as_str)
                    .find(|text| text.starts_with("sha"))
                    .map(str::to_owned),
                os: list(of("os")),
                cpu: list(of("cpu")),
                libc: list(of("libc")),
                needs: found,
            },
        );
    }
    Ok(graph)
}

/// The path of what a package at `path` finds under a name: its own, else of those above.
fn key(packages: &serde_json::Map<String, Value>, path: &str, folder: &str) -> String {
    let mut above = Some(path);
    while let Some(at) = above {
        let own = format!("{at}/{folder}");
        if packages.contains_key(&own) {
            return own;
        }
        above = at.rfind('/').map(|end| {
            let parent = &at[..end];
            // The slash may be that of a scope.
            if parent
                .rsplit('/')
                .next()
                .is_some_and(|last| last.starts_with('@'))
            {
                parent.rfind('/').map_or("", |end| &parent[..end])
            } else {
                parent
            }
        });
        above = above.filter(|at| !at.is_empty());
    }
    folder.to_owned()
}

fn without_last_commas(text: &str) -> Vec<u8> {
    let mut out = text.as_bytes().to_vec();
    let (mut quoted, mut escaped) = (false, false);
    let mut comma = None;
    for (at, byte) in text.bytes().enumerate() {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte == b'"' {
            quoted = true;
            comma = None;
        } else if byte == b',' {
            comma = Some(at);
        } else if matches!(byte, b']' | b'}') {
            if let Some(comma) = comma.take() {
                out[comma] = b' ';
            }
        } else if !byte.is_ascii_whitespace() {
            comma = None;
        }
    }
    out
}
