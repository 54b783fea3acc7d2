//! A commit per step in a repository of our own, outside of the agent's reach. The agent's repository, its hooks, filters,
//! attributes and ignore files have no say in it: we name the files, and git stores their bytes.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{SessionError, files};

/// What tools put into a tree, and no source of an app.
const LEFT_OUT: [&str; 9] = [
    "node_modules",
    ".venv",
    "venv",
    "__pycache__",
    ".next",
    "target",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
];
const MOST_FILES: usize = 50_000;
const LARGEST_FILE: u64 = 64 << 20;

#[derive(Debug, Clone)]
pub struct Snapshots {
    repository: PathBuf,
}

/// A tree as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub commit: String,
    /// The same for the same files.
    pub tree: String,
    /// What was left out or looked odd, a sentence each.
    pub notes: Vec<String>,
}

#[derive(Default)]
struct Found {
    /// Mode, path below the tree.
    files: Vec<(&'static str, PathBuf)>,
    notes: Vec<String>,
}

impl Snapshots {
    pub(super) fn new(repository: PathBuf) -> Self {
        Self { repository }
    }

    /// Commits what is in the tree.
    pub fn take(
        &self,
        tree: &Path,
        step: &str,
        parent: Option<&str>,
    ) -> Result<Snapshot, SessionError> {
        if !self.repository.join("HEAD").is_file() {
            fs::create_dir_all(&self.repository).map_err(files(&self.repository))?;
            self.git(&["init", "--quiet", "--bare", "--template="], None)?;
        }
        let found = look(tree)?;
        let paths: Vec<Vec<u8>> = found
            .files
            .iter()
            .filter(|(mode, _)| *mode != LINK)
            .map(|(_, path)| tree.join(path).as_os_str().as_bytes().to_vec())
            .collect();
        let mut hashes = Vec::new();
        if !paths.is_empty() {
            let words = ["hash-object", "-w", "--no-filters", "--stdin-paths"];
            hashes = lines(&self.git(&words, Some(&joined(&paths, b'\n')))?);
        }
        let mut hashes = hashes.into_iter();
        let mut index = Vec::new();
        for (mode, path) in &found.files {
            let hash = if *mode == LINK {
                let target = fs::read_link(tree.join(path)).map_err(files(path))?;
                let bytes = target.as_os_str().as_bytes();
                lines(&self.git(&["hash-object", "-w", "--stdin"], Some(bytes))?).pop()
            } else {
                hashes.next()
            };
            let hash = hash.ok_or_else(|| SessionError::Git("a file has no hash".into()))?;
            index.extend_from_slice(format!("{mode} {hash}\t").as_bytes());
            index.extend_from_slice(path.as_os_str().as_bytes());
            index.push(0);
        }
        let _ = fs::remove_file(self.repository.join("index"));
        self.git(&["update-index", "-z", "--index-info"], Some(&index))?;
        let tree = self.git(&["write-tree"], None)?.trim().to_owned();
        let mut words = vec!["commit-tree", tree.as_str(), "-m", step];
        words.extend(parent.into_iter().flat_map(|parent| ["-p", parent]));
        let commit = self.git(&words, None)?.trim().to_owned();
        self.git(&["update-ref", "HEAD", &commit], None)?;
        Ok(Snapshot {
            commit,
            tree,
            notes: found.notes,
        })
    }

    /// Writes a snapshot into a new folder, in place of what is there.
    pub fn export(&self, commit: &str, into: &Path) -> Result<(), SessionError> {
        cell::remove_folder(into).map_err(files(into))?;
        fs::create_dir_all(into).map_err(files(into))?;
        // Highest in rank: a tree's own attributes could change its bytes on the way out.
        let info = self.repository.join("info");
        fs::create_dir_all(&info).map_err(files(&info))?;
        let plain = "* -text -eol -ident -filter -working-tree-encoding\n";
        fs::write(info.join("attributes"), plain).map_err(files(&info))?;
        let place = into.as_os_str();
        let _ = fs::remove_file(self.repository.join("index"));
        self.git(&["read-tree", commit], None)?;
        let mut words: Vec<&OsStr> = [
            "-c",
            "core.bare=false",
            "-c",
            "core.symlinks=true",
            "--work-tree",
        ]
        .map(OsStr::new)
        .to_vec();
        words.push(place);
        words.extend(["checkout-index", "--all", "--force"].map(OsStr::new));
        self.git(&words, None)?;
        Ok(())
    }

    fn git<A: AsRef<OsStr>>(
        &self,
        words: &[A],
        input: Option<&[u8]>,
    ) -> Result<String, SessionError> {
        let said = git(&[("GIT_DIR", self.repository.as_os_str())], words, input)?;
        Ok(said)
    }
}

/// Makes a tree that nobody has touched yet a repository with one commit, so that an agent finds what it expects and
/// nothing of where the files come from.
pub(super) fn first_commit(tree: &Path) -> Result<(), SessionError> {
    let dir = tree.join(".git");
    let place = [
        ("GIT_DIR", dir.as_os_str()),
        ("GIT_WORK_TREE", tree.as_os_str()),
    ];
    git(&place, &["init", "--quiet", "--template="], None)?;
    git(&place, &["add", "--all"], None)?;
    git(&place, &["commit", "--quiet", "-m", "start"], None)?;
    Ok(())
}

fn git<A: AsRef<OsStr>>(
    place: &[(&str, &OsStr)],
    words: &[A],
    input: Option<&[u8]>,
) -> Result<String, SessionError> {
    let failed = |error: std::io::Error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            SessionError::NoGit
        } else {
            SessionError::Git(error.to_string())
        }
    };
    let mut child = Command::new("git")
        .args([
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.fsmonitor=false",
        ])
        .args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "commit.gpgSign=false",
        ])
        .args(["-c", "core.autocrlf=false", "-c", "gc.auto=0"])
        .args(words)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(place.iter().copied())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_NAME", "start")
        .env("GIT_AUTHOR_EMAIL", "start@example.org")
        .env("GIT_COMMITTER_NAME", "start")
        .env("GIT_COMMITTER_EMAIL", "start@example.org")
        .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let pipe = child.stdin.take();
    let input = input.unwrap_or_default().to_vec();
    let writer = std::thread::spawn(move || pipe.map(|mut pipe| pipe.write_all(&input)));
    let output = child.wait_with_output().map_err(failed)?;
    let _ = writer.join();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(SessionError::Git(said));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

