//! Finds out whether a box can be had on this machine, by making one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::group::Group;
use crate::{CellError, Level, Limits, Spec, launch, spawn};

/// What kind of cell can be had here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub level: Level,
    /// Why it is not `Boxed`.
    pub why_not: Option<String>,
    /// What the box could and could not do, a sentence each.
    pub details: Vec<String>,
    /// Who keeps a cell to its limits.
    pub limits: String,
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Makes one box and runs a harmless command in it; some 30 ms. Callers keep the answer.
pub fn probe() -> Probe {
    if !cfg!(target_os = "linux") {
        return plain("only Linux has namespaces".into());
    }
    let root: PathBuf = std::env::temp_dir().join(format!(
        "unrequested-probe-{}-{}",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    ));
    let answer = try_box(&root);
    let _ = std::fs::remove_dir_all(&root);
    answer
}

fn try_box(root: &std::path::Path) -> Probe {
    let Some(unshare) = launch::find_program("unshare") else {
        return plain(CellError::Missing("unshare").to_string());
    };
    let spec = Spec::new(root, [unshare.into_os_string(), "--version".into()]);
    let cell = match spawn(&spec, Level::Boxed) {
        Ok(cell) => cell,
        Err(error) => return plain(error.to_string()),
    };
    match cell.wait(Duration::from_secs(10)) {
        Some(exit) if exit.success() => Probe {
            level: Level::Boxed,
            why_not: None,
            details: cell.details().to_vec(),
            limits: cell.limits().to_owned(),
        },
        Some(exit) => plain(format!(
            "a command in the box ended with {exit}: {}",
            cell.log_tail(200).trim()
        )),
        None => plain("a command in the box did not end".into()),
    }
}

fn plain(why: String) -> Probe {
    Probe {
        level: Level::Plain,
        why_not: Some(why),
        details: Vec::new(),
        limits: Group::keepers(
            Group::new(&format!("{}-plain", std::process::id()), &Limits::default()).as_ref(),
        ),
    }
}
