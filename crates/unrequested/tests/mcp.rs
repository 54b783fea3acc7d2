//! `unrequested mcp` from outside: by hand, line by line, and by the client of the public Python SDK, which `.ci/run` installs
//! into `target/mcp`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_unrequested");
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/mcp");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mcp/client.py");

struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("unrequested-mcp-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("no-app")).unwrap();
        Self(path.canonicalize().unwrap())
    }

    /// The sample; with a start that never serves anything, if it is to hang.
    fn sample(&self, name: &str, hangs: bool) {
        let tree = self.0.join(name);
        agent::recorded::write("fastapi", "literal", 6, &tree).unwrap();
        if hangs {
            fs::write(tree.join("start.sh"), "#!/bin/sh\nexec sleep 600\n").unwrap();
        }
    }

    fn mcp(&self, more: &[&str]) -> Server {
        let mut child = Command::new(PROGRAM)
            .args(["--dir", "ledger", "mcp"])
            .args(more)
            .current_dir(&self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Server {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Processes of the tool below this folder, other than servers.
    fn running(&self) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let of = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
            let line = of("cmdline");
            // The program's own path may have the word in it.
            let checks = line.split(|byte| *byte == 0).any(|word| word == b"check");
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let environment = String::from_utf8_lossy(&of("environ")).into_owned();
            let home = self.0.display().to_string();
            let here = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == self.0);
            // An app's settings name its folders below this one.
            if here && checks || environment.contains(&home) && line.contains("sleep 600") {
                found.push(line);
            }
        }
        found
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// By itself, the app that hangs is given up after 45 s: what is over sooner was ended.
const ENDED: Duration = Duration::from_secs(25);

impl Home {
    fn until(&self, what: &str, limit: Duration, holds: impl Fn(&[String]) -> bool) {
        let begun = Instant::now();
        loop {
            let running = self.running();
            if holds(&running) {
                return;
            }
            assert!(begun.elapsed() < limit, "never: {what}: {running:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

struct Server {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Server {
    fn raw(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_bytes()).unwrap();
        input.write_all(b"\n").unwrap();
        input.flush().unwrap();
    }

    fn send(&mut self, message: &Value) {
        self.raw(&message.to_string());
    }

    /// The next line, which has to be a message.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"));
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        message
    }

    fn asks(&mut self, message: &Value) -> Value {
        self.send(message);
        self.next()
    }

    fn code(&mut self, line: &str) -> i64 {
        self.raw(line);
        self.next()["error"]["code"].as_i64().unwrap()
    }

    /// Closes its stdin, and returns what it still said and its exit code.
    fn ends(mut self) -> (String, Option<i32>) {
        drop(self.input.take());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap().code())
    }
}

fn request(id: u64, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn call(id: u64, tool: &str, arguments: &Value) -> Value {
    request(
        id,
        "tools/call",
        &json!({"name": tool, "arguments": arguments}),
    )
}

#[test]
fn nonsense_is_refused_and_ends_nothing() {
    let home = Home::new("nonsense");
    let mut server = home.mcp(&[]);
    for (asked, answered) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2031-01-01", "2025-11-25"),
    ] {
        let opened = server.asks(&request(
            1,
            "initialize",
            &json!({"protocolVersion": asked}),
        ));
        assert_eq!(opened["result"]["protocolVersion"], answered);
        assert_eq!(opened["result"]["serverInfo"]["name"], "unrequested");
    }
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    assert_eq!(
        server.asks(&request(2, "ping", &json!({})))["result"],
        json!({})
    );
    assert_eq!(server.code("{"), -32700);
    assert_eq!(server.code("\u{0}\u{1b}[2J"), -32700);
    assert_eq!(server.code(&"[".repeat(200_000)), -32700);
    assert_eq!(server.code(&format!("\"{}\"", "x".repeat(3 << 20))), -32700);
    assert_eq!(server.code("7"), -32600);
    assert_eq!(server.code(r#"{"jsonrpc":"2.0","id":1}"#), -32600);
    assert_eq!(
        server.code(&request(3, "resources/list", &json!({})).to_string()),
        -32601
    );
    assert_eq!(
        server.code(&request(3, "initialize", &json!({})).to_string()),
        -32602
    );
    assert_eq!(server.code(&call(3, "rm", &json!({})).to_string()), -32602);
    assert_eq!(
        server.code(&call(3, "check", &json!([])).to_string()),
        -32602
    );
    let other = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2030-01-01"}});
    assert_eq!(
        server.code(&request(3, "tools/list", &other).to_string()),
        -32022
    );
    // None of these is answered.
    for quiet in [
        json!({"jsonrpc": "2.0", "method": "notifications/nonsense", "params": 7}),
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 99}}),
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled"}),
        json!({"jsonrpc": "2.0", "id": 5, "result": {}}),
    ] {
        server.send(&quiet);
    }
    server.raw("");
    server.raw(
        &json!([
            request(6, "ping", &json!({})),
            request(7, "ping", &json!({}))
        ])
        .to_string(),
    );
    assert_eq!(
        (server.next()["id"].clone(), server.next()["id"].clone()),
        (json!(6), json!(7))
    );
    let said = server.asks(&call(8, "explain", &json!({"id": "upload-naming"})));
    assert_eq!(
        (&said["id"], &said["result"]["isError"]),
        (&json!(8), &json!(false))
    );
    let (rest, code) = server.ends();
    assert_eq!((rest.as_str(), code), ("", Some(0)));
}

#[test]
fn a_deadline_a_cancellation_the_end_and_a_kill_leave_nothing_running() {
    let home = Home::new("ends");
    home.sample("hangs", true);
    let check = |id| call(id, "check", &json!({"app": "hangs"}));
    let begun = || home.until("the app is started", 5 * ENDED, |all| all.len() > 1);
    let gone = || home.until("all of it is gone", ENDED, <[String]>::is_empty);

    let mut server = home.mcp(&["--deadline", "1"]);
    let late = server.asks(&check(1));
    assert_eq!(late["result"]["isError"], true, "{late}");
    let text = late["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("after 1 s") && text.contains("--deadline"),
        "{text}"
    );
    gone();
    assert_eq!(server.ends().1, Some(0));

    let mut server = home.mcp(&[]);
    server.send(&check(1));
    begun();
    assert_eq!(server.code(&check(1).to_string()), -32600);
    server.send(
        &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}),
    );
    gone();
    // Nothing is said of what was cancelled.
    let pong = server.asks(&request(2, "ping", &json!({})));
    assert_eq!(pong["id"], 2);
    server.send(&check(3));
    begun();
    let ending = Instant::now();
    assert_eq!(server.ends(), (String::new(), Some(0)));
    assert!(
        ending.elapsed() < Duration::from_secs(20),
        "{:?}",
        ending.elapsed()
    );
    gone();

    let mut server = home.mcp(&[]);
    server.send(&check(1));
    begun();
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    gone();
}

#[test]
fn the_public_client_lists_calls_cancels_and_finds_it_in_order() {
    if !Path::new(PACKAGE).join("mcp").is_dir() {
        assert!(
            std::env::var_os("UNREQUESTED_MCP_CLIENT").is_none(),
            "CI has the package mcp"
        );
        let _ = std::io::stderr().write_all(
            b"NOT RUN: no package mcp; python3 -m pip install --target target/mcp mcp==2.3.0\n",
        );
        return;
    }
    let home = Home::new("sdk");
    home.sample("app", false);
    home.sample("hangs", true);
    let output = Command::new("python3")
        .arg(CLIENT)
        .args([PROGRAM, home.0.to_str().unwrap()])
        .arg(report::remedy::NOT_FOR_AGENTS.join(","))
        .env("PYTHONPATH", PACKAGE)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ok\n", "{said}");
}
