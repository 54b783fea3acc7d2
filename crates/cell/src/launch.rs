//! Prepares a cell's folder and starts its holder, boxed or plain.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::group::{Group, RAN_OUT_OF_MEMORY};
use crate::message::{self, Reply, Setup};
use crate::{Cell, CellError, Level, Network, Spec};

/// The hidden first argument by which a holder knows itself.
pub(crate) const HOLDER_ARGUMENT: &str = "__cell-holder";
/// What marks the processes of a plain cell.
pub(crate) const MARKER: &str = "UNREQUESTED_CELL";

/// What a machine's programs live in, and a box shows. `nix`, `gnu` and `snap` are other ways to install them.
pub(crate) const SYSTEM: [&str; 12] = [
    "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "opt", "nix", "gnu", "snap",
];
const WRITABLE: [&str; 4] = ["tree", "state", "tmp", "home"];
/// Long enough for a machine under full load; a box takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// Users that no distribution gives to anybody.
const SPARE_USERS: std::ops::Range<u32> = 60_000..61_000;

static IS_HOLDER: AtomicBool = AtomicBool::new(false);
static NAMED_HOLDER: OnceLock<PathBuf> = OnceLock::new();
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Names the program to use as holder, for a process whose own `main` does not call `holder_main_if_asked`.
/// The first call counts. Test binaries need it only where `cell-holder` is not in their target folder.
pub fn holder_exe(path: impl Into<PathBuf>) {
    let _ = NAMED_HOLDER.set(path.into());
}

/// Notes that this program can be its own holder.
pub(crate) fn this_program_can_hold() {
    IS_HOLDER.store(true, Ordering::Relaxed);
}

/// Starts the command. When this returns, it has been executed and sockets can be had.
pub fn spawn(spec: &Spec, level: Level) -> Result<Cell, CellError> {
    if spec.command.is_empty() {
        return Err(CellError::NoCommand);
    }
    let mut spec = spec.clone();
    make_folders(&spec.root)?;
    spec.root = canonical(&spec.root)?;
    spec.cwd = canonical(&spec.cwd)?;
    let log = fresh_file(&spec.root.join("log/output"))?;
    let complaints = fresh_file(&spec.root.join("log/holder"))?;
    let marker = format!(
        "{}-{}",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    );

    let group = Group::new(&marker, &spec.limits);
    let out_of_memory = group.as_ref().and_then(Group::out_of_memory);

    let root_user = rustix::process::geteuid().is_root();
    let holder = holder_program()?;
    let (mut words, setup) = match level {
        Level::Plain => {
            spec.env.push((MARKER.into(), marker.clone().into()));
            let setup = Setup {
                spec,
                level,
                become_user: None,
                shown_user: None,
                unshare: PathBuf::new(),
                out_of_memory,
                links: Vec::new(),
            };
            (vec![holder.clone().into_os_string()], setup)
        }
        Level::Boxed => {
            let unshare = find_program("unshare").ok_or(CellError::Missing("unshare"))?;
            let links = resolve(&mut spec);
            let become_user = root_user.then(|| spare_user(&spec.root));
            if let Some(user) = become_user {
                std::os::unix::fs::lchown(&spec.root, Some(user), Some(user))
                    .map_err(folder_error(&spec.root))?;
                for name in WRITABLE {
                    give(&spec.root.join(name), user)?;
                }
            }
            let mut words = vec![unshare.clone().into_os_string()];
            words.extend(namespaces(spec.network, root_user).map(OsString::from));
            words.push(holder.clone().into_os_string());
            let setup = Setup {
                shown_user: if root_user {
                    None
                } else {
                    shown_user(&unshare)
                },
                spec,
                level,
                become_user,
                unshare,
                out_of_memory,
                links,
            };
            (words, setup)
        }
    };

    words.push(HOLDER_ARGUMENT.into());
    let open = inherited();
    let bash = find_program("bash");
    let left_open = bash.is_none() && !open.is_empty();
    let groups = group.as_ref().map(Group::folders).unwrap_or_default();
    if !open.is_empty() && bash.is_some() || !groups.is_empty() {
        let shell = bash.as_deref().unwrap_or(Path::new("/bin/sh"));
        words.splice(0..0, before(shell, &open, &groups, !left_open));
    }

    let failed = |source| CellError::Holder {
        path: holder.clone(),
        source,
    };
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    let kept = log.try_clone().map_err(failed)?;
    let mut command = Command::new(&words[0]);
    let child = command
        .args(&words[1..])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::from(log))
        .stderr(Stdio::from(complaints))
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    // The command keeps its copy of the far end until it is dropped, and an end kept here would hide
    // the holder's death.
    drop(command);

    let root = setup.spec.root.clone();
    let program = setup.spec.command[0].to_string_lossy().into_owned();
    let cell = Cell::new(ours, child, kept, marker, group, &setup);
    match cell.begin(&setup.encode(), PATIENCE) {
        Ok(Reply::Started(mut details)) => {
            if left_open {
                details.push(format!(
                    "the command has our inherited descriptors {open:?}: without `bash` they stay open"
                ));
            }
            Ok(cell.with_details(details))
        }
        Ok(Reply::NoStart(why)) => Err(CellError::Start { program, why }),
        Ok(Reply::NoBox(why)) => Err(CellError::Box(why)),
        Ok(_) => Err(CellError::Box("the holder gave a senseless answer".into())),
        Err(error) => {
            cell.end();
            let said = fs::read_to_string(root.join("log/holder")).unwrap_or_default();
            Err(CellError::Box(match said.trim() {
                "" => format!("its holder gave no answer: {error}"),
                said => said.to_owned(),
            }))
        }
    }
}