const LINK: &str = "120000";

fn look(tree: &Path) -> Result<Found, SessionError> {
    let mut found = Found::default();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let whole = tree.join(&folder);
        let entries = match fs::read_dir(&whole) {
            Ok(entries) => entries,
            Err(error) => {
                found.note(&folder, &format!("cannot be read: {error}"));
                continue;
            }
        };
        for entry in entries {
            let entry = entry.map_err(files(&whole))?;
            let (name, path) = (entry.file_name(), folder.join(entry.file_name()));
            let kind = entry.file_type().map_err(files(&whole))?;
            if name == ".git" {
                if !folder.as_os_str().is_empty() {
                    found.note(
                        &folder,
                        "is a repository of its own; its files are kept, its history is not",
                    );
                }
                continue;
            }
            if LEFT_OUT.iter().any(|left| name == *left) && kind.is_dir() {
                continue;
            }
            if path.as_os_str().as_bytes().contains(&b'\n') {
                found.note(&path, "has a line break in its name and is left out");
            } else if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() {
                found.files.push((LINK, path));
            } else if kind.is_file() {
                let meta = entry.metadata().map_err(files(&whole))?;
                if meta.len() > LARGEST_FILE || fs::File::open(entry.path()).is_err() {
                    found.note(&path, "is too large, or cannot be read, and is left out");
                } else if meta.permissions().mode() & 0o100 == 0 {
                    found.files.push(("100644", path));
                } else {
                    found.files.push(("100755", path));
                }
            } else {
                found.note(&path, "is no file, folder or link, and is left out");
            }
            if found.files.len() > MOST_FILES {
                return Err(SessionError::Git(format!(
                    "more than {MOST_FILES} files in the tree"
                )));
            }
        }
    }
    found.files.sort();
    Ok(found)
}

impl Found {
    fn note(&mut self, path: &Path, what: &str) {
        self.notes.push(format!("{} {what}", path.display()));
    }
}

fn joined(paths: &[Vec<u8>], end: u8) -> Vec<u8> {
    let mut all = Vec::new();
    for path in paths {
        all.extend_from_slice(path);
        all.push(end);
    }
    all
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_bytes_come_back_whatever_the_tree_says_of_itself() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("sub/.git")).unwrap();
        fs::create_dir_all(tree.join("node_modules/x")).unwrap();
        fs::write(tree.join("node_modules/x/y"), "").unwrap();
        fs::write(tree.join("plain.txt"), "a\r\nb\n").unwrap();
        first_commit(&tree).unwrap();
        fs::write(tree.join(".gitattributes"), "* text eol=crlf ident\n").unwrap();
        fs::write(tree.join(".gitignore"), "*.env\n").unwrap();
        fs::write(tree.join("secret.env"), "$Id$\n").unwrap();
        fs::write(tree.join("sub/nested.py"), "x = 1\n").unwrap();
        fs::write(tree.join("run.sh"), "").unwrap();
        fs::set_permissions(tree.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("/etc/passwd", tree.join("link")).unwrap();
        // A hook or filter that ran would leave a mark.
        let mark = folder.path().join("mark");
        let config = format!(
            "[core]\n\tfsmonitor = touch {0}\n[filter \"x\"]\n\tclean = touch {0}\n",
            mark.display()
        );
        fs::write(tree.join(".git/config"), config).unwrap();

        let snapshots = Snapshots::new(folder.path().join("own.git"));
        let first = snapshots.take(&tree, "1", None).unwrap();
        let again = snapshots.take(&tree, "2", Some(&first.commit)).unwrap();
        assert_eq!(first.tree, again.tree);
        assert_eq!(first.notes.len(), 1, "{:?}", first.notes);
        let out = folder.path().join("out");
        snapshots.export(&again.commit, &out).unwrap();
        for name in ["plain.txt", "secret.env", "sub/nested.py", ".gitattributes"] {
            assert_eq!(
                fs::read(out.join(name)).unwrap(),
                fs::read(tree.join(name)).unwrap(),
                "{name}"
            );
        }
        assert_eq!(
            fs::read_link(out.join("link")).unwrap(),
            Path::new("/etc/passwd")
        );
        assert_eq!(
            fs::metadata(out.join("run.sh"))
                .unwrap()
                .permissions()
                .mode()
                & 0o111,
            0o111
        );
        assert!(!out.join(".git").exists() && !out.join("node_modules").exists() && !mark.exists());

        fs::write(tree.join("plain.txt"), "other\n").unwrap();
        assert_ne!(snapshots.take(&tree, "3", None).unwrap().tree, first.tree);
    }
}
