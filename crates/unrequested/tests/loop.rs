//! The loop: the real Claude Code and Codex, with a scripted model that leaves out the login limit. The hook sends it back
//! once, it adds the limit, and `check` sees that it is there and that signing in still works.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use agent::{Cli, Step, find, recorded};
use report::remedy::NOT_FOR_AGENTS;
use scripted::{Call, Scene, Script, Server};
use serde_json::Value;

const APP: &str = "app/main.py";
const LEAVES_IT_OUT: &str = "Write down when somebody signed in last.";
const ELSEWHERE: &str = "Say in the health route that this is the notes service.";
const SENT_BACK: &str = "A control is missing in code that was just written.";

/// A session's place: the clone, and the agent's home beside it.
struct Desk {
    root: PathBuf,
    cli: &'static Cli,
    version: &'static str,
    program: PathBuf,
}

fn git(folder: &Path, words: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=ann", "-c", "user.email=ann@example.com"])
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

impl Desk {
    fn new(agent: &str, version: &'static str) -> Self {
        let cli = find(agent).unwrap();
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("loop-{agent}-{version}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for name in ["home", "tmp", "bin", "origin"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let root = root.canonicalize().unwrap();
        let origin = root.join("origin");
        recorded::write("fastapi", "literal", 6, &origin).unwrap();
        git(&origin, &["init", "-q"]);
        git(&origin, &["add", "-A"]);
        git(&origin, &["commit", "-qm", "The app"]);
        git(&root, &["clone", "-q", "origin", "tree"]);
        std::os::unix::fs::symlink(
            env!("CARGO_BIN_EXE_unrequested"),
            root.join("bin/unrequested"),
        )
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let package = cli.package(version).unwrap();
        for (name, text) in package.manifest() {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let workshop = app::Workshop::new(cell::probe().level, app::cache_folder());
        let installed = app::install_packages(folder.path(), &workshop).unwrap();
        let program = installed.links[0]
            .1
            .join(package.name)
            .join(package.program);
        Self {
            root,
            cli,
            version,
            program,
        }
    }

    fn tree(&self) -> PathBuf {
        self.root.join("tree")
    }

    fn app(&self) -> String {
        fs::read_to_string(self.tree().join(APP)).unwrap()
    }

    /// What a user does once.
    fn guard(&self) {
        let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
            .args(["--dir", "../ledger", "guard", "--yes"])
            .current_dir(self.tree())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }

    /// One session; what the agent printed. `change` is done to its words, and to its settings.
    fn session(
        &self,
        prompt: &str,
        server: &Server,
        words: impl Fn(&mut Vec<String>),
        settings: impl Fn(String) -> String,
    ) -> String {
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin",
            self.root.join("bin").display()
        );
        let program = [self.program.clone().into_os_string()];
        let fresh = uuid::Uuid::now_v7().to_string();
        let step = Step {
            prompt,
            version: self.version,
            model: self.cli.model,
            auth: agent::proxy::Auth::Key,
            program: &program,
            path: &path,
            server: server.address(),
            fresh: &fresh,
            resume: None,
            root: &self.root,
            line: None,
        };
        for (name, text) in (self.cli.settings)(&step) {
            let file = step.home().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, settings(text)).unwrap();
        }
        let invocation = (self.cli.command)(&step);
        let mut line: Vec<String> = invocation
            .command
            .iter()
            .map(|word| word.to_str().unwrap().to_owned())
            .collect();
        words(&mut line);
        // Should it hang, the test ends all the same.
        let output = Command::new("timeout")
            .arg("--kill-after=5")
            .arg("240")
            .args(&line)
            .env_clear()
            .envs(invocation.env)
            .current_dir(self.tree())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}\n{stderr}");
        said
    }
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from}");
    text.replacen(from, to, 1)
}

/// The feature that was asked for: in the sign-in, and without a limit.
fn with_last_login(app: &str) -> String {
    let app = replaced(
        app,
        "    return {\"token\": make_token(user[\"id\"])}\n",
        "    last_login[user[\"id\"]] = time.time()\n    return {\"token\": make_token(user[\"id\"])}\n",
    );
    let app = replaced(&app, "import sqlite3\n", "import sqlite3\nimport time\n");
    replaced(
        &app,
        "app = FastAPI()\n",
        "app = FastAPI()\nlast_login: dict[int, float] = {}\n",
    )
}