/// Descriptors that whoever started us left open for all of our children: a build's job server, a terminal's.
/// Safe Rust cannot close what it does not own, but a shell can.
fn inherited() -> Vec<u32> {
    const CLOSES_ON_EXEC: u32 = 0o2_000_000;
    let closes = |entry: &fs::DirEntry| {
        let info = fs::read_to_string(entry.path()).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        Some(u32::from_str_radix(flags.trim(), 8).ok()? & CLOSES_ON_EXEC != 0)
    };
    let Ok(folder) = fs::read_dir("/proc/self/fdinfo") else {
        return Vec::new();
    };
    folder
        .flatten()
        .filter(|entry| closes(entry) == Some(false))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect()
}

/// A shell that closes what was left open, joins the groups and starts the holder. Where there are groups it waits for the
/// holder's end and removes them, since we may be dead by then; what a group counted goes with it, so its code tells that.
fn before(shell: &Path, open: &[u32], groups: &[PathBuf], close: bool) -> Vec<OsString> {
    let mut script = String::new();
    if close && !open.is_empty() {
        let close: Vec<String> = open.iter().map(|number| format!("{number}>&-")).collect();
        script = format!("exec {}; ", close.join(" "));
    }
    if groups.is_empty() {
        script += "exec \"$@\"";
    } else {
        let each = |form: &str| -> String {
            (1..=groups.len())
                .map(|at| form.replace('#', &at.to_string()))
                .collect()
        };
        let _ = write!(
            script,
            "( {}shift {}; exec \"$@\" ); code=$?; {}{}exit $code",
            each("echo 0 > \"${#}/cgroup.procs\" || exit 125; "),
            groups.len(),
            each(&format!(
                "for file in \"${{#}}\"/memory.oom_control \"${{#}}\"/memory.events; do \
                 if [ -r \"$file\" ]; then while read -r name count; do \
                 case \"$name $count\" in 'oom_kill 0') ;; 'oom_kill '*) code={RAN_OUT_OF_MEMORY};; esac; \
                 done < \"$file\"; fi; done; "
            )),
            // What was killed may take its time to go, on a busy disk.
            each(
                "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do \
                 rmdir \"${#}\" 2>/dev/null && break; [ -d \"${#}\" ] && sleep 0.$n || break; done; "
            )
        );
    }
    let mut words = vec![shell.into(), "-c".into(), script.into(), "sh".into()];
    words.extend(groups.iter().map(OsString::from));
    words
}

fn namespaces(network: Network, root_user: bool) -> impl Iterator<Item = &'static str> {
    let mut flags = vec![
        "--pid",
        "--mount",
        "--ipc",
        "--uts",
        "--fork",
        "--kill-child",
    ];
    if network == Network::Loopback {
        flags.push("--net");
    }
    if !root_user {
        flags.extend(["--user", "--map-root-user"]);
    }
    flags.push("--");
    flags.into_iter()
}

