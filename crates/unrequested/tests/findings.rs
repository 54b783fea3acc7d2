//! Findings from outside: several formats from one run, a baseline in every one of them, `--since`, an interruption.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Two findings of the sample `literal`, one of each tier.
const TWO: &str = "upload-naming,password-hash";

struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!(
            "unrequested-findings-{}-{name}",
            std::process::id()
        ));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn sample(&self, name: &str) {
        agent::recorded::write("fastapi", name, 6, &self.0.join("app")).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unrequested"));
        command
            .args(["--dir", "ledger", "--quiet"])
            .args(args)
            .current_dir(&self.0)
            .env("USER", "ann")
            .env_remove("CARGO_MANIFEST_DIR");
        command
    }

    fn tool(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn ends(output: &Output, code: i32, says: &[&str]) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in says {
        assert!(text.contains(word), "`{word}` is missing in:\n{text}");
    }
    text
}

const ALL: [&str; 10] = [
    "--format",
    "json=r.json",
    "--format",
    "html=r.html",
    "--format",
    "sarif=r.sarif",
    "--format",
    "junit=r.xml",
    "--format",
    "markdown=r.md",
];

#[test]
fn one_run_writes_all_formats_and_a_baseline_is_honoured_in_each_of_them() {
    let home = Home::new("formats");
    home.sample("literal");
    let check = ["check", "app", "--only", TWO];
    let output = home.tool(&[&check[..], &ALL].concat());
    ends(
        &output,
        10,
        &[
            "upload-naming",
            "in full: --hardening",
            "wrote   r.sarif",
            "see it: unrequested replay 1",
        ],
    );
    let json = home.json("r.json");
    let ids: Vec<&str> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["upload-naming", "password-hash"]);
    let place = &json["findings"][0]["places"][0];
    assert!(
        place["file"] == "app/main.py" && place["line"].as_u64().unwrap() > 0,
        "{place}"
    );
    let command = json["findings"][0]["proofs"][0]["requests"][0]["command"]
        .as_str()
        .unwrap();
    assert!(command.starts_with("TOKEN_ALICE_1=$(curl "), "{command}");
    // Nothing asked for the absent protection, so it is no alert.
    assert_eq!(
        home.json("r.sarif")["runs"][0]["results"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(home.read("r.xml").matches("<failure").count(), 1);
    assert!(
        home.read("r.md").contains("1 thing is exploitable")
            && home.read("r.html").contains("Whoever uploads chooses")
    );

    let uri = &home.json("r.sarif")["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
        ["uri"];
    assert_eq!(uri, "app/app/main.py");

    // The stored run says the same again.
    let output = home.tool(&["report", "--format", "json", "--format", "html=again.html"]);
    let again: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(again["findings"], json["findings"]);
    assert_eq!(home.read("again.html"), home.read("r.html"));
    ends(
        &home.tool(&["fix", "1"]),
        0,
        &[
            "Wanted: stored files get a name",
            "check . --only upload-naming",
        ],
    );
    ends(
        &home.tool(&["fix", "17"]),
        2,
        &["1 upload-naming", "2 password-hash"],
    );
    ends(
        &home.tool(&["replay", "1", "--stored"]),
        0,
        &["upload-path-traversal", "\"$ID_1\"", "exploited: "],
    );

    let accept = [
        "--accept",
        "upload-naming",
        "--reason",
        "an internal <tool>",
        "--until",
        "2999-12-31",
    ];
    let accepting = home.tool(&[&check[..], &accept].concat());
    ends(
        &accepting,
        0,
        &[
            "ACCEPTED in the baseline",
            "by ann until 2999-12-31: an internal <tool>",
            "commit it",
        ],
    );
    let baseline = home.read("app/unrequested.baseline.toml");
    assert!(
        baseline.contains("version = 1") && baseline.contains("\"upload-path-traversal\""),
        "{baseline}"
    );
    let output = home.tool(&[&check[..], &ALL].concat());
    ends(&output, 0, &["ACCEPTED in the baseline", "exit 0"]);
    ends(&home.tool(&["report"]), 0, &["ACCEPTED in the baseline"]);
    let json = home.json("r.json");
    assert_eq!(
        (
            &json["findings"][0]["state"]["is"],
            &json["findings"][0]["counts"]
        ),
        (&"accepted".into(), &false.into())
    );
    assert_eq!(
        home.json("r.sarif")["runs"][0]["results"][0]["suppressions"][0]["status"],
        "accepted"
    );
    let junit = home.read("r.xml");
    assert!(
        !junit.contains("<failure")
            && junit.contains("accepted by ann until 2999-12-31: an internal &lt;tool&gt;"),
        "{junit}"
    );
    assert!(
        home.read("r.md")
            .contains("nothing that was asked for was exploited")
    );
    assert!(
        home.read("r.md").contains("accepted by ann")
            && home.read("r.html").contains("accepted by ann")
    );
    // What is not accepted still counts where it is asked for.
    ends(
        &home.tool(&[&check[..], &["--fail-on", "any"]].concat()),
        10,
        &["ABSENT"],
    );

    let old = baseline.replace("2999-12-31", "2020-12-31");
    fs::write(home.0.join("app/unrequested.baseline.toml"), old).unwrap();
    ends(&home.tool(&check), 10, &["was accepted until 2020-12-31"]);
    fs::write(
        home.0.join("app/unrequested.baseline.toml"),
        "version = 1\nignore = []\n",
    )
    .unwrap();
    ends(
        &home.tool(&check),
        2,
        &["unrequested.baseline.toml", "unknown field"],
    );
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_booted() {
    let home = Home::new("early");
    home.sample("literal");
    for (args, says) in [
        (&["check", "app", "--format", "pdf"][..], "sarif"),
        (
            &["check", "app", "--format", "json", "--format", "html"],
            "stdout",
        ),
        (
            &["check", "app", "--format", "html=no/such/r.html"],
            "no/such",
        ),
        (&["check", "app", "--baseline", "none.toml"], "none.toml"),
        (&["check", "app", "--since", "HEAD"], "no such commit"),
        (
            &[
                "check",
                "app",
                "--accept",
                "x",
                "--reason",
                "r",
                "--until",
                "2020-01-01",
            ],
            "a day to come",
        ),
        (&["check", "app", "--accept", "x"], "--reason"),
        (&["check", "app", "--only", "upload-namin"], "did you mean"),
        (
            &["check", "http://127.0.0.1:9", "--since", "HEAD"],
            "git repository",
        ),
    ] {
        ends(&home.tool(args), 2, &[says]);
    }
    ends(&home.tool(&["report", "--list"]), 0, &[]);
    assert_eq!(
        home.tool(&["report", "--list"]).stdout,
        b"",
        "a run was begun"
    );
}

fn git(folder: &Path, args: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=ann", "-c", "user.email=ann@example.com"])
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn since_counts_only_what_the_change_decided_and_says_what_it_left_out() {
    let home = Home::new("since");
    home.sample("literal");
    let app = home.0.join("app");
    git(&app, &["init", "-q"]);
    git(&app, &["add", "-A"]);
    git(&app, &["commit", "-qm", "literal"]);
    let check = [
        "check",
        "app",
        "--only",
        TWO,
        "--fail-on",
        "any",
        "--since",
        "HEAD",
    ];
    ends(
        &home.tool(&check),
        0,
        &[
            "DECIDED BEFORE HEAD, not counted: 2",
            "upload-naming, password-hash",
        ],
    );
    // Lines that move decide nothing.
    let main = app.join("app/main.py");
    let text = fs::read_to_string(&main).unwrap();
    fs::write(&main, format!("# a comment\n\n{text}")).unwrap();
    ends(&home.tool(&check), 0, &["not counted: 2"]);
    // The same choice at another place does.
    let elsewhere = text.replace(
        "open(os.path.join(folder, file.filename), \"wb\")",
        "open(folder + \"/\" + file.filename, \"wb\")",
    );
    assert_ne!(elsewhere, text);
    fs::write(&main, elsewhere).unwrap();
    let said = ends(&home.tool(&check), 10, &["not counted: 1", "upload-naming"]);
    assert!(said.contains("EXPLOITED"), "{said}");
    // Another fast digest does.
    let other = text.replace("hashlib.sha256(", "hashlib.sha1(");
    assert_ne!(other, text);
    fs::write(&main, other).unwrap();
    let said = ends(
        &home.tool(&check),
        10,
        &[
            "DECIDED BEFORE HEAD, not counted: 1",
            "since the last run: fixed none; new none",
            "password-hash",
        ],
    );
    assert!(
        said.contains("ABSENT") && !said.contains("EXPLOITED"),
        "{said}"
    );
}

/// Exploits whose facts are in the ledger.
fn ended(ledger: &Path) -> u64 {
    rusqlite::Connection::open_with_flags(ledger, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
        .and_then(|connection| {
            connection.query_row("SELECT count(*) FROM attack", [], |row| row.get(0))
        })
        .unwrap_or(0)
}

#[test]
fn an_interrupted_check_says_what_had_ended_and_claims_nothing_of_the_rest() {
    let home = Home::new("interrupted");
    home.sample("literal");
    let mut child = home
        .command(&[&["check", "app"][..], &ALL].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ledger = home.0.join("ledger/ledger.db");
    let begun = Instant::now();
    while ended(&ledger) < 3 {
        assert!(
            begun.elapsed() < Duration::from_secs(240),
            "nothing was attacked"
        );
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let code = child.wait().unwrap().code();
    assert!(matches!(code, Some(10 | 11)), "{code:?}: {text}");
    assert!(
        text.contains("INTERRUPTED: ") && text.contains("of 33 exploits had ended"),
        "{text}"
    );
    assert!(text.contains("interrupted before it had ended"), "{text}");
    let json = home.json("r.json");
    let verdicts = json["sessions"][0]["verdicts"].as_array().unwrap();
    assert_eq!(verdicts.len(), 33);
    assert_eq!(json["complete"], false);
    let open = verdicts
        .iter()
        .filter(|one| one["verdict"] == "inconclusive")
        .count();
    assert!(open >= 1, "all had ended");
    assert_eq!(
        home.json("r.sarif")["runs"][0]["invocations"][0]["executionSuccessful"],
        false
    );
    assert!(home.read("r.html").contains("INTERRUPTED"));
    // It is no finished run, and no later one is compared with it.
    ends(&home.tool(&["report", "--list"]), 0, &["unfinished"]);
}

/// The reference app without one control, with data of its own, until it is dropped.
struct Reference {
    child: std::process::Child,
    address: String,
}

impl Reference {
    fn start(home: &Home, name: &str, weak: &str) -> Self {
        Self::start_with(home, name, weak, ("NODE_ENV", "production"))
    }

    fn start_with(home: &Home, name: &str, weak: &str, variable: (&str, &str)) -> Self {
        use std::io::BufRead as _;
        let folder = home.0.join(name);
        fs::create_dir_all(folder.join("uploads")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_unrequested"))
            .args(["reference", "--weak", weak])
            .current_dir(&folder)
            .env("PORT", "0")
            .env(variable.0, variable.1)
            .env("JWT_SECRET", "a secret of forty letters for this test 1")
            .env(
                "WEBHOOK_SECRET",
                "a secret of forty letters for this test 2",
            )
            .env("ADMIN_EMAIL", "root@example.org")
            .env("ADMIN_PASSWORD", "The-real-1-of-the-owner")
            .env("DATABASE_PATH", folder.join("app.db"))
            .env("UPLOAD_DIR", folder.join("uploads"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stderr.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line.trim().rsplit(':').next().unwrap();
        assert!(port.parse::<u16>().is_ok(), "{line}");
        Self {
            child,
            address: format!("http://127.0.0.1:{port}"),
        }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a shell prints when it runs a finding's proof against this address.
fn proved(finding: &Value, address: &str) -> String {
    let mut script = format!(
        "set -u\nBASE={address}\nADMIN_EMAIL=root@example.org\nADMIN_PASSWORD=The-real-1-of-the-owner\n"
    );
    for request in finding["proofs"][0]["requests"].as_array().unwrap() {
        script.push_str(request["command"].as_str().unwrap());
        script.push('\n');
    }
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(
        output.status.success(),
        "{script}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_proof_shows_its_effect_when_a_shell_runs_it_against_another_copy() {
    if Command::new("curl")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        assert!(
            std::env::var_os("UNREQUESTED_BROWSER").is_none(),
            "CI has curl"
        );
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"NOT RUN: no curl here\n");
        return;
    }
    for (weak, finding) in [
        ("note-read-owner-unchecked", "note-ownership"),
        ("file-read-owner-unchecked", "file-ownership"),
    ] {
        let home = Home::new(weak);
        let attacked = Reference::start(&home, "attacked", weak);
        let check = [
            "check",
            &attacked.address,
            "--only",
            finding,
            "--format",
            "json",
        ];
        let output = home.tool(&check);
        let run: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = &run["findings"][0];
        assert_eq!(found["id"], finding, "{run}");
        let text = found.to_string();
        assert!(!text.contains("The-real-1-of-the-owner"), "{text}");
        // The words that only the owner knows are in what bob is shown.
        let answer = |finding: &Value| {
            let requests = finding["proofs"][0]["requests"].as_array().unwrap().clone();
            requests.iter().find(|one| one["shows"] == true).unwrap()["answer"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let canary = answer(found);
        let canary = canary
            .split(|c: char| !c.is_ascii_lowercase())
            .max_by_key(|word| word.len())
            .unwrap()
            .to_owned();
        assert!(canary.len() >= 12, "{canary}");
        let weak_copy = Reference::start(&home, "weak", weak);
        let said = proved(found, &weak_copy.address);
        let last = said.rsplit("HTTP/1.1 ").next().unwrap();
        assert!(last.starts_with("200") && last.contains(&canary), "{said}");
        // A copy with that control refuses the same commands.
        let sound_copy = Reference::start(&home, "sound", "sort-sql");
        let said = proved(found, &sound_copy.address);
        let last = said.rsplit("HTTP/1.1 ").next().unwrap();
        assert!(last.starts_with("404") && !last.contains(&canary), "{said}");
    }
}

/// Open docs are right in a development server, and wrong in one that is in production.
#[cfg(target_os = "linux")]
#[test]
fn a_development_server_is_not_judged_as_one_in_production() {
    let home = Home::new("development");
    let verdict = |variable: (&str, &str), more: &[&str]| {
        let app = Reference::start_with(&home, variable.1, "docs-served", variable);
        let check = ["check", &app.address, "--only", "docs-in-production"];
        let output = home.tool(&[&check[..], &["--format", "json"], more].concat());
        let run: Value = serde_json::from_slice(&output.stdout).unwrap();
        let session = &run["sessions"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let judged = &session["verdicts"][0];
        (
            text(&judged["verdict"]),
            text(&session["boot"]["profile"]),
            text(&judged["reason"]),
        )
    };
    let (word, profile, said) = verdict(("NODE_ENV", "production"), &[]);
    assert_eq!((&*word, &*profile), ("exploited", "unknown"), "{said}");
    let (word, profile, said) = verdict(("NODE_ENV", "development"), &[]);
    assert_eq!((&*word, &*profile), ("not-applicable", "development"));
    assert!(said.contains("production profile"), "{said}");
    let (word, profile, said) = verdict(("NODE_ENV", "development"), &["--production"]);
    assert_eq!((&*word, &*profile), ("exploited", "unknown"), "{said}");
}
