//! The command line from outside: bad input, broken apps, hostile machines. Every error names the thing and a way out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../study/starters/fastapi");

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("unrequested-cli-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// A FastAPI tree whose `start.sh` is this.
    fn app(&self, start: &str) -> PathBuf {
        let requirements = fs::read_to_string(Path::new(STARTER).join("requirements.txt")).unwrap();
        self.file("app/requirements.txt", &requirements);
        self.file("app/start.sh", start);
        self.0.join("app")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn tool(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unrequested"));
    command
        .arg("--dir")
        .arg(folder.0.join("ledger"))
        .env("NO_COLOR", "1");
    command
}

fn ends(output: &Output, code: i32, says: &[&str]) {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in says {
        assert!(text.contains(word), "`{word}` is missing in:\n{text}");
    }
}

#[test]
fn a_typo_in_a_study_is_named_with_what_is_known() {
    let folder = Folder::new("typo");
    let good = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../study/default.toml"
    ))
    .unwrap();
    for (typo, says) in [
        (
            good.replace("recorded:hardened", "recorded:hardend"),
            ["hardend", "recorded:hardened"],
        ),
        (
            good.replace("replicates", "replicats"),
            ["replicats", "replicates"],
        ),
        (
            good.replace("\"fastapi\"", "\"fastpi\""),
            ["fastpi", "fastapi"],
        ),
        (
            good.replace("version = 1", "version = 9"),
            ["version = 9", "version 1"],
        ),
    ] {
        let study = folder.file("study.toml", &typo);
        ends(
            &tool(&folder).arg("bench").arg(&study).output().unwrap(),
            2,
            &says,
        );
    }
    ends(
        &tool(&folder)
            .args(["bench", "/no/such/study.toml"])
            .output()
            .unwrap(),
        2,
        &["/no/such/study.toml"],
    );
    ends(
        &tool(&folder)
            .args(["bench", "--framework", "rails"])
            .output()
            .unwrap(),
        2,
        &["rails", "fastapi"],
    );
}

#[test]
fn an_unknown_exploit_is_named_with_the_nearest() {
    let folder = Folder::new("unknown");
    let says = ["login-rat-limit", "login-rate-limit"];
    ends(
        &tool(&folder)
            .args(["explain", "login-rat-limit"])
            .output()
            .unwrap(),
        2,
        &says,
    );
    ends(
        &tool(&folder)
            .args(["check", "--only", "login-rat-limit"])
            .output()
            .unwrap(),
        2,
        &says,
    );
    ends(
        &tool(&folder)
            .args(["bench", "--only", "login-rat-limit"])
            .output()
            .unwrap(),
        2,
        &says,
    );
    ends(
        &tool(&folder)
            .args(["check", "--sample", "nobody"])
            .output()
            .unwrap(),
        2,
        &["nobody", "nextjs/hardened"],
    );
    // A name is part of a path, and what lies at the path is removed.
    let kept = folder.file("kept/file", "x");
    ends(
        &tool(&folder)
            .args(["check", "--sample", "../../../kept"])
            .output()
            .unwrap(),
        2,
        &["there is no sample"],
    );
    assert!(kept.is_file());
    ends(
        &tool(&folder)
            .args(["reference", "--weak", "sort-sq"])
            .output()
            .unwrap(),
        2,
        &["sort-sq", "sort-sql"],
    );
}

#[test]
fn every_exploit_has_a_page_with_its_ids() {
    let folder = Folder::new("pages");
    for entry in exploit::all() {
        let output = tool(&folder).args(["explain", entry.id]).output().unwrap();
        let cwe = format!("CWE-{}", entry.exploit.cwe[0]);
        ends(
            &output,
            0,
            &[
                entry.id,
                "What it does",
                "Does not cover",
                &cwe,
                "ASVS 5.0 V",
                "Fix",
            ],
        );
    }
}

