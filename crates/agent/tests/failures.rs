//! The real command lines at a model that fails: the right ending, in bounded time, nothing left running.
//! The programs are fetched from npm's registry by their hash, once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agent::proxy::{Api, Auth, Key, Settings};
use agent::session::{Place, Ran, Room, Times, run, server};
use agent::{Cli, Ending, Evidence, Step, Usage, find};
use app::{Installed, Workshop};
use scripted::{Kind, Script, Server, Trouble};

/// What no agent may ever see.
const CANARY: &str = "sk-canary-8f3a1c5e7b902d46-failures";
const LONG: Duration = Duration::from_secs(240);
/// A loaded machine may take seconds to start a program.
const QUIET: Duration = Duration::from_secs(25);

fn installed(cli: &'static Cli, version: &str) -> Installed {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in cli.package(version).unwrap().manifest() {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let workshop = Workshop::new(cell::probe().level, app::cache_folder());
    app::install_packages(folder.path(), &workshop).unwrap()
}

/// Files below a folder that hold these bytes.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(holding(&entry.path(), bytes));
        } else if kind.is_file() {
            let text = fs::read(entry.path()).unwrap();
            if text.windows(bytes.len()).any(|window| window == bytes) {
                found.push(entry.path());
            }
        }
    }
    found
}

struct Try {
    cli: &'static Cli,
    folder: tempfile::TempDir,
    ran: Ran,
    changed: bool,
}

impl Try {
    /// The first prompt, with the model at this port.
    fn at(agent: &str, port: u16, times: Times) -> Self {
        let cli = find(agent).unwrap();
        Self::of(cli, cli.version, Auth::Key, port, times)
    }

    fn of(cli: &'static Cli, version: &str, auth: Auth, port: u16, times: Times) -> Self {
        let agent = cli.id;
        let api = Api::at(cli.vendor, &format!("http://127.0.0.1:{port}")).unwrap();
        let key = match auth {
            Auth::Key => Key::new(CANARY),
            Auth::Subscription => Key::of_subscription(CANARY, None),
        };
        let way = Settings::new(api, key);
        // Not below /tmp, which a box shows as the agent's own.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let place = Place::new(folder.path().canonicalize().unwrap());
        place.begin("fastapi", &[]).unwrap();
        let before = place.snapshots().take(&place.tree(), "0", None).unwrap();
        let installed = installed(cli, version);
        let package = cli.package(version).unwrap();
        let modules = &installed.links[0].1;
        let program = modules.join(package.name).join(package.program);
        let node = installed.bin.join("node").into_os_string();
        let words = package.node.then_some(node).into_iter();
        let program: Vec<_> = words.chain([program.into()]).collect();
        let prompt = agent::prompts().unwrap().remove(0).text;
        let root = place.root();
        let level = cell::probe().level;
        let step = Step {
            prompt: &prompt,
            version,
            model: cli.model,
            auth,
            program: &program,
            path: "/usr/local/bin:/usr/bin:/bin",
            server: server(level).unwrap(),
            fresh: "00000000-0000-4000-8000-000000000001",
            resume: None,
            root: &root,
            line: None,
        };
        let room = Room {
            level,
            read: installed.read.clone(),
        };
        let ran = run(cli, &step, &room, way, times, Usage::default()).unwrap();
        for text in [
            &ran.said,
            &ran.stderr,
            ran.record.as_ref().unwrap_or(&String::new()),
        ] {
            assert!(!text.contains(CANARY), "{agent} saw the key");
        }
        let keys = holding(folder.path(), CANARY.as_bytes());
        assert!(keys.is_empty(), "{keys:?}");
        assert!(!format!("{:?}", ran.records).contains(CANARY));
        let after = place.snapshots().take(&place.tree(), "1", None).unwrap();
        Self {
            cli,
            folder,
            ran,
            changed: after.tree != before.tree,
        }
    }

