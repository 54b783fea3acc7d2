//! How much the command has written. The file system is asked often, which is cheap; its folder is measured when so much space
//! is gone that the command may be the cause, and now and then: what others free meanwhile hides what the command takes.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// More files than any build leaves, and few enough that no file system runs out of them.
const MOST_FILES: u64 = 400_000;
/// Between two measurements that nothing calls for; a hundred times as long as one takes, where that is longer.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Disk {
    root: PathBuf,
    limit: u64,
    /// The most free bytes and files since we last knew that the command had not used up its share.
    free: Option<(u64, u64)>,
    next: Instant,
}

impl Disk {
    pub(super) fn new(root: &Path, limit: u64) -> Self {
        Self {
            root: root.to_path_buf(),
            limit,
            free: free(root),
            next: Instant::now() + PAUSE,
        }
    }

    pub(super) fn is_exceeded(&mut self) -> bool {
        self.is_exceeded_at(Instant::now(), free(&self.root))
    }

    fn is_exceeded_at(&mut self, now: Instant, free: Option<(u64, u64)>) -> bool {
        let (Some((most, most_files)), Some((bytes, files))) = (self.free, free) else {
            return false;
        };
        // Half of it: what the command had before this look is not known.
        let gone = bytes.saturating_add(self.limit / 2) < most
            || files.saturating_add(MOST_FILES / 2) < most_files;
        self.free = if gone {
            free
        } else {
            Some((bytes.max(most), files.max(most_files)))
        };
        if !gone && now < self.next {
            return false;
        }
        let begun = Instant::now();
        let found = measure(&self.root);
        self.next = now + PAUSE.max(100 * begun.elapsed());
        found.bytes > self.limit || found.files > MOST_FILES || found.deep || gone && found.shut
    }
}

fn free(root: &Path) -> Option<(u64, u64)> {
    let of = rustix::fs::statvfs(root).ok()?;
    Some((of.f_bavail.saturating_mul(of.f_frsize), of.f_ffree))
}

#[derive(Debug, Default, PartialEq)]
struct Found {
    /// On disk.
    bytes: u64,
    files: u64,
    /// A folder is too deep to be named. Nobody's work needs one.
    deep: bool,
    /// A folder may not be read, which for a moment can be an honest test's.
    shut: bool,
}

/// What is below a folder; links are not followed.
fn measure(folder: &Path) -> Found {
    let mut found = Found::default();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // It went while we looked.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) if error.kind() == ErrorKind::InvalidFilename => {
                found.deep = true;
                continue;
            }
            Err(_) => {
                found.shut = true;
                continue;
            }
        };
        for entry in entries.flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            found.files += 1;
            found.bytes += meta.blocks() * 512;
            if meta.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};

    use super::*;

    const MIB: u64 = 1 << 20;

    /// A disk of which 100 MiB were free, with a limit of 2 MiB, and a folder that holds so many.
    fn disk(name: &str, mib: usize) -> Disk {
        let root = std::env::temp_dir().join(format!("unrequested-{name}-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("file"), vec![1; mib * MIB as usize]).unwrap();
        let mut disk = Disk::new(&root, 2 * MIB);
        disk.free = Some((100 * MIB, 1_000_000));
        disk
    }

    #[test]
    fn what_others_free_hides_nothing_for_long() {
        let mut full = disk("disk-full", 3);
        let free = Some((100 * MIB, 1_000_000));
        let begun = full.next.checked_sub(PAUSE).unwrap();
        assert!(!full.is_exceeded_at(begun, free));
        assert!(!full.is_exceeded_at(begun + PAUSE / 2, free));
        assert!(full.is_exceeded_at(begun + PAUSE, free));
        // At once where so much is gone since others freed something.
        let mut full = disk("disk-full", 3);
        let free = |mib: u64| Some((mib * MIB, 1_000_000));
        assert!(!full.is_exceeded_at(begun, free(200)));
        assert!(!full.is_exceeded_at(begun, free(199)));
        assert!(full.is_exceeded_at(begun, free(198)));
        fs::remove_dir_all(&full.root).unwrap();
    }

    #[test]
    fn what_others_take_is_not_the_commands() {
        let mut small = disk("disk-small", 1);
        let begun = small.next.checked_sub(PAUSE).unwrap();
        for (seconds, free) in [(1, 10 * MIB), (2, 0), (60, 0), (120, 90 * MIB)] {
            let now = begun + Duration::from_secs(seconds);
            assert!(!small.is_exceeded_at(now, Some((free, 1_000_000))));
        }
        fs::remove_dir_all(&small.root).unwrap();
    }

    #[test]
    fn a_folder_that_is_too_deep_is_told() {
        let root = std::env::temp_dir().join(format!("unrequested-deep-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let mut folder = fs::File::open(&root).unwrap();
        let name = "d".repeat(200);
        for _ in 0..30 {
            mkdirat(&folder, &name, Mode::RWXU).unwrap();
            let inner = openat(&folder, &name, OFlags::DIRECTORY, Mode::empty());
            folder = inner.unwrap().into();
        }
        let found = measure(&root);
        assert!(found.deep && !found.shut && found.files < 30, "{found:?}");
        crate::remove_folder(&root).unwrap();
    }
}
