//! The files of `study/`, `recordings/` and `controls/` as they were when this was built.

use std::fs;
use std::path::Path;

use crate::Error;

/// One carried file.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// From the root of the repository: `study/prompts/1-auth.md`.
    pub path: &'static str,
    /// Whether it is executable.
    pub runs: bool,
    pub bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The file at this path.
pub fn file(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

/// All files below this folder, with their paths relative to it.
pub fn folder(path: &str) -> Vec<(&'static str, &'static File)> {
    let prefix = format!("{}/", path.trim_end_matches('/'));
    FILES
        .iter()
        .filter_map(|file| Some((file.path.strip_prefix(prefix.as_str())?, file)))
        .collect()
}

/// Writes the files below `path` into `into`, over what is there. Returns how many.
pub fn write_folder(path: &str, into: &Path) -> Result<usize, Error> {
    let files = folder(path);
    for (name, file) in &files {
        let to = into.join(name);
        let failed = |error| Error::Write(to.clone(), error);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(&to, file.bytes).map_err(failed)?;
        if file.runs {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        }
    }
    Ok(files.len())
}
