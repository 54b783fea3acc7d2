//! Copies of work trees.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Folders that are made by tools and never part of an app's source.
pub(crate) const LEFT_OUT: [&str; 9] = [
    ".git",
    ".venv",
    "venv",
    "node_modules",
    "__pycache__",
    ".unrequested",
    ".next",
    "target",
    ".pytest_cache",
];

#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("cannot copy {0}: {1}")]
    Copy(PathBuf, io::Error),
    #[error("{0} has more than {MOST_FILES} files or {MOST_MIB} MiB; name the app's own folder")]
    TooLarge(PathBuf),
}

const MOST_FILES: usize = 50_000;
const MOST_MIB: u64 = 1024;
/// No lock file comes near it.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// Reads one of a tree's own files. What is a link out of the tree, a pipe, a device or without end is an error.
pub fn read_file(tree: &Path, name: &str) -> io::Result<Vec<u8>> {
    let path = tree.join(name).canonicalize()?;
    let meta = path.metadata()?;
    if !path.starts_with(tree.canonicalize()?) || !meta.is_file() || meta.len() > LARGEST_MANIFEST {
        let why = "is no ordinary file of the tree, or too large";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    fs::read(path)
}

/// The same as text; nothing when it is none.
pub fn read_text(tree: &Path, name: &str) -> Option<String> {
    String::from_utf8(read_file(tree, name).ok()?).ok()
}

/// Copies what is source: no dependencies, no caches. A link is copied when it stays inside the tree, else left out.
pub fn copy_tree(from: &Path, to: &Path) -> Result<(), TreeError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error| TreeError::Copy(path, error)
    };
    let (mut files, mut bytes) = (0, 0);
    let mut folders = vec![(from.to_path_buf(), to.to_path_buf())];
    while let Some((source, copy)) = folders.pop() {
        fs::create_dir_all(&copy).map_err(failed(&copy))?;
        for entry in fs::read_dir(&source).map_err(failed(&source))? {
            let entry = entry.map_err(failed(&source))?;
            let (path, name) = (entry.path(), entry.file_name());
            let kind = entry.file_type().map_err(failed(&path))?;
            if LEFT_OUT.iter().any(|left| name == *left) {
                continue;
            }
            if kind.is_dir() {
                folders.push((path, copy.join(name)));
            } else if kind.is_file() {
                files += 1;
                bytes += entry.metadata().map_or(0, |meta| meta.len());
                if files > MOST_FILES || bytes > MOST_MIB << 20 {
                    return Err(TreeError::TooLarge(from.to_path_buf()));
                }
                fs::copy(&path, copy.join(name)).map_err(failed(&path))?;
            } else if kind.is_symlink()
                && let Ok(target) = fs::read_link(&path)
                && target.is_relative()
                && path
                    .canonicalize()
                    .is_ok_and(|real| from.canonicalize().is_ok_and(|root| real.starts_with(root)))
            {
                std::os::unix::fs::symlink(&target, copy.join(name)).map_err(failed(&path))?;
            }
        }
    }
    Ok(())
}

/// Whether `base/name` is a folder and no link leads there.
pub(crate) fn is_own_folder(base: &Path, name: &str) -> bool {
    let mut path = base.to_path_buf();
    Path::new(name).components().all(|part| {
        path.push(part);
        path.symlink_metadata().is_ok_and(|found| found.is_dir())
    })
}

/// The files that [`copy_tree`] copies, in order of their paths; links are left out.
pub(crate) fn source_files(tree: &Path) -> Result<Vec<PathBuf>, TreeError> {
    Ok(walk(tree)?.0)
}

/// Files and links of a tree's source, each in order of their paths.
fn walk(tree: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), TreeError> {
    let (mut files, mut links, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut folders = vec![tree.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if LEFT_OUT.iter().any(|left| entry.file_name() == *left) {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    files.push(entry.path());
                    bytes += entry.metadata().map_or(0, |meta| meta.len());
                    if files.len() > MOST_FILES || bytes > MOST_MIB << 20 {
                        return Err(TreeError::TooLarge(tree.to_path_buf()));
                    }
                }
                Ok(kind) if kind.is_symlink() => links.push(entry.path()),
                Ok(_) | Err(_) => {}
            }
        }
    }
    files.sort();
    links.sort();
    Ok((files, links))
}

/// A hash of what [`copy_tree`] would copy: paths, bytes, which files are executable, where links lead.
pub fn tree_hash(tree: &Path) -> Result<String, TreeError> {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    let (files, links) = walk(tree)?;
    for (path, is_link) in files
        .iter()
        .map(|path| (path, false))
        .chain(links.iter().map(|path| (path, true)))
    {
        let failed = |error| TreeError::Copy(path.clone(), error);
        let name = path.strip_prefix(tree).unwrap_or(path);
        add(name.as_os_str().as_encoded_bytes());
        if is_link {
            add(b"link");
            add(fs::read_link(path)
                .map_err(failed)?
                .as_os_str()
                .as_encoded_bytes());
        } else {
            let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
            add(if mode & 0o111 == 0 {
                b"file"
            } else {
                b"program"
            });
            add(&fs::read(path).map_err(failed)?);
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Copies a folder that we made ourselves, whole.
pub(crate) fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&copy)?;
            copy_all(&entry.path(), &copy)?;
        } else if entry.file_type()?.is_file() {
            fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_sees_every_change_of_the_source_and_none_of_what_tools_make() {
        let folder = std::env::temp_dir().join(format!("unrequested-hash-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::write(folder.join("src/a"), "1").unwrap();
        fs::write(folder.join("b"), "2").unwrap();
        let mut seen = vec![tree_hash(&folder).unwrap()];
        fs::create_dir_all(folder.join("node_modules")).unwrap();
        fs::write(folder.join("node_modules/x"), "made").unwrap();
        assert_eq!(tree_hash(&folder).unwrap(), seen[0]);
        let steps: [&dyn Fn(); 5] = [
            &|| fs::write(folder.join("src/a"), "2").unwrap(),
            &|| fs::rename(folder.join("b"), folder.join("c")).unwrap(),
            &|| fs::set_permissions(folder.join("c"), fs::Permissions::from_mode(0o755)).unwrap(),
            &|| std::os::unix::fs::symlink("c", folder.join("l")).unwrap(),
            &|| {
                fs::remove_file(folder.join("l")).unwrap();
                std::os::unix::fs::symlink("src", folder.join("l")).unwrap();
            },
        ];
        for step in steps {
            step();
            let hash = tree_hash(&folder).unwrap();
            assert!(!seen.contains(&hash));
            seen.push(hash);
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
