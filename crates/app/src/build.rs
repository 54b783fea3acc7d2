//! Builds a tree in a cell without a network, once per tree and dependencies; what was built is laid over each copy.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use cell::Spec;

use crate::boot::Settings;
use crate::framework::{Build, Framework, Language};
use crate::install::{
    InstallError, Installed, Whose, Workshop, claim, environment, prepare, run as run_in_cell,
};
use crate::tree::{copy_tree, is_own_folder, source_files};

/// Builds the tree, or finds what was built of the same. `None` for a framework that needs no build.
///
/// The contract's variables are set as they will be when the app runs: some apps read them while they are built.
pub fn build(
    tree: &Path,
    framework: &Framework,
    installed: &Installed,
    settings: &Settings,
    workshop: &Workshop,
) -> Result<Option<PathBuf>, InstallError> {
    let Some(build) = &framework.build else {
        return Ok(None);
    };
    let key = key(tree, framework, installed, settings)?;
    let claim = claim(&workshop.cache.join("build"), &key[..24])?;
    let out = claim.folder.join("out");
    if claim.is_complete() {
        return Ok(Some(out));
    }
    let made = run(
        tree,
        &claim.folder,
        build,
        framework,
        installed,
        settings,
        workshop,
    )
    .and_then(|()| keep(build, &claim.folder, &out));
    made?;
    let left = claim.folder.join("tree");
    cell::remove_folder(&left).map_err(|error| InstallError::Folder(left, error))?;
    claim.complete()?;
    Ok(Some(out))
}

fn run(
    tree: &Path,
    folder: &Path,
    build: &Build,
    framework: &Framework,
    installed: &Installed,
    settings: &Settings,
    workshop: &Workshop,
) -> Result<(), InstallError> {
    let copy = folder.join("tree");
    let failed = |error: std::io::Error| InstallError::Folder(copy.clone(), error);
    copy_tree(tree, &copy).map_err(|error| InstallError::Build(error.to_string()))?;
    for (name, to) in &installed.links {
        std::os::unix::fs::symlink(to, copy.join(name)).map_err(failed)?;
    }
    let words = match framework.language {
        Language::Rust => prepare(installed, &copy)?,
        Language::Node | Language::Python => {
            build.command.iter().map(|&word| word.to_owned()).collect()
        }
    };
    let mut spec = Spec::new(folder, words);
    spec.read.clone_from(&installed.read);
    spec.env = environment(folder, &installed.bin);
    let own = framework.environment.iter();
    spec.env
        .extend(own.map(|(name, value)| (OsString::from(name), OsString::from(value))));
    let variables = settings.variables().into_iter();
    spec.env
        .extend(variables.map(|(name, value)| (OsString::from(name), value)));
    let state = folder.join("state");
    spec.env
        .push(("DATABASE_PATH".into(), state.join("app.db").into()));
    spec.env
        .push(("UPLOAD_DIR".into(), state.join("uploads").into()));
    run_in_cell(spec, workshop.level, workshop, Whose::App)
}

/// Moves what the app needs of a build to where copies are made from.
fn keep(build: &Build, folder: &Path, out: &Path) -> Result<(), InstallError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error| InstallError::Folder(path, error)
    };
    fs::create_dir_all(out).map_err(failed(out))?;
    let tree = folder.join("tree");
    for name in build.keeps {
        // A link would lead our removing and moving to wherever it points.
        if !is_own_folder(&tree, name) {
            let why = format!("it ended well and left no folder {name}");
            return Err(InstallError::Build(why));
        }
    }
    for name in build.drops {
        if is_own_folder(&tree, name) {
            let path = tree.join(name);
            cell::remove_folder(&path).map_err(failed(&path))?;
        }
    }
    for name in build.keeps {
        let path = tree.join(name);
        fs::rename(&path, out.join(name)).map_err(failed(&path))?;
    }
    Ok(())
}

/// A hash of all that a build is made of.
fn key(
    tree: &Path,
    framework: &Framework,
    installed: &Installed,
    settings: &Settings,
) -> Result<String, InstallError> {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    add(framework.source.as_bytes());
    for (name, to) in &installed.links {
        add(name.as_bytes());
        add(to.as_os_str().as_encoded_bytes());
    }
    for (name, value) in settings.variables() {
        add(name.as_bytes());
        add(value.as_encoded_bytes());
    }
    for path in source_files(tree).map_err(|error| InstallError::Build(error.to_string()))? {
        let name = path.strip_prefix(tree).unwrap_or(&path);
        add(name.as_os_str().as_encoded_bytes());
        let bytes = fs::read(&path).map_err(|error| InstallError::Folder(path.clone(), error))?;
        add(&bytes);
    }
    Ok(hasher.finalize().to_hex().to_string())
}