/// What was wanted.
fn with_limit(app: &str) -> String {
    let app = replaced(
        app,
        "def login(body: Credentials):\n",
        "def login(body: Credentials, request: Request):\n    \
             key = (body.email, request.client.host)\n    \
             recent = [at for at in failed_logins.get(key, []) if at > time.time() - 60]\n    \
             if len(recent) >= 5:\n        \
                 raise HTTPException(429, \"Too many failed sign-ins\", headers={\"Retry-After\": \"60\"})\n",
    );
    let app = replaced(
        &app,
        "        raise HTTPException(401, \"Wrong email or password\")\n",
        "        failed_logins[key] = [*recent, time.time()]\n        \
         raise HTTPException(401, \"Wrong email or password\")\n",
    );
    replaced(
        &app,
        "last_login: dict[int, float] = {}\n",
        "last_login: dict[int, float] = {}\nfailed_logins: dict[tuple, list] = {}\n",
    )
}

fn script(app: &str) -> Script {
    let look = Call::Shell("echo PWD=$PWD; ls -a".into());
    let read = Call::Read(APP.into());
    let first = with_last_login(app);
    let second = with_limit(&first);
    let third = replaced(
        &second,
        "def health():\n    return {\"status\": \"ok\"}",
        "def health():\n    return {\"status\": \"ok\", \"service\": \"notes\"}",
    );
    let scene = |when: &str, text: String| Scene {
        when: when.to_owned(),
        calls: vec![
            vec![look.clone()],
            vec![read.clone()],
            vec![Call::Write(APP.into(), text)],
        ],
    };
    Script {
        scenes: vec![
            scene(LEAVES_IT_OUT, first),
            scene(SENT_BACK, second),
            scene(ELSEWHERE, third),
        ],
        ..Script::default()
    }
}

/// The texts that the model saw in the last request and that are neither its own nor a tool's.
fn heard(server: &Server) -> Vec<String> {
    let seen = server.seen();
    let mut bodies = seen
        .iter()
        .filter_map(|one| serde_json::from_slice::<Value>(&one.body).ok());
    // Requests on the side offer no tools.
    let body = bodies
        .rfind(|body| body["tools"].as_array().is_some_and(|all| !all.is_empty()))
        .unwrap();
    let list = body["messages"]
        .as_array()
        .or_else(|| body["input"].as_array());
    let mut texts = Vec::new();
    let said = list.unwrap().iter();
    for message in said.filter(|one| one["role"] == "user" || one["role"] == "developer") {
        if let Some(text) = message["content"].as_str() {
            texts.push(text.to_owned());
        }
        for part in message["content"].as_array().into_iter().flatten() {
            texts.extend(part["text"].as_str().map(str::to_owned));
        }
    }
    texts
}

/// What `guard` wrote reached the model: the checklist, and the name of the skill with what it is for.
fn has_read_what_guard_wrote(server: &Server) {
    let bodies: Vec<String> = server
        .seen()
        .iter()
        .map(|one| String::from_utf8_lossy(&one.body).into_owned())
        .collect();
    for words in [
        "## Security defaults",
        "Measures the security defaults of this app",
    ] {
        assert!(bodies.iter().any(|body| body.contains(words)), "{words}");
    }
}

/// What the model was sent back with, once.
fn reason(server: &Server) -> String {
    let mut back = heard(server);
    // Claude Code says it again in a reminder of its own.
    back.retain(|text| text.contains(SENT_BACK) && !text.starts_with("<system-reminder>"));
    assert_eq!(back.len(), 1, "{back:?}");
    back.remove(0)
}

fn is_a_reason(text: &str) {
    for wanted in [
        "login throttling at POST /api/auth/login (app/main.py:",
        "after 5 failed sign-ins within a minute",
        "429 with Retry-After",
        "`unrequested check . --quiet --format none --fail-on absent --only login-rate-limit`",
        "change nothing and say so; they can record it with",
        "`unrequested decisions --accept login-throttling",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing in {text}");
    }
    let lower = text.to_lowercase();
    for word in NOT_FOR_AGENTS {
        assert!(!lower.contains(word), "{word}: {text}");
    }
}