#[test]
fn an_id_of_an_exploit_and_of_a_decision_explains_both() {
    let folder = Folder::new("both");
    let output = tool(&folder)
        .args(["explain", "webhook-replay"])
        .output()
        .unwrap();
    ends(
        &output,
        0,
        &["What it does", "What is read", "Whether it is in force"],
    );
}

#[test]
fn a_finding_is_explained_with_its_exploits_and_every_finding_is_listed() {
    let folder = Folder::new("finding");
    let output = tool(&folder)
        .args(["explain", "admin-authorisation"])
        .output()
        .unwrap();
    ends(&output, 0, &["Wanted", "admin-delete-as-user", "nextjs"]);
    let output = tool(&folder).arg("list").output().unwrap();
    let ids: Vec<&str> = report::remedy::all().iter().map(|one| one.id).collect();
    ends(&output, 0, &ids);
}

#[test]
fn what_is_no_app_is_said_with_a_way_on() {
    let folder = Folder::new("no-app");
    fs::create_dir_all(folder.0.join("empty")).unwrap();
    let output = tool(&folder)
        .arg("check")
        .arg(folder.0.join("empty"))
        .output()
        .unwrap();
    ends(
        &output,
        12,
        &["no manifest", "FastAPI", "check http://127.0.0.1:PORT"],
    );
    folder.file("node/package.json", "{}");
    ends(
        &tool(&folder)
            .arg("check")
            .arg(folder.0.join("node"))
            .output()
            .unwrap(),
        12,
        &["package.json"],
    );
    ends(
        &tool(&folder)
            .args(["check", "/no/such/folder"])
            .output()
            .unwrap(),
        2,
        &["/no/such/folder"],
    );
}

#[test]
fn only_what_is_mine_is_attacked() {
    let folder = Folder::new("mine");
    ends(
        &tool(&folder)
            .args(["check", "http://192.0.2.1:80"])
            .output()
            .unwrap(),
        2,
        &["192.0.2.1", "--i-own"],
    );
    ends(
        &tool(&folder)
            .args(["check", "https://127.0.0.1"])
            .output()
            .unwrap(),
        2,
        &["https"],
    );
}

#[test]
fn a_missing_python_is_named_with_the_package() {
    let folder = Folder::new("python");
    fs::create_dir_all(folder.0.join("bin")).unwrap();
    let output = tool(&folder)
        .env("PATH", folder.0.join("bin"))
        .arg("bench")
        .output()
        .unwrap();
    ends(&output, 20, &["Python 3.11", "apt-get install python3"]);
}

#[test]
fn a_missing_node_leaves_nextjs_out_and_says_why() {
    let folder = Folder::new("node");
    let bin = folder.0.join("bin");
    fs::create_dir_all(&bin).unwrap();
    // What `python3` is may be a program that needs others to find the real one.
    let python = Command::new("python3")
        .args([
            "-c",
            "import os, sys; print(os.path.realpath(sys.executable))",
        ])
        .output()
        .unwrap();
    let python = String::from_utf8_lossy(&python.stdout).trim().to_owned();
    std::os::unix::fs::symlink(python, bin.join("python3")).unwrap();
    for name in ["uv", "unshare", "bash", "sh", "env"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(name))
            .find(|path| path.is_file());
        if let Some(found) = found {
            std::os::unix::fs::symlink(found, bin.join(name)).unwrap();
        }
    }
    let output = tool(&folder)
        .env("PATH", &bin)
        .args(["bench", "--only", "missing-token"])
        .output()
        .unwrap();
    ends(
        &output,
        0,
        &[
            "NOTE    nextjs is left out: no Node 20",
            "5 verdicts, 0 undecided",
        ],
    );
}

#[test]
fn an_app_that_ends_at_start_is_quoted() {
    let folder = Folder::new("ends");
    let app = folder.app("#!/bin/sh\necho starting\necho 'no such table: users' >&2\nexit 3\n");
    let output = tool(&folder).arg("check").arg(app).output().unwrap();
    ends(
        &output,
        12,
        &[
            "ended before it was ready",
            "exit code 3",
            "no such table: users",
            "Nothing was attacked",
        ],
    );
}

