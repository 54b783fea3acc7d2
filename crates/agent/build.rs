//! Carries `study/`, `recordings/`, `controls/` and what was measured of the exploits in the binary, so that it works outside a clone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
    let mut files = Vec::new();
    for folder in ["study", "recordings", "controls"] {
        println!("cargo::rerun-if-changed=../../{folder}");
        walk(&root.join(folder), &mut files);
    }
    let measured = root.join("docs/calibration.json");
    println!("cargo::rerun-if-changed={}", measured.display());
    files.push(measured);
    files.sort();
    let mut list = String::new();
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file
            .strip_prefix(&root)
            .expect("below the root")
            .to_string_lossy()
            .into_owned();
        let runs = executable(file);
        let file = file.canonicalize().expect("a file");
        writeln!(
            list,
            "    File {{ path: {name:?}, runs: {runs}, bytes: include_bytes!({:?}) }},",
            file.display().to_string()
        )
        .expect("a string");
    }
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("embedded.rs");
    fs::write(
        out,
        format!("static FILES: [File; {}] = [\n{list}];\n", files.len()),
    )
    .expect("written");
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if name == "__pycache__"
            || name == ".venv"
            || name == "node_modules"
            || name == "target"
            // Controls that nobody has measured yet are no part of the tool.
            || name == "waiting"
            || path.extension().is_some_and(|end| end == "pyc")
        {
            continue;
        }
        if path.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
}
