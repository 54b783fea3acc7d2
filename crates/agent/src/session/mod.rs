//! One work tree and one conversation: what lies where, how a step is run in a cell, what is kept of it.

mod checkpoint;
mod files;
mod run;
mod snapshot;

use std::io;
use std::path::{Path, PathBuf};

pub use checkpoint::Checkpoint;
pub use run::{Ran, Room, Times, run, server};
pub use snapshot::{Snapshot, Snapshots};

/// Where a session's files are: its own folder, made where missing.
#[derive(Debug, Clone)]
pub struct Place {
    pub folder: PathBuf,
}

impl Place {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The cell's folder: `tree`, `home`, `tmp` and `state` are below it, and the agent's to write.
    pub fn root(&self) -> PathBuf {
        self.folder.join("cell")
    }

    pub fn tree(&self) -> PathBuf {
        self.root().join("tree")
    }

    pub fn checkpoint(&self, step: usize) -> Checkpoint {
        Checkpoint::new(self.folder.join(format!("after-{step}")))
    }

    pub fn snapshots(&self) -> Snapshots {
        Snapshots::new(self.folder.join("snapshots.git"))
    }
}

/// What went wrong with a session's files: never the agent's result.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("cannot use {0}: {1}")]
    Files(PathBuf, io::Error),
    #[error("`git` is not installed; install it (Debian: apt-get install git)")]
    NoGit,
    #[error("git: {0}")]
    Git(String),
    #[error(transparent)]
    Proxy(#[from] crate::proxy::ProxyError),
    #[error(transparent)]
    Cell(#[from] cell::CellError),
    #[error(transparent)]
    Starter(#[from] crate::Error),
}

fn files(path: &Path) -> impl FnOnce(io::Error) -> SessionError {
    let path = path.to_owned();
    move |error| SessionError::Files(path, error)
}
