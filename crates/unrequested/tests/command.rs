//! An agent by template: opencode, as a user has it in PATH, plays a recording; and what is said of templates that are wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use agent::proxy::{Record, Tally};
use agent::{Usage, recorded};
use scripted::{Kind, Script, Server, Trouble};
use serde_json::Value;

const CANARY: &str = "sk-canary-5d2c81f0a7-command";
const VERSION: &str = "1.18.33";
/// The template of docs/real-agents.md.
const SESSION: &str = "fastapi/command:opencode@1.18.33/silent/1";

/// A folder with `bin`, which is first in PATH.
fn folder(name: &str) -> PathBuf {
    // Not below /tmp, which the box shows as the agent's own.
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("command-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(path.join("bin")).unwrap();
    path.canonicalize().unwrap()
}

/// opencode from npm's registry, in the tool's cache.
fn opencode() -> PathBuf {
    let name = match std::env::consts::ARCH {
        "aarch64" => "opencode-linux-arm64",
        _ => "opencode-linux-x64-baseline",
    };
    let wanted = tempfile::tempdir().unwrap();
    let manifest =
        serde_json::json!({"name": "agent", "private": true, "dependencies": {name: VERSION}});
    fs::write(wanted.path().join("package.json"), manifest.to_string()).unwrap();
    let workshop = app::Workshop::new(cell::probe().level, app::cache_folder());
    let installed = app::install_packages(wanted.path(), &workshop).unwrap();
    installed.links[0].1.join(name).join("bin/opencode")
}

/// What stands in docs/real-agents.md as a study.
fn documented() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/real-agents.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("```toml\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

fn study(dir: &Path, template: &str, agents: &str) {
    let text = format!(
        "version = 1\nagents = [{agents}]\nframeworks = [\"fastapi\"]\narms = [\"silent\"]\nreplicates = 1\n{template}\n\
         [budget]\npause_seconds = 1\nquiet_seconds = 120\n"
    );
    fs::write(dir.join("study.toml"), text).unwrap();
}

fn tool(dir: &Path, words: &[&str]) -> Output {
    let path = std::env::var("PATH").unwrap();
    Command::new(env!("CARGO_BIN_EXE_unrequested"))
        .arg("--dir")
        .arg(dir.join("runs-of-it"))
        .args(words)
        .env("PATH", format!("{}:{path}", dir.join("bin").display()))
        .env("OPENAI_API_KEY", CANARY)
        .output()
        .unwrap()
}

fn bench(dir: &Path, address: &str, code: i32) -> (Value, String) {
    let study = dir.join("study.toml");
    let words = [
        "bench",
        "--yes",
        "--format",
        "json",
        "--only",
        "missing-token,search-other-user,login-rate-limit",
        "--model-server",
        address,
        study.to_str().unwrap(),
    ];
    let output = tool(dir, &words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains(CANARY) && !said.contains(CANARY));
    (serde_json::from_str(&text).unwrap_or_default(), said)
}

fn server(troubles: Vec<Trouble>) -> (Server, String) {
    let server = Server::start(Script {
        chat: "runtime-first".into(),
        troubles,
        ..Script::default()
    })
    .unwrap();
    let address = format!("http://{}", server.address());
    (server, address)
}

/// All files of a tree by their paths.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let name = entry.path().strip_prefix(root).unwrap().to_owned();
                found.insert(name.display().to_string(), fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

struct Turn {
    step: String,
    ending: String,
    said: u64,
    asked: Vec<Record>,
    program: Value,
}

fn turns(dir: &Path) -> Vec<Turn> {
    let ledger = rusqlite::Connection::open(dir.join("runs-of-it/ledger.db")).unwrap();
    let mut statement = ledger
        .prepare(
            "SELECT step, ending, length(b.bytes), asked, program FROM turn t JOIN blob b ON b.hash = t.said ORDER BY id",
        )
        .unwrap();
    let rows = statement.query_map([], |row| {
        let (asked, program): (String, String) = (row.get(3)?, row.get(4)?);
        Ok(Turn {
            step: row.get(0)?,
            ending: row.get(1)?,
            said: row.get(2)?,
            asked: serde_json::from_str(&asked).unwrap(),
            program: serde_json::from_str(&program).unwrap(),
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn session<'a>(run: &'a Value, id: &str) -> &'a Value {
    let mut sessions = run["sessions"].as_array().unwrap().iter();
    sessions.find(|one| one["id"] == id).unwrap()
}

fn words(session: &Value) -> Vec<String> {
    let verdicts = session["verdicts"].as_array().unwrap().iter();
    verdicts
        .map(|one| format!("{} {}", one["exploit"], one["verdict"]))
        .collect()
}

fn script_in(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join("bin").join(name);
    let _ = fs::remove_file(&path);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// At the second prompt the model's server refuses the key; the same command goes on where that was.
#[test]
fn opencode_plays_a_recording_as_the_page_says() {
    let dir = folder("opencode");
    let program = opencode();
    let link = dir.join("bin/opencode");
    symlink(&program, &link).unwrap();
    study(
        &dir,
        &documented(),
        r#""command:opencode", "recorded:runtime-first""#,
    );
    let refuses = Trouble {
        step: 2,
        message: 0,
        times: u32::MAX,
        kind: Kind::Status(401),
    };
    let (bad, address) = server(vec![refuses]);
    let (run, said) = bench(&dir, &address, 11);
    assert!(said.contains("not-signed-in"), "{said}");
    assert_eq!(run["complete"], false);
    drop(bad);

    // Another program under that name is not the one with which the session began.
    fs::remove_file(&link).unwrap();
    let other = format!("#!/bin/sh\necho {VERSION}\n");
    script_in(&dir, "opencode", &other);
    let (good, address) = server(Vec::new());
    let (_, said) = bench(&dir, &address, 2);
    for word in ["bin/opencode", VERSION, "--fresh"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    fs::remove_file(&link).unwrap();
    symlink(&program, &link).unwrap();

    let (run, said) = bench(&dir, &address, 0);
    assert_eq!(run["complete"], true, "{said}");
    let sample = session(&run, "fastapi/recorded:runtime-first/silent/1");
    let own = session(&run, SESSION);
    assert_eq!(words(own), words(sample));
    assert_eq!(own["decisions"], sample["decisions"]);
    assert_eq!(words(own).len(), 3);
    recorded::write("fastapi", "runtime-first", 6, &dir.join("wanted")).unwrap();
    let mut runs = fs::read_dir(dir.join("runs-of-it/runs")).unwrap().flatten();
    let left = runs
        .next()
        .unwrap()
        .path()
        .join(SESSION.replace(['/', ':'], "-"));
    assert!(tree(&left) == tree(&dir.join("wanted")), "another tree");

    let turns = turns(&dir);
    let told: Vec<String> = turns
        .iter()
        .map(|turn| format!("{} {}", turn.step, turn.ending))
        .collect();
    assert_eq!(
        told,
        [
            "1-auth finished",
            "2-uploads not-signed-in",
            "2-uploads finished",
            "3-search finished",
            "4-admin finished",
            "5-webhooks finished",
            "6-production finished",
        ]
    );
    let finished = turns.iter().filter(|turn| turn.ending == "finished");
    for (index, turn) in finished.enumerate() {
        let wanted: Usage = (0..3).map(|at| scripted::tokens(index + 1, at)).sum();
        let tally = Tally::of(&turn.asked);
        assert_eq!((tally.usage(), tally.short), (wanted, 0), "{}", turn.step);
        assert!(turn.said > 0);
        assert_eq!(turn.program["version"], VERSION);
        assert_eq!(turn.program["path"], program.to_str().unwrap());
        assert_eq!(turn.program["hash"].as_str().unwrap().len(), 64);
    }
    // Each prompt came as it is written, once in each request that follows it.
    let prompts = agent::prompts().unwrap();
    let last = good.seen().pop().unwrap();
    let body: Value = serde_json::from_slice(&last.body).unwrap();
    for prompt in &prompts {
        let messages = body["messages"].as_array().unwrap().iter();
        let users = messages.filter(|one| one["role"] == "user");
        let texts = users.map(|one| one["content"].to_string());
        let word = serde_json::to_string(prompt.text.trim()).unwrap();
        let word = word.trim_matches('"');
        assert_eq!(
            texts.filter(|text| text.contains(word)).count(),
            1,
            "{}",
            prompt.id
        );
    }
    for seen in good.seen() {
        let headers = format!("{:?}", seen.headers);
        assert_eq!(headers.matches(CANARY).count(), 1, "{headers}");
        assert!(!headers.contains(agent::DUMMY_KEY), "{headers}");
    }
    for (path, bytes) in tree(&dir) {
        assert!(!String::from_utf8_lossy(&bytes).contains(CANARY), "{path}");
    }
    told_of_it(&dir, &turns);
    fs::remove_dir_all(&dir).unwrap();
}

/// What is read of such a session later: which program it was, its tokens, and that its words were not understood.
fn told_of_it(dir: &Path, turns: &[Turn]) {
    let report = |words: &[&str]| {
        let output = tool(dir, words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let cost = report(&["report", "--cost"]);
    let hash = turns[0].program["hash"].as_str().unwrap();
    assert!(
        cost.contains(&hash[..16]) && cost.contains(VERSION),
        "{cost}"
    );
    assert!(!cost.contains("by the agent"), "{cost}");
    let atif: Value = serde_json::from_str(&report(&["report", "--format", "atif"])).unwrap();
    assert_eq!(atif["agent"]["version"], VERSION);
    let notes = atif["notes"].as_str().unwrap();
    assert!(notes.contains("were not understood"), "{notes}");
    let used: Usage = turns
        .iter()
        .map(|turn| Tally::of(&turn.asked).usage())
        .sum();
    assert_eq!(
        atif["final_metrics"]["total_completion_tokens"],
        used.output
    );
}

#[test]
fn a_template_that_cannot_be_driven_is_named_with_the_way_out() {
    let dir = folder("wrong");
    script_in(&dir, "mine", "#!/bin/sh\necho mine 1.0\n");
    script_in(&dir, "mute", "#!/bin/sh\necho no such option >&2\nexit 3\n");
    let template = "[agent.\"command:mine\"]\nmodel = \"m1\"\nfirst = [\"mine\", \"{server}\", \"{prompt}\"]\n\
        next = [\"mine\", \"{server}\", \"{prompt}\"]\nversion = [\"mine\"]\nspeaks = \"messages\"\n";
    for (change, to, code, words) in [
        ("{prompt}", "{promt}", 2, ["command:mine", "{promt}"]),
        ("speaks", "spaeks", 2, ["spaeks", "study.toml"]),
        (
            "\"mine\"",
            "\"not-there-4711\"",
            20,
            ["not-there-4711", "whole path"],
        ),
        (
            "\"mine\"",
            "\"/etc/passwd\"",
            20,
            ["/etc/passwd", "no program"],
        ),
        (
            "{server}\", \"{p",
            "{server}sk-canary-5d2c81f0a7-command\", \"{p",
            2,
            ["OPENAI_API_KEY", "{key}"],
        ),
        ("\"mine\"", "\"mute\"", 20, ["no such option", "`version`"]),
    ] {
        study(&dir, &template.replace(change, to), "\"command:mine\"");
        let (_, said) = bench(&dir, "http://127.0.0.1:9", code);
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
    let output = tool(&dir, &["list"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("command:NAME"));
    fs::remove_dir_all(&dir).unwrap();
}
