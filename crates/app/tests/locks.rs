//! Real installs by the lock files of other managers: what is installed has the versions that the lock file names, which are
//! older than what the manifest's ranges give.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use app::{Installed, Workshop, framework};

const LOCKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/locks");

struct Bench {
    folder: PathBuf,
    workshop: Workshop,
}

impl Bench {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("locks-{}-{count}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = cell::remove_folder(&folder);
        fs::create_dir_all(folder.join("app")).unwrap();
        let workshop = Workshop::new(cell::probe().level, folder.join("cache"));
        Self { folder, workshop }
    }

    /// The app of `tests/locks/<name>`.
    fn of(name: &str) -> Self {
        let bench = Self::new();
        app::copy_tree(&Path::new(LOCKS).join(name), &bench.tree()).unwrap();
        bench
    }

    fn tree(&self) -> PathBuf {
        self.folder.join("app")
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.tree().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    fn install(&self, id: &str) -> Installed {
        let before = app::tree_hash(&self.tree()).unwrap();
        let framework = framework::find(id).unwrap();
        let installed = app::install(&self.tree(), framework, &self.workshop).unwrap();
        assert_eq!(app::tree_hash(&self.tree()).unwrap(), before);
        installed
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        cell::remove_folder(&self.folder).unwrap();
    }
}

fn modules(installed: &Installed) -> &Path {
    &installed.links[0].1
}

/// The version of the package that node finds from a file of this folder.
fn found(folder: &Path, name: &str) -> String {
    let script = format!("process.stdout.write(require('{name}/package.json').version)");
    let output = Command::new("node")
        .arg("-e")
        .arg(script)
        .current_dir(folder)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn node_s_versions_are_those_of_the_lock_file() {
    for (name, file) in [
        ("pnpm", "pnpm-lock.yaml"),
        ("yarn", "yarn.lock"),
        ("yarn-berry", "yarn.lock"),
        ("bun", "bun.lock"),
    ] {
        let bench = Bench::of(name);
        let installed = bench.install("express");
        let modules = modules(&installed);
        for (package, version) in [
            ("@sindresorhus/is", "4.0.0"),
            ("debug", "2.6.8"),
            ("mime", "1.4.1"),
            ("ms", "2.1.2"),
            ("number", "6.0.0"),
            ("react", "18.1.0"),
            ("use-sync-external-store", "1.2.0"),
        ] {
            assert_eq!(found(modules, package), version, "{name}: {package}");
        }
        assert_eq!(found(&modules.join("debug"), "ms"), "2.0.0", "{name}");
        assert!(modules.join(".bin/mime").exists(), "{name}: no programs");
        assert!(
            !modules.join("fsevents").exists(),
            "{name}: of another machine"
        );
        let said = installed.remark.unwrap();
        assert!(said.contains(&format!("those of {file}")), "{said}");
        let again = bench.install("express");
        assert!(again.cached && again.remark == Some(said), "{name}");
    }
}

#[test]
fn python_s_versions_are_those_of_the_lock_file() {
    for (name, file) in [
        ("uv", "uv.lock"),
        ("poetry", "poetry.lock"),
        ("pipenv", "Pipfile.lock"),
    ] {
        let bench = Bench::of(name);
        let installed = bench.install("flask");
        let script = "import importlib.metadata as m
print(sorted((one.name.lower(), one.version) for one in m.distributions()))
import h2, httpx, click";
        let output = Command::new(installed.bin.join("python"))
            .args(["-I", "-c", script])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{name}: {output:?}");
        for wanted in [
            "('click', '8.1.0')",
            "('httpx', '0.26.0')",
            "('h2', '4.4.1')",
        ] {
            assert!(text.contains(wanted), "{name}: {text}");
        }
        for other in ["pytest", "colorama"] {
            assert!(!text.contains(other), "{name}: {text}");
        }
        let said = installed.remark.unwrap();
        assert!(said.contains(&format!("those of {file}")), "{said}");
    }
}

#[test]
fn a_python_package_that_is_not_the_locked_one_is_refused() {
    let bench = Bench::of("pipenv");
    let path = bench.tree().join("Pipfile.lock");
    let text = fs::read_to_string(&path).unwrap();
    let (before, after) = text.split_once("\"click\": {").unwrap();
    // The two hashes of click are first; all those behind them are wrong as well.
    let wrong = format!("sha256:{}", "0".repeat(64));
    let after: Vec<String> = after
        .split("sha256:")
        .enumerate()
        .map(|(at, part)| {
            if at == 0 {
                part.to_owned()
            } else {
                format!("{wrong}{}", &part[64..])
            }
        })
        .collect();
    fs::write(&path, format!("{before}\"click\": {{{}", after.concat())).unwrap();
    let flask = framework::find("flask").unwrap();
    let error = app::install(&bench.tree(), flask, &bench.workshop).unwrap_err();
    assert!(error.to_string().to_lowercase().contains("hash"), "{error}");
}

/// Another version's hash: the package is not taken.
#[test]
fn a_package_that_is_not_the_locked_one_is_refused() {
    let bench = Bench::of("pnpm");
    bench.edit("pnpm-lock.yaml", "sha512-sGkPx", "sha512-AAAAA");
    let express = framework::find("express").unwrap();
    let error = app::install(&bench.tree(), express, &bench.workshop).unwrap_err();
    assert!(error.to_string().contains("EINTEGRITY"), "{error}");
}

#[test]
fn a_lock_file_that_is_not_followed_is_named_with_the_reason() {
    let bench = Bench::of("pnpm");
    bench.edit("package.json", "\"ms\": \"^2.1.2\"", "\"ms\": \"2.1.1\"");
    let installed = bench.install("express");
    assert_eq!(found(modules(&installed), "ms"), "2.1.1");
    let said = installed.remark.unwrap();
    assert!(
        said.contains("pnpm-lock.yaml was not followed") && said.contains("wants ms 2.1.1"),
        "{said}"
    );
}

/// What goes wrong without the lock file is not told without the reason why it was not followed.
#[test]
fn a_member_of_a_workspace_is_named_where_it_is_missing() {
    let bench = Bench::of("pnpm");
    bench.edit("package.json", "\"^2.1.2\"", "\"workspace:*\"");
    bench.edit(
        "pnpm-lock.yaml",
        "specifier: ^2.1.2\n        version: 2.1.2",
        "specifier: workspace:*\n        version: link:../ms",
    );
    let express = framework::find("express").unwrap();
    let error = app::install(&bench.tree(), express, &bench.workshop).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("workspace:") && said.contains("ms is the folder ../ms"),
        "{said}"
    );
}
