//! `guard` from outside: what it writes into an app's folder, and that all of it goes again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What is in a folder: links as where they go, files as mode and bytes, folders as nothing.
type Tree = BTreeMap<String, (u32, Vec<u8>)>;

struct Home(tempfile::TempDir);

impl Home {
    fn new(sample: Option<(&str, &str)>) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        match sample {
            Some((framework, name)) => {
                agent::recorded::write(framework, name, 6, &home.app()).unwrap();
            }
            None => fs::create_dir(home.app()).unwrap(),
        }
        home
    }

    fn app(&self) -> PathBuf {
        self.0.path().join("app")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unrequested"));
        command
            .args(["--dir", "ledger", "--quiet"])
            .args(args)
            .current_dir(self.0.path())
            .env_remove("CARGO_MANIFEST_DIR")
            .stdin(Stdio::null());
        command
    }

    fn tool(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn ends(&self, args: &[&str], code: i32, says: &[&str]) -> String {
        let output = self.tool(args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        for word in says {
            assert!(text.contains(word), "`{word}` is missing in:\n{text}");
        }
        text
    }

    fn put(&self, name: &str, text: &[u8]) {
        let path = self.app().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.app().join(name)).unwrap()
    }

    fn tree(&self) -> Tree {
        let mut all = Tree::new();
        walk(&self.app(), &self.app(), &mut all);
        all
    }
}

fn walk(root: &Path, folder: &Path, all: &mut Tree) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let about = fs::symlink_metadata(&path).unwrap();
        let bytes = if about.is_symlink() {
            fs::read_link(&path)
                .unwrap()
                .into_os_string()
                .into_encoded_bytes()
        } else if about.is_dir() {
            walk(root, &path, all);
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        all.insert(name, (about.permissions().mode(), bytes));
    }
}

const FILES: [&str; 6] = [
    ".agents/skills/unrequested/SKILL.md",
    ".claude/settings.json",
    ".claude/skills/unrequested/SKILL.md",
    ".codex/hooks.json",
    "AGENTS.md",
    "CLAUDE.md",
];

#[test]
fn it_shows_first_writes_once_changes_nothing_the_second_time_and_takes_all_out() {
    for (framework, place, idiom) in [
        (
            "fastapi",
            "`POST /api/auth/login` in `app/main.py`",
            "@limiter.limit(\"5/minute\")",
        ),
        (
            "nextjs",
            "`POST /api/auth/login` in `app/api/auth/login/route.ts`",
            "export function mayTry",
        ),
    ] {
        let home = Home::new(Some((framework, "literal")));
        let before = home.tree();
        let shown = home.ends(
            &["guard", "app"],
            2,
            &["+++ b/CLAUDE.md", "nothing was written", "--yes"],
        );
        assert_eq!(home.tree(), before, "{shown}");
        home.ends(
            &["guard", "app", "--yes"],
            0,
            &[
                "wrote   CLAUDE.md",
                "undo    unrequested guard app --remove",
                "For a new endpoint",
                "/hooks",
            ],
        );
        let after = home.tree();
        let new: Vec<&String> = after
            .keys()
            .filter(|name| !before.contains_key(*name))
            .collect();
        let new: Vec<&String> = new
            .into_iter()
            .filter(|name| home.app().join(name).is_file())
            .collect();
        assert_eq!(new, FILES);
        let text = home.read("CLAUDE.md");
        assert_eq!(text, home.read("AGENTS.md"));
        for says in [
            "- Missing: login throttling.",
            place,
            idiom,
            "```",
            "upload size, `limit after reading",
        ] {
            assert!(text.contains(says), "`{says}` is missing in:\n{text}");
        }
        home.ends(&["guard", "app", "--yes"], 0, &["nothing was changed"]);
        home.ends(&["guard", "app"], 0, &["nothing was changed"]);
        assert_eq!(home.tree(), after);
        // Nobody is asked what to do with what is not there, but to take out something.
        home.ends(
            &["guard", "app", "--remove"],
            2,
            &["+++ /dev/null", "nothing was written"],
        );
        assert_eq!(home.tree(), after);
        home.ends(
            &["guard", "app", "--remove", "--yes"],
            0,
            &["deleted CLAUDE.md"],
        );
        assert_eq!(home.tree(), before);
        home.ends(
            &["guard", "app", "--remove", "--yes"],
            0,
            &["nothing of `guard` is here"],
        );
        assert!(!home.0.path().join("ledger").exists(), "a ledger was made");
    }
}