    fn with(agent: &str, script: Script, times: Times) -> Self {
        let server = Server::start(playing(script)).unwrap();
        let port = server.address().port();
        Self::at(agent, port, times)
    }

    fn ending(&self) -> Ending {
        self.cli.ending(&Evidence {
            transcript: &self.ran.transcript,
            asked: &self.ran.records,
            waits: self.ran.waits,
            exit: self
                .ran
                .exit
                .code
                .filter(|_| self.ran.exit.killed.is_none()),
            stderr: &self.ran.stderr,
            changed: self.changed,
            stopped: self.ran.stopped,
        })
    }

    /// Processes, zombies left out, that are in this try's folder or have a mark in their words.
    fn left(&self, mark: &str) -> Vec<String> {
        let folder = self.folder.path().display().to_string();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            let words = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            let state = String::from_utf8_lossy(&read("stat")).into_owned();
            let cwd = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            let is_zombie = state
                .rsplit(')')
                .next()
                .is_some_and(|rest| rest.trim_start().starts_with('Z'));
            let is_mine = entry.file_name() == *std::process::id().to_string();
            if !is_zombie
                && !is_mine
                && (words.contains(mark) || words.contains(&folder) || cwd.starts_with(&folder))
            {
                found.push(words);
            }
        }
        found
    }
}

fn playing(script: Script) -> Script {
    Script {
        messages: "imports-first".into(),
        responses: "runtime-first".into(),
        ..script
    }
}

fn times(step: Duration) -> Times {
    Times { step, quiet: QUIET }
}

fn always(message: usize, kind: Kind) -> Script {
    Script {
        troubles: vec![Trouble {
            step: 1,
            message,
            times: u32::MAX,
            kind,
        }],
        ..Script::default()
    }
}

