//! Trees that are made to be hard to read: none may stop the reading, and what is not read must be said.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use model::decision::{Decision, Reading};

/// Longer than any of these may take, also on a busy machine.
const LONGEST: Duration = Duration::from_secs(60);

/// A folder that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("decision-hostile-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Reads it in a thread of its own: what hangs fails.
    fn read(&self) -> Reading {
        let (send, receive) = mpsc::channel();
        let path = self.0.clone();
        std::thread::spawn(move || send.send(decision::read(&path)));
        receive
            .recv_timeout(LONGEST)
            .expect("reading hangs or panics")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An app with a route to register and no hash: `password-hash` is absent when all was read.
const APP: &str = "from fastapi import FastAPI\napp = FastAPI()\n\n@app.post('/register')\ndef register(email: str, password: str):\n    return {}\n";
/// The same, that hashes.
const HASHES: &str = "import bcrypt\nfrom fastapi import FastAPI\napp = FastAPI()\n\n@app.post('/register')\ndef register(email: str, password: str):\n    return {'hash': bcrypt.hashpw(password.encode(), bcrypt.gensalt(12))}\n";

fn hash(reading: &Reading) -> &Decision {
    reading
        .decisions
        .iter()
        .find(|one| one.decision == "password-hash")
        .expect("a route to register asks for it")
}

fn said(reading: &Reading) -> &'static str {
    hash(reading).origin.word()
}

/// That a file is said to be unread, and that nothing is absent because of it.
fn is_unread(reading: &Reading, file: &str, why: &str) {
    let found = reading.unread.iter().find(|one| one.file == file);
    let found = found.unwrap_or_else(|| panic!("{file} is not among {:?}", reading.unread));
    assert!(found.why.contains(why), "{found:?}");
    assert_eq!(said(reading), "unknown", "{:?}", hash(reading));
}

#[test]
fn everything_read_is_absent_and_nothing_unread() {
    let folder = Folder::new("plain");
    folder.put("app.py", APP);
    let reading = folder.read();
    assert_eq!(reading.unread, []);
    assert_eq!(said(&reading), "absent");
}

#[test]
fn an_empty_tree_says_nothing() {
    let reading = Folder::new("empty").read();
    assert_eq!(
        (reading.files, reading.unread.len(), reading.decisions.len()),
        (0, 0, 0)
    );
}

#[test]
fn a_tree_that_is_not_there_is_unread() {
    let folder = Folder::new("gone");
    let reading = decision::read(&folder.0.join("nowhere"));
    assert_eq!(reading.unread.len(), 1, "{:?}", reading.unread);
    assert_eq!(reading.decisions, []);
}

#[test]
fn links_are_not_followed_and_said() {
    let outside = Folder::new("outside");
    outside.put("secret.py", HASHES);
    let folder = Folder::new("links");
    folder.put("app.py", APP);
    symlink(&folder.0, folder.0.join("loop")).unwrap();
    symlink("self.py", folder.0.join("self.py")).unwrap();
    symlink(&outside.0, folder.0.join("elsewhere")).unwrap();
    symlink(outside.0.join("secret.py"), folder.0.join("hashing.py")).unwrap();
    symlink("/nowhere/at/all.py", folder.0.join("broken.py")).unwrap();
    let reading = folder.read();
    assert_eq!(reading.files, 1);
    for file in ["self.py", "hashing.py", "broken.py", "loop", "elsewhere"] {
        is_unread(&reading, file, "link");
    }
    assert_eq!(reading.unread.len(), 5, "{:?}", reading.unread);
}

#[test]
fn links_that_are_no_sources_are_nothing() {
    let folder = Folder::new("other-links");
    folder.put("app.py", APP);
    symlink("/etc/hostname", folder.0.join("notes.txt")).unwrap();
    fs::create_dir(folder.0.join("node_modules")).unwrap();
    symlink("/", folder.0.join("node_modules/root")).unwrap();
    symlink("/usr/bin", folder.0.join(".venv")).unwrap();
    let reading = folder.read();
    assert_eq!(reading.unread, []);
    assert_eq!(said(&reading), "absent");
}

#[test]
fn a_root_that_is_a_link_is_read() {
    let folder = Folder::new("root");
    folder.put("real/app.py", APP);
    symlink(folder.0.join("real"), folder.0.join("link")).unwrap();
    assert_eq!(decision::read(&folder.0.join("link")).files, 1);
}

