//! Apps that mean harm: each ends with its cause named, nothing "resisted", and nothing left.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "../../exploit/tests/support/side_by_side.rs"]
mod side_by_side;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use side_by_side::side_by_side;

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../study/starters/fastapi");

/// Answers the health route, and everything else with what `act` does to the handler.
const SERVER: &str = r#"#!/usr/bin/env python3
import http.server, os, socketserver, subprocess, sys, threading, time

def act(h):
    ACT

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        if self.path == "/api/health":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status":"ok"}')
            return
        self.rfile.read(int(self.headers.get("content-length") or 0))
        act(self)
    do_GET = do_POST = do_PATCH = do_DELETE = answer
    def log_message(self, *words): pass

START
socketserver.ThreadingMixIn.daemon_threads = True
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"#;

struct Case {
    name: &'static str,
    /// What it does to a request.
    act: &'static str,
    /// What it does before it serves.
    start: &'static str,
    says: &'static [&'static str],
}

const CASES: [Case; 12] = [
    Case {
        name: "memory",
        act: "x = bytearray(b'x') * (3 << 30); time.sleep(9); print(len(x))",
        start: "",
        says: &["killed: memory"],
    },
    Case {
        name: "forks",
        act: "[subprocess.Popen(['sleep', '60']) for _ in range(2000)]; time.sleep(9)",
        start: "",
        says: &["killed: processes"],
    },
    Case {
        name: "disk",
        act: "[os.posix_fallocate(os.open(f'/tmp/{n}', os.O_CREAT | os.O_WRONLY), 0, 50_000_000) for n in range(60)]; time.sleep(9)",
        start: "",
        says: &["killed: disk"],
    },
    Case {
        name: "endless reply",
        act: "h.send_response(200); h.end_headers()\n    while True: h.wfile.write(b'x' * 65536)",
        start: "",
        says: &["undecided: 1"],
    },
    Case {
        name: "ten gigabytes announced",
        act: "h.send_response(200); h.send_header('content-length', str(10 << 30)); h.end_headers(); h.wfile.write(b'x' * 100)",
        start: "",
        says: &["undecided: 1"],
    },
    Case {
        name: "slow",
        act: "h.send_response(200); h.end_headers()\n    for _ in range(600): h.wfile.write(b' '); h.wfile.flush(); time.sleep(0.5)",
        start: "",
        says: &["undecided: 1"],
    },
    Case {
        name: "escapes",
        act: r"h.send_response(500, 'no\x1b[2J\x1b]0;owned\x07'); h.end_headers(); h.wfile.write(b'\x1b[31m\xe2\x80\xae<script>alert(1)</script>')",
        start: "",
        says: &["undecided: 1"],
    },
    Case {
        name: "daemon",
        act: "h.send_response(500); h.end_headers()",
        start: "subprocess.Popen(['setsid', 'nohup', 'sleep', 'MARK'], start_new_session=True)",
        says: &["undecided: 1"],
    },
    Case {
        name: "endless log",
        act: r"
    while True: os.write(1, b'\x1b[2J<b>hostile</b>' * 4096)",
        start: "",
        says: &["undecided: 1"],
    },
    Case {
        name: "endless log before it is ready",
        act: "pass",
        start: r"while True: os.write(1, b'\x1b[2J<b>hostile</b>\n' * 4096)",
        says: &["not ready within", "the fault is the app's"],
    },
    Case {
        name: "leaves what is hard to remove",
        act: r"
    os.makedirs('shut/inner'); open('shut/inner/file', 'w').close()
    os.chmod('shut/inner', 0); os.chmod('shut', 0)
    for _ in range(3000): os.mkdir('deep'); os.chdir('deep')
    h.send_response(500); h.end_headers()",
        start: "",
        says: &["undecided: 1"],
    },
    Case {
        name: "looks around",
        act: r"
    seen = [name for name in os.environ if 'HOSTILE' in name]
    for path in ['/root', '/home', HOME]:
        try: seen += os.listdir(path)
        except OSError: pass
    try:
        import socket
        socket.create_connection(('127.0.0.1', HOSTPORT), 2)
        seen.append('the host')
    except OSError: pass
    for path in ['link', '../../../ledger.db']:
        try: seen.append(open(path).read(10))
        except (OSError, UnicodeDecodeError): pass
    try:
        open('/etc/hostile', 'w'); seen.append('wrote /etc')
    except OSError: pass
    h.send_response(418, 'seen' + ''.join(seen)); h.end_headers()",
        start: "",
        says: &["answered 418"],
    },
];

