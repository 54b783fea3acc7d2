//! The files of a tree that are read, and those that are not, with the reason.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::decision::Unread;

use crate::lower::{language, lower};
use crate::tree::Tree;

/// Larger files are no source that a person wrote.
const LARGEST: u64 = 1 << 20;
const MOST_FILES: usize = 50_000;
/// Nesting is bounded, but a frame of a debug build is large.
const STACK: usize = 64 << 20;

/// Made by tools, written by others, or not part of what runs.
const LEFT_OUT: [&str; 30] = [
    ".git",
    ".venv",
    "venv",
    "env",
    "node_modules",
    "__pycache__",
    ".unrequested",
    ".next",
    "target",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".tox",
    "site-packages",
    "vendor",
    "third_party",
    "bower_components",
    "dist",
    "build",
    "out",
    "coverage",
    ".turbo",
    ".vercel",
    ".svelte-kit",
    "tests",
    "test",
    "__tests__",
    "__mocks__",
    "e2e",
    "cypress",
];

/// The sources of an app.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) trees: Vec<Tree>,
    pub(crate) unread: Vec<Unread>,
    /// Other files by name that decisions look at: manifests, start scripts, settings.
    pub(crate) others: Vec<(String, String)>,
}

/// Reads the sources below a folder, on all cores.
pub(crate) fn read(root: &Path) -> Sources {
    let mut sources = Sources::default();
    let (mut paths, mut others) = (Vec::new(), Vec::new());
    walk(root, &mut paths, &mut others, &mut sources.unread);
    let texts = paths.into_iter().map(|name| (root.join(&name), name));
    let next = AtomicUsize::new(0);
    let jobs: Vec<_> = texts.collect();
    let done: Mutex<(Vec<Tree>, Vec<Unread>)> = Mutex::default();
    let work = || {
        let (mut trees, mut unread) = (Vec::new(), Vec::new());
        while let Some((path, name)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            match file(path) {
                Ok(text) => one(name, text, &mut trees, &mut unread),
                Err(why) => unread.push(whole(name, why)),
            }
        }
        if let Ok(mut all) = done.lock() {
            all.0.append(&mut trees);
            all.1.append(&mut unread);
        }
    };
    on_all_cores(jobs.len().div_ceil(8), work);
    let (trees, unread) = done.into_inner().unwrap_or_default();
    sources.trees = trees;
    sources.unread.extend(unread);
    for name in others {
        match file(&root.join(&name)) {
            Ok(text) => sources.others.push((name, text)),
            Err(why) => sources.unread.push(whole(&name, why)),
        }
    }
    finish(sources)
}

/// Every file that [`read`] would read, with its length and the time of its last change: another text where one of them may
/// be another.
pub(crate) fn stamp(root: &Path) -> String {
    let (mut paths, mut others) = (Vec::new(), Vec::new());
    let mut unread = Vec::new();
    walk(root, &mut paths, &mut others, &mut unread);
    paths.append(&mut others);
    paths.sort();
    let mut text = String::new();
    for path in paths {
        let meta = fs::metadata(root.join(&path));
        let meta = meta.map(|meta| (meta.len(), meta.modified().ok()));
        let _ = writeln!(text, "{path} {meta:?}");
    }
    for one in unread {
        let _ = writeln!(text, "{} {}", one.file, one.why);
    }
    text
}

/// Runs the same work on as many threads as there are cores, and at most so many.
pub(crate) fn on_all_cores(most: usize, work: impl Fn() + Sync) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(most).max(1) {
            // Where no thread can be started the caller does the work: what is left undone would look absent.
            let builder = std::thread::Builder::new().stack_size(STACK);
            if builder.spawn_scoped(scope, &work).is_err() {
                work();
            }
        }
    });
}

/// The same for files that are held in memory.
pub(crate) fn take(files: &[(String, String)]) -> Sources {
    let mut sources = Sources::default();
    for (name, text) in files {
        if !is_read(name) {
            continue;
        }
        if text.len() as u64 > LARGEST {
            sources
                .unread
                .push(whole(name, "larger than 1 MiB".to_owned()));
        } else if language(name).is_some() {
            one(name, text.clone(), &mut sources.trees, &mut sources.unread);
        } else {
            sources.others.push((name.clone(), text.clone()));
        }
    }
    finish(sources)
}

