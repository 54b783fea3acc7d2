//! Reads a bundle file by file, from a folder or a tar file: plain files alone, each named within it, none too large.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{BundleError, LARGEST, MOST_BYTES, MOST_FILES, Shown, check_path};

/// Takes a file's path and its bytes.
type Each<'a> = dyn FnMut(&str, Vec<u8>) + 'a;

/// Hands every file to `each`: its path and its bytes.
pub(super) fn visit(bundle: &Path, each: &mut Each<'_>) -> Result<(), BundleError> {
    let shown = bundle.display().to_string();
    let found = fs::metadata(bundle).map_err(|error| BundleError::File(shown.clone(), error))?;
    let mut limits = Limits::default();
    if found.is_dir() {
        return folder(bundle, &mut limits, each);
    }
    let file = fs::File::open(bundle).map_err(|error| BundleError::File(shown.clone(), error))?;
    archive(file, &shown, &mut limits, each)
}

#[derive(Default)]
struct Limits {
    files: usize,
    bytes: u64,
}

impl Limits {
    /// Before anything of a file is read.
    fn count(&mut self, path: &str, bytes: u64) -> Result<(), BundleError> {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if bytes > LARGEST {
            return Err(BundleError::TooLarge(format!(
                "{} has {bytes} bytes",
                Shown(path.to_owned())
            )));
        }
        if self.files > MOST_FILES || self.bytes > MOST_BYTES {
            return Err(BundleError::TooLarge("it is too large".to_owned()));
        }
        Ok(())
    }
}

fn folder(root: &Path, limits: &mut Limits, each: &mut Each<'_>) -> Result<(), BundleError> {
    let mut folders = vec![root.to_path_buf()];
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    while let Some(folder) = folders.pop() {
        let failed = |error| BundleError::File(folder.display().to_string(), error);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap_or(&path);
            let Some(name) = name.to_str() else {
                let shown = Shown(name.to_string_lossy().into_owned());
                return Err(BundleError::Path(shown, "is no text"));
            };
            check_path(name)?;
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                files.push((name.to_owned(), path));
            } else {
                let what = if kind.is_symlink() {
                    "a link"
                } else {
                    "no file"
                };
                return Err(BundleError::NoFile(Shown(name.to_owned()), what));
            }
            if files.len() + folders.len() > MOST_FILES {
                return Err(BundleError::TooLarge("it has too many files".to_owned()));
            }
        }
    }
    files.sort();
    for (name, path) in files {
        let failed = |error| BundleError::File(name.clone(), error);
        let file = fs::File::open(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        limits.count(&name, length)?;
        let bytes = whole(file, length).map_err(failed)?;
        each(&name, bytes);
    }
    Ok(())
}

fn archive(
    file: fs::File,
    shown: &str,
    limits: &mut Limits,
    each: &mut Each<'_>,
) -> Result<(), BundleError> {
    let broken = |error: std::io::Error| BundleError::NoBundle(shown.to_owned(), error.to_string());
    let mut archive = tar::Archive::new(std::io::BufReader::new(file));
    let mut seen = BTreeSet::new();
    // Raw: extensions that say another name or size are no plain files.
    for entry in archive.entries().map_err(broken)?.raw(true) {
        let entry = entry.map_err(broken)?;
        let name = entry.path_bytes();
        let Ok(name) = std::str::from_utf8(&name) else {
            let name = Shown(String::from_utf8_lossy(&name).into_owned());
            return Err(BundleError::Path(name, "is no text"));
        };
        let name = name.to_owned();
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            check_path(name.trim_end_matches('/'))?;
            continue;
        }
        check_path(&name)?;
        if !kind.is_file() {
            let what = if kind.is_symlink() || kind.is_hard_link() {
                "a link"
            } else {
                "no file"
            };
            return Err(BundleError::NoFile(Shown(name), what));
        }
        if !seen.insert(name.clone()) {
            return Err(BundleError::NoFile(Shown(name), "there twice"));
        }
        let length = entry.header().entry_size().map_err(broken)?;
        limits.count(&name, length)?;
        let bytes = whole(entry, length).map_err(broken)?;
        each(&name, bytes);
    }
    Ok(())
}

/// All of it, and no byte more than was said.
fn whole(from: impl Read, length: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            "it is cut off",
        ));
    }
    Ok(bytes)
}