#[test]
fn no_harm_nothing_left_cause_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let cases: Vec<_> = CASES.iter().zip(5555..).collect();
    let wrong = side_by_side(&cases, 4, |(case, number)| harm(case, *number, port));
    assert!(!Path::new("/etc/hostile").exists());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What is wrong after one of them; the number is its own, and something of the host's listens on the port.
fn harm(case: &Case, number: u32, port: u16) -> Vec<String> {
    let name = case.name.replace(' ', "-");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("hostile-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let tree = folder.join("app");
    fs::create_dir_all(&tree).unwrap();
    let mark = format!("{number}.{}", std::process::id());
    let home = std::env::var("HOME").unwrap_or_else(|_| "/root".into());
    let program = SERVER
        .replace("ACT", case.act)
        .replace("START", case.start)
        .replace("MARK", &mark)
        .replace("HOSTPORT", &port.to_string())
        .replace("HOME", &format!("{home:?}"));
    fs::write(tree.join("server.py"), program).unwrap();
    let start = "#!/bin/sh\nexec /usr/bin/env python3 server.py\n";
    fs::write(tree.join("start.sh"), start).unwrap();
    fs::copy(
        Path::new(STARTER).join("requirements.txt"),
        tree.join("requirements.txt"),
    )
    .unwrap();
    std::os::unix::fs::symlink("/etc/hostname", tree.join("link")).unwrap();
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
        .arg("--dir")
        .arg(folder.join("ledger"))
        .args(["check", "--ready-within", "8", "--only", "missing-token"])
        .arg(&tree)
        .env("HOSTILE_SECRET", "x")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let took = begun.elapsed();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let mut wrong = Vec::new();
    let mut complain =
        |what: String| wrong.push(format!("{}: {what}\n{}", case.name, text.escape_debug()));
    for word in case.says {
        if !text.contains(word) {
            complain(format!("`{word}` is not said"));
        }
    }
    let decided =
        !text.contains("0 exploited, 0 resisted") && !text.contains("Nothing was attacked");
    if !matches!(output.status.code(), Some(11 | 12)) || decided {
        complain("something was decided".into());
    }
    if text.contains(|c: char| c.is_control() && c != '\n') || text.contains('\u{202e}') {
        complain("what the app said reached the terminal as it was".into());
    }
    if took > Duration::from_secs(150) {
        complain(format!("it took {took:?}"));
    }
    if running(&mark) || running(&folder.display().to_string()) {
        complain("processes are left".into());
    }
    if fs::read_dir(folder.join("ledger/cells")).is_ok_and(|cells| cells.count() > 0) {
        complain("a cell's folder is left".into());
    }
    fs::remove_dir_all(&folder).unwrap();
    wrong
}

/// What a package says at install, and what names are in it, is untrusted too.
#[test]
fn installs_and_builds_that_fail_are_named_with_whose_fault_it_is() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("hostile-install-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let (package, tree) = (folder.join("next/package"), folder.join("app"));
    fs::create_dir_all(&package).unwrap();
    fs::create_dir_all(&tree).unwrap();
    let words = r"printf '\\033[2J\\033]0;owned\\007\\342\\200\\256<b>no luck</b>\\n'; exit 1";
    let check = |at_install: &str, build: &str, dependency: Option<&str>| {
        let manifest = format!(
            r#"{{"name":"next","version":"1.0.0","scripts":{{"install":"{at_install}"}}}}"#
        );
        fs::write(package.join("package.json"), manifest).unwrap();
        let archive = folder.join("next.tgz");
        let packed = Command::new("tar")
            .arg("-C")
            .arg(folder.join("next"))
            .arg("-czf")
            .args([&archive, Path::new("package")])
            .status();
        assert!(packed.unwrap().success());
        let own = format!("file:{}", archive.display());
        let dependency = dependency.unwrap_or(&own);
        let manifest = format!(
            r#"{{"dependencies":{{"next":"{dependency}"}},"scripts":{{"build":"{build}"}}}}"#
        );
        fs::write(tree.join("package.json"), manifest).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
            .arg("--dir")
            .arg(folder.join("ledger"))
            .args(["check", "--only", "missing-token"])
            .arg(&tree)
            .env("UNREQUESTED_CACHE", folder.join("cache"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(12), "{text}");
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n') && !text.contains('\u{202e}'),
            "{}",
            text.escape_debug()
        );
        let kept = fs::read_dir(folder.join("cache/node"))
            .into_iter()
            .flatten()
            .flatten();
        for entry in kept {
            fs::remove_file(entry.path())
                .or_else(|_| fs::remove_dir_all(entry.path()))
                .unwrap();
        }
        text
    };
    let text = check(words, "true", None);
    assert!(
        text.contains("<b>no luck</b>") && text.contains("the fault is not the app's"),
        "{text}"
    );
    let text = check("true", words, None);
    assert!(
        text.contains("<b>no luck</b>") && text.contains("the fault is the app's"),
        "{text}"
    );
    let text = check("true", "true", Some(r"\u001b[2J\u202e<b>1.0"));
    assert!(text.contains("the fault is"), "{text}");
    fs::remove_dir_all(&folder).unwrap();
}

/// A wheel may bring a file that every start of its Python runs.
#[test]
fn packages_of_python_run_nothing_outside_the_box() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("hostile-wheel-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let (links, tree) = (folder.join("links"), folder.join("app"));
    fs::create_dir_all(&links).unwrap();
    fs::create_dir_all(&tree).unwrap();
    let ran = folder.join("ran");
    let script = r#"
import sys, zipfile
files = {
    'fastapi.pth': "import os, sys; os.path.isdir('/proc') and open('RAN', 'w').write('x')\n",
    'fastapi.py': 'x = 1\n',
    'fastapi-1.0.dist-info/METADATA': 'Metadata-Version: 2.1\nName: fastapi\nVersion: 1.0\n',
    'fastapi-1.0.dist-info/WHEEL': 'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
}
record = 'fastapi-1.0.dist-info/RECORD'
files[record] = ''.join(f'{name},,\n' for name in [*files, record])
with zipfile.ZipFile(sys.argv[1] + '/fastapi-1.0-py3-none-any.whl', 'w') as archive:
    for name, text in files.items():
        archive.writestr(name, text)
"#;
    let made = Command::new("python3")
        .args(["-c", &script.replace("RAN", &ran.display().to_string())])
        .arg(&links)
        .status();
    assert!(made.unwrap().success());
    fs::write(
        tree.join("start.sh"),
        "#!/bin/sh\npython3 -c 'import fastapi'\necho imported it\nexit 3\n",
    )
    .unwrap();
    let check = |requirement: &str| {
        fs::write(tree.join("requirements.txt"), requirement).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_unrequested"))
            .arg("--dir")
            .arg(folder.join("ledger"))
            .args(["check", "--only", "missing-token"])
            .arg(&tree)
            .envs([("UV_NO_INDEX", "1"), ("PIP_NO_INDEX", "1")])
            .env("UV_FIND_LINKS", &links)
            .env("PIP_FIND_LINKS", &links)
            .env("UNREQUESTED_CACHE", folder.join("cache"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    };
    let text = check("fastapi\n");
    assert!(text.contains("imported it"), "{text}");
    let boxed = !text.contains("WARNING: no box here");
    assert!(!boxed || !ran.exists(), "a package ran outside the box");
    let wheel = links.join("fastapi-1.0-py3-none-any.whl");
    let text = check(&format!("fastapi @ file://{}\n", wheel.display()));
    assert!(text.contains("does not come from a registry"), "{text}");
    assert!(text.contains("the fault is not the app's"), "{text}");
    fs::remove_dir_all(&folder).unwrap();
}

/// Whether a process has this in its command line. Ours have not: only its arguments could.
fn running(mark: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let own = entry.file_name().to_string_lossy() == std::process::id().to_string();
        !own && String::from_utf8_lossy(&words).contains(mark)
    })
}