#[test]
fn a_file_of_100_megabytes_is_unread() {
    let folder = Folder::new("huge");
    folder.put("app.py", APP);
    File::create(folder.0.join("data.py"))
        .unwrap()
        .set_len(100 << 20)
        .unwrap();
    is_unread(&folder.read(), "data.py", "1 MiB");
}

#[test]
fn one_mebibyte_is_read_and_a_byte_more_is_not() {
    let folder = Folder::new("edge");
    let fill = |length: usize| {
        let line = "names = ['a list', 'that is as long', 'as lines of people are']\n";
        let mut text = APP.to_owned();
        while text.len() + line.len() < length {
            text.push_str(line);
        }
        text.push_str(&"#".repeat(length - text.len()));
        text
    };
    folder.put("app.py", fill(1 << 20));
    let reading = folder.read();
    assert_eq!((reading.files, said(&reading)), (1, "absent"));
    folder.put("more.py", fill((1 << 20) + 1));
    is_unread(&folder.read(), "more.py", "1 MiB");
}

#[test]
fn latin_1_is_read() {
    let folder = Folder::new("latin");
    let mut text = b"# gr\xfc\xdfe\n".to_vec();
    text.extend_from_slice(HASHES.as_bytes());
    folder.put("app.py", text);
    let reading = folder.read();
    assert_eq!(reading.unread, []);
    assert_eq!(
        (said(&reading), hash(&reading).spans[0].line),
        ("library", 8)
    );
}

#[test]
fn nul_bytes_are_no_text() {
    let folder = Folder::new("nul");
    folder.put("app.py", APP);
    folder.put("hashing.py", b"import bcrypt\0\n");
    is_unread(&folder.read(), "hashing.py", "not text");
}

#[test]
fn utf_16_is_no_text() {
    let folder = Folder::new("utf16");
    folder.put("app.py", APP);
    let wide: Vec<u8> = HASHES.encode_utf16().flat_map(u16::to_le_bytes).collect();
    folder.put("hashing.py", [vec![0xff, 0xfe], wide].concat());
    is_unread(&folder.read(), "hashing.py", "not text");
}

#[test]
fn deep_nesting_ends_no_thread() {
    for (name, open, close, language) in [
        ("lists.py", "[", "]", "x = "),
        ("calls.py", "f(", ")", "x = "),
        ("lists.js", "[", "]", "x = "),
        ("calls.ts", "f(", ")", "const x = "),
        ("blocks.rs", "{", "}", "fn x() "),
        ("not.js", "!", "", "x = 1 && "),
        ("sum.py", "1 + ", "1", "x = "),
        ("chain.js", "a.", "a", "x = "),
    ] {
        let folder = Folder::new(&format!("deep-{name}"));
        folder.put("app.py", APP);
        // Lines keep it from counting as minified.
        let deep = |part: &str| part.repeat(20).trim_end().to_owned() + "\n";
        let body = match close {
            "]" | ")" | "}" => deep(open).repeat(1000) + &deep(close).repeat(1000),
            _ => format!(
                "({}{})",
                (open.repeat(20) + "\n").repeat(1000),
                if close.is_empty() { "1" } else { close }
            ),
        };
        folder.put(name, format!("{language}{body}"));
        let reading = folder.read();
        is_unread(&reading, name, "do not parse");
    }
}

#[test]
fn many_statements_in_turn_are_no_nesting() {
    let folder = Folder::new("long");
    folder.put("app.py", format!("{HASHES}\n{}", "x = 1\n".repeat(50_000)));
    folder.put("other.js", "a();\n".repeat(50_000));
    let reading = folder.read();
    assert_eq!(reading.unread, []);
    assert_eq!(said(&reading), "library");
}

#[test]
fn comments_without_end_are_given_up_in_time() {
    let folder = Folder::new("comments");
    folder.put("app.py", APP);
    // Python's grammar looks through all that follow for each of them.
    let comments = "# a line of words\n".repeat(50_000);
    folder.put("notes.py", format!("x = 1\n{comments}y = 2\n"));
    is_unread(&folder.read(), "notes.py", "too long");
}