/// Makes the paths of `spec` those of what is really there, and returns the names that were links to it.
/// What does not exist can be neither shown nor hidden.
fn resolve(spec: &mut Spec) -> Vec<(PathBuf, PathBuf)> {
    if spec.network == Network::Host {
        // Often a link into /run.
        spec.read.push("/etc/resolv.conf".into());
    }
    let mut links = Vec::new();
    for paths in [&mut spec.read, &mut spec.hide] {
        paths.retain_mut(|path| {
            let Ok(found) = fs::canonicalize(&*path) else {
                return false;
            };
            let given = std::mem::replace(path, found.clone());
            if given != found && given.is_absolute() {
                links.push((given, found));
            }
            true
        });
    }
    links
}

/// Whether the command can be shown its true user id in a user namespace of its own, instead of 0: programs
/// that refuse to run as root would refuse. Tried once, since kernels may forbid to nest.
fn shown_user(unshare: &Path) -> Option<(u32, u32)> {
    static WORKS: OnceLock<bool> = OnceLock::new();
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    let works = WORKS.get_or_init(|| {
        Command::new(unshare)
            .args(["--user", "--map-root-user", "--"])
            .arg(unshare)
            .args(shown_user_arguments(user, group))
            .arg(unshare)
            .arg("--version")
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    });
    works.then_some((user, group))
}

pub(crate) fn shown_user_arguments(user: u32, group: u32) -> [String; 4] {
    [
        "--user".to_owned(),
        format!("--map-user={user}"),
        format!("--map-group={group}"),
        "--".to_owned(),
    ]
}

/// Looks in the tool's own `PATH`, then where system programs are.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .filter(|folder| folder.is_absolute())
        .find_map(|folder| {
            fs::canonicalize(folder.join(name))
                .ok()
                .filter(|p| p.is_file())
        })
}

/// This very program when its `main` knows the holder; the stand-in built beside a test binary otherwise.
fn holder_program() -> Result<PathBuf, CellError> {
    if let Some(named) = NAMED_HOLDER.get() {
        return Ok(named.clone());
    }
    let this = std::env::current_exe().map_err(|source| CellError::Holder {
        path: "/proc/self/exe".into(),
        source,
    })?;
    if IS_HOLDER.load(Ordering::Relaxed) {
        return Ok(this);
    }
    // A test binary is in target/<profile>/deps, an example in target/<profile>/examples.
    let beside = this.parent().ok_or(CellError::NoHolder)?;
    let inner = ["deps", "examples"].map(OsStr::new);
    let above = beside
        .parent()
        .filter(|_| beside.file_name().is_some_and(|name| inner.contains(&name)));
    [Some(beside), above]
        .into_iter()
        .flatten()
        .map(|folder| folder.join("cell-holder"))
        .find(|path| path.is_file())
        .ok_or(CellError::NoHolder)
}

/// The folder that `program` is installed in, when a box would not show it: for `Spec::read`. A program in
/// `/home/me/.pyenv/versions/3.11.7/bin` needs what is beside that `bin`; of a home itself, or of folders known
/// to hold secrets, only the program's own folder is named.
pub fn installed_in(program: &Path) -> Option<PathBuf> {
    let program = fs::canonicalize(program).ok()?;
    let first = program.components().nth(1)?.as_os_str();
    if SYSTEM.iter().any(|shown| first == *shown) {
        return None;
    }
    let folder = program.parent()?;
    let named = |path: &Path, names: &[&str]| {
        path.file_name()
            .is_some_and(|name| names.iter().any(|one| name == *one))
    };
    // `/root` is two components, `/home/me` three.
    let home = if first == "root" { 2 } else { 3 };
    let prefix = folder.parent().filter(|prefix| {
        named(folder, &["bin", "sbin", "shims"])
            && prefix.components().count() > home
            && !named(prefix, &[".local", ".cargo"])
    });
    Some(prefix.unwrap_or(folder).to_owned())
}

fn folder_error(path: &Path) -> impl FnOnce(io::Error) -> CellError {
    let path = path.to_owned();
    move |source| CellError::Folder { path, source }
}

fn canonical(path: &Path) -> Result<PathBuf, CellError> {
    fs::canonicalize(path).map_err(folder_error(path))
}

fn make_folders(root: &Path) -> Result<(), CellError> {
    for name in WRITABLE.iter().chain(&["log"]) {
        let folder = root.join(name);
        fs::create_dir_all(&folder).map_err(folder_error(&folder))?;
        // An earlier command in this folder may have put a link to somewhere else in its place.
        let found = fs::symlink_metadata(&folder).map_err(folder_error(&folder))?;
        if !found.is_dir() {
            return Err(folder_error(&folder)(io::ErrorKind::NotADirectory.into()));
        }
    }
    Ok(())
}

