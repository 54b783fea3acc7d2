//! What is to be written where, and writing it: all of it or nothing, over no link out of the project, nothing that
//! changed meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::exit::Fatal;

/// A file as it is.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// Relative to the project, as it is called there.
    pub(super) name: String,
    /// Where it really is.
    path: PathBuf,
    /// `None`: there is none.
    pub(super) text: Option<Vec<u8>>,
}

/// What becomes of a file; `None`: it goes.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) file: File,
    pub(super) after: Option<Vec<u8>>,
}

impl File {
    /// Reads `name` in the project, wherever it links to inside of it.
    pub(super) fn read(root: &Path, name: &str) -> Result<Self, Fatal> {
        let named = |why: String| Fatal::usage(format!("{name}: {why}"));
        let asked = root.join(name);
        let is_there = fs::symlink_metadata(&asked).is_ok();
        // Of what is not there yet, the folder that it will be in.
        let mut known = asked.as_path();
        while !is_there && fs::symlink_metadata(known).is_err() {
            let Some(parent) = known.parent() else { break };
            known = parent;
        }
        let real = known.canonicalize().map_err(|error| {
            named(format!(
                "it is a link that cannot be followed ({error}); nothing is written"
            ))
        })?;
        if !real.starts_with(root) {
            return Err(named(format!(
                "it links out of the project, to {}; nothing is written there",
                real.display()
            )));
        }
        let rest = asked.strip_prefix(known).unwrap_or(Path::new(""));
        if !is_there {
            if !real.is_dir() {
                return Err(named(format!("{} is no folder", known.display())));
            }
            return Ok(Self {
                name: name.to_owned(),
                path: real.join(rest),
                text: None,
            });
        }
        let about = fs::metadata(&real).map_err(|error| named(error.to_string()))?;
        if !about.is_file() {
            return Err(named("it is no file; nothing is written".to_owned()));
        }
        let text = fs::read(&real).map_err(|error| named(format!("it cannot be read: {error}")))?;
        Ok(Self {
            name: name.to_owned(),
            path: real,
            text: Some(text),
        })
    }

    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Change {
    pub(super) fn is_one(&self) -> bool {
        self.file.text != self.after
    }

    /// Whether it may be written at all; asked before anything is.
    pub(super) fn verify(&self) -> Result<(), Fatal> {
        let read_only =
            fs::metadata(&self.file.path).is_ok_and(|about| about.permissions().readonly());
        if read_only && self.is_one() {
            return Err(Fatal::usage(format!(
                "{}: it is read-only; make it writable first (chmod u+w)",
                self.file.name
            )));
        }
        Ok(())
    }
}

/// Makes the changes. What could fail for want of room or rights is done before the first file is replaced.
pub(super) fn write(root: &Path, changes: &[Change]) -> Result<(), Fatal> {
    let mut made = Vec::new();
    let mut half: Vec<(PathBuf, &Change)> = Vec::new();
    let done = stage(changes, &mut half, &mut made).and_then(|()| {
        for change in changes {
            if fs::read(&change.file.path).ok() != change.file.text {
                let name = &change.file.name;
                return Err(Fatal::usage(format!(
                    "{name}: it changed meanwhile; nothing was written, run it again"
                )));
            }
        }
        Ok(())
    });
    if let Err(fatal) = done {
        for (path, _) in &half {
            let _ = fs::remove_file(path);
        }
        for folder in made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
        return Err(fatal);
    }
    let failed = |name: &str, error: io::Error| {
        Fatal::failed(format!(
            "{name}: it cannot be replaced: {error}; run it again"
        ))
    };
    for (path, change) in &half {
        fs::rename(path, &change.file.path).map_err(|error| failed(&change.file.name, error))?;
    }
    for change in changes.iter().filter(|change| change.after.is_none()) {
        match fs::remove_file(&change.file.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&change.file.name, error));
            }
            Ok(()) | Err(_) => {}
        }
        remove_empty(root, &change.file.path);
    }
    Ok(())
}

/// Writes each new text beside its file.
fn stage<'a>(
    changes: &'a [Change],
    half: &mut Vec<(PathBuf, &'a Change)>,
    made: &mut Vec<PathBuf>,
) -> Result<(), Fatal> {
    for change in changes {
        let Some(after) = &change.after else { continue };
        let path = &change.file.path;
        let failed = |error: io::Error| {
            Fatal::failed(format!(
                "{}: it cannot be written: {error}; nothing was changed",
                change.file.name
            ))
        };
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            continue;
        };
        make(folder, made).map_err(failed)?;
        let beside = folder.join(format!(
            ".{}.unrequested-{}",
            name.to_string_lossy(),
            std::process::id()
        ));
        half.push((beside.clone(), change));
        let mut file = fs::File::create(&beside).map_err(failed)?;
        file.write_all(after)
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        if let Ok(about) = fs::metadata(path) {
            fs::set_permissions(&beside, about.permissions()).map_err(failed)?;
            keep_owner(&beside, &about);
        }
    }
    Ok(())
}

