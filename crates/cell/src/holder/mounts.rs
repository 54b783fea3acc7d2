//! What the command sees of the file system: the system read-only, its own folder, what it was given to
//! read, and nothing else. A new root is put together from nothing, so what nobody thought of is not there:
//! not a home, not the sockets in `/run`, not another cell.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use crate::launch::SYSTEM;
use crate::message::Setup;

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Where the old and the new root are while the new one is built.
const OLD: &str = "/old";
const NEW: &str = "/new";

/// Gives the calling process its new root. Returns what could not be had, a sentence each.
pub(crate) fn make(setup: &Setup) -> Result<Vec<String>, String> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    Builder {
        setup,
        writable: vec![new("/proc"), new("/dev/pts")],
        details: Vec::new(),
    }
    .build()
}

struct Builder<'a> {
    setup: &'a Setup,
    /// Mounts to be left as they are when all others become read-only.
    writable: Vec<PathBuf>,
    details: Vec<String>,
}

/// Of nested paths the deepest counts; of equal ones the last in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum View {
    Hidden,
    Readable,
    Own,
}

impl Builder<'_> {
    fn build(mut self) -> Result<Vec<String>, String> {
        self.step_aside()?;
        proc()?;
        self.system()?;
        devices(self.setup.spec.limits.memory / 2)?;
        self.temporary()?;
        self.views()?;
        for (name, target) in &self.setup.links {
            let name = new(name);
            if name.symlink_metadata().is_err() && make_folder(name.parent()).is_ok() {
                let _ = symlink(target, name);
            }
        }
        self.read_only()?;
        enter().map_err(|error| format!("cannot enter the new root: {error}"))?;
        Ok(self.details)
    }

    /// Makes an empty file system the root, with the old root in `/old` and a place for the new one in `/new`.
    fn step_aside(&self) -> Result<(), String> {
        let base = &self.setup.spec.root;
        let aside = || -> io::Result<()> {
            rustix::mount::mount_change(
                "/",
                MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
            )?;
            tmpfs(base, "mode=0755")?;
            std::env::set_current_dir(base)?;
            fs::create_dir("old")?;
            fs::create_dir("new")?;
            rustix::process::pivot_root(".", "old")?;
            std::env::set_current_dir("/")?;
            tmpfs(Path::new(NEW), "mode=0755,size=16m")
        };
        aside().map_err(|error| format!("cannot make a new root: {error}"))
    }

    fn system(&mut self) -> Result<(), String> {
        for name in SYSTEM {
            let (from, to) = (Path::new(OLD).join(name), Path::new(NEW).join(name));
            let Ok(found) = from.symlink_metadata() else {
                continue;
            };
            if found.is_symlink() {
                fs::read_link(&from)
                    .and_then(|target| symlink(target, &to))
                    .map_err(failed("link", &to))?;
            } else if found.is_dir() {
                fs::create_dir(&to).map_err(failed("make", &to))?;
                rustix::mount::mount_bind_recursive(&from, &to).map_err(failed("show", &to))?;
            }
        }
        // Programs count processors there.
        let processors = Path::new("/sys/devices/system/cpu");
        if old(processors).is_dir()
            && let Err(why) = bind(&old(processors), &new(processors))
        {
            self.details.push(why);
        }
        for empty in ["/home", "/run"] {
            make_folder(Some(&new(empty)))?;
        }
        Ok(())
    }

    /// The cell's own `tmp` is the command's `/tmp`.
    fn temporary(&mut self) -> Result<(), String> {
        for name in ["/tmp", "/var/tmp"] {
            bind(&old(self.setup.spec.root.join("tmp")), &new(name))?;
            self.writable.push(new(name));
        }
        self.writable.push(new("/dev/shm"));
        Ok(())
    }

    fn views(&mut self) -> Result<(), String> {
        let spec = &self.setup.spec;
        let mut views: Vec<(usize, View, &Path)> = Vec::new();
        let mut add = |path, view| views.push((Path::components(path).count(), view, path));
        spec.hide.iter().for_each(|path| add(path, View::Hidden));
        spec.read.iter().for_each(|path| add(path, View::Readable));
        add(&spec.root, View::Own);
        views.sort();
        for (_, view, path) in views {
            let (from, to) = (old(path), new(path));
            match view {
                View::Hidden => {
                    if to.is_dir() {
                        tmpfs(&to, "mode=0755,size=16m").map_err(failed("hide", path))?;
                    } else if to.exists() {
                        bind(&old("/dev/null"), &to)?;
                    }
                }
                View::Readable if path.parent().is_none() => {
                    self.details.push("the whole of / is not shown".into());
                }
                View::Readable if same(&from, &to) => {}
                View::Readable => {
                    if let Err(why) = bind_recursive(&from, &to) {
                        self.details.push(why);
                    }
                }
                View::Own => {
                    bind(&from, &to)?;
                    self.writable.push(to.clone());
                    let log = to.join("log");
                    bind(&log, &log)?;
                }
            }
        }
        Ok(())
    }

    /// Makes every mount read-only that is not in `writable`, and takes devices and set-user-id from those.
    fn read_only(&mut self) -> Result<(), String> {
        let table = new("/proc/self/mountinfo");
        let table = fs::read(&table).map_err(failed("read", &table))?;
        for (point, kept) in mounts(&table) {
            if !point.starts_with(NEW) {
                continue;
            }
            let flags = if !self.writable.contains(&point) {
                MountFlags::RDONLY | kept
            } else if point == new("/proc") || point == new("/dev/pts") {
                continue;
            } else {
                MountFlags::NOSUID | MountFlags::NODEV | kept
            };
            if let Err(error) = rustix::mount::mount_remount(&point, MountFlags::BIND | flags, c"")
            {
                let shown = Path::new("/").join(point.strip_prefix(NEW).unwrap_or(&point));
                self.details
                    .push(format!("{} stays writable: {error}", shown.display()));
            }
        }
        Ok(())
    }
}

