//! Removes what a command left behind, however it left it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Removes a folder in which untrusted commands wrote, and that none of them can reach any more. Folders may lack every
/// permission, or lie in each other so deep that neither a path nor a recursion reaches the last: each pass lifts what is
/// two levels down to the top. That there is none is fine.
pub fn remove_folder(root: &Path) -> io::Result<()> {
    match fs::symlink_metadata(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(found) if !found.is_dir() => return fs::remove_file(root),
        _ => {}
    }
    // Nothing that the command could have guessed.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut lifted = now.as_nanos();
    loop {
        open(root)?;
        let mut empty = true;
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            empty = false;
            if !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
                continue;
            }
            open(&entry.path())?;
            for inner in fs::read_dir(entry.path())? {
                let inner = inner?;
                if inner.file_type()?.is_dir() {
                    // A folder that moves is written to: its `..` changes.
                    open(&inner.path())?;
                    fs::rename(inner.path(), root.join(format!(".removed-{lifted}")))?;
                    lifted += 1;
                } else {
                    fs::remove_file(inner.path())?;
                }
            }
            fs::remove_dir(entry.path())?;
        }
        if empty {
            return fs::remove_dir(root);
        }
    }
}

fn open(folder: &Path) -> io::Result<()> {
    let mode = fs::symlink_metadata(folder)?.permissions().mode();
    if mode & 0o700 == 0o700 {
        return Ok(());
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700))
}
