//! What runs in the cell: how much it uses, and its end.

use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::Level;

/// What all processes of the cell use together, ourselves not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Usage {
    pub(crate) processes: u64,
    /// Resident bytes; memory that processes share counts once for each.
    pub(crate) memory: u64,
    /// Of the living, and of those that they or we have collected.
    pub(crate) cpu: Duration,
}

#[cfg(target_os = "linux")]
pub(crate) use linux::{end_marked, kill_descendants, shared_memory_counted_once, usage};

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{end_marked, kill_descendants, shared_memory_counted_once, usage};

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::fs;

    use super::{Duration, Level, Pid, Signal, Usage};
    use crate::launch::MARKER;

    /// The kernel's `USER_HZ`, which is 100 on every architecture that Rust's standard library knows Linux on.
    const TICKS_PER_SECOND: u64 = 100;
    /// A pass finds what the last one missed; one that finds nothing is the last.
    const PASSES: usize = 1000;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Process {
        pid: u32,
        parent: u32,
        zombie: bool,
        own_ticks: u64,
        collected_ticks: u64,
        pages: u64,
    }

    /// One line of `/proc/PID/stat`. The name is in brackets and may hold anything, brackets too.
    fn parse(pid: u32, line: &str) -> Option<Process> {
        let (_, rest) = line.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Process {
            pid,
            parent: number(1)? as u32,
            zombie: matches!(*fields.first()?, "Z" | "X"),
            own_ticks: number(11)? + number(12)?,
            collected_ticks: number(13)? + number(14)?,
            pages: number(21)?,
        })
    }

    fn all() -> Vec<Process> {
        let Ok(folder) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        folder
            .flatten()
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                parse(pid, &fs::read_to_string(entry.path().join("stat")).ok()?)
            })
            .collect()
    }

    fn own_pid() -> u32 {
        std::process::id()
    }

    /// In a box all but ourselves; otherwise all below us.
    fn ours(level: Level) -> (Vec<Process>, Option<Process>) {
        let mut all = all();
        let holder = all.iter().find(|process| process.pid == own_pid()).copied();
        match level {
            Level::Boxed => all.retain(|process| process.pid != own_pid()),
            Level::Plain => all = descendants(all, own_pid()),
        }
        (all, holder)
    }

    fn descendants(all: Vec<Process>, of: u32) -> Vec<Process> {
        let mut family = HashSet::from([of]);
        loop {
            let before = family.len();
            for process in &all {
                if family.contains(&process.parent) {
                    family.insert(process.pid);
                }
            }
            if family.len() == before {
                break;
            }
        }
        family.remove(&of);
        all.into_iter()
            .filter(|process| family.contains(&process.pid))
            .collect()
    }

    pub(crate) fn usage(level: Level) -> Option<Usage> {
        let (processes, holder) = ours(level);
        let ticks = holder?.collected_ticks
            + processes
                .iter()
                .map(|process| process.own_ticks + process.collected_ticks)
                .sum::<u64>();
        let page = rustix::param::page_size() as u64;
        Some(Usage {
            processes: processes.iter().filter(|process| !process.zombie).count() as u64,
            memory: processes.iter().map(|process| process.pages * page).sum(),
            cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
        })
    }

    /// Dear to ask, so only asked when the cheap sum is too much.
    pub(crate) fn shared_memory_counted_once(level: Level) -> Option<u64> {
        let (processes, _) = ours(level);
        processes
            .iter()
            .filter(|process| !process.zombie)
            .map(|process| {
                let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid));
                let line = rollup.ok()?.lines().find_map(|line| {
                    let kilobytes = line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?;
                    kilobytes.parse::<u64>().ok()
                })?;
                Some(line << 10)
            })
            .sum()
    }

    /// Stops all below us first, so that nothing multiplies while it is being ended.
    pub(crate) fn kill_descendants(_: Pid) {
        let living = || -> Vec<u32> {
            descendants(all(), own_pid())
                .iter()
                .filter(|process| !process.zombie)
                .map(|process| process.pid)
                .collect()
        };
        let mut stopped = HashSet::new();
        for _ in 0..PASSES {
            let fresh: Vec<u32> = living()
                .into_iter()
                .filter(|pid| stopped.insert(*pid))
                .collect();
            if fresh.is_empty() {
                break;
            }
            signal(&fresh, Signal::STOP);
        }
        for _ in 0..PASSES {
            let left = living();
            if left.is_empty() {
                break;
            }
            signal(&left, Signal::KILL);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn signal(pids: &[u32], signal: Signal) {
        for pid in pids {
            if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
                let _ = rustix::process::kill_process(pid, signal);
            }
        }
    }

    /// Ends what a plain cell's holder could not, because somebody ended the holder first.
    pub(crate) fn end_marked(marker: &str) {
        let wanted = format!("{MARKER}={marker}");
        for _ in 0..PASSES {
            let found: Vec<u32> = all()
                .into_iter()
                .filter(|process| !process.zombie)
                .filter(|process| {
                    fs::read(format!("/proc/{}/environ", process.pid)).is_ok_and(|environ| {
                        environ
                            .split(|byte| *byte == 0)
                            .any(|entry| entry == wanted.as_bytes())
                    })
                })
                .map(|process| process.pid)
                .collect();
            if found.is_empty() {
                return;
            }
            signal(&found, Signal::KILL);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_process_may_have_any_name() {
            let line = "77 (a) R 1 (x)) S 12 77 77 0 -1 4194560 1 2 3 4 50 6 700 8 20 0 1 0 9 10000 42 184";
            assert_eq!(
                parse(77, line),
                Some(Process {
                    pid: 77,
                    parent: 12,
                    zombie: false,
                    own_ticks: 56,
                    collected_ticks: 708,
                    pages: 42,
                })
            );
            assert_eq!(parse(1, "1 (sh"), None);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::{Level, Pid, Signal, Usage};

    pub(crate) fn usage(_: Level) -> Option<Usage> {
        None
    }

    pub(crate) fn shared_memory_counted_once(_: Level) -> Option<u64> {
        None
    }

    /// Without a list of processes, only the command's own group can be found.
    pub(crate) fn kill_descendants(main: Pid) {
        let _ = rustix::process::kill_process_group(main, Signal::KILL);
    }

    pub(crate) fn end_marked(_: &str) {}
}
