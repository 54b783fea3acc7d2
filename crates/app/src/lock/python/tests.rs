use std::fs;
use std::path::Path;

use super::{Python, of_python};

const LOCKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/locks");

fn of(name: &str) -> Python {
    of_python(&Path::new(LOCKS).join(name))
}

/// The lines without their hashes.
fn lines(python: &Python) -> Vec<&str> {
    let pins = python.pins.as_ref();
    let lines = &pins.unwrap_or_else(|| panic!("{:?}", python.remark)).lines;
    lines
        .iter()
        .map(|line| line.split(" --hash").next().unwrap())
        .collect()
}

#[test]
fn all_managers_locks_of_one_app_say_the_same() {
    let uv = of("uv");
    // What `uv export` says of the same file.
    let wanted = [
        "anyio==4.16.0",
        "certifi==2026.10.19.post1",
        "click==8.1.0",
        "colorama==0.4.6 ; (sys_platform == 'win32')",
        "h11==0.16.0",
        "h2==4.4.1",
        "hpack==4.2.0",
        "httpcore==1.0.9",
        "httpx==0.26.0",
        "hyperframe==6.1.0",
        "idna==3.20",
        "sniffio==1.3.1",
        "typing-extensions==4.16.0 ; (python_full_version < '3.15')",
    ];
    assert_eq!(lines(&uv), wanted);
    let pins = uv.pins.unwrap();
    assert!(pins.hashed && pins.lines[2].matches(" --hash=sha256:").count() == 2);
    let unmarked = |line: &str| line.split(" ;").next().unwrap().to_owned();
    let wanted: Vec<String> = wanted.into_iter().map(unmarked).collect();
    for (name, of_windows, of_python) in [
        (
            "poetry",
            "platform_system == \"Windows\"",
            "python_version < \"3.15\"",
        ),
        (
            "poetry1",
            "platform_system == \"Windows\"",
            "python_version < \"3.15\"",
        ),
        (
            "poetry-project",
            "platform_system == \"Windows\"",
            "python_version < \"3.15\"",
        ),
        ("pipenv", "", "python_version"),
    ] {
        let found = of(name);
        for line in lines(&found) {
            let marker = line.split_once(" ;").map_or("", |(_, marker)| marker);
            let wanted = match line.split('=').next() {
                Some("colorama") => of_windows,
                Some("typing-extensions") => of_python,
                _ => "",
            };
            assert!(marker.contains(wanted), "{name}: {line}");
        }
        let mut wanted = wanted.clone();
        if name == "pipenv" {
            // It leaves out what is not for the machine that it ran on.
            wanted.retain(|line| !line.starts_with("colorama"));
        }
        let found_lines: Vec<String> = lines(&found).into_iter().map(unmarked).collect();
        assert_eq!(found_lines, wanted, "{name}");
        assert!(found.pins.unwrap().hashed, "{name}");
    }
}

struct Tree(tempfile::TempDir);

impl Tree {
    /// The files of a fixture, with one of them changed.
    fn changed(name: &str, file: &str, from: &str, to: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(Path::new(LOCKS).join(name)).unwrap().flatten() {
            let mut text = fs::read_to_string(entry.path()).unwrap();
            if entry.file_name() == file {
                assert!(text.contains(from), "{name}/{file} has no {from}");
                text = text.replace(from, to);
            }
            fs::write(folder.path().join(entry.file_name()), text).unwrap();
        }
        Self(folder)
    }

    fn said(&self) -> String {
        let found = of_python(self.0.path());
        assert!(found.pins.is_none(), "{:?}", found.pins);
        found.remark.unwrap()
    }
}

