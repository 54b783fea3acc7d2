//! A control group for a cell, where the machine lets us make one: then the kernel itself holds memory and processes to
//! their limits, where the holder only looks ten times a second.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::Limits;

/// Threads count as processes here, and a process has several.
pub(crate) const THREADS_PER_PROCESS: u64 = 8;
/// What the launcher's shell ends with where the kernel ended a process for want of memory.
pub(crate) const RAN_OUT_OF_MEMORY: i32 = 124;
const PREFIX: &str = "unrequested-";
const PATIENCE: Duration = Duration::from_secs(2);

/// A folder in which cells' groups are made, and what groups there can limit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parent {
    version: u8,
    folder: PathBuf,
    memory: bool,
    processes: bool,
}

/// Dropping it ends what is left in it, and removes it.
#[derive(Debug)]
pub(crate) struct Group {
    parents: Vec<Parent>,
    name: String,
}

impl Group {
    /// `None` where no group can be made. `name` begins with our process id.
    pub(crate) fn new(name: &str, limits: &Limits) -> Option<Self> {
        let group = Self {
            parents: parents().to_vec(),
            name: format!("{PREFIX}{name}"),
        };
        let made = !group.parents.is_empty() && group.make(limits).is_ok();
        made.then_some(group)
    }

    fn make(&self, limits: &Limits) -> io::Result<()> {
        for (parent, folder) in self.parents.iter().zip(self.folders()) {
            fs::create_dir(&folder)?;
            let memory = limits.memory.to_string();
            if parent.memory && parent.version == 2 {
                fs::write(folder.join("memory.max"), memory)?;
                let _ = fs::write(folder.join("memory.swap.max"), "0");
            } else if parent.memory {
                fs::write(folder.join("memory.limit_in_bytes"), &memory)?;
                let _ = fs::write(folder.join("memory.memsw.limit_in_bytes"), memory);
            }
            if parent.processes {
                let most = limits.processes.saturating_mul(THREADS_PER_PROCESS);
                fs::write(folder.join("pids.max"), most.to_string())?;
            }
        }
        Ok(())
    }

    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let folder = |parent: &Parent| parent.folder.join(&self.name);
        self.parents.iter().map(folder).collect()
    }

    /// The file that counts how often memory ran out.
    pub(crate) fn out_of_memory(&self) -> Option<PathBuf> {
        let parent = self.parents.iter().find(|parent| parent.memory)?;
        let file = ["memory.oom_control", "memory.events"][usize::from(parent.version == 2)];
        Some(parent.folder.join(&self.name).join(file))
    }

    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let text = self.out_of_memory().map(fs::read_to_string);
        text.is_some_and(|text| text.is_ok_and(|text| kills(&text) > 0))
    }

    /// Who keeps a cell to its limits.
    pub(crate) fn keepers(group: Option<&Self>) -> String {
        let of = |limits: fn(&Parent) -> bool| {
            let parent = group.and_then(|group| group.parents.iter().find(|one| limits(one)));
            parent.map_or_else(
                || "watched".to_owned(),
                |parent| format!("cgroup v{}", parent.version),
            )
        };
        if !cfg!(target_os = "linux") {
            return "file size: rlimit, nothing else".to_owned();
        }
        format!(
            "memory: {}, processes: {}, disk and processor time: watched, file size: rlimit",
            of(|one| one.memory),
            of(|one| one.processes)
        )
    }

    pub(crate) fn kill_all(&self) {
        self.folders().iter().for_each(|folder| kill(folder));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.folders().iter().for_each(|folder| remove(folder));
    }
}

