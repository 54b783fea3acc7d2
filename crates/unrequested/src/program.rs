//! The program of an agent by template: the user's own, as it is on this machine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agent::{Cell, Template};
use cell::{Level, Spec};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::exit::{Exit, Fatal};
use crate::scan::{Copy, Tool};

/// Shorter ones are no keys.
const SHORTEST_KEY: usize = 16;
/// For a program to say its version.
const VERSION: Duration = Duration::from_secs(60);

/// A program that was found, and what a box must show for it to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// What is really there, behind all links.
    pub(crate) program: PathBuf,
    pub(crate) read: Vec<PathBuf>,
    /// `PATH` of the agent and its commands.
    pub(crate) path: String,
    /// What its hash is of: npm's package of it, else its file.
    whole: PathBuf,
}

/// What is recorded with every step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// BLAKE3, of `hash_of`.
    pub(crate) hash: String,
    pub(crate) hash_of: PathBuf,
    /// The first line of what it says itself.
    pub(crate) version: String,
}

/// Gives the sessions of agents by template their versions, as `codex@0.169.0` has one. Returns what there is now, for the
/// run's hash: a run begun with another version is another run.
pub(crate) fn label(cells: &mut [Cell], context: &Context) -> Result<String, Fatal> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for cell in cells {
        let Some(driven) = &mut cell.driven else {
            continue;
        };
        let Some(template) = &driven.template else {
            continue;
        };
        if !known.contains_key(&driven.cli) {
            let found = find(&driven.cli, template)?;
            let said = found.said(&driven.cli, template, context)?;
            known.insert(driven.cli.clone(), short(&said));
        }
        driven.version.clone_from(&known[&driven.cli]);
        cell.agent = format!("{}@{}", driven.cli, driven.version);
    }
    let labels = known
        .iter()
        .map(|(cli, version)| format!("\n{cli}@{version}"));
    Ok(labels.collect())
}

/// A version as a part of a session's id and of its folder's name: its number, else its words.
fn short(said: &str) -> String {
    let number = said.split_whitespace().find(|word| {
        word.trim_start_matches('v')
            .starts_with(|c: char| c.is_ascii_digit())
    });
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    let chars = number.unwrap_or(said).chars();
    let plain = chars.map(|c| if is_plain(c) { c } else { '_' });
    plain.take(40).collect()
}

impl Program {
    /// For people.
    pub(crate) fn text(&self) -> String {
        format!(
            "{}, {}, BLAKE3 {}",
            self.version,
            self.path.display(),
            self.hash.get(..16).unwrap_or(&self.hash)
        )
    }
}

/// Looks for the program of `[agent."command:NAME"]`, which `agent` is.
pub(crate) fn find(agent: &str, template: &Template) -> Result<Found, Fatal> {
    let name = template.program();
    let missing = |why: &str| Fatal {
        exit: Exit::Missing,
        why: format!(
            "{agent}: {why}; install it, or name it by its whole path in `first`, `next` and `version` of [agent.\"{agent}\"]"
        ),
    };
    let texts = [&template.first, &template.next, &template.version];
    let texts = texts.into_iter().flatten().chain(template.env.values());
    for variable in [
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
        "CLAUDE_CODE_OAUTH_TOKEN",
    ] {
        let key = std::env::var(variable).unwrap_or_default();
        if key.len() >= SHORTEST_KEY && texts.clone().any(|text| text.contains(&key)) {
            return Err(Fatal::usage(format!(
                "[agent.\"{agent}\"] has the key of {variable} in it, and a study is kept with its results: write {{key}}, a dummy; the proxy \
                 puts the key in"
            )));
        }
    }
    let tool = if name.contains('/') {
        Tool::at_path(Path::new(name)).ok_or_else(|| missing(&format!("`{name}` is no program")))?
    } else {
        Tool::find(name).ok_or_else(|| missing(&format!("there is no program `{name}` in PATH")))?
    };
    let program = fs::canonicalize(&tool.program)?;
    let package = package(&program);
    let mut read = tool.read;
    if let (Some(package), true) = (&package, cell::installed_in(&program).is_some()) {
        read.push(package.clone());
    }
    let folders = tool.path.iter().map(|folder| folder.display().to_string());
    let system = ["/usr/local/bin", "/usr/bin", "/bin"].map(str::to_owned);
    let mut path: Vec<String> = Vec::new();
    for folder in folders.chain(system) {
        if !path.contains(&folder) {
            path.push(folder);
        }
    }
    Ok(Found {
        read,
        path: path.join(":"),
        whole: package.unwrap_or_else(|| program.clone()),
        program,
    })
}