#[test]
fn an_app_that_never_gets_ready_is_given_up() {
    let folder = Folder::new("never");
    let app = folder.app("#!/bin/sh\necho waiting for the database\nexec sleep 600\n");
    let output = tool(&folder)
        .args(["check", "--ready-within", "2"])
        .arg(app)
        .output()
        .unwrap();
    ends(
        &output,
        12,
        &["not ready within 2 s", "PORT", "waiting for the database"],
    );
}

#[test]
fn an_app_that_prints_without_end_fills_no_disk() {
    let folder = Folder::new("prints");
    let app = folder.app("#!/bin/sh\nexec yes 'a long line that says nothing at all'\n");
    let output = tool(&folder)
        .args(["check", "--ready-within", "4"])
        .arg(app)
        .output()
        .unwrap();
    ends(&output, 12, &["not ready within 4 s", "a long line"]);
    assert!(size(&folder.0) < 64 << 20, "{} bytes", size(&folder.0));
}

fn size(folder: &Path) -> u64 {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| {
            let meta = entry.path().symlink_metadata().unwrap();
            if meta.is_dir() {
                size(&entry.path())
            } else {
                meta.len()
            }
        })
        .sum()
}

#[test]
fn requirements_that_nobody_can_satisfy_are_the_apps_fault() {
    let folder = Folder::new("requirements");
    folder.file("app/requirements.txt", "fastapi==0.0.0.invalid\n");
    let output = tool(&folder)
        .arg("check")
        .arg(folder.0.join("app"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("requirements") || text.contains("failed"),
        "{text}"
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_named_with_another_way() {
    let folder = Folder::new("read-only");
    let file = folder.file("plain-file", "");
    let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
        .arg("--dir")
        .arg(file.join("below"))
        .args(["check", "--sample", "literal"])
        .output()
        .unwrap();
    ends(&output, 1, &["plain-file", "--dir"]);
}

/// A file system of 300 KiB, where one can be mounted.
#[test]
fn a_full_disk_is_said_and_the_ledger_stays_whole() {
    let folder = Folder::new("full");
    let at = folder.0.join("small");
    fs::create_dir_all(&at).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=300k tmpfs '{at}' && cd / && '{tool}' --dir '{at}/u' check --sample hardened; echo code $?; \
         '{tool}' --dir '{at}/u' report --list; echo listed $?",
        at = at.display(),
        tool = env!("CARGO_BIN_EXE_unrequested")
    );
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "--user", "sh", "-c", &script])
        .output();
    let Ok(output) = output else { return };
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if text.contains("permission denied") || text.contains("Operation not permitted") {
        eprintln!("NOT TESTED: no file system can be mounted here");
        return;
    }
    assert!(text.contains("code 1") && text.contains("listed"), "{text}");
    assert!(
        text.to_lowercase().contains("no space left")
            || text.contains("disk")
            || text.contains("full"),
        "{text}"
    );
}

#[test]
fn a_reference_app_without_its_variables_says_which() {
    let folder = Folder::new("reference");
    ends(
        &tool(&folder)
            .arg("reference")
            .env_remove("PORT")
            .output()
            .unwrap(),
        2,
        &["PORT"],
    );
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let output = tool(&folder)
        .arg("reference")
        .env("PORT", taken.local_addr().unwrap().port().to_string())
        .env("ADMIN_EMAIL", "admin@example.org")
        .env("ADMIN_PASSWORD", "aGoodPassword407-_.x")
        .env("DATABASE_PATH", folder.0.join("a.db"))
        .env("UPLOAD_DIR", folder.0.join("up"))
        .output()
        .unwrap();
    ends(&output, 1, &["refuses to start"]);
}

#[test]
fn a_report_without_a_ledger_says_what_makes_one() {
    let folder = Folder::new("report");
    ends(
        &tool(&folder).arg("report").output().unwrap(),
        12,
        &["no ledger", "bench"],
    );
}

const REAL: &str = r#"
version = 1
agents = ["claude-code", "codex"]
frameworks = ["fastapi"]
arms = ["silent"]
replicates = 2

