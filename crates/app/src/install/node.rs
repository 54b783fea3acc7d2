//! Node: `node_modules` per lock file, in two phases. First the packages are fetched, with the network and without any
//! script of theirs; then their scripts run, in a box without a network or credentials.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cell::Spec;

use super::{InstallError, Installed, Whose, Workshop, claim, environment, fetch, run};
use crate::lock::{self, Versions};
use crate::tree::read_file;

/// What this machine has to install Node packages with.
#[derive(Debug, Clone)]
pub struct Node {
    pub version: String,
    /// The folder of `node` and `npm`.
    pub bin: PathBuf,
    /// Where they are, when that is not a place of the system's own.
    pub home: Option<PathBuf>,
}

const MANIFEST: &str = "package.json";
const LOCK: &str = "package-lock.json";

impl Node {
    /// Looks for Node 20 or newer, and for npm.
    pub fn look() -> Result<Self, InstallError> {
        let missing = |why: String| InstallError::NoNode(why);
        let asked = Command::new("node")
            .args(["-p", "process.versions.node + '\\n' + process.execPath"])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| missing(format!(" ({error})")))?;
        let text = String::from_utf8_lossy(&asked.stdout).into_owned();
        let mut lines = text.lines();
        let version = lines.next().unwrap_or_default().to_owned();
        let major = version
            .split('.')
            .next()
            .and_then(|major| major.parse::<u32>().ok());
        if major.is_none_or(|major| major < 20) {
            return Err(missing(format!(" (found {version})")));
        }
        let npm = Command::new("npm")
            .arg("--version")
            .stdin(Stdio::null())
            .output();
        if !npm.is_ok_and(|output| output.status.success()) {
            return Err(missing(" (npm is missing)".to_owned()));
        }
        let program = PathBuf::from(lines.next().unwrap_or("/usr/bin/node"));
        let bin = program
            .parent()
            .unwrap_or_else(|| Path::new("/usr/bin"))
            .to_path_buf();
        let home = bin
            .parent()
            .filter(|home| !home.starts_with("/usr") && *home != Path::new("/"))
            .map(Path::to_path_buf);
        Ok(Self { version, bin, home })
    }

    /// What must be readable in a box for node to run.
    pub(crate) fn read(&self) -> impl Iterator<Item = PathBuf> {
        self.home.clone().into_iter()
    }
}

pub(super) fn install(
    tree: &Path,
    tools: &Node,
    workshop: &Workshop,
) -> Result<Installed, InstallError> {
    let manifest = read_file(tree, MANIFEST)
        .map_err(|error| InstallError::Folder(tree.join(MANIFEST), error))?;
    let lock::Node { versions, remark } = lock::of_node(tree, &manifest);
    let is_followed = !matches!(versions, Versions::Ranges);
    install_versions(&manifest, &versions, tools, workshop)
        .map(|installed| Installed {
            remark: installed.remark.clone().or(remark.clone()),
            ..installed
        })
        .map_err(|error| match remark {
            Some(remark) if !is_followed => error.unlocked(remark),
            _ => error,
        })
}