#[test]
fn what_is_out_of_step_malformed_or_hostile_is_not_followed_and_named() {
    let uv_source =
        "version = \"8.1.0\"\nsource = { registry = \"https://registry.example/simple\" }";
    let git =
        "version = \"8.1.0\"\nsource = { git = \"ssh://git@example.com/evil.git?rev=1#abc\" }";
    let poetry = "description = \"Composable command line interface toolkit\"\n";
    let of_poetry = "description = \"x\"\nsource = { type = \"git\", url = \"git@example.com:evil.git\", reference = \"1\" }\n";
    let pipenv = "\"version\": \"==8.1.0\"";
    let cases = [
        (
            "uv",
            "pyproject.toml",
            "click >=",
            "click >",
            "where click>8.1.0 is new",
        ),
        (
            "uv",
            "pyproject.toml",
            "\"click >= 8.1.0\", ",
            "",
            "where click>=8.1.0 is no more",
        ),
        (
            "uv",
            "uv.lock",
            "version = 1\n",
            "version = 2\n",
            "1 is read",
        ),
        ("uv", "uv.lock", uv_source, git, "click is from { git = "),
        (
            "uv",
            "uv.lock",
            uv_source,
            "version = \"8.1.0\"\nsource = { directory = \"../evil\" }",
            "not from a registry",
        ),
        (
            "uv",
            "uv.lock",
            "version = \"8.1.0\"",
            "version = \"8 -e ./evil\"",
            "`8 -e ./evil` for a version",
        ),
        (
            "uv",
            "uv.lock",
            "sys_platform == 'win32'",
            "os_name == 'x' --no-binary :all:",
            "has the marker",
        ),
        (
            "uv",
            "uv.lock",
            "sys_platform == 'win32'",
            "os_name == '$HOME'",
            "has the marker",
        ),
        (
            "uv",
            "uv.lock",
            "sys_platform == 'win32'",
            "os_name == 'x'\\n-e ./evil",
            "has the marker",
        ),
        (
            "uv",
            "uv.lock",
            "sys_platform == 'win32'",
            "extra == 'extra-6-locked-a'",
            "extras that exclude each other",
        ),
        (
            "uv",
            "uv.lock",
            "{ name = \"httpcore\" }",
            "{ name = \"httpcorf\" }",
            "it names httpcorf and has 0 of it",
        ),
        (
            "uv",
            "uv.lock",
            "source = { virtual = \".\" }",
            "source = { virtual = \"x\" }",
            "does not know this folder",
        ),
        ("uv", "uv.lock", "[[package]]", "[[package", "no TOML"),
        (
            "poetry",
            "pyproject.toml",
            "^8.1.0",
            "^8.1.1",
            "out of step with pyproject.toml",
        ),
        (
            "poetry-project",
            "pyproject.toml",
            ">=3.11",
            ">=3.12",
            "out of step with pyproject.toml",
        ),
        (
            "poetry",
            "poetry.lock",
            "lock-version = \"2.1\"",
            "lock-version = \"3.0\"",
            "2.1 are read",
        ),
        (
            "poetry",
            "poetry.lock",
            poetry,
            of_poetry,
            "click is from git@example.com:evil.git and not from a registry",
        ),
        (
            "poetry1",
            "poetry.lock",
            poetry,
            of_poetry,
            "not from a registry",
        ),
        (
            "poetry1",
            "poetry.lock",
            "h11 = \">=0.16\"",
            "h12 = \">=0.16\"",
            "it names h12 and has 0 of it",
        ),
        (
            "poetry1",
            "poetry.lock",
            "[metadata]",
            "[metadata",
            "no TOML",
        ),
        (
            "pipenv",
            "Pipfile",
            ">=8.1.0",
            "==8.1.1",
            "wants click ==8.1.1",
        ),
        ("pipenv", "Pipfile", "click", "clack", "wants clack"),
        (
            "pipenv",
            "Pipfile.lock",
            pipenv,
            "\"git\": \"git+ssh://git@example.com/evil.git\"",
            "click is from `git+ssh://",
        ),
        (
            "pipenv",
            "Pipfile.lock",
            pipenv,
            "\"path\": \".\"",
            "click is from `.`",
        ),
        (
            "pipenv",
            "Pipfile.lock",
            "\"click\"",
            "\"--editable ./evil\"",
            "out of step",
        ),
        ("pipenv", "Pipfile.lock", "{", "[", "no JSON"),
    ];
    for (name, file, from, to, wanted) in cases {
        let said = Tree::changed(name, file, from, to).said();
        let lock = if name == "uv" {
            "uv.lock"
        } else if name == "pipenv" {
            "Pipfile.lock"
        } else {
            "poetry.lock"
        };
        assert!(
            said.contains(&format!("{lock} was not followed")) && said.contains(wanted),
            "{said}\n{name} {from}"
        );
    }
    let tree = Tree::changed("uv", "uv.lock", "", "");
    fs::write(
        tree.0.path().join("uv.lock"),
        vec![b'#'; super::LARGEST + 1],
    )
    .unwrap();
    assert!(tree.said().contains("MiB"));
    fs::write(tree.0.path().join("uv.lock"), [0xff]).unwrap();
    assert!(tree.said().contains("no text"));
    fs::write(tree.0.path().join("requirements.txt"), "click").unwrap();
    assert!(
        tree.said()
            .contains("those of requirements.txt; uv.lock beside it")
    );
}

/// Every package needs the next two under a marker of its own: 2^40 ways, if they were all kept.
#[test]
fn markers_without_end_are_not_joined() {
    let mut text = "version = 1\n[[package]]\nname = \"app\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"p0\" }]\n\
                    metadata = { requires-dist = [{ name = \"p0\" }] }\n"
        .to_owned();
    for at in 0..40 {
        let package = format!(
            "[[package]]\nname = \"p{at}\"\nversion = \"1\"\nsource = {{ registry = \"x\" }}\ndependencies = [{{ name = \"p{}\", marker = \"os_name == '{at}'\" }}, \
             {{ name = \"p{}\", marker = \"os_name != '{at}'\" }}]\n",
            (at + 1) % 40,
            (at + 2) % 40
        );
        text.push_str(&package);
    }
    let said = super::uv::read(&text, "[project]\ndependencies = [\"p0\"]").unwrap_err();
    assert!(said.contains("too many"), "{said}");
}

/// One way without markers makes those with markers needless.
#[test]
fn a_package_that_is_wanted_anyway_has_no_marker() {
    let package = |name: &str, needs: &str| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"1.0\"\nsource = {{ registry = \"x\" }}\ndependencies = [{needs}]\n"
        )
    };
    let text = format!(
        "version = 1\n[[package]]\nname = \"app\"\nsource = {{ editable = \".\" }}\ndependencies = [{{ name = \"a\", marker = \"os_name == 'x'\" }}, {{ name = \"b\" }}]\n\
         metadata = {{ requires-dist = [{{ name = \"a\", marker = \"os_name == 'x'\" }}, {{ name = \"B\" }}] }}\n{}{}{}{}",
        package(
            "a",
            "{ name = \"c\" }, { name = \"d\", marker = \"os_name == 'y'\" }"
        ),
        package("b", "{ name = \"c\", marker = \"os_name == 'z'\" }"),
        package("c", "{ name = \"b\" }"),
        package("d", ""),
    );
    let pins = super::uv::read(
        &text,
        "[project]\ndependencies = [\"a ; os_name == 'x'\", \"b\"]",
    )
    .unwrap();
    let pins = super::written(&pins).unwrap();
    assert!(!pins.hashed);
    assert_eq!(
        pins.lines,
        [
            "a==1.0 ; (os_name == 'x')",
            "b==1.0",
            "c==1.0 ; (os_name == 'x') or (os_name == 'z')",
            "d==1.0 ; (os_name == 'x') and (os_name == 'y')",
        ]
    );
}
