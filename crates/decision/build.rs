//! Adding a file to `src/matter/` is adding a decision: the registry is the folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=src/matter");
    let folder =
        Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("src/matter");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .collect();
    files.sort();
    let (mut modules, mut entries) = (String::new(), String::new());
    for file in &files {
        let module = file.file_stem().expect("a name").to_string_lossy();
        let id = module.replace('_', "-");
        let text = fs::read_to_string(file).expect("a source file");
        let page: String = text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .map(|line| {
                let line = line.trim_start_matches("//!");
                line.strip_prefix(' ').unwrap_or("").to_owned() + "\n"
            })
            .collect();
        let path = file.display().to_string();
        writeln!(modules, "#[path = {path:?}]\nmod {module};").expect("a string");
        writeln!(
            entries,
            "    Entry {{ id: {id:?}, page: {page:?}, matter: &{module}::MATTER }},"
        )
        .expect("a string");
    }
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("registry.rs");
    let count = files.len();
    let text = format!("{modules}\npub(super) static FOUND: [Entry; {count}] = [\n{entries}];\n");
    fs::write(out, text).expect("written");
}