fn install_versions(
    manifest: &[u8],
    versions: &Versions,
    tools: &Node,
    workshop: &Workshop,
) -> Result<Installed, InstallError> {
    let mut key = blake3::Hasher::new();
    key.update(format!("node {} {}", tools.version, std::env::consts::ARCH).as_bytes());
    // With a lock file, scripts and names in the manifest change nothing of what is installed.
    match versions {
        Versions::Npm(lock) => key.update(lock),
        Versions::Other(layout) => key.update(b" other").update(layout.lock.as_bytes()),
        Versions::Ranges => key.update(manifest),
    };
    let key = key.finalize().to_hex();
    let claim = claim(&workshop.cache.join("node"), &key.as_str()[..24])?;
    let folder = claim.folder.clone();
    let modules = folder.join("tree/node_modules");
    let installed = |cached, remark| Installed {
        bin: tools.bin.clone(),
        read: std::iter::once(folder.clone())
            .chain(tools.read())
            .collect(),
        links: vec![("node_modules".to_owned(), modules.clone())],
        cached,
        remark,
    };
    if claim.is_complete() {
        return Ok(installed(true, claim.remark()));
    }
    let inside = folder.join("tree");
    let failed = |error| InstallError::Folder(inside.clone(), error);
    let write = |name: &str, bytes: &[u8]| fs::write(inside.join(name), bytes).map_err(failed);
    fs::create_dir_all(&modules).map_err(failed)?;
    let (verb, file) = match versions {
        Versions::Npm(lock) => {
            write(MANIFEST, &without_scripts(manifest))?;
            write(LOCK, lock)?;
            ("ci", LOCK)
        }
        Versions::Other(layout) => {
            write(MANIFEST, layout.manifest.as_bytes())?;
            write(LOCK, layout.lock.as_bytes())?;
            ("ci", layout.file)
        }
        Versions::Ranges => {
            write(MANIFEST, &without_scripts(manifest))?;
            ("install", "")
        }
    };
    // For a dependency from git, npm runs an install of its own in the clone, by the clone's settings: those may name any
    // program as `git`, which runs in spite of `--ignore-scripts`. The program `false` fetches none.
    let npm = |verb| {
        let words = [
            "npm",
            verb,
            "--ignore-scripts",
            "--git=false",
            "--no-audit",
            "--no-fund",
        ];
        fetch(&words, &folder, workshop)
    };
    let mut instead = None;
    match npm(verb) {
        // A lock file that npm itself left out of step with its manifest: people then run `npm install`, too.
        Err(InstallError::Unsatisfiable(words)) if words.contains("EUSAGE") => {
            write(MANIFEST, &without_scripts(manifest))?;
            let why = "npm says that it is out of step with package.json";
            instead = Some(lock::not_followed(file, why));
            npm("install")?;
        }
        other => other?,
    }
    let is_others = matches!(versions, Versions::Other(_));
    if is_others {
        // It says nothing of scripts and programs: npm looks for them in the packages themselves.
        let kept = modules.join(".package-lock.json");
        fs::remove_file(&kept).map_err(|error| InstallError::Folder(kept, error))?;
    }
    if is_others || has_scripts(&inside) {
        rebuild(&folder, tools, workshop)?;
    }
    claim.complete_with(instead.as_deref().unwrap_or_default())?;
    Ok(installed(false, instead))
}

/// The app's own install scripts belong to its tree, which is not here; `npm rebuild` would run them.
fn without_scripts(manifest: &[u8]) -> Vec<u8> {
    let Ok(mut parsed) = serde_json::from_slice::<serde_json::Value>(manifest) else {
        return manifest.to_vec();
    };
    if let Some(fields) = parsed.as_object_mut() {
        fields.remove("scripts");
    }
    parsed.to_string().into_bytes()
}

/// Whether a package wants to run something at install. npm notes it in the lock file that it keeps itself.
fn has_scripts(inside: &Path) -> bool {
    let kept = inside.join("node_modules/.package-lock.json");
    fs::read_to_string(kept).is_ok_and(|text| text.contains("\"hasInstallScript\": true"))
}

fn rebuild(folder: &Path, tools: &Node, workshop: &Workshop) -> Result<(), InstallError> {
    // In the foreground: npm keeps all that a script in the background says in memory.
    let words = [
        "npm",
        "rebuild",
        "--no-audit",
        "--no-fund",
        "--foreground-scripts",
    ];
    let mut spec = Spec::new(folder, words);
    spec.read = tools.read().collect();
    spec.env = environment(folder, &tools.bin);
    // Headers of the system's own node spare a build from source the download of them.
    if Path::new("/usr/include/node/node.h").is_file() {
        spec.env.push(("npm_config_nodedir".into(), "/usr".into()));
    }
    run(spec, workshop.level, workshop, Whose::Packages)
}
