//! A folder and a mark of its own for each test, and ways to see what processes are there.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cell::{Cell, Level, Spec};

/// An HTTP server that prints its port and answers with the address of whoever asks.
pub(crate) const SERVER: &str = r"
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].encode())
port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
server = http.server.ThreadingHTTPServer(('', port), Handler)
print(server.server_address[1])
server.serve_forever()
";

const TOOL: &str = "CELL_TEST_TOOL";
static COUNTER: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Bench {
    folder: tempfile::TempDir,
    /// A time for `sleep` that nobody else sleeps.
    pub(crate) mark: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        Self {
            folder: tempfile::tempdir().unwrap(),
            mark: format!("4444.{}{count:03}", std::process::id()),
        }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    pub(crate) fn spec(&self, command: &[&str]) -> Spec {
        spec(&self.root(), command)
    }

    pub(crate) fn spawn(&self, level: Level, command: &[&str]) -> Cell {
        cell::spawn(&self.spec(command), level).unwrap()
    }

    /// This test binary once more, with a cell in it that holds daemons.
    pub(crate) fn tool_in_a_process(&self, level: Level) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "stands_in_for_the_tool", "--nocapture"])
            .env(
                TOOL,
                format!("{level:?} {} {}", self.mark, self.root().display()),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

pub(crate) fn be_the_tool_if_asked() {
    let Ok(asked) = std::env::var(TOOL) else {
        return;
    };
    let mut words = asked.splitn(3, ' ');
    let level = match words.next() {
        Some("Boxed") => Level::Boxed,
        _ => Level::Plain,
    };
    let mark = words.next().unwrap();
    let root = PathBuf::from(words.next().unwrap());
    let script = format!("setsid nohup sleep {mark} & (setsid sleep {mark} &) ; sleep {mark}");
    let cell = cell::spawn(&spec(&root, &["sh", "-c", &script]), level).unwrap();
    // Killed long before.
    cell.wait(Duration::from_secs(60));
}

fn spec(root: &Path, command: &[&str]) -> Spec {
    let mut spec = Spec::new(root, command);
    spec.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    spec
}

pub(crate) fn boxed() -> bool {
    static PROBE: OnceLock<cell::Probe> = OnceLock::new();
    let probe = PROBE.get_or_init(cell::probe);
    if let Some(why) = &probe.why_not {
        let _ = writeln!(std::io::stderr(), "NOT RUN, no box here: {why}");
    }
    probe.level == Level::Boxed
}

pub(crate) fn not_run(why: &str) {
    let _ = writeln!(std::io::stderr(), "NOT RUN: {why}");
}

/// The control groups made for a cell, of a process in it that sleeps for `mark`.
pub(crate) fn groups_of(mark: &str) -> Vec<PathBuf> {
    let found = std::cell::RefCell::new(Vec::new());
    living(|process| {
        let line = fs::read_to_string(process.join("cmdline")).unwrap_or_default();
        if line.starts_with(&format!("sleep\0{mark}\0")) {
            let groups = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
            for group in groups.lines().filter(|line| line.contains("unrequested-")) {
                let mut fields = group.splitn(3, ':').skip(1);
                let (controllers, path) = (fields.next().unwrap(), fields.next().unwrap());
                let mount = ["/sys/fs/cgroup", controllers].join("/");
                found
                    .borrow_mut()
                    .push(PathBuf::from(mount.trim_end_matches('/').to_owned() + path));
            }
        }
        false
    });
    found.into_inner()
}

/// Waits for something to come true, and panics when it does not.
pub(crate) fn until<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Living processes that sleep for `mark`.
pub(crate) fn running(mark: &str) -> usize {
    living(|process| {
        fs::read_to_string(process.join("cmdline"))
            .is_ok_and(|line| line.starts_with(&format!("sleep\0{mark}\0")))
    })
}

/// Living processes that have the log of the cell in `root` open: its holder does.
pub(crate) fn holders(root: &Path) -> usize {
    let log = root.join("log/output").display().to_string();
    living(|process| {
        fs::read_link(process.join("fd/1"))
            .is_ok_and(|open| open.to_string_lossy().starts_with(&log))
    })
}

fn living(wanted: impl Fn(&Path) -> bool) -> usize {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let state = stat.rsplit(") ").next().unwrap_or_default();
            !stat.is_empty() && !state.starts_with('Z') && wanted(&entry.path())
        })
        .count()
}