[agent.codex]
model = "my-local-model"
"#;

/// What would cost money is told, and nothing of it happens without a yes.
#[test]
fn agents_that_cost_are_not_run_unasked() {
    let folder = Folder::new("cost");
    let study = folder.file("study.toml", REAL);
    let bench = |words: &[&str]| {
        let mut command = tool(&folder);
        command.arg("bench").arg(&study).args(words);
        command
            .env_remove("ANTHROPIC_API_KEY")
            .env_remove("OPENAI_API_KEY");
        command.stdin(std::process::Stdio::null());
        command
    };
    // The plan needs no key, makes nothing, and says what it does not know.
    let says = [
        "4 sessions",
        "fastapi/claude-code@",
        "2 sessions, $",
        "assumed, not measured",
        "price unknown: my-local-model",
        "together: 4 sessions, an unknown price",
        "list prices of 20",
    ];
    ends(&bench(&["--plan"]).output().unwrap(), 0, &says);
    assert!(!folder.0.join("ledger").exists());
    let says = ["ANTHROPIC_API_KEY", "docs/real-agents.md", "--model-server"];
    ends(&bench(&[]).output().unwrap(), 20, &says);
    let mut odd = bench(&[]);
    odd.env("ANTHROPIC_API_KEY", "sk canary with spaces");
    let output = odd.output().unwrap();
    ends(&output, 2, &["ANTHROPIC_API_KEY is no API key"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("canary"));
    for address in [
        "http://models.example:80",
        "127.0.0.1:80",
        "https://host/path",
    ] {
        let says = [address, "is no address of a model's server"];
        ends(
            &bench(&["--model-server", address]).output().unwrap(),
            2,
            &says,
        );
    }
    // Nobody is there to be asked: no run is begun, and nothing waits to be resumed.
    let says = ["--yes", "--plan", "nothing was run", "4 sessions"];
    ends(
        &bench(&["--quiet", "--model-server", "http://127.0.0.1:9"])
            .output()
            .unwrap(),
        2,
        &says,
    );
    let listed = tool(&folder).args(["report", "--list"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "");
    // A table of the user's own.
    let prices = folder.file(
        "prices.toml",
        "version = 1\ndate = \"2026-12-24\"\n[[model]]\nname = \"my-local-model\"\ninput = 0\ncache_read = 0\noutput = 0\nsource = \"mine\"\n",
    );
    let words = ["--plan", "--prices", prices.to_str().unwrap()];
    let says = ["list prices of 2026-12-24", "price unknown: claude-"];
    ends(&bench(&words).output().unwrap(), 0, &says);
    folder.file("prices.toml", "version = 1\ndate = \"soon\"\nmodel = []\n");
    ends(
        &bench(&words).output().unwrap(),
        2,
        &["prices.toml", "soon"],
    );
}

#[test]
fn the_studys_preset_is_its_matrix_at_its_versions() {
    let folder = Folder::new("preset");
    let preset = concat!(env!("CARGO_MANIFEST_DIR"), "/../../study/april-2026.toml");
    let output = tool(&folder)
        .args(["bench", preset, "--plan"])
        .output()
        .unwrap();
    let says = [
        "12 sessions",
        "nextjs/codex@0.116.0/silent/3",
        "claude-code@2.1.88 with claude-opus-4-6: 6 sessions, $",
        "codex@0.116.0 with gpt-5.4: 6 sessions, $",
    ];
    ends(&output, 0, &says);
}

#[test]
fn samples_have_no_words_of_an_agent() {
    let folder = Folder::new("words");
    let words = ["check", "--sample", "literal", "--only", "missing-token"];
    let checked = tool(&folder).args(words).output().unwrap();
    ends(&checked, 0, &[]);
    let output = tool(&folder)
        .args(["report", "--format", "atif"])
        .output()
        .unwrap();
    ends(&output, 12, &["no session of a real agent"]);
    assert!(output.stdout.is_empty());
}