/// The folder of npm's package that holds a program, and what it needs. Installed globally a package has what it needs
/// below it; in a project's folder, beside it.
fn package(program: &Path) -> Option<PathBuf> {
    let is_modules = |path: &&Path| path.ends_with("node_modules");
    let modules = program.ancestors().filter(is_modules).last()?;
    let is_project = modules
        .parent()
        .is_some_and(|folder| folder.join("package.json").is_file())
        || modules.join(".package-lock.json").is_file();
    if is_project {
        return Some(modules.to_owned());
    }
    let inside = program.strip_prefix(modules).ok()?;
    let is_scoped = inside.to_string_lossy().starts_with('@');
    let names = inside.iter().take(if is_scoped { 2 } else { 1 });
    Some(modules.join(names.collect::<PathBuf>()))
}

impl Found {
    /// What there is to record of it. Its version it says in a box of its own, without a network.
    pub(crate) fn look(
        &self,
        agent: &str,
        template: &Template,
        context: &Context,
    ) -> Result<Program, Fatal> {
        Ok(Program {
            version: self.said(agent, template, context)?,
            path: self.program.clone(),
            hash: hash(&self.whole)?,
            hash_of: self.whole.clone(),
        })
    }

    fn said(&self, agent: &str, template: &Template, context: &Context) -> Result<String, Fatal> {
        self.version(template, &context.cells(), context.level)
            .map_err(|why| Fatal {
                exit: Exit::Missing,
                why: format!(
                    "{agent}: `{}` says no version: {why}; `version` of [agent.\"{agent}\"] must be a command that says it",
                    template.version.join(" ")
                ),
            })
    }

    fn version(&self, template: &Template, cells: &Path, level: Level) -> Result<String, String> {
        let said = |error: std::io::Error| error.to_string();
        let copy = Copy::empty(cells).map_err(said)?;
        let root = copy.tree().parent().map(Path::to_owned).unwrap_or_default();
        let errors = root.join("state/stderr");
        // What it says beside its version would be taken for it.
        let words = ["/bin/sh", "-c", "exec \"$@\" 2>\"$0\""].map(OsString::from);
        let own = template.version.iter().skip(1).map(OsString::from);
        let command = words
            .into_iter()
            .chain([
                errors.clone().into_os_string(),
                self.program.clone().into_os_string(),
            ])
            .chain(own);
        let mut spec = Spec::new(&root, command);
        spec.read.clone_from(&self.read);
        spec.env = vec![
            ("PATH".into(), self.path.clone().into()),
            ("HOME".into(), root.join("home").into()),
            ("TMPDIR".into(), root.join("tmp").into()),
            ("LANG".into(), "C.UTF-8".into()),
            ("TERM".into(), "dumb".into()),
        ];
        let cell = cell::spawn(&spec, level).map_err(|error| error.to_string())?;
        let begun = Instant::now();
        let ended = loop {
            let ended = cell.wait(Duration::from_millis(100)).is_some();
            if ended || begun.elapsed() >= VERSION {
                break ended;
            }
        };
        cell.end();
        if !ended {
            return Err(format!("nothing for {} s", VERSION.as_secs()));
        }
        let is_well = cell.exited().is_some_and(|exit| exit.success());
        let first = |text: &str| {
            let line = text.lines().find(|line| !line.trim().is_empty());
            line.map(|line| line.trim().chars().take(200).collect::<String>())
        };
        let stdout = first(&cell.log_tail(64 << 10));
        let stderr = app::read_file(&root, "state/stderr").unwrap_or_default();
        let stderr = String::from_utf8_lossy(&stderr);
        // Node begins with where in its source it is.
        let error = stderr.lines().find(|line| line.contains("rror:"));
        let stderr = error.and_then(first).or_else(|| first(&stderr));
        match (is_well, stdout, stderr) {
            (true, Some(line), _) | (true, None, Some(line)) => Ok(line),
            (true, None, None) => Err("it printed nothing".into()),
            (false, _, why) => {
                let exit = cell.exited().map(|exit| exit.to_string());
                Err(format!(
                    "{} {}",
                    exit.unwrap_or_default(),
                    why.unwrap_or_default()
                ))
            }
        }
    }
}

