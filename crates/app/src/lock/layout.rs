//! Which version of a package lies in which folder, so that every package finds the versions that a lock file gave it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Unfit, short};

/// What a lock file names.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) packages: BTreeMap<String, Package>,
    /// The app's own.
    pub(crate) needs: Vec<Need>,
}

#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// As the lock file has it: where it is no version, the package is not from a registry.
    pub(crate) version: String,
    pub(crate) integrity: Option<String>,
    pub(crate) os: Vec<String>,
    pub(crate) cpu: Vec<String>,
    pub(crate) libc: Vec<String>,
    pub(crate) needs: Vec<Need>,
}

#[derive(Debug, Clone)]
pub(crate) struct Need {
    /// The name under which it is imported.
    pub(crate) folder: String,
    /// Of [`Graph::packages`].
    pub(crate) key: String,
    pub(crate) optional: bool,
}

/// The two files from which npm installs.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Whose versions they are.
    pub(crate) file: &'static str,
    pub(crate) manifest: String,
    pub(crate) lock: String,
}

const MOST: usize = 20_000;
const DEEPEST: usize = 40;

struct Place<'a> {
    path: String,
    depth: usize,
    key: &'a str,
    parent: usize,
    children: BTreeMap<&'a str, usize>,
}

const ROOT: usize = 0;

impl Graph {
    /// One version of each name lies at the top; where a package would find another than its own, its own lies below it.
    pub(crate) fn layout(&self, file: &'static str) -> Result<Layout, Unfit> {
        let mut places = vec![Place {
            path: String::new(),
            depth: 0,
            key: "",
            parent: ROOT,
            children: BTreeMap::new(),
        }];
        let mut queue: VecDeque<&[Need]> = VecDeque::from([self.needs.as_slice()]);
        let mut seen = BTreeSet::new();
        while let Some(needs) = queue.pop_front() {
            for need in needs {
                let Some(package) = self.package(need)? else {
                    continue;
                };
                if !places[ROOT].children.contains_key(need.folder.as_str()) {
                    place(&mut places, ROOT, need)?;
                }
                if seen.insert(need.key.as_str()) {
                    queue.push_back(&package.needs);
                }
            }
        }
        // A package's own are placed before those of what lies below it are looked for.
        let mut at = 1;
        while at < places.len() {
            for need in &self.packages[places[at].key].needs {
                if self.package(need)?.is_none() {
                    continue;
                }
                let found = find(&places, at, &need.folder);
                if found.is_none_or(|found| places[found].key != need.key) {
                    place(&mut places, at, need)?;
                }
            }
            at += 1;
        }
        Ok(self.written(&places, file))
    }

    /// What a need stands for; nothing where it can be left out here.
    fn package(&self, need: &Need) -> Result<Option<&Package>, Unfit> {
        let Some(package) = self.packages.get(&need.key) else {
            if need.optional {
                return Ok(None);
            }
            return Err(format!("it names {} and has no such package", need.key));
        };
        if need.optional && !package.is_for_this_machine() {
            return Ok(None);
        }
        for name in [&need.folder, &package.name] {
            if !is_name(name) {
                return Err(format!("`{}` is no package's name", short(name)));
            }
        }
        if !is_version(&package.version) {
            return Err(format!(
                "{} is from `{}` and not a version of a registry",
                package.name,
                short(&package.version)
            ));
        }
        Ok(Some(package))
    }

    fn written(&self, places: &[Place<'_>], file: &'static str) -> Layout {
        let ranges = |needs: &[Need], optional: bool| -> Value {
            let of = |need: &Need| {
                let package = self.package(need).ok().flatten()?;
                let range = if package.name == need.folder {
                    package.version.clone()
                } else {
                    format!("npm:{}@{}", package.name, package.version)
                };
                Some((need.folder.clone(), Value::String(range)))
            };
            let needs = needs.iter().filter(|need| need.optional == optional);
            Value::Object(needs.filter_map(of).collect())
        };
        let root = json!({
            "name": "app",
            "version": "0.0.0",
            "dependencies": ranges(&self.needs, false),
            "optionalDependencies": ranges(&self.needs, true),
        });
        let mut packages = Map::new();
        packages.insert(String::new(), root.clone());
        for place in &places[1..] {
            let package = &self.packages[place.key];
            let mut entry = json!({
                "version": package.version,
                "dependencies": ranges(&package.needs, false),
                "optionalDependencies": ranges(&package.needs, true),
            });
            if !place
                .path
                .ends_with(&format!("node_modules/{}", package.name))
            {
                entry["name"] = Value::String(package.name.clone());
            }
            if let Some(integrity) = package.integrity.as_ref().filter(|text| is_integrity(text)) {
                entry["integrity"] = Value::String(integrity.clone());
            }
            packages.insert(place.path.clone(), entry);
        }
        let lock = json!({
            "name": "app",
            "version": "0.0.0",
            "lockfileVersion": 3,
            "requires": true,
            "packages": packages,
        });
        Layout {
            file,
            manifest: root.to_string(),
            lock: lock.to_string(),
        }
    }
}

fn place<'a>(places: &mut Vec<Place<'a>>, below: usize, need: &'a Need) -> Result<(), Unfit> {
    let depth = places[below].depth + 1;
    if places.len() > MOST || depth > DEEPEST {
        return Err(format!(
            "it needs more than {MOST} folders, or folders more than {DEEPEST} deep"
        ));
    }
    let base = &places[below].path;
    let slash = if base.is_empty() { "" } else { "/" };
    let path = format!("{base}{slash}node_modules/{}", need.folder);
    let new = places.len();
    places.push(Place {
        path,
        depth,
        key: &need.key,
        parent: below,
        children: BTreeMap::new(),
    });
    places[below].children.insert(&need.folder, new);
    Ok(())
}

