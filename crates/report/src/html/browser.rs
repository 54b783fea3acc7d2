//! The page in a real browser, with a hostile app's words in it: nothing runs, nothing is asked for, nothing is wider than
//! the screen, and everything can be read, on a desktop and a phone, light and dark.
//!
//! Needs Chromium. Where there is none the test says so; where `UNREQUESTED_BROWSER` names one, it has to be there.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::finding::tests::{report, run};

/// Looks at the page from outside: its own policy forbids scripts.
const PROBE: &str = r#"<!doctype html><meta charset="utf-8"><title>probe</title>
<style>body { margin: 0 } iframe { border: 0; height: 900px }</style>
<iframe id="page" src="/page.html" style="width: WIDTHpx"></iframe><pre id="result"></pre>
<script>
const frame = document.getElementById("page");
const channel = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
const parse = (text) => { const n = text.match(/[\d.]+/g).map(Number); return { rgb: n.slice(0, 3), a: n.length > 3 ? n[3] : 1 }; };
const light = (rgb) => 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]);
frame.addEventListener("load", () => {
  const view = frame.contentWindow, doc = frame.contentDocument, root = doc.documentElement;
  const wide = () => root.scrollWidth - root.clientWidth;
  const folded = wide();
  for (const one of doc.querySelectorAll("details")) one.open = true;
  const outside = [...doc.body.querySelectorAll("*")].filter((one) => !one.closest("pre, .scroll, .skip, caption")
    && one.getBoundingClientRect().right > root.clientWidth + 1).map((one) => one.tagName).slice(0, 5);
  let worst = { ratio: 99, of: "" };
  for (const one of doc.body.querySelectorAll("*")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !one.getClientRects().length) continue;
    const front = parse(view.getComputedStyle(one).color);
    let back = null;
    for (let up = one; up && !back; up = up.parentElement) {
      const colour = parse(view.getComputedStyle(up).backgroundColor);
      if (colour.a === 1) back = colour;
    }
    const [a, b] = [light(front.rgb), light((back ?? { rgb: [255, 255, 255] }).rgb)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst.ratio) worst = { ratio, of: one.tagName + "." + one.className + ": " + one.textContent.slice(0, 40) };
  }
  const levels = [...doc.querySelectorAll("h1,h2,h3,h4,h5,h6")].map((one) => Number(one.tagName[1]));
  document.getElementById("result").textContent = "RESULT" + JSON.stringify({
    pwned: typeof view.pwned !== "undefined" || typeof window.pwned !== "undefined",
    foreign: doc.querySelectorAll("script, img, iframe, object, link, form, input, base, svg").length,
    handlers: [...doc.querySelectorAll("*")].filter((one) => [...one.attributes].some((a) => a.name.startsWith("on"))).length,
    folded, unfolded: wide(), outside, contrast: worst.ratio, faintest: worst.of,
    dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
    h1: levels.filter((level) => level === 1).length,
    skipped: levels.some((level, at) => at > 0 && level > levels[at - 1] + 1),
    landmarks: ["header", "main", "footer"].every((name) => doc.querySelector(name)),
    named: root.lang === "en" && doc.title.length > 5,
    scopes: [...doc.querySelectorAll("th")].every((one) => one.scope),
    scrolled: [...doc.querySelectorAll("pre")].every((one) => one.tabIndex === 0 && one.getAttribute("aria-label")),
    small: Math.min(...[...doc.body.querySelectorAll("*")].map((one) => parseFloat(view.getComputedStyle(one).fontSize))),
    shown: doc.body.textContent.includes("<script>pwned=1<\/script>") && doc.body.textContent.includes("\\u{202e}"),
  }) + "END";
});
</script>"#;

/// A browser, or a word that there is none.
pub(crate) fn browser() -> Option<String> {
    if let Ok(named) = std::env::var("UNREQUESTED_BROWSER") {
        return Some(named);
    }
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| {
            let tried = Command::new(name)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            tried.is_ok_and(|status| status.success())
        });
    if found.is_none() {
        let _ =
            std::io::stderr().write_all(b"NOT RUN: no chromium here: apt-get install chromium\n");
    }
    found.map(str::to_owned)
}

/// Serves the page and the probe on loopback, and keeps what was asked for.
fn serve(page: String, width: u32, at: &'static str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (page, seen) = (page.clone(), seen.clone());
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n")
                    && stream.read(&mut byte).is_ok_and(|read| read == 1)
                {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let (status, body) = match path.as_str() {
                    "/probe.html" => ("200 OK", probe(width, at)),
                    "/page.html" => ("200 OK", page),
                    _ => ("404 Not Found", String::new()),
                };
                if !path.is_empty() {
                    seen.lock().unwrap().push(path);
                }
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            });
        }
    });
    (address, asked)
}

/// The probe of a page in a frame so wide, at a part of it.
fn probe(width: u32, at: &str) -> String {
    PROBE
        .replace("WIDTH", &width.to_string())
        .replace("/page.html", &format!("/page.html{at}"))
}

fn chromium(program: &str, folder: &std::path::Path, arguments: &[String]) -> String {
    let output = Command::new(program)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--virtual-time-budget=20000",
        ])
        .arg(format!("--user-data-dir={}", folder.display()))
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn scheme(dark: bool) -> String {
    format!("--blink-settings=preferredColorScheme={}", u8::from(!dark))
}

