//! Starts the command with its limits, and with fewer rights than the holder has.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit};

use crate::group::THREADS_PER_PROCESS;
use crate::launch::shown_user_arguments;
use crate::message::Setup;
use crate::{Level, Limits, Spec};

pub(crate) fn command(setup: &Setup, output: OwnedFd) -> Result<Pid, String> {
    let spec = &setup.spec;
    if !spec.cwd.is_dir() {
        return Err(format!("the box does not show {}", spec.cwd.display()));
    }
    // Elsewhere the limit would count what else the user runs on the machine.
    let own_count =
        setup.become_user.is_some() || (setup.level == Level::Boxed && counts_per_box());
    set_limits(&spec.limits, own_count);
    let mut command = if let Some((user, group)) = setup.shown_user {
        // Looked up here, since a program that is not there would otherwise be one that ended with 127.
        let program = find(spec).ok_or("no such program in the box")?;
        let mut command = Command::new(&setup.unshare);
        command
            .args(shown_user_arguments(user, group))
            .arg(program)
            .args(&spec.command[1..]);
        command
    } else {
        let mut command = Command::new(&spec.command[0]);
        command.args(&spec.command[1..]);
        command
    };
    let errors = output.try_clone().map_err(text)?;
    command
        .env_clear()
        .envs(spec.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&spec.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::from(output))
        .stderr(Stdio::from(errors))
        // A command that signals its own group must not reach us.
        .process_group(0);
    let level = setup.level;
    let become_user = setup.become_user;
    let kept = setup.shown_user.is_some();
    // Rights belong to threads: this one gives them up, the child inherits that, and the holder keeps its own.
    std::thread::spawn(move || {
        give_up_rights(level, become_user, kept)
            .map_err(|error| format!("cannot give up rights: {error}"))?;
        command
            .spawn()
            .map(|child| Pid::from_child(&child))
            .map_err(text)
    })
    .join()
    .unwrap_or_else(|_| Err("the starting thread panicked".into()))
}

/// As `execvp` finds it: by its path, else in the command's own `PATH`.
fn find(spec: &Spec) -> Option<PathBuf> {
    let program = Path::new(&spec.command[0]);
    let runs = |path: PathBuf| {
        let path = spec.cwd.join(path);
        rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).ok()?;
        path.is_file().then_some(path)
    };
    if program.components().count() > 1 || program.has_root() {
        return runs(program.to_owned());
    }
    let path = spec.env.iter().rev().find(|(name, _)| name == "PATH");
    let path = path.map_or(OsStr::new("/bin:/usr/bin"), |(_, path)| path);
    std::env::split_paths(path).find_map(|folder| runs(folder.join(program)))
}

fn text(error: io::Error) -> String {
    error.to_string()
}

/// The holder's own limits, which the command inherits. None can be raised again without a right that the
/// command has not.
fn set_limits(limits: &Limits, own_count: bool) {
    let limit = |resource, most: u64| {
        let hard = rustix::process::getrlimit(resource).maximum;
        let most = Some(hard.map_or(most, |hard| hard.min(most)));
        let limit = Rlimit {
            current: most,
            maximum: most,
        };
        // Where it is refused, the limit that was there holds.
        let _ = rustix::process::setrlimit(resource, limit);
    };
    limit(Resource::Core, 0);
    limit(Resource::Nofile, limits.open_files);
    // The holder writes the log under this same limit.
    limit(Resource::Fsize, limits.file_size.max(limits.log));
    if own_count {
        limit(
            Resource::Nproc,
            limits.processes.saturating_mul(THREADS_PER_PROCESS),
        );
    }
}

/// Linux counts a user's processes for each user namespace since 5.14.
fn counts_per_box() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next()?.parse::<u32>().ok();
    (next(), next()) >= (Some(5), Some(14))
}

#[cfg(target_os = "linux")]
fn give_up_rights(
    level: Level,
    become_user: Option<u32>,
    maps_user: bool,
) -> rustix::io::Result<()> {
    use rustix::process::{Gid, Uid};
    use rustix::thread::{CapabilitySet, CapabilitySets};

    if level == Level::Boxed {
        // Whoever maps the box's user 0 to another name must have this one right, and loses it by doing so.
        let kept = if maps_user {
            CapabilitySet::SETFCAP
        } else {
            CapabilitySet::empty()
        };
        for capability in CapabilitySet::all().difference(kept).iter() {
            // The kernel may know fewer than the library does.
            let _ = rustix::thread::remove_capability_from_bounding_set(capability);
        }
        if let Some(user) = become_user {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
            rustix::thread::set_thread_groups(&[])?;
            rustix::thread::set_thread_res_gid(group, group, group)?;
            rustix::thread::set_thread_res_uid(user, user, user)?;
        }
        rustix::thread::set_capabilities(
            None,
            CapabilitySets {
                effective: kept,
                permitted: kept,
                inheritable: CapabilitySet::empty(),
            },
        )?;
    }
    rustix::thread::set_no_new_privs(true)
}

#[cfg(not(target_os = "linux"))]
fn give_up_rights(_: Level, _: Option<u32>, _: bool) -> rustix::io::Result<()> {
    Ok(())
}
