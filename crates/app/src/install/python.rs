//! Python: a virtual environment per set of requirements, made by uv, else by venv and pip. Wheels only: nothing of a
//! package runs while it is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{InstallError, Installed, claim, command};
use crate::framework::requirements;

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
    cache: &Path,
) -> Result<Installed, InstallError> {
    let lines = requirements(tree);
    if let Some(line) = lines.iter().find(|line| !is_of_an_index(line)) {
        let why = format!("`{line}` names a place; only what a package index has is installed");
        return Err(InstallError::Unsatisfiable(why));
    }
    // What is not bound to versions may change: the key has the day's order of lines, not their meaning.
    let key =
        blake3::hash(format!("python {}\n{}", tools.version, lines.join("\n")).as_bytes()).to_hex();
    let claim = claim(&cache.join("python"), &key.as_str()[..24])?;
    let folder = claim.folder.clone();
    let installed = |cached| Installed {
        bin: folder.join("bin"),
        read: std::iter::once(folder.clone())
            .chain(tools.home.clone())
            .collect(),
        links: Vec::new(),
        cached,
    };
    if claim.is_complete() {
        return Ok(installed(true));
    }
    let target = folder.to_string_lossy().into_owned();
    let python = tools.program.to_string_lossy().into_owned();
    let wanted = folder.with_extension("txt");
    fs::write(&wanted, lines.join("\n") + "\n")
        .map_err(|error| InstallError::Folder(wanted.clone(), error))?;
    let wanted = wanted.to_string_lossy().into_owned();
    if let Some(uv) = &tools.uv {
        let uv = uv.to_string_lossy().into_owned();
        command(
            &[&uv, "venv", "--quiet", "--python", &python, &target],
            cache,
        )?;
        let inside = format!("{target}/bin/python");
        // Copies: a file linked into uv's cache could be changed by the app for everybody.
        let arguments = [
            &uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            &inside,
            "--link-mode",
            "copy",
            "--no-build",
            "--compile-bytecode",
            "-r",
            &wanted,
        ];
        command(&arguments, cache)?;
    } else {
        command(&[&python, "-m", "venv", &target], cache)?;
        let pip = format!("{target}/bin/pip");
        let arguments = [
            &pip,
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--only-binary",
            ":all:",
            "-r",
            &wanted,
        ];
        command(&arguments, cache)?;
    }
    claim.complete()?;
    Ok(installed(false))
}

/// Whether a requirement can come as a wheel of an index. pip builds what a URL, a path or a repository names, and so
/// runs it, whatever it is told of wheels; and it puts our environment's values where `$` names them.
fn is_of_an_index(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_alphanumeric()) && !line.contains(['/', '\\', '@', '$'])
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
