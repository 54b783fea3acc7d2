//! Rust: the crates of a lock file, vendored; then compiled once in a box without a network, so that an app's own build
//! compiles the app alone. Build scripts are foreign code, and run in the box.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cell::Spec;

use super::{InstallError, Installed, Whose, Workshop, claim, environment, fetch, run};
use crate::tree::{is_own_folder, read_file, source_files};

/// What this machine has to build Rust with.
#[derive(Debug, Clone)]
pub struct Rust {
    pub version: String,
    /// The toolchain's own folder: `bin`, `lib`.
    pub home: PathBuf,
}

/// What each source file of the app is while its crates are compiled: a program, library or build script of nothing.
const NOTHING: &str = "fn main() {}\n";

impl Rust {
    /// Looks for cargo and its compiler.
    pub fn look() -> Result<Self, InstallError> {
        let missing = |why: String| InstallError::NoRust(why);
        let ask = |arguments: &[&str]| {
            Command::new("rustc")
                .args(arguments)
                .stdin(Stdio::null())
                .output()
                .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
                .map_err(|error| missing(format!(" ({error})")))
        };
        let version = ask(&["--version"])?.trim_start_matches("rustc ").to_owned();
        let home = PathBuf::from(ask(&["--print", "sysroot"])?);
        if !home.join("bin/cargo").is_file() {
            return Err(missing(String::new()));
        }
        Ok(Self { version, home })
    }
}

pub(super) fn install(
    tree: &Path,
    tools: &Rust,
    workshop: &Workshop,
) -> Result<Installed, InstallError> {
    let lock = tree.join("Cargo.lock");
    if !lock.is_file() {
        return Err(InstallError::Unsatisfiable(
            "there is no Cargo.lock".to_owned(),
        ));
    }
    let sources = source_files(tree).map_err(|error| InstallError::Build(error.to_string()))?;
    let manifests = sources.iter().filter(|path| path.ends_with("Cargo.toml"));
    let mut key = blake3::Hasher::new();
    key.update(format!("rust {}\n", tools.version).as_bytes());
    for path in manifests.chain([&lock]) {
        let name = path.strip_prefix(tree).unwrap_or(path);
        let bytes = read_file(tree, &name.to_string_lossy())
            .map_err(|error| InstallError::Folder(path.clone(), error))?;
        key.update(format!("{} {}\n", name.display(), bytes.len()).as_bytes());
        key.update(&bytes);
    }
    let key = key.finalize().to_hex();
    let claim = claim(&workshop.cache.join("rust"), &key.as_str()[..24])?;
    let folder = claim.folder.clone();
    let installed = |cached| Installed {
        bin: tools.home.join("bin"),
        read: vec![folder.clone(), tools.home.clone()],
        links: Vec::new(),
        cached,
        remark: None,
    };
    if claim.is_complete() {
        return Ok(installed(true));
    }
    let inside = folder.join("tree");
    let failed = |error| InstallError::Folder(inside.clone(), error);
    for path in &sources {
        let copy = inside.join(path.strip_prefix(tree).unwrap_or(path));
        let is_rust = path.extension().is_some_and(|end| end == "rs");
        if !is_rust && !path.ends_with("Cargo.toml") && !path.ends_with("Cargo.lock") {
            continue;
        }
        if let Some(parent) = copy.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        if is_rust {
            fs::write(copy, NOTHING).map_err(failed)?;
        } else {
            fs::copy(path, copy).map_err(failed)?;
        }
    }
    let vendor = folder.join("vendor").display().to_string();
    fetch(
        &["cargo", "vendor", "--quiet", "--locked", &vendor],
        &folder,
        workshop,
    )?;
    readable(Path::new(&vendor))?;
    compile(&folder, tools, workshop)?;
    claim.complete()?;
    Ok(installed(false))
}

/// Some crates' files may be read by their owner alone (fnv 1.0.7), who is somebody else in the box.
fn readable(vendor: &Path) -> Result<(), InstallError> {
    // What depends on no crate from elsewhere has none.
    if !vendor.exists() {
        return Ok(());
    }
    let failed = |error| InstallError::Folder(vendor.to_path_buf(), error);
    let status = Command::new("chmod")
        .args(["-R", "a+rX"])
        .arg(vendor)
        .stdin(Stdio::null())
        .status()
        .map_err(failed)?;
    if !status.success() {
        return Err(InstallError::Failed {
            command: "chmod -R a+rX".to_owned(),
            words: vendor.display().to_string(),
        });
    }
    Ok(())
}

fn compile(folder: &Path, tools: &Rust, workshop: &Workshop) -> Result<(), InstallError> {
    let mut spec = Spec::new(folder, words(folder));
    spec.read = vec![tools.home.clone(), folder.join("vendor")];
    spec.env = environment(folder, &tools.home.join("bin"));
    run(spec, workshop.level, workshop, Whose::Packages)
}

/// The build, with the crates from the vendor folder of a template.
fn words(template: &Path) -> Vec<String> {
    let vendor = template.join("vendor").display().to_string();
    [
        "cargo",
        "build",
        "--release",
        "--offline",
        "--locked",
        "--config",
        "source.crates-io.replace-with=\"vendored\"",
        "--config",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("source.vendored.directory={vendor:?}")])
    .collect()
}

/// What a tree needs to be built: the compiled crates beside its source, and the command.
pub(crate) fn prepare(installed: &Installed, copy: &Path) -> Result<Vec<String>, InstallError> {
    let template = installed.read.first().cloned().unwrap_or_default();
    let failed = |error| InstallError::Folder(copy.to_path_buf(), error);
    // A build script may have put a link to somebody's home in its place, for us to copy.
    if !is_own_folder(&template, "tree/target") {
        return Err(InstallError::Failed {
            command: "cargo build of the crates".to_owned(),
            words: "it left no folder `target`".to_owned(),
        });
    }
    fs::create_dir_all(copy.join("target")).map_err(failed)?;
    let status = Command::new("cp")
        .arg("-a")
        .arg(template.join("tree/target/."))
        .arg(copy.join("target"))
        .stdin(Stdio::null())
        .status()
        .map_err(failed)?;
    if !status.success() {
        return Err(InstallError::Failed {
            command: "cp -a".to_owned(),
            words: format!("{} to {}", template.display(), copy.display()),
        });
    }
    Ok(words(&template))
}
