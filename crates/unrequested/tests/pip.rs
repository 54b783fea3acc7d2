//! Without uv, the apps' packages are installed with venv and pip.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

#[test]
fn a_machine_without_uv_installs_with_venv_and_pip() {
    let dir =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("pip-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("bin")).unwrap();
    let asked = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .unwrap();
    let python = String::from_utf8(asked.stdout).unwrap();
    symlink(python.trim(), dir.join("bin/python3")).unwrap();
    let path = format!(
        "{}:/usr/bin:/bin:/usr/sbin:/sbin",
        dir.join("bin").display()
    );
    let tool = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_unrequested"))
            .arg("--dir")
            .arg(dir.join("ledger"))
            .args(arguments)
            .env("PATH", &path)
            .env("UNREQUESTED_CACHE", dir.join("cache"))
            .output()
            .unwrap()
    };
    let doctor = String::from_utf8(tool(&["doctor"]).stdout).unwrap();
    assert!(
        doctor.contains("venv and pip"),
        "uv is in /usr/bin here, so this was not tested:\n{doctor}"
    );
    let output = tool(&[
        "check",
        "--sample",
        "hardened",
        "--only",
        "note-read-other-user",
    ]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    fs::remove_dir_all(&dir).unwrap();
}
