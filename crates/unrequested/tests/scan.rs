//! `unrequested scan` from outside: with scanners that misbehave, with npm and a server of ours, and with the real Bandit, which
//! `.ci/run` installs into `target/bandit`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc;

use serde_json::{Value, json};

const BANDIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bandit");

/// A folder with an app, a ledger, and programs that are found first.
struct Home(tempfile::TempDir);

impl Home {
    fn new(framework: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir(home.at("bin")).unwrap();
        agent::recorded::write(framework, "literal", 6, &home.at("app")).unwrap();
        home
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A program of this name that says a version, and else does what the script does.
    fn program(&self, name: &str, script: &str) {
        let path = self.at("bin").join(name);
        let text = format!(
            "#!/bin/bash\n[ \"$1\" = --version ] && {{ echo {name} 1.2.3; exit; }}\n{script}\n"
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// One that answers with this.
    fn answers(&self, name: &str, answer: &Value) {
        self.program(name, &format!("cat <<'END'\n{answer}\nEND"));
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unrequested"));
        let path = std::env::var_os("PATH").unwrap();
        let first = std::iter::once(self.at("bin"));
        let path = std::env::join_paths(first.chain(std::env::split_paths(&path))).unwrap();
        command
            .args(["--dir", "ledger", "--quiet"])
            .current_dir(self.0.path())
            .env("PATH", path)
            .env_remove("UNREQUESTED_SEMGREP_CONFIG");
        command
    }

    fn scan(&self, args: &[&str]) -> Output {
        self.command().arg("scan").args(args).output().unwrap()
    }

    /// The object, and the exit code.
    fn json(&self, args: &[&str]) -> (Value, i32) {
        object(&self.scan(&[args, &["--format", "json"]].concat()))
    }
}

fn object(output: &Output) -> (Value, i32) {
    let said = serde_json::from_slice(&output.stdout);
    let said = said.unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (said, output.status.code().unwrap())
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn finding(file: &str, line: usize, says: &str) -> Value {
    json!({
        "test_id": "B608", "issue_severity": "MEDIUM", "issue_text": says, "filename": file, "line_number": line,
        "line_range": [line]
    })
}

/// An answer as Bandit writes it.
fn bandit(findings: &[Value]) -> Value {
    json!({
        "errors": [], "results": findings,
        "metrics": {"./app/main.py": {"loc": 204}, "_totals": {"loc": 204}}
    })
}

/// Where the literal sample builds its SQL from a text of the client.
fn line_of_the_hole(home: &Home) -> usize {
    let source = fs::read_to_string(home.at("app/app/main.py")).unwrap();
    let lines = source.lines().enumerate();
    let mut lines = lines.filter(|(_, line)| line.contains("ORDER BY {order}"));
    let (index, _) = lines.next().unwrap();
    assert_eq!(lines.next(), None);
    index + 1
}

/// The real Bandit, or `None` after saying that it is missing.
fn real() -> Option<(PathBuf, PathBuf)> {
    let folder = Path::new(BANDIT);
    if folder.join("bin/bandit").is_file() {
        let folder = folder.canonicalize().unwrap();
        return Some((folder.join("bin"), folder));
    }
    assert!(
        std::env::var_os("UNREQUESTED_BANDIT").is_none(),
        "CI has the package bandit"
    );
    let _ = std::io::stderr().write_all(
        b"NOT RUN: no package bandit; python3 -m pip install --target target/bandit bandit==1.9.4\n",
    );
    None
}

#[test]
fn findings_of_a_run_stand_beside_what_was_exploited_as_long_as_the_tree_is_what_was_attacked() {
    let home = Home::new("fastapi");
    let line = line_of_the_hole(&home);
    let checked = home
        .command()
        .args(["check", "app", "--format", "none", "--only"])
        .arg("sql-injection-sort,login-rate-limit,unsigned-token")
        .output()
        .unwrap();
    assert_eq!(checked.status.code(), Some(10), "{}", text(&checked));
    let far = finding("./app/main.py", line + 30, "far");
    home.answers(
        "bandit",
        &bandit(&[finding("./app/main.py", line, "near"), far]),
    );
    let (said, code) = home.json(&["--only", "bandit"]);
    let tree = &said["trees"][0];
    assert_eq!(code, 0, "{said}");
    let counts =
        json!({"exploited": 1, "absent": 1, "resisted": 1, "undecided": 0, "not_applicable": 0});
    assert_eq!(tree["exploits"], counts);
    let looked = &tree["scanners"][0];
    assert_eq!(
        (&looked["state"], &looked["version"], &looked["examined"]),
        (
            &json!("examined"),
            &json!("1.2.3"),
            &json!({"files": 1, "lines": 204})
        )
    );
    assert_eq!(looked["findings"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&looked["beside"]["causes"], &looked["beside"]["with_code"]),
        (&json!(2), &json!(1))
    );
    let [same] = looked["beside"]["same_place"]
        .as_array()
        .unwrap()
        .as_slice()
    else {
        panic!("{looked}");
    };
    assert_eq!(same["exploits"], json!(["sql-injection-sort"]));
    assert_eq!(same["findings"].as_array().unwrap().len(), 1);
    assert_eq!(same["findings"][0]["says"], "near");

    let shown = text(&home.scan(&["--only", "bandit"]));
    assert!(shown.contains("same place: 1 of 2 causes"), "{shown}");

    if let Some((bin, packages)) = real() {
        fs::remove_file(home.at("bin/bandit")).unwrap();
        let output = home
            .command()
            .args(["scan", "--only", "bandit", "--format", "json"])
            .env(
                "PATH",
                std::env::join_paths([&bin, Path::new("/usr/bin"), Path::new("/bin")]).unwrap(),
            )
            .env("PYTHONPATH", packages)
            .output()
            .unwrap();
        let (said, code) = object(&output);
        assert_eq!(code, 0, "{said}");
        let looked = &said["trees"][0]["scanners"][0];
        assert_eq!(looked["version"], "1.9.4");
        let same = &looked["beside"]["same_place"][0];
        assert_eq!(same["exploits"], json!(["sql-injection-sort"]), "{said}");
        assert_eq!(same["findings"][0]["rule"], "B608");
    }

    let source = home.at("app/app/main.py");
    let before = fs::read_to_string(&source).unwrap();
    fs::write(&source, before.clone() + "\n").unwrap();
    let (said, code) = home.json(&["--only", "bandit"]);
    let why = said["trees"][0]["not_scanned"].as_str().unwrap();
    assert!(why.ends_with("is no longer what was attacked"), "{why}");
    assert_eq!((&said["trees"][0]["scanners"], code), (&json!([]), 11));
    fs::remove_dir_all(home.at("app")).unwrap();
    let (said, code) = home.json(&["--only", "bandit"]);
    assert_eq!(
        (&said["trees"][0]["not_scanned"], code),
        (&json!("its tree is gone"), 11)
    );
}

#[test]
fn a_scanner_that_does_not_end_as_it_should_is_said_to_have_broken() {
    let home = Home::new("fastapi");
    let whole = bandit(&[]).to_string();
    let half = &whole[..whole.len() - 1];
    for (script, wanted) in [
        ("echo begun; sleep 600".to_owned(), "did not end within 2 s"),
        (
            format!("echo '{whole}'; sleep 600"),
            "did not end within 2 s",
        ),
        (
            "head -c 104857600 /dev/zero | tr '\\0' a".to_owned(),
            "more than 64 MiB",
        ),
        (
            format!("echo '{whole}'; kill -9 $$"),
            "it was ended: signal 9",
        ),
        (format!("echo '{half}'"), "its answer cannot be read"),
        (
            "echo no module named bandit >&2; exit 1".to_owned(),
            "it printed nothing (exit code 1); its last words: no module named bandit",
        ),
        ("true".to_owned(), "it printed nothing (exit code 0)"),
        ("echo '{}'".to_owned(), "its answer cannot be read"),
        (
            format!("echo '{whole}'; echo '{whole}'"),
            "its answer cannot be read",
        ),
    ] {
        home.program("bandit", &script);
        // Only what is to be ended is given little time.
        let longest = if script.contains("sleep") { "2" } else { "120" };
        let (said, code) = home.json(&["app", "--only", "bandit", "--longest", longest]);
        let looked = &said["trees"][0]["scanners"][0];
        let why = looked["why"].as_str().unwrap_or_default();
        assert!(why.contains(wanted), "{script}: {looked}");
        assert_eq!((&looked["state"], code), (&json!("broke"), 11), "{script}");
        assert_eq!(looked.get("findings"), None);
    }
    assert_eq!(left_running(home.0.path()), Vec::<String>::new());
    let cells = fs::read_dir(home.at("ledger/cells")).map_or(0, Iterator::count);
    assert_eq!(cells, 0, "a copy is left");
}

/// Processes that were started for a cell below this folder.
fn left_running(home: &Path) -> Vec<String> {
    let home = home.display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let of = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
        let environment = String::from_utf8_lossy(&of("environ")).into_owned();
        if environment.contains(&format!("HOME={home}/ledger/cells")) {
            found.push(String::from_utf8_lossy(&of("cmdline")).into_owned());
        }
    }
    found
}

#[test]
fn a_scanner_sees_a_copy_that_says_nothing_to_it_and_reaches_nobody() {
    let home = Home::new("fastapi");
    for name in [".bandit", "app/.semgrepignore"] {
        fs::write(home.at("app").join(name), "[bandit]\nskips = B608\n").unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = bandit(&[finding("./app/main.py", 1, "$seen")]).to_string();
    let answer = answer.replace('"', "\\\"");
    home.program(
        "bandit",
        &format!(
            "seen=\"$(find . -name .bandit -o -name .semgrepignore | tr '\\n' ' ')\"\n\
             echo broken > app/main.py\n\
             if (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; then seen=\"$seen reached\"; else seen=\"$seen alone\"; fi\n\
             echo \"{answer}\""
        ),
    );
    let before = fs::read(home.at("app/app/main.py")).unwrap();
    let (said, code) = home.json(&["app", "--only", "bandit"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(fs::read(home.at("app/app/main.py")).unwrap(), before);
    let seen = &said["trees"][0]["scanners"][0]["findings"][0]["says"];
    // The empty one is ours.
    let wanted = if said["box"] == "namespaces" {
        "./.semgrepignore  alone"
    } else {
        "./.semgrepignore  reached"
    };
    assert_eq!(seen, wanted);
}

#[test]
fn what_is_not_there_or_has_nothing_to_examine_is_said_so() {
    let home = Home::new("nextjs");
    home.program("semgrep", "exit 1");
    let (said, code) = home.json(&["app", "--only", "semgrep"]);
    let looked = &said["trees"][0]["scanners"][0];
    assert_eq!((&looked["state"], code), (&json!("not-run"), 12));
    assert!(looked["why"].as_str().unwrap().contains("--semgrep-config"));

    let nothing = json!({"errors": [], "results": [], "metrics": {"_totals": {"loc": 0}}});
    home.answers("bandit", &nothing);
    let shown = home.scan(&["app", "--only", "bandit"]);
    let (code, shown) = (shown.status.code(), text(&shown));
    assert!(
        shown.contains("examined nothing: 0 files") && !shown.contains("finding"),
        "{shown}"
    );
    assert_eq!(code, Some(12));

    fs::create_dir(home.at("empty")).unwrap();
    let none = home
        .command()
        .args(["scan", "app", "--only", "bandit,semgrep"])
        // The box's own programs are found without it.
        .env("PATH", home.at("empty"))
        .output()
        .unwrap();
    assert_eq!(none.status.code(), Some(20), "{}", text(&none));
    assert!(text(&none).contains("not installed; python3 -m pip install bandit"));

    for (args, wanted) in [
        (["app", "--only", "bandits"], "did you mean `bandit`?"),
        (["nowhere", "--only", "bandit"], "no run"),
        (
            ["app", "--semgrep-config", "nowhere"],
            "nowhere is no folder or file with rules",
        ),
    ] {
        let output = home.scan(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(
            text(&output).contains(wanted),
            "{args:?}: {}",
            text(&output)
        );
    }
}

/// A registry that knows one vulnerability or refuses to say; it tells who asked for what.
fn registry(knows: bool) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let (asked, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(&stream);
            let mut first = String::new();
            let mut length = 0;
            if reader.read_line(&mut first).is_err() {
                continue;
            }
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
                    break;
                }
                let line = line.to_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_err() {
                continue;
            }
            let advisory = json!({"next": [{
                "id": 1, "url": "https://advisories.example/GHSA-aaaa", "title": "Made up", "severity": "high",
                "vulnerable_versions": "<99", "cwe": [], "cvss": {"score": 0, "vectorString": null}
            }]});
            let (status, body) = match (first.contains("advisories/bulk"), knows) {
                (true, true) => ("200 OK", advisory.to_string()),
                (true, false) => ("405 Method Not Allowed", String::new()),
                (false, _) => ("404 Not Found", String::new()),
            };
            let _ = write!(
                &stream,
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            if asked.send(first).is_err() {
                return;
            }
        }
    });
    (address, heard)
}

#[test]
fn npm_asks_a_server_only_when_that_was_allowed_and_a_refusal_is_no_clean_answer() {
    let home = Home::new("nextjs");
    // What the tree says of where to ask is not heard.
    fs::write(home.at("app/.npmrc"), "audit=false\noffline=true\n").unwrap();
    let scan = |registry: &str, more: &[&str]| {
        let output = home
            .command()
            .args(["scan", "app", "--only", "npm-audit", "--format", "json"])
            .args(more)
            .env("npm_config_registry", registry)
            .output()
            .unwrap();
        object(&output)
    };
    let (address, heard) = registry(true);
    let (said, code) = scan(&address, &[]);
    assert_eq!(
        (&said["trees"][0]["scanners"][0]["state"], code),
        (&json!("not-run"), 12)
    );
    assert!(heard.try_recv().is_err(), "it asked");

    let (said, code) = scan(&address, &["--network"]);
    let looked = &said["trees"][0]["scanners"][0];
    assert_eq!(
        (&looked["state"], code),
        (&json!("examined"), 0),
        "{looked}"
    );
    assert!(heard.try_recv().unwrap().starts_with("POST "));
    assert!(
        looked["examined"]["packages"].as_u64().unwrap() > 20,
        "{looked}"
    );
    let [one] = looked["findings"].as_array().unwrap().as_slice() else {
        panic!("{looked}");
    };
    assert_eq!(
        (&one["rule"], &one["severity"]),
        (&json!("GHSA-aaaa"), &json!("high"))
    );

    let (said, code) = scan(&registry(false).0, &["--network"]);
    let looked = &said["trees"][0]["scanners"][0];
    assert_eq!((&looked["state"], code), (&json!("broke"), 11), "{looked}");
    assert!(looked["why"].as_str().unwrap().contains("405"), "{looked}");
}

#[test]
fn the_real_bandit_examines_python_in_the_box_and_nothing_else() {
    let Some((bin, packages)) = real() else {
        return;
    };
    let home = Home::new("fastapi");
    let source = home.at("app/app/main.py");
    let before = fs::read_to_string(&source).unwrap();
    let silenced = before.replace(
        "ORDER BY {order} LIMIT ?\",",
        "ORDER BY {order} LIMIT ?\",  # nosec",
    );
    assert_ne!(silenced, before);
    fs::write(&source, silenced).unwrap();
    fs::write(home.at("app/.bandit"), "[bandit]\nskips = B608\n").unwrap();
    fs::write(home.at("app/app/odd.py"), "def f(:\n").unwrap();
    agent::recorded::write("nextjs", "literal", 6, &home.at("other")).unwrap();
    let scan = |folder: &str| {
        let output = home
            .command()
            .args(["scan", folder, "--only", "bandit", "--format", "json"])
            .env(
                "PATH",
                std::env::join_paths([&bin, Path::new("/usr/bin"), Path::new("/bin")]).unwrap(),
            )
            .env("PYTHONPATH", &packages)
            .output()
            .unwrap();
        object(&output)
    };
    let (said, code) = scan("app");
    let looked = &said["trees"][0]["scanners"][0];
    assert_eq!(
        (&looked["state"], &looked["version"], code),
        (&json!("examined"), &json!("1.9.4"), 0),
        "{looked}"
    );
    assert_eq!(looked["examined"]["files"], 2);
    assert!(looked["examined"]["lines"].as_u64().unwrap() > 150);
    assert!(
        looked["remarks"][0]
            .as_str()
            .unwrap()
            .starts_with("not read: app/odd.py"),
        "{looked}"
    );
    let found = looked["findings"].as_array().unwrap();
    assert!(
        found
            .iter()
            .any(|one| one["rule"] == "B608" && one["line"] == line_of_the_hole(&home)),
        "{looked}"
    );

    let (said, code) = scan("other");
    assert_eq!(
        (&said["trees"][0]["scanners"][0]["state"], code),
        (&json!("examined-nothing"), 12),
        "{said}"
    );
}