fn proc() -> Result<(), String> {
    let to = new("/proc");
    make_folder(Some(&to))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("proc", &to, "proc", flags, None).map_err(failed("mount", &to))
}

fn devices(shared_memory: u64) -> Result<(), String> {
    let to = new("/dev");
    make_folder(Some(&to))?;
    tmpfs(&to, "mode=0755,size=1m").map_err(failed("mount", &to))?;
    for name in DEVICES {
        let from = old("/dev").join(name);
        if from.exists() {
            bind(&from, &to.join(name))?;
        }
    }
    for (name, target) in DEVICE_LINKS {
        symlink(target, to.join(name)).map_err(failed("link", &to))?;
    }
    let terminals = to.join("pts");
    make_folder(Some(&terminals))?;
    rustix::mount::mount(
        "devpts",
        &terminals,
        "devpts",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        c"newinstance,ptmxmode=0666,mode=0620",
    )
    .map_err(failed("mount", &terminals))?;
    let shared = to.join("shm");
    make_folder(Some(&shared))?;
    tmpfs(&shared, &format!("mode=1777,size={shared_memory}")).map_err(failed("mount", &shared))
}

/// Makes `/new` the root and lets go of everything else.
fn enter() -> io::Result<()> {
    std::env::set_current_dir(NEW)?;
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    std::env::set_current_dir("/")
}

fn old(path: impl AsRef<Path>) -> PathBuf {
    below(OLD, path.as_ref())
}

fn new(path: impl AsRef<Path>) -> PathBuf {
    below(NEW, path.as_ref())
}

fn below(base: &str, path: &Path) -> PathBuf {
    Path::new(base).join(path.strip_prefix("/").unwrap_or(path))
}

fn failed<E: std::fmt::Display>(what: &str, path: &Path) -> impl FnOnce(E) -> String {
    let what = format!("cannot {what} {}", path.display());
    move |error| format!("{what}: {error}")
}

fn tmpfs(at: &Path, options: &str) -> io::Result<()> {
    let options = CString::new(options)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(rustix::mount::mount(
        "tmpfs",
        at,
        "tmpfs",
        flags,
        options.as_c_str(),
    )?)
}

/// Shows one file or folder, without what is mounted below it.
fn bind(from: &Path, to: &Path) -> Result<(), String> {
    make_place(from, to)?;
    rustix::mount::mount_bind(from, to).map_err(failed("show", to))
}

fn bind_recursive(from: &Path, to: &Path) -> Result<(), String> {
    make_place(from, to)?;
    rustix::mount::mount_bind_recursive(from, to).map_err(failed("show", to))
}

/// A mount needs a file to cover a file, and a folder to cover a folder.
fn make_place(from: &Path, to: &Path) -> Result<(), String> {
    let found = from.metadata().map_err(failed("find", from))?;
    if found.is_dir() {
        return make_folder(Some(to));
    }
    make_folder(to.parent())?;
    if !to.exists() {
        fs::File::create(to).map_err(failed("make", to))?;
    }
    Ok(())
}

fn make_folder(folder: Option<&Path>) -> Result<(), String> {
    let folder = folder.unwrap_or(Path::new(NEW));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .map_err(failed("make", folder))
}

fn same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// Mount points, and the flags that a remount must name again: those of a mount that another user made are
/// locked, and a remount that leaves one out is refused.
fn mounts(table: &[u8]) -> Vec<(PathBuf, MountFlags)> {
    table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let mut fields = line.split(|byte| *byte == b' ').skip(4);
            let point = unescape(fields.next()?);
            let options = std::str::from_utf8(fields.next()?).ok()?;
            Some((point, flags(options)))
        })
        .collect()
}

fn flags(options: &str) -> MountFlags {
    let mut flags = MountFlags::empty();
    let mut time = MountFlags::STRICTATIME;
    for option in options.split(',') {
        match option {
            "ro" => flags |= MountFlags::RDONLY,
            "nosuid" => flags |= MountFlags::NOSUID,
            "nodev" => flags |= MountFlags::NODEV,
            "noexec" => flags |= MountFlags::NOEXEC,
            "nodiratime" => flags |= MountFlags::NODIRATIME,
            "nosymfollow" => flags |= MountFlags::NOSYMFOLLOW,
            "noatime" => time = MountFlags::NOATIME,
            "relatime" => time = MountFlags::RELATIME,
            _ => {}
        }
    }
    flags | time
}

/// The table writes blanks and the like as `\040`.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..3).filter(|_| *first == b'\\');
        let octal = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_mounts_is_read_with_its_escapes() {
        let table =
            b"36 35 98:0 /mnt1 /new/a\\040b\\134 rw,nosuid,noatime master:1 - ext3 /dev/root rw\n\
                      37 35 0:3 / /new/c ro,nodev,relatime - tmpfs tmpfs rw\n";
        assert_eq!(
            mounts(table),
            [
                (
                    "/new/a b\\".into(),
                    MountFlags::NOSUID | MountFlags::NOATIME
                ),
                (
                    "/new/c".into(),
                    MountFlags::RDONLY | MountFlags::NODEV | MountFlags::RELATIME
                ),
            ]
        );
    }
}
