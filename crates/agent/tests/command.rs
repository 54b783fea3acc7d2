//! An agent by template: a small real command line (`tiny.mjs`) in our box and at our proxy. What became of a step is known
//! from its exit code and from what the proxy saw.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use agent::proxy::{Api, Counted, Key, Outcome, Settings, Tally};
use agent::session::{Place, Ran, Room, Times, run, server};
use agent::{Ending, Evidence, Step, Study, Template, Usage, find};
use scripted::{Kind, Script, Server, Trouble};

const CANARY: &str = "sk-canary-8f3a1c5e7b902d46-command";
const AGENT: &str = "command:tiny";
const QUIET: Duration = Duration::from_secs(12);

/// As a study has it.
fn template(change: impl Fn(String) -> String) -> Template {
    let text = change(format!(
        r#"version = 1
agents = ["{AGENT}"]
frameworks = ["fastapi"]
arms = ["silent"]
replicates = 1
[agent."{AGENT}"]
model = "m1"
first = ["tiny", "first", "{{prompt}}"]
next = ["tiny", "next", "{{prompt}}"]
version = ["tiny", "version"]
speaks = "chat-completions"
[agent."{AGENT}".env]
URL = "{{server}}/v1"
KEY = "{{key}}"
MODEL = "{{model}}"
"#
    ));
    let study = Study::parse(&text).unwrap();
    study.agent[AGENT].template.clone().unwrap()
}

fn with_mode(mode: &str) -> Template {
    template(|text| format!("{text}MODE = \"{mode}\"\n"))
}

/// A session's folder, in which steps are run.
struct Desk {
    template: Template,
    port: u16,
    folder: tempfile::TempDir,
}

/// What a step left, and whether it changed the tree.
struct Done {
    ran: Ran,
    changed: bool,
}

impl Desk {
    fn new(template: Template, port: u16) -> Self {
        // Not below /tmp, which a box shows as the agent's own.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let one = Self {
            template,
            port,
            folder,
        };
        one.place().begin("fastapi", &[]).unwrap();
        one
    }

    fn place(&self) -> Place {
        Place::new(self.folder.path().canonicalize().unwrap())
    }

    fn step(&self, number: usize) -> Done {
        let cli = find(AGENT).unwrap();
        let vendor = self.template.speaks.vendor();
        let api = Api::at(vendor, &format!("http://127.0.0.1:{}", self.port)).unwrap();
        let place = self.place();
        let before = place.snapshots().take(&place.tree(), "a", None).unwrap();
        let node = app::Node::look().unwrap();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tiny.mjs");
        let program = [node.bin.join("node").into(), script.clone().into()];
        let prompt = &agent::prompts().unwrap()[number - 1].text;
        let root = place.root();
        let level = cell::probe().level;
        let step = Step {
            prompt,
            version: "",
            model: "m1",
            auth: agent::proxy::Auth::Key,
            program: &program,
            path: "/usr/local/bin:/usr/bin:/bin",
            server: server(level).unwrap(),
            fresh: "00000000-0000-4000-8000-000000000001",
            resume: None,
            root: &root,
            line: Some(self.template.line(number == 1)),
        };
        let room = Room {
            level,
            read: node.home.into_iter().chain([script]).collect(),
        };
        let times = Times {
            step: Duration::from_secs(240),
            quiet: QUIET,
        };
        let way = Settings::new(api, Key::new(CANARY));
        let ran = run(cli, &step, &room, way, times, Usage::default()).unwrap();
        assert!(!format!("{ran:?}").contains(CANARY));
        let after = place.snapshots().take(&place.tree(), "b", None).unwrap();
        Done {
            ran,
            changed: after.tree != before.tree,
        }
    }
}

impl Done {
    fn ending(&self) -> Ending {
        let ran = &self.ran;
        find(AGENT).unwrap().ending(&Evidence {
            transcript: &ran.transcript,
            asked: &ran.records,
            waits: ran.waits,
            exit: ran.exit.code.filter(|_| ran.exit.killed.is_none()),
            stderr: &ran.stderr,
            changed: self.changed,
            stopped: ran.stopped,
        })
    }
}

fn playing(troubles: Vec<Trouble>) -> Server {
    let script = Script {
        chat: "literal".into(),
        troubles,
        ..Script::default()
    };
    Server::start(script).unwrap()
}

fn always(message: usize, kind: Kind) -> Vec<Trouble> {
    vec![Trouble {
        step: 1,
        message,
        times: u32::MAX,
        kind,
    }]
}

