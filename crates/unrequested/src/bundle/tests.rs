use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use exploit::Ran;
use model::{Exchange, Facts, Observation, Sees};
use serde_json::Value;

use super::write::write_without;
use super::*;
use crate::exit::Exit;
use crate::ledger::{Cost, Ledger, NewTurn, NewUnit};

mod forged;
mod written;

const CANARY: &str = "sk-ant-canary-0123456789";

struct Made {
    folder: tempfile::TempDir,
    ledger: Ledger,
    row: RunRow,
}

/// A run of one session: an exploit that saw its effect, one that did not, and one that sent megabytes.
fn made(said: &str) -> Made {
    run("bench", |ledger, id, folder| {
        let unit = unit(ledger, id, ("silent", "6-production"), folder);
        for (id, held) in [("note-read-other-user", true), ("missing-token", false)] {
            attacked(ledger, unit, (id, held), said);
        }
        ended(ledger, unit);
    })
}

/// A finished run with what is put into it.
fn run(command: &str, put: impl FnOnce(&Ledger, &str, &Path)) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger")).unwrap();
    let suite = crate::context::suite_hash();
    let row = ledger
        .begin_run(command, &suite, "version = 1\n", "h")
        .unwrap();
    put(&ledger, &row.id, folder.path());
    ledger.end_run(&row.id).unwrap();
    let row = ledger.run(Some(&row.id)).unwrap();
    Made {
        folder,
        ledger,
        row,
    }
}

/// Begins a unit of the one session, with a tree.
fn unit(ledger: &Ledger, run: &str, (arm, step): (&str, &str), folder: &Path) -> i64 {
    let tree = folder.join("tree");
    fs::create_dir_all(tree.join("app")).unwrap();
    fs::write(tree.join("app/main.py"), "print('hello')\n").unwrap();
    let unit = ledger
        .begin_unit(
            run,
            &NewUnit {
                key: "k".into(),
                session: format!("fastapi/recorded:literal/{arm}/1"),
                agent: "recorded:literal".into(),
                framework: "fastapi".into(),
                arm: arm.into(),
                replicate: 1,
                step: step.into(),
                tree: Some(tree.display().to_string()),
            },
        )
        .unwrap();
    ledger
        .put_tree_hash(unit, &app::tree_hash(&tree).unwrap())
        .unwrap();
    unit
}

fn ended(ledger: &Ledger, unit: i64) {
    let cost = Cost {
        requests: 4,
        wall_ms: 5,
        app_cpu_ms: None,
    };
    ledger.end_unit(unit, cost, "").unwrap();
}

/// One exploit, which saw its effect or did not, and sent megabytes besides.
fn attacked(ledger: &Ledger, unit: i64, (id, held): (&'static str, bool), said: &str) {
    let body = if held { "alices canary" } else { "nothing" };
    answered(ledger, unit, (id, held), said, body);
}

fn answered(ledger: &Ledger, unit: i64, (id, held): (&'static str, bool), said: &str, body: &str) {
    let exchange = |sent: Vec<u8>| Exchange {
        who: "bob".into(),
        label: "bob reads".into(),
        from: Ipv4Addr::LOCALHOST.into(),
        sent,
        got: Some(
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        ),
        trouble: None,
        took: Duration::from_millis(3),
    };
    let get = format!("GET /api/notes/7 HTTP/1.1\r\nX-Said: {said}\r\n\r\n");
    let ran = Ran {
        facts: Facts {
            before: Some(true),
            control: Some(false),
            planned: 1,
            looked: vec![Observation {
                label: "bob reads alice's note".into(),
                sees: Sees::Text(b"alices canary".to_vec()),
                held,
                replied: true,
                exchange: Some(0),
            }],
            after: Some(true),
            ..Facts::default()
        },
        exchanges: vec![
            exchange(get.into_bytes()),
            exchange([b"POST / HTTP/1.1\r\n\r\n".to_vec(), vec![0xff; 100_000]].concat()),
        ],
        id,
        took: Duration::from_millis(9),
        attempt: 1,
        repeat: false,
    };
    ledger.attacked(unit, 1, &ran).unwrap();
}

impl Made {
    fn bundle(&self, name: &str) -> PathBuf {
        let to = self.folder.path().join(name);
        super::write::write_without(&self.ledger, &self.row, &to, Vec::new()).unwrap();
        to
    }
}

fn files(root: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap();
                all.push(name.to_str().unwrap().to_owned());
            }
        }
    }
    all.sort();
    all
}

