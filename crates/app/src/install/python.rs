//! Python: a virtual environment per set of requirements, made by uv, else by venv and pip. Wheels only: nothing of a
//! package runs while it is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cell::Spec;

use super::{InstallError, Installed, Whose, Workshop, claim, environment, fetch, run};
use crate::framework::requirements;
use crate::lock::{self, Pins};

/// What this machine has to install Python packages with.
#[derive(Debug, Clone)]
pub struct Python {
    pub program: PathBuf,
    /// Where its standard library is, when that is not a place of the system's own.
    pub home: Option<PathBuf>,
    pub version: String,
    pub uv: Option<PathBuf>,
}

impl Python {
    /// Looks for Python 3.11 or newer, and for uv.
    pub fn look() -> Result<Self, InstallError> {
        let asked = Command::new("python3")
            .args([
                "-c",
                "import os, sys; print('%d.%d.%d' % sys.version_info[:3]); print(os.path.realpath(sys.executable)); print(sys.base_prefix)",
            ])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| InstallError::NoPython(format!(" ({error})")))?;
        let text = String::from_utf8_lossy(&asked.stdout).into_owned();
        let mut lines = text.lines();
        let version = lines.next().unwrap_or_default().to_owned();
        let minor = version
            .strip_prefix("3.")
            .and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
        if minor.is_none_or(|minor| minor < 11) {
            let found = if version.is_empty() {
                String::new()
            } else {
                format!(" (found {version})")
            };
            return Err(InstallError::NoPython(found));
        }
        let uv = Command::new("uv")
            .arg("--version")
            .stdin(Stdio::null())
            .output();
        let uv = uv
            .is_ok_and(|output| output.status.success())
            .then(|| PathBuf::from("uv"));
        Ok(Self {
            program: PathBuf::from(lines.next().unwrap_or("python3")),
            home: lines
                .next()
                .filter(|home| *home != "/usr")
                .map(PathBuf::from),
            version,
            uv,
        })
    }
}

pub(super) fn install(
    tree: &Path,
    tools: &Python,
    workshop: &Workshop,
) -> Result<Installed, InstallError> {
    let lock::Python { pins, remark } = lock::of_python(tree);
    let is_followed = pins.is_some();
    let pins = pins.unwrap_or_else(|| Pins {
        lines: requirements(tree),
        hashed: false,
    });
    install_lines(&pins, is_followed, tools, workshop)
        .map(|installed| Installed {
            remark: remark.clone(),
            ..installed
        })
        .map_err(|error| match remark {
            Some(remark) if !is_followed => error.unlocked(remark),
            _ => error,
        })
}

/// With a lock file, exactly these lines; else also what they need.
fn install_lines(
    pins: &Pins,
    locked: bool,
    tools: &Python,
    workshop: &Workshop,
) -> Result<Installed, InstallError> {
    let lines = &pins.lines;
    if let Some(line) = lines.iter().find(|line| !is_of_an_index(line)) {
        return Err(InstallError::Elsewhere(format!("`{line}`")));
    }
    // What is not bound to versions may change: the key has the day's order of lines, not their meaning.
    let key = blake3::hash(
        format!(
            "python, in tree/venv, {}{}\n{}",
            tools.version,
            if locked { ", locked" } else { "" },
            lines.join("\n")
        )
        .as_bytes(),
    )
    .to_hex();
    let claim = claim(&workshop.cache.join("python"), &key.as_str()[..24])?;
    let folder = claim.folder.clone();
    let target = folder.join("tree/venv");
    let installed = |cached| Installed {
        bin: target.join("bin"),
        read: std::iter::once(folder.clone())
            .chain(tools.home.clone())
            .collect(),
        links: Vec::new(),
        cached,
        remark: None,
    };
    if claim.is_complete() {
        return Ok(installed(true));
    }
    let wanted = folder.join("tree/requirements.txt");
    fs::create_dir_all(folder.join("tree"))
        .and_then(|()| fs::write(&wanted, lines.join("\n") + "\n"))
        .map_err(|error| InstallError::Folder(wanted.clone(), error))?;
    let python = tools.program.to_string_lossy();
    let exactly = [
        locked.then_some("--no-deps"),
        pins.hashed.then_some("--require-hashes"),
    ];
    let exactly = || exactly.into_iter().flatten();
    if let Some(uv) = &tools.uv {
        let uv = uv.to_string_lossy();
        let words = [&uv, "venv", "--quiet", "--python", &python, "venv"];
        fetch(&words, &folder, workshop)?;
        let words = [
            &uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            "venv/bin/python",
            // Copies: a file linked into uv's cache could be changed by the app for everybody.
            "--link-mode",
            "copy",
            "--no-build",
            "-r",
            "requirements.txt",
        ];
        let words: Vec<&str> = words.into_iter().chain(exactly()).collect();
        fetch(&words, &folder, workshop)?;
        compile(&folder, tools, workshop)?;
    } else {
        fetch(&[&python, "-m", "venv", "venv"], &folder, workshop)?;
        let words = [
            "venv/bin/pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--only-binary",
            ":all:",
            "-r",
            "requirements.txt",
        ];
        let words: Vec<&str> = words.into_iter().chain(exactly()).collect();
        fetch(&words, &folder, workshop)?;
    }
    claim.complete()?;
    Ok(installed(false))
}

/// Whether a requirement can come as a wheel of an index. pip builds what a URL, a path or a repository names, and so
/// runs it, whatever it is told of wheels; and it puts our environment's values where `$` names them.
fn is_of_an_index(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_alphanumeric()) && !line.contains(['/', '\\', '@', '$'])
}

/// uv could do it, outside a box: with the environment's own interpreter, which runs every `.pth` file of a package.
fn compile(folder: &Path, tools: &Python, workshop: &Workshop) -> Result<(), InstallError> {
    let words = [
        "venv/bin/python",
        "-I",
        "-S",
        "-m",
        "compileall",
        "-q",
        "-j",
        "0",
        "venv/lib",
    ];
    let mut spec = Spec::new(folder, words);
    spec.read = tools.home.clone().into_iter().collect();
    spec.env = environment(folder, &folder.join("tree/venv/bin"));
    match run(spec, workshop.level, workshop, Whose::Packages) {
        // It fails when one file is not Python of this version; the others are compiled.
        Err(InstallError::Failed { .. }) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::is_of_an_index;

    #[test]
    fn a_requirement_that_names_a_place_is_none() {
        for line in [
            "fastapi",
            "PyJWT[crypto]>=2,<3 ; python_version > '3'",
            "uvicorn (==0.30)",
            "x==1 --hash=sha256:00",
        ] {
            assert!(is_of_an_index(line), "{line}");
        }
        for line in [
            "/tmp/evil",
            "./evil",
            "..",
            "evil/",
            "git+https://example.com/evil.git",
            "https://example.com/evil-1.tar.gz",
            "evil @ https://example.com/evil-1.tar.gz",
            "evil@file:evil",
            "evil==$HOME",
            "evil \\ -e .",
            "",
        ] {
            assert!(!is_of_an_index(line), "{line}");
        }
    }
}
