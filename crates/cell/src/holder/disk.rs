//! How much the command has written. The file system is asked often, which is cheap; its folder is only measured when so
//! much space is gone that the command may be the cause.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// More files than any build leaves, and few enough that no file system runs out of them.
const MOST_FILES: u64 = 400_000;

pub(super) struct Disk {
    root: PathBuf,
    limit: u64,
    /// Free bytes and files when we last knew that the command had not used up its share.
    free: Option<(u64, u64)>,
}

impl Disk {
    pub(super) fn new(root: &Path, limit: u64) -> Self {
        Self {
            root: root.to_path_buf(),
            limit,
            free: free(root),
        }
    }

    pub(super) fn is_exceeded(&mut self) -> bool {
        let (Some((bytes, files)), Some((now, files_now))) = (self.free, free(&self.root)) else {
            return false;
        };
        // Half of it: what the command had before this look is not known.
        if now.saturating_add(self.limit / 2) >= bytes
            && files_now.saturating_add(MOST_FILES / 2) >= files
        {
            return false;
        }
        self.free = Some((now, files_now));
        measure(&self.root).is_none_or(|(used, count)| used > self.limit || count > MOST_FILES)
    }
}

fn free(root: &Path) -> Option<(u64, u64)> {
    let of = rustix::fs::statvfs(root).ok()?;
    Some((of.f_bavail.saturating_mul(of.f_frsize), of.f_ffree))
}

/// Bytes on disk and files below a folder; links are not followed. `None` when something is hidden from us, too deep to be
/// named or without permission.
fn measure(folder: &Path) -> Option<(u64, u64)> {
    let (mut bytes, mut files) = (0, 0);
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // It went while we looked.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(_) => return None,
        };
        for entry in entries.flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            files += 1;
            bytes += meta.blocks() * 512;
            if meta.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Some((bytes, files))
}