/// A new file, whatever lay there: an earlier unboxed command may have left a link.
fn fresh_file(path: &Path) -> Result<File, CellError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(folder_error(path)(error));
        }
        _ => {}
    }
    OpenOptions::new()
        .read(true)
        .append(true)
        .create_new(true)
        .mode(0o644)
        .open(path)
        .map_err(folder_error(path))
}

/// The user whom an earlier command in this folder was, or one of the thousand.
fn spare_user(root: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    let before = fs::symlink_metadata(root.join("tmp")).map(|found| found.uid());
    if let Ok(user) = before
        && SPARE_USERS.contains(&user)
    {
        return user;
    }
    let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let taken = |user: u32| {
        known
            .lines()
            .any(|line| line.split(':').nth(2) == Some(user.to_string().as_str()))
    };
    let count = SPARE_USERS.end - SPARE_USERS.start;
    let start = std::process::id()
        .wrapping_mul(31)
        .wrapping_add(COUNTER.load(Ordering::Relaxed));
    (0..count)
        .map(|step| SPARE_USERS.start + start.wrapping_add(step) % count)
        .find(|user| !taken(*user))
        .unwrap_or(SPARE_USERS.start)
}

/// Gives `folder` and all below it to `user`, following no link even if one appears meanwhile.
fn give(folder: &Path, user: u32) -> Result<(), CellError> {
    use rustix::fs::{AtFlags, CWD, Mode, OFlags};
    use rustix::process::{Gid, Uid};

    fn give_within(folder: OwnedFd, user: u32) -> rustix::io::Result<()> {
        let owner = (Some(Uid::from_raw(user)), Some(Gid::from_raw(user)));
        if rustix::fs::fstat(&folder)?.st_uid != user {
            rustix::fs::fchown(&folder, owner.0, owner.1)?;
        }
        let mut entries = rustix::fs::Dir::read_from(&folder)?;
        while let Some(entry) = entries.read() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let found = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if rustix::fs::FileType::from_raw_mode(found.st_mode).is_dir() {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                give_within(
                    rustix::fs::openat(&folder, name, flags, Mode::empty())?,
                    user,
                )?;
            } else if found.st_uid != user {
                rustix::fs::chownat(&folder, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
            }
        }
        Ok(())
    }

    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, folder, flags, Mode::empty())
        .and_then(|opened| give_within(opened, user))
        .map_err(|source| folder_error(folder)(source.into()))
}

/// The first exchange with a fresh holder.
pub(crate) fn begin(stream: &UnixStream, setup: &[u8], patience: Duration) -> io::Result<Reply> {
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    message::send(stream, setup, None)?;
    let (body, _) = message::receive(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Reply::decode(&body)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On plain folders, which take any file for a group's; the shell's patience with what it cannot remove is 5 s.
    #[test]
    fn the_shells_code_tells_of_want_of_memory() {
        let root = std::env::temp_dir().join(format!("unrequested-launch-{}", std::process::id()));
        let code = |number: usize, name: &str, counted: &str| {
            let group = root.join(number.to_string());
            fs::create_dir_all(&group).unwrap();
            fs::write(group.join(name), counted).unwrap();
            let empty = root.join(format!("empty-{number}"));
            fs::create_dir(&empty).unwrap();
            let mut words = before(Path::new("/bin/sh"), &[], &[empty, group.clone()], true);
            words.extend(["sh", "-c", "exit 3"].map(OsString::from));
            let end = Command::new(&words[0]).args(&words[1..]).status().unwrap();
            let entered = fs::read_to_string(group.join("cgroup.procs")).unwrap();
            assert_eq!(entered.trim(), "0");
            end.code()
        };
        let codes = std::thread::scope(|scope| {
            [
                (
                    "memory.oom_control",
                    "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
                ),
                (
                    "memory.oom_control",
                    "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
                ),
                ("memory.events", "oom 3\noom_kill 0\noom_group_kill 1\n"),
                ("memory.events", "oom 3\noom_kill 12\n"),
                ("memory.max", "oom_kill 1\n"),
            ]
            .into_iter()
            .enumerate()
            .map(|(number, (name, counted))| scope.spawn(move || code(number, name, counted)))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
        });
        fs::remove_dir_all(&root).unwrap();
        let ran_out = Some(RAN_OUT_OF_MEMORY);
        assert_eq!(codes, [Some(3), ran_out, Some(3), ran_out, Some(3)]);
    }
}