/// As Node looks for a package: in the importer's own `node_modules`, then in those above.
fn find(places: &[Place<'_>], from: usize, folder: &str) -> Option<usize> {
    let mut at = from;
    loop {
        if let Some(found) = places[at].children.get(folder) {
            return Some(*found);
        }
        if at == ROOT {
            return None;
        }
        at = places[at].parent;
    }
}

impl Package {
    fn is_for_this_machine(&self) -> bool {
        let os = match std::env::consts::OS {
            "macos" => "darwin",
            other => other,
        };
        let cpu = match std::env::consts::ARCH {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            "x86" => "ia32",
            other => other,
        };
        let libc = if Path::new("/etc/alpine-release").exists() {
            "musl"
        } else {
            "glibc"
        };
        if self.os.is_empty() && self.cpu.is_empty() {
            return !is_named_for_another(&self.name, os, cpu, libc);
        }
        allows(&self.os, os)
            && allows(&self.cpu, cpu)
            && (os != "linux" || allows(&self.libc, libc))
    }
}

fn allows(list: &[String], this: &str) -> bool {
    let mut only = list.iter().filter(|one| !one.starts_with('!')).peekable();
    let denied = list.iter().any(|one| one.strip_prefix('!') == Some(this));
    !denied && (only.peek().is_none() || only.any(|one| one == this || one == "any"))
}

/// Yarn 1 does not write which machine an optional package is for; by custom its name says it.
fn is_named_for_another(name: &str, os: &str, cpu: &str, libc: &str) -> bool {
    const SYSTEMS: [&str; 13] = [
        "aix",
        "android",
        "cygwin",
        "darwin",
        "freebsd",
        "linux",
        "linuxmusl",
        "netbsd",
        "openbsd",
        "openharmony",
        "sunos",
        "win32",
        "windows",
    ];
    const CPUS: [&str; 12] = [
        "arm", "arm64", "armhf", "ia32", "loong64", "mips64el", "ppc64", "ppc64le", "riscv64",
        "s390x", "wasm32", "x64",
    ];
    let words: Vec<&str> = name.split(['/', '-', '.', '_']).collect();
    let is = |one: &str| match one {
        "linuxmusl" => os == "linux" && libc == "musl",
        "windows" | "win32" => os == "windows",
        other => other == os,
    };
    name == "fsevents" && os != "darwin"
        || words.iter().any(|word| SYSTEMS.contains(word) && !is(word))
        || words.iter().any(|word| CPUS.contains(word) && *word != cpu)
        || words.contains(&"musl") && libc != "musl"
        || words.contains(&"gnu") && libc != "glibc"
}

/// It becomes a folder.
pub(super) fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '~')
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    };
    let whole = match name.strip_prefix('@') {
        Some(rest) => rest
            .split_once('/')
            .is_some_and(|(scope, name)| part(scope) && part(name)),
        None => part(name),
    };
    whole && name != "node_modules" && name.len() <= 214
}

/// It becomes a word that npm reads: three numbers, and what may follow them.
pub(super) fn is_version(version: &str) -> bool {
    let end = version.find(['-', '+']).unwrap_or(version.len());
    let numbers: Vec<&str> = version[..end].split('.').collect();
    version.len() <= 256
        && numbers.len() == 3
        && numbers
            .iter()
            .all(|one| !one.is_empty() && one.bytes().all(|byte| byte.is_ascii_digit()))
        && version
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-+.".contains(&byte))
}

fn is_integrity(text: &str) -> bool {
    text.split(' ').all(|one| {
        one.split_once('-').is_some_and(|(kind, hash)| {
            ["sha1", "sha256", "sha384", "sha512"].contains(&kind)
                && hash
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        })
    })
}
