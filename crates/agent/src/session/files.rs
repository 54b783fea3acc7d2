//! Files in folders that an agent could write in: no link of it is ever followed.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// Copies a folder with its links as links. What is neither file, folder nor link is left out.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut folders = vec![(from.to_owned(), to.to_owned())];
    let mut modes = Vec::new();
    while let Some((source, copy)) = folders.pop() {
        fs::create_dir_all(&copy)?;
        modes.push((copy.clone(), source.symlink_metadata()?.permissions()));
        for entry in fs::read_dir(&source)? {
            let entry = entry?;
            let (path, target) = (entry.path(), copy.join(entry.file_name()));
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push((path, target));
            } else if kind.is_file() {
                fs::copy(&path, &target)?;
            } else if kind.is_symlink() {
                symlink(fs::read_link(&path)?, &target)?;
            }
        }
    }
    // At the end: a folder may be one that nothing can be written in.
    for (folder, mode) in modes.into_iter().rev() {
        fs::set_permissions(folder, mode)?;
    }
    Ok(())
}

/// Writes a new file in place of whatever is there.
pub(super) fn write(base: &Path, name: &Path, text: &str) -> io::Result<()> {
    let mut folder = base.to_owned();
    for part in name.parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        if folder.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
            fs::remove_file(&folder)?;
        }
        if !folder.is_dir() {
            fs::create_dir(&folder)?;
        }
    }
    let path = base.join(name);
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => cell::remove_folder(&path)?,
        Ok(_) => fs::remove_file(&path)?,
        Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    file.write_all(text.as_bytes())?;
    // In a box another user reads it, to whom it is given.
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

/// The text of a file, if it is one: the last `most` bytes.
pub(super) fn read(path: &Path, most: u64) -> Option<String> {
    use std::io::{Seek as _, SeekFrom};
    if !path.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let mut file = fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))
        .ok()?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The file below a folder whose name ends so.
pub(super) fn find(base: &Path, below: &str, name_ends: &str) -> Option<PathBuf> {
    const MOST: usize = 10_000;
    let mut start = base.to_owned();
    for part in Path::new(below).components() {
        start.push(part);
        if !start.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            return None;
        }
    }
    let mut folders = vec![start];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen += 1;
            let kind = entry.file_type().ok()?;
            let name = entry.file_name();
            if kind.is_file() && name.to_string_lossy().ends_with(name_ends) {
                return Some(entry.path());
            }
            if kind.is_dir() && seen < MOST {
                folders.push(entry.path());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("home");
        let outside = folder.path().join("outside");
        fs::create_dir_all(outside.join("x")).unwrap();
        fs::create_dir(&base).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        symlink(&outside, base.join("folder")).unwrap();
        symlink(outside.join("secret"), base.join("file.jsonl")).unwrap();

        write(&base, Path::new("folder/config"), "ours").unwrap();
        write(&base, Path::new("file.jsonl"), "ours").unwrap();
        assert!(!outside.join("config").exists());
        assert_eq!(
            fs::read_to_string(outside.join("secret")).unwrap(),
            "secret"
        );
        assert_eq!(read(&base.join("file.jsonl"), 100).unwrap(), "ours");

        symlink(outside.join("secret"), base.join("other.jsonl")).unwrap();
        symlink(&outside, base.join("sessions")).unwrap();
        assert_eq!(read(&base.join("other.jsonl"), 100), None);
        assert_eq!(find(&base, "sessions", "secret"), None);
        let copied = folder.path().join("copy");
        copy(&base, &copied).unwrap();
        assert!(
            copied
                .join("sessions")
                .symlink_metadata()
                .unwrap()
                .is_symlink()
        );
        assert_eq!(
            find(&copied, "folder", "config"),
            Some(copied.join("folder/config"))
        );
    }

    #[test]
    fn a_copy_is_the_same_again() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        fs::create_dir_all(from.join("closed")).unwrap();
        fs::write(from.join("closed/run.sh"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(
            from.join("closed/run.sh"),
            fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        fs::set_permissions(from.join("closed"), fs::Permissions::from_mode(0o555)).unwrap();
        let to = folder.path().join("to");
        copy(&from, &to).unwrap();
        let mode = |path: &str| fs::metadata(to.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("closed/run.sh"), mode("closed")), (0o755, 0o555));
    }
}
