//! Apps that nobody described: each folder of `samples/` is booted, found out, attacked, and judged as was written down.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../../exploit/tests/support/side_by_side.rs"]
mod side_by_side;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use side_by_side::side_by_side;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples");

struct Checked {
    code: Option<i32>,
    said: String,
    run: serde_json::Value,
    binding: Option<model::Binding>,
}

fn check(dir: &Path, tree: &Path, more: &[&str]) -> Checked {
    let config = dir.join("found.toml");
    let _ = fs::remove_file(&config);
    let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
        .arg("--dir")
        .arg(dir)
        .arg("check")
        .arg(tree)
        .args(["--format", "json", "--write-config"])
        .arg(&config)
        .args(more)
        .output()
        .unwrap();
    Checked {
        code: output.status.code(),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
        run: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        binding: fs::read_to_string(&config).ok().map(|text| {
            let (text, _) = infer::beside(text).unwrap();
            exploit::parse_binding(&text).unwrap()
        }),
    }
}

fn list(table: &toml::Table, key: &str) -> Vec<String> {
    let found = table.get(key).and_then(toml::Value::as_array);
    found
        .into_iter()
        .flatten()
        .map(|one| one.as_str().unwrap().to_owned())
        .collect()
}

fn folder(name: &str) -> PathBuf {
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// `ONLY=name,name` in the environment restricts it while a sample is being written.
#[test]
fn each_sample_is_judged_as_was_written_down() {
    let dir = folder("inferred");
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut trees: Vec<_> = fs::read_dir(SAMPLES)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    trees.retain(|tree| {
        let name = tree.file_name().unwrap().to_string_lossy();
        tree.is_dir() && (only.is_empty() || only.split(',').any(|one| one == name))
    });
    trees.sort();
    assert!(!trees.is_empty(), "ONLY={only} is no sample");
    let wrong = side_by_side(&trees, 3, |tree| sample(&dir, tree));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    fs::remove_dir_all(&dir).unwrap();
}

/// What is not as was written down for one sample.
fn sample(dir: &Path, tree: &Path) -> Vec<String> {
    let name = tree.file_name().unwrap().to_string_lossy();
    let dir = dir.join(&*name);
    fs::create_dir_all(&dir).unwrap();
    let table: toml::Table = fs::read_to_string(tree.join("expected.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let checked = check(&dir, tree, &[]);
    let mut wrong = Vec::new();
    let bound: Vec<&str> = checked
        .binding
        .iter()
        .flat_map(|binding| binding.routes.keys())
        .map(|one| one.name())
        .collect();
    if bound != list(&table, "bound") {
        wrong.push(format!("{name}: bound are {bound:?}\n{}", checked.said));
    }
    let mut expected: BTreeMap<String, &str> = BTreeMap::new();
    for word in ["exploited", "resisted", "inconclusive"] {
        expected.extend(list(&table, word).into_iter().map(|id| (id, word)));
    }
    let verdicts = checked.run["sessions"][0]["verdicts"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if verdicts.len() != 33 {
        wrong.push(format!(
            "{name}: {} verdicts\n{}",
            verdicts.len(),
            checked.said
        ));
    }
    for verdict in verdicts {
        let id = verdict["exploit"].as_str().unwrap();
        let got = verdict["verdict"].as_str().unwrap();
        if expected.get(id).copied().unwrap_or("not-applicable") != got {
            wrong.push(format!("{name}: {id} is {got}: {}", verdict["reason"]));
        }
    }
    let code = table
        .get("exit")
        .and_then(toml::Value::as_integer)
        .unwrap_or(10);
    if checked.code.map(i64::from) != Some(code) {
        wrong.push(format!("{name}: exit {:?}, not {code}", checked.code));
    }
    wrong
}

/// Where nobody can register, accounts that are there serve; what is about registering stays undecided.
#[test]
fn accounts_that_are_there_already_serve_as_users() {
    let dir = folder("seeded");
    let tree = Path::new(SAMPLES).join("seeded-users");
    let accounts =
        ["ada", "bo", "cy", "di"].map(|name| format!("{name}@board.example:{name} on watch"));
    let named = |many: usize| -> Vec<&str> {
        let all = accounts[..many].iter();
        all.flat_map(|account| ["--user", account.as_str()])
            .collect()
    };
    let word = |checked: &Checked, id: &str| {
        let verdicts = checked.run["sessions"][0]["verdicts"].as_array().unwrap();
        let one = verdicts.iter().find(|one| one["exploit"] == id).unwrap();
        (
            one["verdict"].as_str().unwrap().to_owned(),
            one["reason"].to_string(),
        )
    };
    let checked = check(&dir, &tree, &named(4));
    assert_eq!(checked.code, Some(11), "{}", checked.said);
    for (id, wanted) in [
        ("missing-token", "resisted"),
        ("sql-injection-login", "resisted"),
        ("account-enumeration", "resisted"),
        ("docs-in-production", "resisted"),
        ("login-rate-limit", "exploited"),
        ("security-headers", "exploited"),
        ("weak-password", "inconclusive"),
        ("duplicate-registration", "inconclusive"),
    ] {
        let (got, why) = word(&checked, id);
        assert_eq!(got, wanted, "{id}: {why}");
    }
    assert!(
        word(&checked, "weak-password")
            .1
            .contains("register is not bound")
    );
    // The same from the file, which a person corrected.
    let file = dir.join("corrected.toml");
    let text = fs::read_to_string(dir.join("found.toml")).unwrap();
    let users = format!("users = {:?}\n", &accounts[..1]);
    fs::write(&file, users + &text).unwrap();
    let more = [
        "--config",
        file.to_str().unwrap(),
        "--only",
        "missing-token,account-enumeration",
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
        .arg("--dir")
        .arg(&dir)
        .arg("check")
        .arg(&tree)
        .args(["--format", "json"])
        .args(more)
        .output()
        .unwrap();
    let checked = Checked {
        code: output.status.code(),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
        run: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        binding: None,
    };
    assert_eq!(
        word(&checked, "missing-token").0,
        "resisted",
        "{}",
        checked.said
    );
    let (got, why) = word(&checked, "account-enumeration");
    assert!(
        got == "inconclusive" && why.contains("more users than the 1"),
        "{got}: {why}"
    );
    fs::remove_dir_all(&dir).unwrap();
}

/// What is needed is said within seconds, with two ways on, and the decisions are printed.
#[test]
fn an_app_that_needs_a_server_is_not_half_booted() {
    let dir = folder("needs");
    let tree = dir.join("app");
    fs::create_dir_all(&tree).unwrap();
    fs::write(
        tree.join("requirements.txt"),
        "fastapi\npsycopg2-binary\nbcrypt\n",
    )
    .unwrap();
    let source = "import bcrypt\nfrom fastapi import FastAPI\napp = FastAPI()\n\n\
        @app.post('/register')\ndef register(email: str, password: str):\n    return bcrypt.hashpw(password.encode(), bcrypt.gensalt())\n";
    fs::write(tree.join("main.py"), source).unwrap();
    let begun = std::time::Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
        .arg("--dir")
        .arg(dir.join("d"))
        .arg("check")
        .arg(&tree)
        .output()
        .unwrap();
    assert!(begun.elapsed().as_secs() < 10);
    assert_eq!(output.status.code(), Some(12));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for words in [
        "It needs Postgres: psycopg2-binary is a dependency",
        "--source .",
        "start.sh",
        "Nothing was attacked",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        shown.contains("password-hash") && shown.contains("bcrypt"),
        "{shown}"
    );
    fs::remove_dir_all(&dir).unwrap();
}

/// An app that runs already, found out by the document that it serves: the same verdicts as with the contract given.
#[test]
fn a_running_app_is_found_out_as_well() {
    use exploit::Stage as _;
    let dir = folder("attached");
    let twin = reference::Twin::weak(reference::Weakness::DocsServed);
    let target = twin.boot(&[]).unwrap();
    let url = format!("http://{}", target.at.address);
    let (email, password) = target.given.admin.clone().unwrap();
    let admin = format!("{email}:{password}");
    let secret = target.given.webhook_secret.clone().unwrap();
    let only = "missing-token,sql-injection-search,note-read-other-user,upload-anonymous,admin-list-as-user,webhook-unsigned,docs-in-production";
    let more = [
        "--admin",
        &admin,
        "--webhook-secret",
        &secret,
        "--only",
        only,
    ];
    let verdicts = |checked: &Checked| -> BTreeMap<String, String> {
        let all = checked.run["sessions"][0]["verdicts"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let pair = |one: &serde_json::Value| {
            (
                one["exploit"].as_str().unwrap().to_owned(),
                one["verdict"].as_str().unwrap().to_owned(),
            )
        };
        all.iter().map(pair).collect()
    };
    let found = check(&dir, Path::new(&url), &[&more[..], &["--infer"]].concat());
    assert!(
        found
            .said
            .contains("Proven by doing: health, register, login, me, upload"),
        "{}",
        found.said
    );
    let binding = found.binding.as_ref().unwrap();
    // What deletes, promotes or sends events is not tried out on an app that somebody else started.
    assert_eq!(binding.routes.len(), 11, "{}", found.said);
    let config = dir.join("contract.toml");
    fs::write(&config, agent::file("study/contract.toml").unwrap().bytes).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
        .arg("--dir")
        .arg(&dir)
        .args(["check", &url, "--format", "json", "--config"])
        .arg(&config)
        .args(more)
        .output()
        .unwrap();
    let given = Checked {
        code: output.status.code(),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
        run: serde_json::from_slice(&output.stdout).unwrap(),
        binding: None,
    };
    let (mut one, mut other) = (verdicts(&found), verdicts(&given));
    // Nor, then, looked at: what removes files, and the events that an admin lists.
    for id in ["upload-anonymous", "webhook-unsigned", "admin-list-as-user"] {
        assert_eq!(
            one.remove(id).as_deref(),
            Some("inconclusive"),
            "{}",
            found.said
        );
        assert_eq!(
            other.remove(id).as_deref(),
            Some("resisted"),
            "{}",
            given.said
        );
    }
    assert_eq!(one, other, "{}\n{}", found.said, given.said);
    assert_eq!(one["docs-in-production"], "exploited");
    assert_eq!(one["note-read-other-user"], "resisted");
    fs::remove_dir_all(&dir).unwrap();
}

/// A sample of the contract with its configuration withheld is judged as with it.
#[test]
fn the_contract_is_found_out_as_well() {
    let dir = folder("withheld");
    let tree = dir.join("app");
    fs::create_dir_all(&tree).unwrap();
    agent::recorded::write("express", "literal", 6, &tree).unwrap();
    let checked = check(&dir, &tree, &["--infer"]);
    assert_eq!(
        checked.binding.as_ref().map(|one| one.routes.len()),
        Some(16),
        "{}",
        checked.said
    );
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../recordings/express/expected.toml"
    );
    let table: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
    let expected = list(table["literal"].as_table().unwrap(), "exploited");
    for verdict in checked.run["sessions"][0]["verdicts"].as_array().unwrap() {
        let id = verdict["exploit"].as_str().unwrap();
        let wanted = if expected.iter().any(|one| one == id) {
            "exploited"
        } else {
            "resisted"
        };
        assert_eq!(verdict["verdict"], wanted, "{id}: {}", verdict["reason"]);
    }
    fs::remove_dir_all(&dir).unwrap();
}