#[test]
fn two_steps_of_one_conversation_leave_the_recording_and_the_scripts_tokens() {
    for by_stdin in [false, true] {
        let model = playing(Vec::new());
        let template = template(|text| {
            if by_stdin {
                let words = text.replace(", \"{prompt}\"]", "]");
                words.replace("speaks", "stdin = \"{prompt}\"\nspeaks")
            } else {
                text
            }
        });
        let desk = Desk::new(template, model.address().port());
        for number in [1, 2] {
            let done = desk.step(number);
            assert_eq!(done.ending(), Ending::Finished, "{}", done.ran.stderr);
            let wanted: Usage = (0..3).map(|at| scripted::tokens(number, at)).sum();
            let tally = Tally::of(&done.ran.records);
            // It never asks for a count; the proxy does.
            assert_eq!((tally.usage(), tally.short), (wanted, 0));
            assert_eq!((done.ran.usage, done.ran.told), (None, false));
            assert!(done.ran.said.contains("I write it."), "{}", done.ran.said);
            assert_eq!(done.ran.transcript.calls().count(), 0);
            assert_eq!(done.ran.transcript.unknown, done.ran.transcript.lines);
        }
        let tree = desk.place().tree();
        for (path, text) in agent::recorded::texts("fastapi", "literal", 2).unwrap() {
            assert_eq!(
                fs::read_to_string(tree.join(&path)).ok(),
                Some(text),
                "{path}"
            );
        }
        let prompts = agent::prompts().unwrap();
        let last = model.seen().pop().unwrap();
        let body: serde_json::Value = serde_json::from_slice(&last.body).unwrap();
        let messages = body["messages"].as_array().unwrap();
        let asked: Vec<&str> = messages
            .iter()
            .filter(|one| one["role"] == "user")
            .map(|one| one["content"].as_str().unwrap())
            .collect();
        assert_eq!(asked, [prompts[0].text.as_str(), prompts[1].text.as_str()]);
        let headers = format!("{:?}", last.headers);
        assert_eq!(headers.matches(CANARY).count(), 1, "{headers}");
        assert!(!headers.contains(agent::DUMMY_KEY), "{headers}");
    }
}

/// Whether it says by its exit code that something went wrong, or leaves with 0.
#[test]
fn what_the_proxy_saw_says_how_a_step_ended() {
    let cases = [
        (Kind::Status(401), Ending::NotSignedIn),
        (Kind::Status(402), Ending::NotSignedIn),
        (Kind::Status(404), Ending::ModelMissing),
        (Kind::Status(429), Ending::RateLimited),
        (Kind::Status(400), Ending::Crashed),
        (Kind::Status(503), Ending::Overloaded),
        (Kind::Cut, Ending::Network),
        (Kind::Garbage, Ending::Network),
        (Kind::Safeguards, Ending::Safeguards),
        (Kind::Idle, Ending::GaveUp),
        (Kind::Refusal, Ending::GaveUp),
    ];
    let mut wrong = Vec::new();
    for mode in ["", "deaf"] {
        for (kind, ending) in cases {
            let model = playing(always(1, kind));
            let done = Desk::new(with_mode(mode), model.address().port()).step(1);
            let code = done.ran.exit.code;
            if done.ending() != ending || mode == "deaf" && code != Some(0) {
                let got = done.ending();
                wrong.push(format!(
                    "{mode} {kind:?}: {got}, {code:?}; {}",
                    done.ran.stderr
                ));
            }
            // What was said before the trouble is counted.
            let used = Tally::of(&done.ran.records).usage();
            if used.output < scripted::tokens(1, 0).output {
                wrong.push(format!("{mode} {kind:?}: only {used:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_model_that_is_not_there_or_not_asked_is_no_result() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    for mode in ["", "deaf"] {
        let done = Desk::new(with_mode(mode), free.as_ref().unwrap().port()).step(1);
        assert_eq!(done.ending(), Ending::Network, "{}", done.ran.stderr);
    }
    let model = playing(Vec::new());
    let port = model.address().port();
    let done = Desk::new(with_mode("mute"), port).step(1);
    assert_eq!(done.ran.exit.code, Some(0), "{}", done.ran.stderr);
    assert_eq!(done.ending(), Ending::Crashed);
    // A study that says it speaks otherwise than it does.
    let other =
        template(|text| text.replace("chat-completions", "responses") + "MODE = \"deaf\"\n");
    let done = Desk::new(other, port).step(1);
    assert!(matches!(done.ran.records[0].outcome, Outcome::Refused(_)));
    assert_eq!(done.ending(), Ending::Crashed);
    assert!(model.seen().is_empty());
}

/// It says nothing in either case; the proxy knows whether a request is under way.
#[test]
fn a_model_that_says_nothing_is_no_command_that_never_ends() {
    let silent = playing(always(1, Kind::Silence));
    let done = Desk::new(with_mode(""), silent.address().port()).step(1);
    assert_eq!(done.ending(), Ending::Network);
    assert!(done.ran.took < QUIET * 3);
    let script = Script {
        chat: "literal".into(),
        commands: vec![(1, "tail -f /dev/null".into())],
        ..Script::default()
    };
    let hangs = Server::start(script).unwrap();
    let done = Desk::new(with_mode(""), hangs.address().port()).step(1);
    assert_eq!(done.ending(), Ending::TimedOut);
}

/// Of a server that never counts nothing is known: that is not 0.
#[test]
fn a_stream_without_a_count_is_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut chunk = [0; 4096];
        while !request.ends_with(b"}") {
            let read = stream.read(&mut chunk).unwrap();
            request.extend_from_slice(&chunk[..read]);
        }
        let text = "data: {\"choices\":[{\"delta\":{\"content\":\"done\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        let length = text.len();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n{text}").unwrap();
        String::from_utf8(request).unwrap()
    });
    let done = Desk::new(with_mode(""), port).step(1);
    let request = thread.join().unwrap();
    assert!(request.contains("\"include_usage\":true"), "{request}");
    assert_eq!(done.ending(), Ending::GaveUp);
    let records = &done.ran.records;
    assert!(matches!(
        &records[0].outcome,
        Outcome::Replied {
            counted: Counted::Unread,
            ..
        }
    ));
    let prices = agent::Prices::shipped().unwrap();
    let settled = agent::settle(&done.ran.transcript, None, Some(records), "m1", &prices);
    assert_eq!(settled.usage, None);
    assert!(settled.at_least);
}
