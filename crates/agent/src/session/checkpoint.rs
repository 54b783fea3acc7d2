//! Tree and conversation after a step, together: a step that is run again starts from both, or the agent would see its own
//! half.

use std::fs;
use std::path::{Path, PathBuf};

use super::{SessionError, files};

/// Of the cell's folder: the rest is a step's own.
const KEPT: [&str; 2] = ["tree", "home"];
const ALL: [&str; 4] = ["tree", "home", "tmp", "state"];

#[derive(Debug, Clone)]
pub struct Checkpoint {
    folder: PathBuf,
}

impl Checkpoint {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Keeps what is in the cell's folder now. It is there whole, or not at all.
    pub fn keep(&self, root: &Path) -> Result<(), SessionError> {
        let half = self.folder.with_extension("half");
        self.remove()?;
        cell::remove_folder(&half).map_err(files(&half))?;
        for name in KEPT {
            let from = root.join(name);
            fs::create_dir_all(&from).map_err(files(&from))?;
            super::files::copy(&from, &half.join(name)).map_err(files(&from))?;
        }
        fs::rename(&half, &self.folder).map_err(files(&self.folder))
    }

    pub fn is_there(&self) -> bool {
        self.folder.is_dir()
    }

    /// Makes the cell's folder what it was.
    pub fn restore(&self, root: &Path) -> Result<(), SessionError> {
        for name in ALL {
            let folder = root.join(name);
            cell::remove_folder(&folder).map_err(files(&folder))?;
        }
        for name in KEPT {
            let from = self.folder.join(name);
            super::files::copy(&from, &root.join(name)).map_err(files(&from))?;
        }
        Ok(())
    }

    pub fn remove(&self) -> Result<(), SessionError> {
        cell::remove_folder(&self.folder).map_err(files(&self.folder))
    }
}