#[test]
fn files_of_a_person_have_their_bytes_again_with_what_was_written_since() {
    let home = Home::new(Some(("fastapi", "literal")));
    home.put("AGENTS.md", b"# Ours\r\n\r\nBe nice.\r\nNo end");
    symlink("AGENTS.md", home.app().join("CLAUDE.md")).unwrap();
    fs::set_permissions(
        home.app().join("AGENTS.md"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    home.put(
        ".claude/settings.json",
        b"{\n\t\"model\": \"x\",\n\t\"hooks\": { \"Stop\": [ { \"hooks\": [ { \"type\": \"command\", \"command\": \"say done\" } ] } ] }\n}",
    );
    home.put(".codex/hooks.json", b"{}\n");
    let before = home.tree();
    home.ends(&["guard", "app", "--yes"], 0, &["wrote   AGENTS.md"]);
    let text = home.read("AGENTS.md");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert_eq!(text.matches("unrequested:begin").count(), 1);
    let settings: serde_json::Value =
        serde_json::from_str(&home.read(".claude/settings.json")).unwrap();
    let stop = settings["hooks"]["Stop"].as_array().unwrap();
    assert_eq!(stop[0]["hooks"][0]["command"], "say done");
    for group in [&stop[1], &settings["hooks"]["SessionStart"][0]] {
        assert_eq!(group["hooks"][0]["command"], "unrequested hook claude-code");
    }
    let codex: serde_json::Value = serde_json::from_str(&home.read(".codex/hooks.json")).unwrap();
    for event in ["SessionStart", "Stop"] {
        let handler = &codex["hooks"][event][0]["hooks"][0];
        assert_eq!(handler["command"], "unrequested hook codex", "{event}");
    }
    let after = home.tree();
    home.ends(&["guard", "app", "--yes"], 0, &["nothing was changed"]);
    assert_eq!(home.tree(), after);
    home.ends(&["guard", "app", "--remove", "--yes"], 0, &[]);
    assert_eq!(home.tree(), before);

    // What was written around the block since stays.
    home.ends(&["guard", "app", "--yes"], 0, &[]);
    let text = home.read("AGENTS.md").replace("Be nice.", "Be kind.") + "Behind it.\r\n";
    home.put("AGENTS.md", text.as_bytes());
    home.ends(&["guard", "app", "--remove", "--yes"], 0, &[]);
    assert_eq!(
        home.read("AGENTS.md"),
        "# Ours\r\n\r\nBe kind.\r\nNo end\r\nBehind it.\r\n"
    );
}

#[test]
fn what_it_shows_is_a_patch_that_does_what_it_does() {
    let homes = [0, 1].map(|_| {
        let home = Home::new(Some(("nextjs", "imports-first")));
        home.put("CLAUDE.md", b"# Ours\n\nNo end");
        home.put("AGENTS.md", b"");
        home.put(".claude/settings.json", b"{\n  \"a\": 1,\n  \"b\": 2\n}\n");
        home
    });
    let [shown, done] = &homes;
    let patch = shown.tool(&["guard", "app"]).stdout;
    fs::write(shown.0.path().join("patch"), &patch).unwrap();
    let output = Command::new("git")
        .args(["apply", "--whitespace=nowarn", "../patch"])
        .current_dir(shown.app())
        .env("GIT_CEILING_DIRECTORIES", shown.0.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    done.ends(&["guard", "app", "--yes"], 0, &[]);
    assert_eq!(shown.tree(), done.tree());
}

/// Its name, what is done to the folder, what is said, whether `--remove` says it, too.
type Case<'a> = (&'a str, &'a dyn Fn(&Home), &'a str, bool);

#[test]
fn what_cannot_be_done_safely_is_refused_and_nothing_is_written() {
    let guarded = |change: &dyn Fn(&Home)| {
        let home = Home::new(None);
        home.put("AGENTS.md", b"mine\n");
        change(&home);
        home
    };
    let block = |home: &Home| {
        home.ends(&["guard", "app", "--yes"], 0, &[]);
    };
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x.md"), "theirs").unwrap();
    let edit = |home: &Home, name: &str, from: &str, to: &str| {
        let text = home.read(name);
        assert!(text.contains(from));
        home.put(name, text.replace(from, to).as_bytes());
    };
    let cases: [Case<'_>; 10] = [
        (
            "edited block",
            &|home| {
                block(home);
                edit(home, "AGENTS.md", "Security defaults", "My defaults");
            },
            "AGENTS.md: what stands between the markers (line 3) was changed by hand",
            true,
        ),
        (
            "no end",
            &|home| {
                block(home);
                edit(home, "AGENTS.md", "<!-- unrequested:end -->", "");
            },
            "AGENTS.md: line 3 is a marker of unrequested without its other half",
            true,
        ),
        (
            "two blocks",
            &|home| {
                block(home);
                let text = home.read("AGENTS.md");
                home.put("AGENTS.md", text.repeat(2).as_bytes());
            },
            "more than one block",
            true,
        ),
        (
            "utf-16",
            &|home| home.put("CLAUDE.md", b"\xff\xfea\0"),
            "CLAUDE.md: it is no text in UTF-8",
            true,
        ),
        (
            "link out",
            &|home| symlink(outside.path().join("x.md"), home.app().join("CLAUDE.md")).unwrap(),
            "links out of the project",
            true,
        ),
        (
            "folder out",
            &|home| symlink(outside.path(), home.app().join(".claude")).unwrap(),
            ".claude/settings.json: it links out of the project",
            true,
        ),
        (
            "comments",
            &|home| {
                home.put(
                    ".claude/settings.json",
                    b"{ // unrequested hook claude-code\n}",
                );
            },
            "no plain JSON",
            true,
        ),
        (
            "read-only",
            &|home| {
                fs::set_permissions(
                    home.app().join("AGENTS.md"),
                    fs::Permissions::from_mode(0o444),
                )
                .unwrap();
            },
            "AGENTS.md: it is read-only",
            false,
        ),
        (
            "no file",
            &|home| fs::create_dir(home.app().join("CLAUDE.md")).unwrap(),
            "CLAUDE.md: it is no file",
            true,
        ),
        (
            "skill",
            &|home| home.put(FILES[2], b"mine\n"),
            "SKILL.md: it was changed by hand, or is not of `guard`",
            true,
        ),
    ];
    for (name, change, why, at_removal) in cases {
        let home = guarded(change);
        let before = home.tree();
        home.ends(&["guard", "app", "--yes"], 2, &[why]);
        assert_eq!(home.tree(), before, "{name}");
        if at_removal {
            home.ends(&["guard", "app", "--yes", "--remove"], 2, &[why]);
            assert_eq!(home.tree(), before, "{name}");
        }
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(
        fs::read_to_string(outside.path().join("x.md")).unwrap(),
        "theirs"
    );

    let home = guarded(cases[0].1);
    home.ends(
        &["guard", "app", "--yes", "--overwrite"],
        0,
        &["-## My defaults"],
    );
    home.ends(&["guard", "app", "--yes", "--remove"], 0, &[]);
    assert_eq!(home.tree().keys().collect::<Vec<_>>(), ["AGENTS.md"]);
    assert_eq!(home.read("AGENTS.md"), "mine\n");
    home.ends(&["guard", "nowhere"], 2, &["nowhere"]);
    home.ends(&["guard", "app/AGENTS.md"], 2, &["is no folder"]);
}

#[test]
fn the_text_alone_goes_where_the_settings_cannot_be_read() {
    let home = Home::new(None);
    home.ends(&["guard", "app", "--yes"], 0, &[]);
    let commented = home
        .read(".claude/settings.json")
        .replacen('{', "{ // mine", 1);
    home.put(".claude/settings.json", commented.as_bytes());
    let remove = ["guard", "app", "--yes", "--remove"];
    home.ends(&remove, 2, &["no plain JSON", "--no-hook leaves it out"]);
    home.ends(
        &[&remove[..], &["--no-hook"]].concat(),
        0,
        &["deleted CLAUDE.md, AGENTS.md"],
    );
    assert_eq!(home.read(".claude/settings.json"), commented);
    let left = home.tree();
    assert!(FILES[..4].iter().all(|name| left.contains_key(*name)));
    assert!(FILES[4..].iter().all(|name| !left.contains_key(*name)));
}

#[test]
fn what_a_person_accepted_is_not_called_missing() {
    let home = Home::new(Some(("fastapi", "literal")));
    home.ends(&["guard", "app", "--yes", "--no-hook"], 0, &[]);
    let idiom = "@limiter.limit(\"5/minute\")";
    let text = home.read("CLAUDE.md");
    assert!(text.contains("Missing: login throttling") && text.contains(idiom));
    let accepted = "The owner wants it so; leave it: login throttling.";
    let accept = ["--accept", "login-throttling", "--reason", "a gateway"];
    home.ends(&[&["decisions", "app"][..], &accept].concat(), 0, &[]);
    home.ends(&["guard", "app", "--yes", "--no-hook"], 0, &[accepted]);
    assert!(!home.read("CLAUDE.md").contains(idiom));
    // So does a finding of a check, until its day.
    fs::remove_file(home.app().join("unrequested.decisions.toml")).unwrap();
    for (until, says) in [
        ("2999-01-01", accepted),
        ("2020-01-01", "Missing: login throttling."),
    ] {
        let entry = format!(
            "version = 1\n[[accept]]\nfinding = \"login-throttling\"\nexploits = [\"login-rate-limit\"]\nreason = \"a gateway\"\n\
             by = \"ann\"\nuntil = \"{until}\"\n"
        );
        home.put("unrequested.baseline.toml", entry.as_bytes());
        home.ends(&["guard", "app", "--yes", "--no-hook"], 0, &[]);
        let text = home.read("CLAUDE.md");
        assert!(text.contains(says), "{until}: {text}");
        assert_eq!(text.contains(idiom), until < "2026", "{until}: {text}");
    }
}

#[test]
fn a_hook_that_could_not_run_is_said() {
    let program = Path::new(env!("CARGO_BIN_EXE_unrequested"));
    for (folder, is_said) in [(Path::new(""), true), (program.parent().unwrap(), false)] {
        let home = Home::new(None);
        let mut command = home.command(&["guard", "app", "--yes"]);
        let output = command.env("PATH", folder).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.contains("is not on your PATH"), is_said, "{text}");
    }
}

#[test]
fn text_alone_can_be_had_and_a_file_that_takes_the_other_in_has_none() {
    let home = Home::new(None);
    home.put("CLAUDE.md", b"@AGENTS.md\n");
    home.ends(
        &["guard", "app", "--yes", "--no-hook"],
        0,
        &["wrote   AGENTS.md\n"],
    );
    assert_eq!(
        home.tree().keys().collect::<Vec<_>>(),
        ["AGENTS.md", "CLAUDE.md"]
    );
    assert_eq!(home.read("CLAUDE.md"), "@AGENTS.md\n");
    // No app: the lines as they are.
    let text = home.read("AGENTS.md");
    assert_eq!(text.matches("\n- **").count(), 5);
    assert!(!text.contains("Missing"), "{text}");
    let prompt = home.ends(
        &["guard", "--prompt"],
        0,
        &["5 tries a minute", "12 rounds", "24 hours", "5 MB"],
    );
    assert_eq!(prompt, home.ends(&["guard", "nowhere", "--prompt"], 0, &[]));
}

#[test]
fn a_check_sharpens_the_lines_until_the_code_is_another() {
    let home = Home::new(Some(("fastapi", "hardened")));
    home.ends(&["guard", "app", "--yes", "--no-hook"], 0, &[]);
    let of_login = |home: &Home| {
        let text = home.read("CLAUDE.md");
        let line = text
            .lines()
            .find(|line| line.contains(": login throttling"));
        line.unwrap().to_owned()
    };
    assert!(
        of_login(&home).contains("In the source, not checked yet"),
        "{}",
        of_login(&home)
    );
    home.ends(&["check", "app", "--only", "login-throttling"], 0, &[]);
    home.ends(
        &["guard", "app", "--yes", "--no-hook"],
        0,
        &["In force, keep it: login throttling, `limit per address"],
    );
    home.ends(
        &["guard", "app", "--yes", "--no-hook"],
        0,
        &["nothing was changed"],
    );
    // Another limit is not what was checked.
    let file = home.read("app/limits.py");
    let other = file.replacen('5', "50", 1);
    assert_ne!(file, other);
    home.put("app/limits.py", other.as_bytes());
    home.ends(
        &["guard", "app", "--yes", "--no-hook"],
        0,
        &["In the source, not checked yet: login throttling"],
    );
    home.put("app/limits.py", file.as_bytes());
    home.ends(
        &["guard", "app", "--yes", "--no-hook"],
        0,
        &["In force, keep it"],
    );

    // The command that the block names ends with 0 only where nothing is absent.
    let home = Home::new(Some(("fastapi", "literal")));
    let only = "login-throttling,upload-naming";
    let check = ["check", "app", "--only", only, "--fail-on"];
    home.ends(&[&check[..], &["absent"]].concat(), 10, &[]);
    home.ends(&["guard", "app", "--yes"], 0, &[]);
    assert!(of_login(&home).contains("Missing"), "{}", of_login(&home));
}