#[test]
fn what_tools_made_and_others_wrote_is_left_out() {
    let folder = Folder::new("left-out");
    folder.put("app.py", APP);
    let minified = format!("const h=require('bcrypt');{}", "h.hash(p,12);".repeat(1000));
    folder.put("static/app.min.js", minified);
    for (name, content) in [
        (
            "models_pb2.py",
            format!("# Generated by the protocol buffer compiler.  DO NOT EDIT!\n{HASHES}"),
        ),
        (
            "client.ts",
            "// @generated\nimport bcrypt from 'bcrypt';\nbcrypt.hash('x', 12);\n".to_owned(),
        ),
        (
            "node_modules/bcrypt/index.js",
            "require('bcrypt').hash('x', 12);\n".to_owned(),
        ),
        (".venv/lib/site-packages/x.py", HASHES.to_owned()),
        ("vendor/x.py", HASHES.to_owned()),
        ("dist/x.js", "require('bcrypt').hash('x', 12);\n".to_owned()),
        ("tests/helper.py", HASHES.to_owned()),
        ("test_app.py", HASHES.to_owned()),
        ("app_test.py", HASHES.to_owned()),
        ("conftest.py", HASHES.to_owned()),
        (
            "src/auth.test.ts",
            "import bcrypt from 'bcrypt';\nbcrypt.hash('x', 12);\n".to_owned(),
        ),
        (
            "src/__tests__/auth.ts",
            "import bcrypt from 'bcrypt';\nbcrypt.hash('x', 12);\n".to_owned(),
        ),
    ] {
        folder.put(name, content);
    }
    let reading = folder.read();
    assert_eq!(reading.unread, []);
    assert_eq!((reading.files, said(&reading)), (1, "absent"));
}

#[test]
fn a_file_that_may_not_be_read_is_unread() {
    let folder = Folder::new("closed");
    folder.put("app.py", APP);
    let closed = folder.put("hashing.py", HASHES);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    // Who may read everything is told nothing.
    if File::open(&closed).is_err() {
        is_unread(&folder.read(), "hashing.py", "ermission");
    }
}

#[test]
fn a_folder_that_may_not_be_read_is_unread() {
    let folder = Folder::new("closed-folder");
    folder.put("app.py", APP);
    folder.put("auth/hashing.py", HASHES);
    let closed = folder.0.join("auth");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&closed).is_err() {
        is_unread(&folder.read(), "auth/", "ermission");
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = Folder::new("pipe");
    folder.put("main.py", APP);
    fifo(&folder.0.join("app.py"));
    fifo(&folder.0.join("package.json"));
    fifo(&folder.0.join("notes"));
    let reading = folder.read();
    assert_eq!(reading.files, 1);
    is_unread(&reading, "app.py", "no file");
    is_unread(&reading, "package.json", "no file");
    assert_eq!(reading.unread.len(), 2, "{:?}", reading.unread);
}

#[test]
fn a_folder_with_a_sources_name_is_a_folder() {
    let folder = Folder::new("folder");
    folder.put("app.py/app.py", APP);
    let reading = folder.read();
    assert_eq!((reading.files, said(&reading)), (1, "absent"));
}

#[test]
fn line_ends_and_marks_change_nothing() {
    let (plain, other) = (Folder::new("lf"), Folder::new("crlf"));
    plain.put("app.py", HASHES);
    other.put(
        "app.py",
        format!("\u{feff}{}", HASHES.replace('\n', "\r\n")),
    );
    plain.put("requirements.txt", "fastapi==0.121.0\nbcrypt==5.0.0\n");
    other.put(
        "requirements.txt",
        "\u{feff}fastapi==0.121.0\r\nbcrypt==5.0.0\r\n",
    );
    let (plain, other) = (plain.read(), other.read());
    assert_eq!(other.unread, []);
    assert_eq!(plain.decisions, other.decisions);
    assert_eq!(said(&other), "library");
}

#[test]
fn names_that_are_no_text_are_unread() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = Folder::new("names");
    folder.put("app.py", APP);
    let name = std::ffi::OsStr::from_bytes(b"gr\xfc\xdfe.py");
    fs::write(folder.0.join(name), HASHES).unwrap();
    is_unread(&folder.read(), "gr\u{fffd}\u{fffd}e.py", "");
}