/// How often the kernel ended a process for want of memory, by the text of such a file.
pub(crate) fn kills(text: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

fn kill(folder: &Path) {
    let members = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in members
        .lines()
        .filter_map(|line| Pid::from_raw(line.parse().ok()?))
    {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

fn remove(folder: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while folder.is_dir() && fs::remove_dir(folder).is_err() && Instant::now() < deadline {
        kill(folder);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Found out once: where groups can be made, by making one and putting a process in it.
fn parents() -> &'static [Parent] {
    static PARENTS: OnceLock<Vec<Parent>> = OnceLock::new();
    PARENTS.get_or_init(|| {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let found = candidates(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        let mut usable: Vec<Parent> = Vec::new();
        for parent in found {
            let is_new =
                |limits: fn(&Parent) -> bool| limits(&parent) && !usable.iter().any(limits);
            if is_new(|one| one.memory) || is_new(|one| one.processes) {
                remove_leftovers(&parent.folder);
                if takes_processes(&parent.folder) {
                    usable.push(parent);
                }
            }
        }
        usable
    })
}

/// Our own groups of version 1, and of version 2 those above ours whose children have limits: a group with processes in it,
/// as ours is, can have none.
fn candidates(own: &str, mounts: &str) -> Vec<Parent> {
    let mut found = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let is_one = |name: &str| controllers.split(',').any(|one| one == name);
        let version = if controllers.is_empty() { 2 } else { 1 };
        let Some(mount) = mount_of(mounts, controllers) else {
            continue;
        };
        let folder = mount.join(path.trim_start_matches('/'));
        if version == 1 {
            found.push(Parent {
                version,
                folder,
                memory: is_one("memory"),
                processes: is_one("pids"),
            });
            continue;
        }
        for folder in [Some(folder.as_path()), folder.parent()]
            .into_iter()
            .flatten()
        {
            let control = fs::read_to_string(folder.join("cgroup.subtree_control"));
            let control = control.unwrap_or_default();
            let limits = |name| control.split_whitespace().any(|one| one == name);
            found.push(Parent {
                version,
                folder: folder.to_owned(),
                memory: limits("memory"),
                processes: limits("pids"),
            });
        }
    }
    found
}

/// Where the hierarchy of these controllers is mounted whole; without a controller, that of version 2.
fn mount_of(mounts: &str, controllers: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let (name, options) = (kind.next()?, kind.nth(1)?);
        let mut place = place.split(' ').skip(3);
        let (root, point) = (place.next()?, place.next()?);
        let ours = match controllers {
            "" => name == "cgroup2",
            _ => {
                name == "cgroup"
                    && controllers
                        .split(',')
                        .all(|one| options.split(',').any(|o| o == one))
            }
        };
        (ours && root == "/").then(|| PathBuf::from(point))
    })
}

fn takes_processes(parent: &Path) -> bool {
    let folder = parent.join(format!("{PREFIX}{}-probe", std::process::id()));
    // All by the shell, which ends what it began when we are killed.
    let script =
        "mkdir \"$1\" && ( echo 0 > \"$1/cgroup.procs\" ); code=$?; rmdir \"$1\"; exit $code";
    let joined = Command::new("/bin/sh")
        .args(["-c", script, "sh"])
        .arg(&folder)
        .output();
    joined.is_ok_and(|output| output.status.success())
}

/// Groups whose tool is gone, with what is in them.
fn remove_leftovers(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
        if owner.is_some_and(|pid: u32| !Path::new(&format!("/proc/{pid}")).exists()) {
            remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions_are_found() {
        let folder = std::env::temp_dir().join(format!("unrequested-group-{}", std::process::id()));
        fs::create_dir_all(folder.join("user/session")).unwrap();
        fs::write(
            folder.join("user/cgroup.subtree_control"),
            "cpu memory pids\n",
        )
        .unwrap();
        fs::write(folder.join("user/session/cgroup.subtree_control"), "\n").unwrap();
        let mounts = format!(
            "24 23 0:22 / /c/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
             25 23 0:23 /part /c/pids rw - cgroup cgroup rw,pids\n\
             26 23 0:24 / {} rw - cgroup2 cgroup2 rw,nsdelegate\n",
            folder.display()
        );
        let own = "8:pids:/\n4:memory:/a/b\n1:name=systemd:/\n0::/user/session\n";
        let found = candidates(own, &mounts);
        fs::remove_dir_all(&folder).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|one| (one.version, one.folder.clone(), one.memory, one.processes))
            .collect();
        assert_eq!(
            shown,
            [
                (1, "/c/memory/a/b".into(), true, false),
                (2, folder.join("user/session"), false, false),
                (2, folder.join("user"), true, true),
            ]
        );
        assert_eq!(kills("low 0\noom 3\noom_kill 2\noom_group_kill 9\n"), 2);
        assert_eq!(kills("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"), 7);
        assert_eq!(kills(""), 0);
        assert!(Group::keepers(None).starts_with("memory: watched, processes: watched"));
    }
}