/// Each in its own cell, a few side by side.
fn matrix(agent: &'static str) {
    let cases = [
        (Kind::Status(401), Ending::NotSignedIn),
        (Kind::Status(404), Ending::ModelMissing),
        (Kind::Status(429), Ending::RateLimited),
        (Kind::Status(500), Ending::Overloaded),
        (Kind::Status(529), Ending::Overloaded),
        (Kind::Silence, Ending::Network),
        (Kind::Stall, Ending::Network),
        (Kind::Garbage, Ending::Network),
        (Kind::Safeguards, Ending::Safeguards),
        (Kind::Refusal, Ending::Refused),
        (Kind::Idle, Ending::GaveUp),
    ];
    let mut wrong = Vec::new();
    for chunk in cases.chunks(3) {
        let running: Vec<_> = chunk
            .iter()
            .map(|(kind, ending)| {
                let kind = *kind;
                let thread =
                    std::thread::spawn(move || Try::with(agent, always(1, kind), times(LONG)));
                (kind, *ending, thread)
            })
            .collect();
        for (kind, ending, thread) in running {
            let tried = thread.join().unwrap();
            let got = tried.ending();
            let left = tried.left("no such mark");
            let used = tried.ran.usage.unwrap_or_default();
            if got != ending || !left.is_empty() || tried.ran.took > Duration::from_secs(120) {
                wrong.push(format!(
                    "{agent} {kind:?}: {got}, not {ending}; {:?}; {:?}; left {left:?}; {}",
                    tried.ran.took, tried.ran.transcript.close, tried.ran.stderr
                ));
            }
            // What was said before the trouble is counted, even where the agent never told.
            let first = scripted::tokens(1, 0);
            if used.input < first.input || used.output < first.output {
                wrong.push(format!("{agent} {kind:?}: only {used:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn claude_code_at_a_failing_model() {
    matrix("claude-code");
}

#[test]
fn codex_at_a_failing_model() {
    matrix("codex");
}

/// Claude Code first makes its conversation shorter; here that is too long as well.
#[test]
fn a_conversation_that_is_too_long_ends_the_step() {
    for agent in ["claude-code", "codex"] {
        let trouble = |message| Trouble {
            step: 1,
            message,
            times: u32::MAX,
            kind: Kind::TooLong,
        };
        let script = Script {
            troubles: (0..9).map(trouble).collect(),
            ..Script::default()
        };
        let tried = Try::with(agent, script, times(LONG));
        assert_eq!(
            tried.ending(),
            Ending::BudgetSpent,
            "{agent} {:?} {}",
            tried.ran.transcript.close,
            tried.ran.stderr
        );
    }
}

/// The versions of the study of April 2026.
#[test]
fn the_versions_of_the_published_study_can_be_driven() {
    let versions = [("claude-code", "2.1.88"), ("codex", "0.116.0")];
    let both = |auth| versions.map(|(agent, version)| (agent, version, auth));
    for (agent, version, auth) in both(Auth::Key).into_iter().chain(both(Auth::Subscription)) {
        let model = Server::start(playing(Script::default())).unwrap();
        let cli = find(agent).unwrap();
        let tried = Try::of(cli, version, auth, model.address().port(), times(LONG));
        let bearer = ("authorization".to_owned(), format!("Bearer {CANARY}"));
        let is_bearer = agent == "codex" || auth == Auth::Subscription;
        for seen in model.seen() {
            assert_eq!(
                seen.headers.contains(&bearer),
                is_bearer,
                "{agent} {auth:?}"
            );
        }
        assert_eq!(
            tried.ending(),
            Ending::Finished,
            "{agent} {}",
            tried.ran.stderr
        );
        let messages = if agent == "codex" { 3 } else { 4 };
        let wanted: Usage = (0..messages).map(|at| scripted::tokens(1, at)).sum();
        assert_eq!(tried.ran.usage, Some(wanted), "{agent}");
        let record = tried.ran.record.as_deref().unwrap();
        assert_eq!((cli.recorded)(record), Some(wanted), "{agent}");
    }
}

#[test]
fn nobody_answers() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for agent in ["claude-code", "codex"] {
        let tried = Try::at(agent, port, times(LONG));
        assert_eq!(
            tried.ending(),
            Ending::Network,
            "{agent} {:?} {}",
            tried.ran.transcript.close,
            tried.ran.stderr
        );
    }
}

#[test]
fn a_stream_that_was_cut_once_is_made_good() {
    for (agent, recording) in [("claude-code", "imports-first"), ("codex", "runtime-first")] {
        let script = Script {
            troubles: vec![Trouble {
                step: 1,
                message: 1,
                times: 1,
                kind: Kind::Cut,
            }],
            ..Script::default()
        };
        let tried = Try::with(agent, script, times(LONG));
        assert_eq!(tried.ending(), Ending::Finished, "{agent}");
        let tree = tried.folder.path().join("cell/tree");
        for (path, text) in agent::recorded::texts("fastapi", recording, 1).unwrap() {
            assert_eq!(
                fs::read_to_string(tree.join(&path)).ok(),
                Some(text),
                "{agent} {path}"
            );
        }
    }
}

#[test]
fn time_that_is_over_ends_the_agent_and_its_commands() {
    for agent in ["claude-code", "codex"] {
        let mark = format!("4711.{}{}", std::process::id(), agent.len());
        let script = || Script {
            // Claude Code refuses a bare `sleep`; Codex waits ten seconds and goes on without it.
            commands: vec![(1, format!("tail -s {mark} -f /dev/null")); 20],
            ..Script::default()
        };
        let begun = Instant::now();
        let tried = Try::with(agent, script(), times(Duration::from_secs(12)));
        assert_eq!(tried.ending(), Ending::TimedOut, "{agent}");
        assert!(begun.elapsed() < Duration::from_secs(120), "{agent}");
        assert!(tried.left(&mark).is_empty());
        assert!(
            tried.ran.usage.is_some_and(|used| used.output > 0),
            "{agent}: {:?}",
            tried.ran.usage
        );
    }
}

#[test]
fn what_a_command_left_running_ends_with_the_step() {
    for agent in ["claude-code", "codex"] {
        let mark = format!("4712.{}{}", std::process::id(), agent.len());
        let script = Script {
            commands: vec![(
                1,
                format!(
                    "(setsid nohup sleep {mark} >/dev/null 2>&1 &) ; nohup sleep {mark} >/dev/null 2>&1 &"
                ),
            )],
            ..Script::default()
        };
        let tried = Try::with(agent, script, times(LONG));
        assert_eq!(tried.ending(), Ending::Finished, "{agent}");
        assert_eq!(tried.left(&mark), Vec::<String>::new(), "{agent}");
    }
}

#[test]
fn a_program_that_is_killed_has_crashed() {
    for agent in ["claude-code", "codex"] {
        let script = Script {
            // All that is called like the agent, from one of its own commands; not before its record is on the disk, which
            // it writes a moment later.
            commands: vec![(
                1,
                "timeout 4 tail -f /dev/null; for p in /proc/[0-9]*; do case \"$(readlink $p/exe)\" in \
                 */claude|*/codex) kill -9 ${p#/proc/};; esac; done; tail -f /dev/null"
                    .into(),
            )],
            ..Script::default()
        };
        let tried = Try::with(agent, script, times(LONG));
        assert_eq!(
            tried.ending(),
            Ending::Crashed,
            "{agent} {:?}",
            tried.ran.exit
        );
        assert!(!tried.ran.transcript.close.told, "{agent}");
        assert!(
            tried.ran.usage.is_some_and(|used| used.output > 0),
            "{agent}"
        );
    }
}

/// A key of the user's is nowhere where the agent could see it, and ours is the dummy.
#[test]
fn the_agents_world_holds_no_key() {
    if cell::probe().level == cell::Level::Plain {
        // Without a box a command sees all that its user sees.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"NOT RUN: no box here\n");
        return;
    }
    for agent in ["claude-code", "codex"] {
        let script = Script {
            commands: vec![(
                1,
                "git log --format=%s; git status --short; env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'; ls -a / /home /root; cat /root/.*; true"
                    .into(),
            )],
            ..Script::default()
        };
        let tried = Try::with(agent, script, times(LONG));
        assert_eq!(tried.ending(), Ending::Finished, "{agent}");
        let call = tried.ran.transcript.calls().next().unwrap();
        let shown = &call.result.as_ref().unwrap().text;
        assert!(shown.contains("HOME="), "{agent}: {shown}");
        // A repository of its own with one commit, and nothing changed.
        assert!(
            shown
                .lines()
                .take_while(|line| !line.contains('='))
                .eq(["start"]),
            "{agent}: {shown}"
        );
        for (name, value) in std::env::vars() {
            let is_secret = ["KEY", "TOKEN", "SECRET"]
                .iter()
                .any(|part| name.contains(part));
            assert!(
                !is_secret || value.len() < 8 || !shown.contains(&value),
                "{agent} sees {name}"
            );
        }
        assert!(!shown.contains("CARGO_"), "{agent}: {shown}");
    }
}

#[test]
fn the_programs_are_as_pinned() {
    for cli in agent::ALL {
        let installed = installed(cli, cli.version);
        let package = cli.package(cli.version).unwrap();
        let folder: PathBuf = installed.links[0].1.join(package.name);
        let manifest = fs::read_to_string(folder.join("package.json")).unwrap();
        assert!(manifest.contains(cli.version), "{manifest}");
        assert!(folder.join(package.program).is_file());
        // Another content under the same name is refused.
        let other = tempfile::tempdir().unwrap();
        for (name, text) in package.manifest() {
            let text = text.replace(
                package.integrity,
                "sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
            );
            fs::write(other.path().join(name), text).unwrap();
        }
        let cache = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let workshop = Workshop::new(cell::probe().level, cache.path().to_owned());
        let error = app::install_packages(other.path(), &workshop).unwrap_err();
        assert!(error.to_string().contains("EINTEGRITY"), "{error}");
    }
}
