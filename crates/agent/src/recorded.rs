//! The agent `recorded`: a sample session is a folder overlay per step, hand-written, on top of the starter.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Error, embedded};

/// Who a sample session is said to be by, everywhere it shows up.
pub const LABEL: &str = "hand-written sample";

/// The names of a framework's sample sessions.
pub fn names(framework: &str) -> Vec<String> {
    let mut names: Vec<String> = embedded::folder(&format!("recordings/{framework}"))
        .iter()
        .filter_map(|(path, _)| path.split_once('/'))
        .map(|(name, _)| name.to_owned())
        .collect();
    names.dedup();
    names
}

/// All sample sessions: `fastapi/hardened`, …
pub fn all() -> Vec<String> {
    let mut frameworks: Vec<&str> = embedded::folder("recordings")
        .iter()
        .filter_map(|(path, _)| path.split_once('/'))
        .map(|(framework, _)| framework)
        .collect();
    frameworks.dedup();
    frameworks
        .into_iter()
        .flat_map(|framework| {
            names(framework)
                .into_iter()
                .map(move |name| format!("{framework}/{name}"))
        })
        .collect()
}

/// The steps of one, in order: `1-auth`, …
pub fn steps(framework: &str, name: &str) -> Vec<String> {
    let mut steps: Vec<String> = embedded::folder(&format!("recordings/{framework}/{name}"))
        .iter()
        .filter_map(|(path, _)| path.split_once('/'))
        .map(|(step, _)| step.to_owned())
        .filter(|step| step.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    steps.dedup();
    steps
}

/// The texts of a sample after step number `last` by their paths, without writing them. What is no text is left out.
pub fn texts(framework: &str, name: &str, last: usize) -> Result<BTreeMap<String, String>, Error> {
    let steps = steps(framework, name);
    if steps.is_empty() {
        return Err(unknown(framework, name));
    }
    let mut folders = vec![format!("study/starters/{framework}")];
    folders.extend(
        steps
            .iter()
            .take(last)
            .map(|step| format!("recordings/{framework}/{name}/{step}")),
    );
    let mut all = BTreeMap::new();
    for (path, file) in folders.iter().flat_map(|folder| embedded::folder(folder)) {
        if let Ok(text) = std::str::from_utf8(file.bytes) {
            all.insert(path.to_owned(), text.to_owned());
        }
    }
    Ok(all)
}

fn unknown(framework: &str, name: &str) -> Error {
    Error::NoRecording {
        framework: framework.to_owned(),
        name: name.to_owned(),
        known: names(framework).join(", "),
    }
}

/// Writes the starter and the overlays up to and including step number `last` (1 to 6) into an empty folder.
pub fn write(framework: &str, name: &str, last: usize, into: &Path) -> Result<(), Error> {
    let steps = steps(framework, name);
    if steps.is_empty() {
        return Err(unknown(framework, name));
    }
    if embedded::write_folder(&format!("study/starters/{framework}"), into)? == 0 {
        return Err(Error::NoStarter(framework.to_owned()));
    }
    for step in steps.iter().take(last) {
        embedded::write_folder(&format!("recordings/{framework}/{name}/{step}"), into)?;
    }
    Ok(())
}