/// Where another user's file is replaced, as root does, it stays that user's.
fn keep_owner(path: &Path, about: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let _ = chown(path, Some(about.uid()), Some(about.gid()));
}

fn make(folder: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make(parent, made)?;
    }
    fs::create_dir(folder)?;
    made.push(folder.to_path_buf());
    Ok(())
}

/// Folders that hold nothing any more, up to the project's.
fn remove_empty(root: &Path, path: &Path) {
    for folder in path.ancestors().skip(1) {
        if folder == root || !folder.starts_with(root) || fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

/// The changes that are some, each file once.
pub(super) fn whole(changes: Vec<Change>) -> Result<Vec<Change>, Fatal> {
    let mut seen = BTreeSet::new();
    let changes: Vec<Change> = changes
        .into_iter()
        .filter(|change| change.is_one() && seen.insert(change.file.path.clone()))
        .collect();
    for change in &changes {
        change.verify()?;
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        (folder, root)
    }

    fn change(file: File, after: &str) -> Change {
        Change {
            file,
            after: Some(after.into()),
        }
    }

    #[test]
    fn links_are_followed_inside_of_the_project_alone() {
        let (_keep, root) = folder();
        let (_other, outside) = folder();
        fs::write(root.join("AGENTS.md"), "a").unwrap();
        fs::write(outside.join("x"), "x").unwrap();
        symlink("AGENTS.md", root.join("CLAUDE.md")).unwrap();
        symlink(outside.join("x"), root.join("out.md")).unwrap();
        symlink(&outside, root.join(".claude")).unwrap();
        symlink("nowhere", root.join("dangling.md")).unwrap();
        let one = File::read(&root, "CLAUDE.md").unwrap();
        assert!(one.is_same_as(&File::read(&root, "AGENTS.md").unwrap()));
        for (name, why) in [
            ("out.md", "out of the project"),
            (".claude/settings.json", "out of the project"),
            ("dangling.md", "cannot be followed"),
            ("AGENTS.md/x", "no folder"),
        ] {
            let said = File::read(&root, name).unwrap_err().why;
            assert!(said.contains(why), "{name}: {said}");
        }
        write(&root, &[change(one, "b")]).unwrap();
        assert!(
            fs::symlink_metadata(root.join("CLAUDE.md"))
                .unwrap()
                .is_symlink()
        );
        assert_eq!(fs::read_to_string(root.join("AGENTS.md")).unwrap(), "b");
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_read_only_one_its_text() {
        let (_keep, root) = folder();
        let path = root.join("a");
        fs::write(&path, "a").unwrap();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o640);
        write(&root, &[change(File::read(&root, "a").unwrap(), "b")]).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
        mode(0o440);
        let said = whole(vec![change(File::read(&root, "a").unwrap(), "c")]);
        assert!(said.unwrap_err().why.contains("read-only"));
        assert!(
            whole(vec![change(File::read(&root, "a").unwrap(), "b")])
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn nothing_is_written_where_one_of_the_files_changed_or_cannot_be() {
        let (_keep, root) = folder();
        fs::write(root.join("b"), "b").unwrap();
        let one = change(File::read(&root, "new/deep/a").unwrap(), "a");
        let two = change(File::read(&root, "b").unwrap(), "2");
        fs::write(root.join("b"), "meanwhile").unwrap();
        let said = write(&root, &[one, two]).unwrap_err().why;
        assert!(said.contains("changed meanwhile"), "{said}");
        let names = |root: &Path| -> Vec<_> {
            let all = fs::read_dir(root).unwrap();
            all.map(|one| one.unwrap().file_name()).collect()
        };
        assert_eq!(names(&root), ["b"]);
        assert_eq!(fs::read_to_string(root.join("b")).unwrap(), "meanwhile");
        // Where a folder should be, a file came.
        let one = change(File::read(&root, "c").unwrap(), "c");
        let two = change(File::read(&root, "d/e").unwrap(), "e");
        fs::write(root.join("d"), "").unwrap();
        let said = write(&root, &[one, two]).unwrap_err().why;
        assert!(
            said.contains("d/e") && said.contains("nothing was changed"),
            "{said}"
        );
        let mut left = names(&root);
        left.sort_unstable();
        assert_eq!(left, ["b", "d"]);
    }

    #[test]
    fn folders_that_were_made_for_a_file_go_with_it() {
        let (_keep, root) = folder();
        let new = |name| change(File::read(&root, name).unwrap(), "x");
        write(&root, &[new(".a/b/c"), new(".a/d")]).unwrap();
        let gone = |name| Change {
            file: File::read(&root, name).unwrap(),
            after: None,
        };
        write(&root, &[gone(".a/b/c")]).unwrap();
        assert!(root.join(".a/d").is_file() && !root.join(".a/b").exists());
        write(&root, &[gone(".a/d")]).unwrap();
        assert!(!root.join(".a").exists() && root.is_dir());
    }
}