/// Of a file, its bytes; of a folder, all that is in it: names, bytes, where links lead.
fn hash(path: &Path) -> Result<String, Fatal> {
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(one) = folders.pop() {
        if one.symlink_metadata()?.is_dir() {
            for entry in fs::read_dir(&one)? {
                folders.push(entry?.path());
            }
        } else {
            files.push(one);
        }
    }
    files.sort();
    let mut hasher = blake3::Hasher::new();
    if files == [path] {
        hasher.update_reader(fs::File::open(path)?)?;
        return Ok(hasher.finalize().to_hex().to_string());
    }
    for file in files {
        let name = file.strip_prefix(path).unwrap_or(&file);
        let mut own = blake3::Hasher::new();
        if file.symlink_metadata()?.is_symlink() {
            own.update(b"link");
            own.update(fs::read_link(&file)?.as_os_str().as_encoded_bytes());
        } else {
            own.update_reader(fs::File::open(&file)?)?;
        }
        let name = name.as_os_str().as_encoded_bytes();
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name);
        hasher.update(own.finalize().as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_what_it_needs_below_it_or_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let make = |path: &str| {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "x").unwrap();
            file
        };
        let of = |path: &Path| {
            let found = package(path)?;
            Some(
                found
                    .strip_prefix(folder.path())
                    .unwrap()
                    .display()
                    .to_string(),
            )
        };
        let global = "global/lib/node_modules/@a/b";
        let inner = make(&format!("{global}/node_modules/c/bin/run"));
        assert_eq!(of(&inner).as_deref(), Some(global));
        let plain = make("global/lib/node_modules/d/dist/run.js");
        assert_eq!(of(&plain).as_deref(), Some("global/lib/node_modules/d"));
        make("project/package.json");
        let local = make("project/node_modules/d/bin/run");
        assert_eq!(of(&local).as_deref(), Some("project/node_modules"));
        assert_eq!(of(&make("bin/run")), None);
    }

    #[test]
    fn a_version_in_an_id_is_its_number() {
        for (said, wanted) in [
            ("1.18.33", "1.18.33"),
            ("aider 0.86.2 (x/y)", "0.86.2"),
            ("mine v2.0-rc+1", "v2.0-rc+1"),
            ("no number/at all", "no_number_at_all"),
            ("3/../4", "3_.._4"),
        ] {
            assert_eq!(short(said), wanted);
        }
        assert_eq!(short(&"9".repeat(300)).len(), 40);
    }

    #[test]
    fn a_hash_sees_every_file_of_a_package() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let hash = || super::hash(folder.path()).unwrap();
        write("a", "one");
        write("b", "two");
        let first = hash();
        write("b", "three");
        let second = hash();
        fs::rename(folder.path().join("b"), folder.path().join("c")).unwrap();
        let third = hash();
        assert!(first != second && second != third && first != third);
        let file = super::hash(&folder.path().join("a")).unwrap();
        assert_eq!(file, blake3::hash(b"one").to_hex().to_string());
    }
}
