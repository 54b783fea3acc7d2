//! The page of a run in a real browser: the same probe as for the page of a check, and the keyboard.
//!
//! Keys are pressed through Chromium's own pipe (`--remote-debugging-pipe`), so that focus and links do what they do for a
//! person; nothing is imitated by a script.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::tests::{board, prove, run};
use crate::html::browser::{browser, complaints, look};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("unrequested-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One tab.
struct Tab {
    child: Child,
    keys: ChildStdin,
    words: BufReader<ChildStdout>,
    number: u64,
    session: Option<String>,
    /// Whatever the page asked for.
    asked: Vec<String>,
}

impl Tab {
    fn open(program: &str, folder: &Path) -> Self {
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null",
                "sh",
                program,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-first-run",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", folder.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut tab = Self {
            keys: child.stdin.take().unwrap(),
            words: BufReader::new(child.stdout.take().unwrap()),
            child,
            number: 0,
            session: None,
            asked: Vec::new(),
        };
        let made = tab.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = json!({"targetId": made["targetId"], "flatten": true});
        let attached = tab.call("Target.attachToTarget", target);
        tab.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page.enable", "Network.enable", "DOM.enable"] {
            tab.call(domain, json!({}));
        }
        tab
    }

    fn read(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.words.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser has gone away");
        let message: Value = serde_json::from_slice(&bytes).unwrap();
        if message["method"] == "Network.requestWillBeSent" {
            let url = message["params"]["request"]["url"].as_str().unwrap();
            self.asked.push(url.to_owned());
        }
        message
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.keys
            .write_all(format!("{message}\0").as_bytes())
            .unwrap();
        loop {
            let answer = self.read();
            if answer["id"] == self.number {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    fn go(&mut self, page: &Path) {
        self.number += 1;
        let url = format!("file://{}", page.display());
        let message = json!({"id": self.number, "method": "Page.navigate", "params": {"url": url}, "sessionId": self.session});
        self.keys
            .write_all(format!("{message}\0").as_bytes())
            .unwrap();
        while self.read()["method"] != "Page.loadEventFired" {}
    }

    fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "ArrowLeft" => (37, ""),
            "ArrowUp" => (38, ""),
            "ArrowRight" => (39, ""),
            "ArrowDown" => (40, ""),
            other => panic!("{other}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            self.call(
                "Input.dispatchKeyEvent",
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}),
            );
        }
    }

    fn says(&mut self, expression: &str) -> Value {
        let found = self.call(
            "Runtime.evaluate",
            json!({"expression": expression, "returnByValue": true}),
        );
        found["result"]["value"].clone()
    }

    /// What has the focus, which cell is open, and whether it can be seen.
    fn now(&mut self) -> (String, String, bool) {
        let found = self.says(
            "(() => { const open = document.querySelector('.cell:target'); const at = document.activeElement;
              return [at.id || at.tagName, open ? open.id : '', open ? getComputedStyle(open).display === 'block'
              && open.getBoundingClientRect().width > 200 : false, !open || open.contains(at) || at === open] })()",
        );
        let text = |at: usize| found[at].as_str().unwrap().to_owned();
        let inside = found[3].as_bool().unwrap();
        assert!(inside, "the focus stays behind what is open: {found}");
        (text(0), text(1), found[2].as_bool().unwrap())
    }

    /// Tab until a cell of the table has the focus.
    fn reach_a_cell(&mut self) -> String {
        for _ in 0..40 {
            self.press("Tab");
            let at = self.says("document.activeElement.id");
            let at = at.as_str().unwrap_or_default();
            if at.starts_with("l-") {
                return at.to_owned();
            }
        }
        panic!("no cell is reached with Tab");
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_alone_open_a_cell_and_close_it_with_and_without_the_script() {
    let Some(program) = browser() else { return };
    let folder = Folder::new("keys");
    let run = run(4, 1);
    let file = folder.0.join("page.html");
    std::fs::write(&file, super::render(&board(&run), &mut prove)).unwrap();
    let mut tab = Tab::open(&program, &folder.0.join("profile"));
    tab.go(&file);
    let first = tab.reach_a_cell();
    assert_eq!(
        tab.says("document.querySelectorAll('#heat td a[tabindex=\"0\"]').length"),
        1,
        "the table is one stop for Tab"
    );
    let place = |id: &str| -> (usize, usize) {
        let (row, column) = id[2..].split_once('-').unwrap();
        (row.parse().unwrap(), column.parse().unwrap())
    };
    tab.press("ArrowRight");
    let right = tab.now().0;
    assert_eq!(place(&right), (place(&first).0, place(&first).1 + 1));
    tab.press("ArrowDown");
    let below = tab.now().0;
    assert!(place(&below).0 > place(&right).0 && place(&below).1 == place(&right).1);
    tab.press("Enter");
    let wanted = below.replace("l-", "c-");
    let (_, open, seen) = tab.now();
    assert_eq!((open, seen), (wanted.clone(), true));
    tab.press("Escape");
    assert_eq!(tab.now(), (below.clone(), String::new(), false));
    tab.press("ArrowLeft");
    tab.press("ArrowUp");
    assert_eq!(tab.now().0, first);
    // At the edge it stays.
    tab.press("ArrowUp");
    assert_eq!(tab.now().0, first);
    assert_eq!(tab.says("typeof pwned"), "undefined");

    tab.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    assert_eq!(
        tab.says("[...document.querySelectorAll('.cell')].every((one) => getComputedStyle(one).display === 'none')"),
        true
    );
    tab.call("Emulation.setEmulatedMedia", json!({"media": ""}));

    tab.call(
        "Emulation.setScriptExecutionDisabled",
        json!({"value": true}),
    );
    tab.go(&file);
    let link = tab.reach_a_cell();
    tab.press("Enter");
    let (_, open, seen) = tab.now();
    assert_eq!((open, seen), (link.replace("l-", "c-"), true));
    tab.press("Tab");
    tab.press("Enter");
    assert_eq!(tab.now(), (link, String::new(), false), "Close is a link");

    let asked: Vec<&String> = tab
        .asked
        .iter()
        .filter(|url| !url.starts_with("file://") || !url.contains("page.html"))
        .collect();
    assert!(asked.is_empty(), "{asked:?}");
    assert_eq!(tab.asked.len(), 2);
}

#[test]
fn a_run_of_hostile_words_is_safe_and_readable_on_desktop_and_phone_light_and_dark() {
    let Some(program) = browser() else { return };
    let folder = Folder::new("board");
    let run = run(4, 1);
    let page = super::render(&board(&run), &mut prove);
    let ours = page.matches("<svg").count() + 1;
    let mut wrong = String::new();
    for (name, width, dark, at) in [
        ("desktop", 1280, false, ""),
        ("desktop-dark, a cell", 1280, true, "#c-0-0"),
        ("phone, a cell", 360, false, "#c-0-0"),
        ("phone-dark", 360, true, ""),
    ] {
        let (found, asked) = look(&program, &folder.0, (&page, name, at), width, dark);
        wrong += &complaints(name, (&found, &asked), dark, ours);
    }
    assert!(wrong.is_empty(), "{wrong}");
}