/// What the probe says of a page, and what was asked for meanwhile.
pub(crate) fn look(
    program: &str,
    folder: &std::path::Path,
    (page, name, at): (&str, &str, &'static str),
    width: u32,
    dark: bool,
) -> (Value, Vec<String>) {
    let (address, asked) = serve(page.to_owned(), width, at);
    let size = "--window-size=1400,1000".to_owned();
    let probe = format!("http://{address}/probe.html");
    let dom = chromium(
        program,
        folder,
        &[scheme(dark), size, "--dump-dom".into(), probe],
    );
    let found = dom
        .split("RESULT{")
        .nth(1)
        .and_then(|rest| rest.split("}END").next());
    let found = found.unwrap_or_else(|| panic!("{name}: the probe said nothing: {dom}"));
    let found = found
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    let found = serde_json::from_str(&format!("{{{found}}}"))
        .unwrap_or_else(|error| panic!("{error}: {found}"));
    let asked = asked.lock().unwrap().clone();
    (found, asked)
}

#[test]
fn the_probe_sees_what_it_looks_for() {
    let Some(program) = browser() else { return };
    let folder = std::env::temp_dir().join(format!("unrequested-probe-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let page = r#"<!doctype html><html><head></head><body><h3>x</h3><script>pwned = 1</script><img src="/leak.png" onerror="1">
        <div style="width: 3000px">wide</div><p style="color: #aaa; font-size: 9px">faint</p><table><tr><th>x</th></tr></table>
        <pre>x</pre></body></html>"#;
    let (found, asked) = look(&program, &folder, (page, "bad", ""), 360, true);
    let _ = std::fs::remove_dir_all(&folder);
    assert_eq!(
        (&found["pwned"], &found["foreign"], &found["handlers"]),
        (&true.into(), &2.into(), &1.into()),
        "{found}"
    );
    assert!(
        found["folded"].as_i64().unwrap() > 1000
            && !found["outside"].as_array().unwrap().is_empty(),
        "{found}"
    );
    assert!(
        found["contrast"].as_f64().unwrap() < 4.5 && found["small"].as_f64().unwrap() < 12.0,
        "{found}"
    );
    assert_eq!(
        (&found["h1"], &found["landmarks"], &found["named"]),
        (&0.into(), &false.into(), &false.into()),
        "{found}"
    );
    assert_eq!(
        (&found["scopes"], &found["scrolled"], &found["shown"]),
        (&false.into(), &false.into(), &false.into()),
        "{found}"
    );
    assert!(asked.contains(&"/leak.png".to_owned()), "{asked:?}");
}

/// What a page that was looked at lacks; `drawings` are its own.
pub(crate) fn complaints(
    name: &str,
    (found, asked): (&Value, &[String]),
    dark: bool,
    drawings: usize,
) -> String {
    let mut wrong = String::new();
    for (what, holds) in [
        (
            "nothing ran",
            found["pwned"] == false && found["handlers"] == 0,
        ),
        ("no foreign element", found["foreign"] == drawings),
        (
            "fits the width",
            found["folded"] == 0
                && found["unfolded"] == 0
                && found["outside"].as_array().unwrap().is_empty(),
        ),
        ("contrast", found["contrast"].as_f64().unwrap() >= 4.5),
        ("the reader's scheme", found["dark"] == dark),
        ("headings", found["h1"] == 1 && found["skipped"] == false),
        (
            "landmarks and names",
            found["landmarks"] == true && found["named"] == true,
        ),
        (
            "tables and code for screen readers",
            found["scopes"] == true && found["scrolled"] == true,
        ),
        (
            "letters of a size",
            found["small"].as_f64().unwrap() >= 12.0,
        ),
        ("the app's words as text", found["shown"] == true),
    ] {
        if !holds {
            let _ = writeln!(wrong, "{name}: {what}: {found}");
        }
    }
    let ours = ["/probe.html", "/page.html", "/favicon.ico"];
    if asked.iter().any(|path| !ours.contains(&path.as_str()))
        || !asked.contains(&"/page.html".to_owned())
    {
        let _ = writeln!(wrong, "{name}: asked for {asked:?}");
    }
    wrong
}

#[test]
fn a_hostile_report_is_safe_and_readable_on_desktop_and_phone_light_and_dark() {
    let Some(program) = browser() else { return };
    let run = run();
    let mut report = report(&run);
    let folder = std::env::temp_dir().join(format!("unrequested-browser-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut wrong = String::new();
    for (name, width, dark, hardening) in [
        ("desktop", 1280, false, false),
        ("desktop-dark", 1280, true, true),
        ("phone", 360, false, true),
        ("phone-dark", 360, true, false),
    ] {
        report.hardening = hardening;
        let page = super::render(&report);
        let (found, asked) = look(&program, &folder, (&page, name, ""), width, dark);
        wrong += &complaints(name, (&found, &asked), dark, 0);
        if let Ok(pictures) = std::env::var("UNREQUESTED_PICTURES") {
            let shot = format!("--screenshot={pictures}/{name}.png");
            let size = format!("--window-size={},2200", width.max(500));
            let (address, _) = serve(page, width, "");
            let page = format!("http://{address}/page.html");
            chromium(
                &program,
                &folder,
                &[scheme(dark), size, "--hide-scrollbars".into(), shot, page],
            );
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    assert!(wrong.is_empty(), "{wrong}");
}