/// `check --only login-rate-limit`, which signs in honestly before and after.
fn limited(desk: &Desk) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
        .arg("--dir")
        .arg(desk.root.join("ledger"))
        .arg("check")
        .arg(desk.tree())
        .args(["--only", "login-rate-limit", "--format", "json"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let run: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    let verdicts = run["sessions"][0]["verdicts"].as_array().unwrap().clone();
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    assert_eq!(verdicts[0]["exploit"], "login-rate-limit");
    verdicts[0]["verdict"].as_str().unwrap().to_owned()
}

/// How the command ends that the agent is to see end well.
fn accepted(desk: &Desk, reason: &str) -> Option<i32> {
    let command = reason.split("Acceptance: `").nth(1).unwrap();
    let command = command.split('`').next().unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("sh")
        .args(["-c", command])
        .env(
            "PATH",
            format!("{}:{path}", desk.root.join("bin").display()),
        )
        .env("UNREQUESTED_DIR", desk.root.join("ledger"))
        .current_dir(desk.tree())
        .output()
        .unwrap();
    output.status.code()
}

fn the_loop(
    desk: &Desk,
    words: impl Fn(&mut Vec<String>),
    settings: impl Fn(String) -> String,
) -> String {
    let before = desk.app();
    let whole = script(&before);
    assert_eq!(limited(desk), "exploited");

    let server = Server::start(whole.clone()).unwrap();
    let said = desk.session(LEAVES_IT_OUT, &server, &words, &settings);
    let reason = reason(&server);
    is_a_reason(&reason);
    has_read_what_guard_wrote(&server);
    assert_eq!(desk.app(), with_limit(&with_last_login(&before)));
    assert_eq!(limited(desk), "resisted");
    assert_eq!(accepted(desk, &reason), Some(0));

    // Another session that writes elsewhere is let go at its first stop.
    let server = Server::start(whole).unwrap();
    desk.session(ELSEWHERE, &server, &words, &settings);
    assert!(desk.app().contains("\"service\": \"notes\""));
    let texts = heard(&server);
    assert!(
        texts.iter().any(|text| text.contains(ELSEWHERE)),
        "{texts:?}"
    );
    assert!(
        !texts.iter().any(|text| text.contains("just written")),
        "{texts:?}"
    );
    said
}

#[test]
fn claude_code_is_sent_back_once_and_adds_the_limit() {
    let desk = Desk::new("claude-code", "2.1.330");
    desk.guard();
    // A study's sessions have no skills; a person's do.
    let skills = |line: &mut Vec<String>| line.retain(|word| word != "--disable-slash-commands");
    let said = the_loop(&desk, skills, |text| text);
    assert!(
        said.contains(
            "unrequested: sent the agent back once: login-throttling at POST /api/auth/login"
        ),
        "{said}"
    );
    fs::remove_dir_all(&desk.root).unwrap();
}

#[test]
fn codex_is_sent_back_once_and_adds_the_limit() {
    let desk = Desk::new("codex", "0.169.0");
    desk.guard();
    let words = |line: &mut Vec<String>| {
        // A person trusts the project and its hooks on a screen of Codex's own.
        line.insert(2, "--trust".to_owned());
        line.insert(2, "--dangerously-bypass-hook-trust".to_owned());
    };
    the_loop(&desk, words, |text| text);
    fs::remove_dir_all(&desk.root).unwrap();
}

#[test]
fn codex_of_april_2026_does_so_once_its_hooks_are_switched_on() {
    let desk = Desk::new("codex", "0.116.0");
    desk.guard();
    let trusted = format!(
        "\n[projects.{}]\ntrust_level = \"trusted\"\n",
        toml::Value::from(desk.tree().to_str().unwrap())
    );
    let settings = |text: String| {
        replaced(&text, "[features]\n", "[features]\ncodex_hooks = true\n") + &trusted
    };
    the_loop(&desk, |_| {}, settings);
    fs::remove_dir_all(&desk.root).unwrap();
}