fn finish(mut sources: Sources) -> Sources {
    sources.trees.sort_by(|a, b| a.path.cmp(&b.path));
    sources.others.sort();
    sources.unread.sort();
    sources
}

fn one(name: &str, text: String, trees: &mut Vec<Tree>, unread: &mut Vec<Unread>) {
    if made_by_a_tool(&text) {
        return;
    }
    match lower(name.to_owned(), text) {
        Some(tree) => {
            if let Some(first) = tree.broken.iter().min() {
                unread.push(Unread {
                    file: name.to_owned(),
                    line: tree.line(*first),
                    why: format!("{} parts do not parse", tree.broken.len()),
                });
            }
            trees.push(tree);
        }
        None => unread.push(whole(
            name,
            "the grammar gave up, or took too long".to_owned(),
        )),
    }
}

fn whole(name: &str, why: String) -> Unread {
    Unread {
        file: name.to_owned(),
        line: 0,
        why,
    }
}

/// Minified, or said to be generated.
fn made_by_a_tool(text: &str) -> bool {
    let lines = text.lines().count().max(1);
    let head: String = text.lines().take(5).collect::<Vec<_>>().join("\n");
    let said = head.contains("@generated")
        || head.contains("DO NOT EDIT")
        || head.contains("Code generated by");
    said || (text.len() > 4096 && text.len() / lines > 250)
}

/// Whether a file with this path is read, by its name alone.
pub(crate) fn is_read(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or(path);
    let known = (language(name).is_some() && !is_test(name)) || wanted(name);
    known && !parts.any(|folder| LEFT_OUT.contains(&folder))
}

fn is_test(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let stem = file.split_once('.').map_or(file, |(stem, _)| stem);
    file.contains(".test.")
        || file.contains(".spec.")
        || file.ends_with(".d.ts")
        || file == "conftest.py"
        || stem.starts_with("test_")
        || stem.ends_with("_test")
}

/// UTF-8, else Latin-1, in which every byte is a character.
fn file(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err("larger than 1 MiB".to_owned());
    }
    if bytes.contains(&0) {
        return Err("not text".to_owned());
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => error.into_bytes().into_iter().map(char::from).collect(),
    };
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

/// Whether a file that is no source is looked at.
fn wanted(name: &str) -> bool {
    matches!(
        name,
        "requirements.txt"
            | "pyproject.toml"
            | "poetry.lock"
            | "uv.lock"
            | "Pipfile"
            | "Pipfile.lock"
            | "package.json"
            | "package-lock.json"
            | "pnpm-lock.yaml"
            | "yarn.lock"
            | "Cargo.toml"
            | "Cargo.lock"
            | "Procfile"
            | "Dockerfile"
            | "start.sh"
            | "tsconfig.json"
            | "jsconfig.json"
            | "schema.prisma"
    )
}

fn walk(root: &Path, paths: &mut Vec<String>, others: &mut Vec<String>, unread: &mut Vec<Unread>) {
    let mut folders = vec![(root.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                unread.push(whole(&prefix, error.to_string()));
                continue;
            }
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            // A link is not followed: it may lead out of the tree, or in a circle.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    if !LEFT_OUT.contains(&name.as_str()) {
                        folders.push((entry.path(), path + "/"));
                    }
                }
                Ok(kind) if kind.is_file() => {
                    if language(&name).is_some() {
                        if is_test(&name) {
                        } else if paths.len() < MOST_FILES {
                            paths.push(path);
                        } else if paths.len() == MOST_FILES {
                            unread.push(whole(&path, format!("more than {MOST_FILES} files")));
                            return;
                        }
                    } else if wanted(&name) {
                        others.push(path);
                    }
                }
                Ok(kind) => {
                    let known = (language(&name).is_some() && !is_test(&name)) || wanted(&name);
                    let leads_to_folder = kind.is_symlink()
                        && !LEFT_OUT.contains(&name.as_str())
                        && fs::metadata(entry.path()).is_ok_and(|target| target.is_dir());
                    if known || leads_to_folder {
                        let why = if kind.is_symlink() {
                            "a link is not followed"
                        } else {
                            "no file"
                        };
                        unread.push(whole(&path, why.to_owned()));
                    }
                }
                Err(error) => unread.push(whole(&path, error.to_string())),
            }
        }
    }
}