/// Writes a file of a bundle anew, and makes its manifest fit.
fn rewrite(root: &Path, path: &str, change: impl Fn(&str) -> String) {
    let file = root.join(path);
    let text = change(&fs::read_to_string(&file).unwrap());
    fs::write(&file, &text).unwrap();
    let manifest = root.join(MANIFEST);
    let mut read: Manifest = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    for one in read.files.iter_mut().filter(|one| one.path == path) {
        one.bytes = text.len() as u64;
        one.blake3 = blake3::hash(text.as_bytes()).to_hex().to_string();
    }
    fs::write(&manifest, serde_json::to_string_pretty(&read).unwrap()).unwrap();
}

/// The same of a JSON file.
fn reworded(root: &Path, path: &str, change: impl Fn(&mut Value)) {
    rewrite(root, path, |text| {
        let mut read: Value = serde_json::from_str(text).unwrap();
        change(&mut read);
        serde_json::to_string_pretty(&read).unwrap()
    });
}

/// Copies a bundle, to alter the copy.
fn copied(root: &Path, name: &str) -> PathBuf {
    let to = root.with_file_name(name);
    for file in files(root) {
        let copy = to.join(&file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(root.join(&file), copy).unwrap();
    }
    to
}

fn whole(root: &Path) -> String {
    let (text, exit) = verify(root).unwrap();
    assert_eq!(exit, Exit::Done, "{text}");
    text
}

fn altered(root: &Path, says: &[&str]) {
    let (text, exit) = verify(root).unwrap();
    assert_eq!(exit, Exit::Findings, "{text}");
    for word in says {
        assert!(text.contains(word), "`{word}`: {text}");
    }
}

fn refused(path: &Path, says: &str) {
    let fatal = verify(path).unwrap_err();
    assert_eq!(fatal.exit, Exit::Usage, "{}", fatal.why);
    assert!(fatal.why.contains(says), "`{says}`: {}", fatal.why);
}

#[test]
fn what_was_made_verifies_as_a_folder_and_as_a_file() {
    let made = made("");
    for name in ["bundle", "bundle.tar"] {
        let path = made.bundle(name);
        let (text, exit) = verify(&path).unwrap();
        assert_eq!(exit, Exit::Done, "{text}");
        assert!(text.contains("2 verdicts"), "{text}");
        assert!(text.contains("2 looks repeated"), "{text}");
        let again = super::write::write(&made.ledger, &made.row, &path);
        let Err(fatal) = again else {
            panic!("{name}: it was written over")
        };
        assert!(fatal.why.contains("is there already"), "{}", fatal.why);
    }
    let root = made.folder.path().join("bundle");
    let names = files(&root);
    for wanted in [
        "study.toml",
        "prompts/1-auth.md",
        "units/1/unit.json",
        "units/1/tree/app/main.py",
        "units/1/attacks/1-note-read-other-user.json",
        "report.json",
    ] {
        assert!(
            names.iter().any(|name| name == wanted),
            "{wanted}: {names:?}"
        );
    }
    let blobs = names.iter().filter(|name| name.starts_with("blobs/"));
    assert_eq!(blobs.count(), 1, "the same bytes are one file");
    assert!(
        !files(made.folder.path())
            .iter()
            .any(|name| name.contains(".part"))
    );
}

#[test]
fn one_byte_of_any_file_is_noticed_and_the_file_named() {
    let made = made("");
    let root = made.bundle("bundle");
    for name in files(&root).iter().filter(|name| *name != MANIFEST) {
        let path = root.join(name);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).unwrap();
        altered(&root, &["changed", name]);
        fs::remove_file(&path).unwrap();
        altered(&root, &["missing", name]);
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(verify(&root).unwrap().1, Exit::Done);
    fs::write(root.join("units/1/tree/app/new.py"), "x").unwrap();
    altered(&root, &["added     units/1/tree/app/new.py"]);
}

#[test]
fn a_verdict_that_does_not_follow_from_its_facts_is_noticed_though_every_hash_fits() {
    let made = made("");
    let root = made.bundle("bundle");
    rewrite(&root, REPORT, |text| {
        let mut read: Value = serde_json::from_str(text).unwrap();
        read["sessions"][0]["verdicts"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(|one| one["verdict"] = "resisted".into());
        serde_json::to_string_pretty(&read).unwrap()
    });
    altered(
        &root,
        &["note-read-other-user: reported resisted, its facts say exploited"],
    );
    assert!(!verify(&root).unwrap().0.contains("changed"));
}

#[test]
fn facts_that_do_not_follow_from_the_replies_are_noticed_though_all_else_fits() {
    let made = made("");
    let root = made.bundle("bundle");
    let attack = "units/1/attacks/1-note-read-other-user.json";
    rewrite(&root, attack, |text| {
        text.replace("\"held\": true", "\"held\": false")
    });
    altered(&root, &["look", attack, "in the stored reply it is seen"]);
}

#[test]
fn a_score_that_does_not_follow_is_noticed() {
    let made = made("");
    let root = made.bundle("bundle");
    rewrite(&root, REPORT, |text| {
        let mut read: Value = serde_json::from_str(text).unwrap();
        read["scores"][0]["resisted"] = 25.into();
        read.to_string()
    });
    altered(&root, &["score", "`scores` is not what the units give"]);
}

#[test]
fn no_key_is_in_a_bundle() {
    let made = made(CANARY);
    for name in ["bundle", "bundle.tar"] {
        let to = made.folder.path().join(name);
        let keys = vec![("ANTHROPIC_API_KEY", CANARY.to_owned())];
        let refused = super::write::write_without(&made.ledger, &made.row, &to, keys);
        let Err(fatal) = refused else {
            panic!("{name}: the key was written")
        };
        assert!(fatal.why.contains("ANTHROPIC_API_KEY"), "{}", fatal.why);
        assert!(!fatal.why.contains(CANARY));
        assert!(!to.exists());
    }
    let left = files(made.folder.path());
    assert!(!left.iter().any(|name| name.contains("bundle")), "{left:?}");
}

/// A tar file with one entry, written as a hostile hand would.
fn archive(folder: &Path, entry: impl Fn(&mut tar::Header) -> Vec<u8>) -> PathBuf {
    let mut header = tar::Header::new_ustar();
    header.set_size(1);
    header.set_mode(0o644);
    header.set_entry_type(tar::EntryType::Regular);
    let body = entry(&mut header);
    header.set_cksum();
    let path = folder.join("hostile.tar");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.write_all(&body).unwrap();
    file.write_all(&vec![0; 1024 + (512 - body.len() % 512) % 512])
        .unwrap();
    path
}

fn name(header: &mut tar::Header, name: &str) {
    let field = &mut header.as_old_mut().name;
    field.fill(0);
    field[..name.len()].copy_from_slice(name.as_bytes());
}

#[test]
fn hostile_bundles_are_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let of = |entry: &dyn Fn(&mut tar::Header) -> Vec<u8>| archive(folder.path(), entry);
    for bad in ["../../etc/cron.d/x", "/etc/passwd", "a/../../x", "a\\..\\x"] {
        let path = of(&|header| {
            name(header, bad);
            b"x".to_vec()
        });
        refused(&path, "refused");
    }
    for kind in [
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Char,
        tar::EntryType::Fifo,
        tar::EntryType::GNULongName,
        tar::EntryType::GNUSparse,
        tar::EntryType::XHeader,
    ] {
        let path = of(&|header| {
            name(header, "run.json");
            header.set_entry_type(kind);
            b"x".to_vec()
        });
        refused(&path, "plain files alone");
    }
    let giant = of(&|header| {
        name(header, "run.json");
        header.set_size(1 << 40);
        b"x".to_vec()
    });
    refused(&giant, "1099511627776 bytes");
    let cut = of(&|header| {
        name(header, "run.json");
        header.set_size(200 << 20);
        b"x".to_vec()
    });
    refused(&cut, "no bundle");
    let empty = of(&|header| {
        name(header, "run.json");
        b"x".to_vec()
    });
    refused(&empty, "no manifest.json");

    let root = folder.path().join("linked");
    fs::create_dir_all(&root).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.join("run.json")).unwrap();
    refused(&root, "a link");
    fs::remove_file(root.join("run.json")).unwrap();
    std::os::unix::fs::symlink("/etc", root.join("units")).unwrap();
    refused(&root, "a link");
    fs::remove_file(root.join("units")).unwrap();
    fs::File::create(root.join("blobs"))
        .unwrap()
        .set_len(LARGEST + 1)
        .unwrap();
    refused(&root, "refused");
}

#[test]
fn no_path_leads_out() {
    for good in ["run.json", "units/1/tree/app/[id]/page.tsx", "a/..b/c..."] {
        assert!(check_path(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/./b",
        "a//b",
        "a/",
        "c:\\x",
        "a\\b",
        "a\0b",
        "a\nb",
    ] {
        assert!(check_path(bad).is_err(), "{bad}");
    }
    assert!(check_path(&"a/".repeat(200)).is_err());
}
