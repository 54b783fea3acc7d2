use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::{Versions, layout, of_node, short};

const LOCKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/locks");

/// The versions by their paths.
fn laid(lock: &str) -> BTreeMap<String, String> {
    let lock: Value = serde_json::from_str(lock).unwrap();
    let all = lock["packages"].as_object().unwrap();
    all.iter()
        .filter(|(path, _)| !path.is_empty())
        .map(|(path, entry)| (path.clone(), entry["version"].as_str().unwrap().to_owned()))
        .collect()
}

fn read(
    file: &'static str,
    text: &str,
    manifest: &Value,
) -> Result<BTreeMap<String, String>, String> {
    layout(file, text.as_bytes(), manifest).map(|layout| laid(&layout.lock))
}

fn one(name: &str, range: &str) -> Value {
    json!({"dependencies": {name: range}})
}

#[test]
fn all_managers_locks_of_one_app_say_the_same() {
    let of = |name: &str| {
        let folder = std::path::Path::new(LOCKS).join(name);
        let manifest = fs::read(folder.join("package.json")).unwrap();
        match of_node(&folder, &manifest).versions {
            Versions::Other(layout) => laid(&layout.lock),
            Versions::Npm(_) | Versions::Ranges => panic!("{name} was not followed"),
        }
    };
    let pnpm = of("pnpm");
    assert_eq!(pnpm["node_modules/ms"], "2.1.2");
    assert_eq!(pnpm["node_modules/debug/node_modules/ms"], "2.0.0");
    assert_eq!(pnpm["node_modules/number"], "6.0.0");
    assert_eq!(pnpm.len(), 10, "{pnpm:?}");
    for name in ["pnpm8", "yarn", "yarn3", "yarn-berry", "bun"] {
        assert_eq!(of(name), pnpm, "{name}");
    }
}

/// Each names something that does not come from a registry, or a name that would lead out of the folder.
#[test]
fn a_place_instead_of_a_version_is_refused_by_name() {
    let git = "git+ssh://git@example.com/evil.git#abc";
    let pnpm = |key: &str, version: &str, resolution: &str| {
        format!(
            "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      evil:\n        specifier: x\n        \
             version: {version}\npackages:\n  {key}:\n    resolution: {resolution}\nsnapshots:\n  {key}: {{}}\n"
        )
    };
    let classic = |key: &str, resolved: &str| {
        format!(
            "# yarn lockfile v1\n\n\"{key}\":\n  version \"1.0.0\"\n  resolved \"{resolved}\"\n"
        )
    };
    let berry = |key: &str, resolution: &str| {
        format!(
            "__metadata:\n  version: 8\n\n\"{key}\":\n  version: 1.0.0\n  resolution: \"{resolution}\"\n"
        )
    };
    let bun = |entry: &str| {
        format!(
            "{{\"lockfileVersion\": 1, \"workspaces\": {{\"\": {{\"dependencies\": {{\"evil\": \"x\",}},}},}}, \
             \"packages\": {{\"evil\": [\"{entry}\", {{}}],}}}}"
        )
    };
    let cases: Vec<(&'static str, String, &str)> = vec![
        (
            "pnpm-lock.yaml",
            pnpm(
                &format!("'evil@{git}'"),
                &format!("'{git}'"),
                "{type: git, repo: 'git@example.com:evil.git', commit: abc}",
            ),
            "x",
        ),
        (
            "pnpm-lock.yaml",
            pnpm(
                "evil@file:../evil",
                "file:../evil",
                "{directory: ../evil, type: directory}",
            ),
            "x",
        ),
        (
            "pnpm-lock.yaml",
            pnpm("evil@1.0.0", "1.0.0", "{tarball: 'file:///etc/passwd'}"),
            "x",
        ),
        (
            "pnpm-lock.yaml",
            pnpm(
                "'evil@https://example.com/evil.tgz'",
                "https://example.com/evil.tgz",
                "{integrity: sha512-AAAA, tarball: 'https://example.com/evil.tgz'}",
            ),
            "x",
        ),
        (
            "pnpm-lock.yaml",
            pnpm(
                "'../evil@1.0.0'",
                "'../evil@1.0.0'",
                "{integrity: sha512-AAAA}",
            ),
            "x",
        ),
        ("yarn.lock", classic(&format!("evil@{git}"), git), git),
        ("yarn.lock", classic("evil@x", git), "x"),
        ("yarn.lock", classic("evil@x", "file:../evil.tgz"), "x"),
        (
            "yarn.lock",
            classic("evil@somebody/evil", "https://example.com/evil.tgz"),
            "somebody/evil",
        ),
        (
            "yarn.lock",
            classic(
                "evil@x\", \"evil@file:../evil",
                "https://example.com/evil.tgz",
            ),
            "x",
        ),
        (
            "yarn.lock",
            classic("evil@npm:../evil@x", "https://example.com/evil.tgz"),
            "npm:../evil@x",
        ),
        (
            "yarn.lock",
            berry("evil@npm:x", git).replace(git, &format!("evil@{git}")),
            "x",
        ),
        (
            "yarn.lock",
            berry("evil@npm:x", "evil@file:../evil#../evil"),
            "x",
        ),
        (
            "yarn.lock",
            berry("evil@npm:x", "evil@patch:evil@npm%3A1.0.0#~/evil.patch"),
            "x",
        ),
        ("bun.lock", bun(&format!("evil@{git}")), "x"),
        ("bun.lock", bun("evil@file:../evil"), "x"),
        ("bun.lock", bun("../evil@1.0.0"), "x"),
    ];
    for (file, text, range) in cases {
        let said = read(file, &text, &one("evil", range)).unwrap_err();
        assert!(
            said.contains("not a version of a registry") || said.contains("no package's name"),
            "{said}\n{text}"
        );
    }
    let link = pnpm("evil@1.0.0", "link:../evil", "{integrity: sha512-AAAA}");
    let said = read("pnpm-lock.yaml", &link, &one("evil", "x")).unwrap_err();
    assert!(said.contains("is the folder ../evil"), "{said}");
}

#[test]
fn a_package_finds_its_own_version_wherever_it_lies() {
    // a needs b 1 and c; c needs b 2; the app has b 3: four of b's places, and c must not see a's.
    let text = "# yarn lockfile v1\n\na@^1:\n  version \"1.0.0\"\n  dependencies:\n    b \"^1\"\n    c \"^1\"\n\n\
                b@^1:\n  version \"1.0.0\"\n\nb@^2:\n  version \"2.0.0\"\n\nb@^3:\n  version \"3.0.0\"\n  dependencies:\n    a \"^1\"\n\n\
                c@^1:\n  version \"1.0.0\"\n  dependencies:\n    b \"^2\"\n\nc@^9:\n  version \"9.0.0\"\n";
    let manifest = json!({"dependencies": {"a": "^1", "b": "^3"}, "devDependencies": {"c": "^9"}});
    let found = read("yarn.lock", text, &manifest).unwrap();
    let wanted = [
        ("node_modules/a", "1.0.0"),
        ("node_modules/a/node_modules/b", "1.0.0"),
        ("node_modules/a/node_modules/c", "1.0.0"),
        ("node_modules/a/node_modules/c/node_modules/b", "2.0.0"),
        ("node_modules/b", "3.0.0"),
        ("node_modules/c", "9.0.0"),
    ];
    let found: Vec<_> = found
        .iter()
        .map(|(path, version)| (path.as_str(), version.as_str()))
        .collect();
    assert_eq!(found, wanted);
}

#[test]
fn what_is_only_for_other_machines_is_left_out() {
    let pnpm = |os: &str, optional: &str| {
        let lists = if optional.is_empty() {
            "dependencies"
        } else {
            "optionalDependencies"
        };
        let text = format!(
            "lockfileVersion: '9.0'\nimporters:\n  .:\n    {lists}:\n      a: {{specifier: ^1, version: 1.0.0}}\n\
             packages:\n  a@1.0.0: {{resolution: {{integrity: sha512-AAAA}}, os: [{os}]}}\nsnapshots:\n  a@1.0.0: {{}}\n"
        );
        read("pnpm-lock.yaml", &text, &json!({lists: {"a": "^1"}}))
            .unwrap()
            .len()
    };
    let this = if cfg!(target_os = "macos") {
        "darwin"
    } else {
        std::env::consts::OS
    };
    assert_eq!(pnpm("plan9", "optional"), 0);
    assert_eq!(pnpm(this, "optional"), 1);
    assert_eq!(pnpm("'!plan9'", "optional"), 1);
    assert_eq!(pnpm(&format!("'!{this}'"), "optional"), 0);
    // npm says why it cannot be installed.
    assert_eq!(pnpm("plan9", ""), 1);
    let classic = |name: &str| {
        let text = format!("# yarn lockfile v1\n\n\"{name}@^1\":\n  version \"1.0.0\"\n");
        read(
            "yarn.lock",
            &text,
            &json!({"optionalDependencies": {name: "^1"}}),
        )
        .unwrap()
        .len()
    };
    assert_eq!(classic("@x/core-win32-x64-msvc"), 0);
    assert_eq!(classic("left-pad"), 1);
}

#[test]
fn what_cannot_be_read_or_is_out_of_step_is_said() {
    let lock = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a: {specifier: ^1, version: 1.0.0}\n";
    let bomb = format!(
        "lockfileVersion: '9.0'\na: &a [{}]\nb: &b [{}]\nc: [{}]\n",
        "x,".repeat(3000),
        "*a,".repeat(3000),
        "*b,".repeat(3000)
    );
    let deep = format!(
        "lockfileVersion: '9.0'\na: {}{}\n",
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    let cycle = "# yarn lockfile v1\n\na@^1:\n  version \"1.0.0\"\n  dependencies:\n    b \"^1\"\n\na@^2:\n  version \"2.0.0\"\n  dependencies:\n    b \"^2\"\n\n\
                 b@^1:\n  version \"1.0.0\"\n  dependencies:\n    a \"^2\"\n\nb@^2:\n  version \"2.0.0\"\n  dependencies:\n    a \"^1\"\n";
    let cases: Vec<(&'static str, &str, Value, &str)> = vec![
        (
            "pnpm-lock.yaml",
            lock,
            one("a", "^2"),
            "wants a ^2; it was written for ^1",
        ),
        (
            "pnpm-lock.yaml",
            lock,
            one("b", "^2"),
            "wants b ^2; it knows none",
        ),
        (
            "pnpm-lock.yaml",
            lock,
            one("a", "^1"),
            "it names a@1.0.0 and has no such package",
        ),
        (
            "pnpm-lock.yaml",
            "lockfileVersion: 5.4\n",
            one("a", "^1"),
            "its format is \"5.4\"",
        ),
        ("pnpm-lock.yaml", "\t: [", one("a", "^1"), "no YAML"),
        ("pnpm-lock.yaml", &bomb, one("a", "^1"), "no YAML"),
        ("pnpm-lock.yaml", &deep, one("a", "^1"), "no YAML"),
        ("yarn.lock", "x", one("a", "^1"), "no format of Yarn's"),
        (
            "yarn.lock",
            "# yarn lockfile v1\na\n",
            one("a", "^1"),
            "its line 2 cannot be read",
        ),
        (
            "yarn.lock",
            "# yarn lockfile v1\n\"a:\n",
            one("a", "^1"),
            "its line 2 cannot be read",
        ),
        (
            "yarn.lock",
            "# yarn lockfile v1\n  version \"1\"\n",
            one("a", "^1"),
            "its line 2 cannot be read",
        ),
        (
            "yarn.lock",
            cycle,
            one("a", "^1"),
            "folders more than 40 deep",
        ),
        ("bun.lock", "{:}", one("a", "^1"), "no JSON"),
        (
            "bun.lock",
            "{\"lockfileVersion\": 7}",
            one("a", "^1"),
            "its format is \"7\"",
        ),
        (
            "bun.lock",
            "{\"lockfileVersion\": 1, \"packages\": {\"a\": 3}}",
            json!({}),
            "`a` names no package",
        ),
        ("bun.lockb", "\u{0}", one("a", "^1"), "binary"),
    ];
    for (file, text, manifest, said) in cases {
        let why = read(file, text, &manifest).unwrap_err();
        assert!(why.contains(said), "{why}\n{}", short(text));
    }
    let large = vec![b'x'; super::LARGEST + 1];
    assert!(
        layout("yarn.lock", &large, &json!({}))
            .unwrap_err()
            .contains("MiB")
    );
    assert!(
        layout("yarn.lock", &[0xff], &json!({}))
            .unwrap_err()
            .contains("no text")
    );
    let deep = "[".repeat(1 << 20);
    assert!(
        layout("bun.lock", deep.as_bytes(), &json!({}))
            .unwrap_err()
            .contains("no JSON")
    );
}

#[test]
fn of_several_lock_files_the_named_managers_is_taken_and_the_rest_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let taken = |manifest: &str| {
        let found = of_node(folder.path(), manifest.as_bytes());
        let kind = match found.versions {
            Versions::Npm(_) => "npm",
            Versions::Other(layout) => layout.file,
            Versions::Ranges => "ranges",
        };
        (kind, found.remark.unwrap_or_default())
    };
    assert_eq!(taken("{}"), ("ranges", String::new()));
    write("package-lock.json", "{}");
    assert_eq!(taken("{}"), ("npm", String::new()));
    write("yarn.lock", "# yarn lockfile v1\n");
    let (kind, said) = taken("{}");
    assert!(
        kind == "npm" && said.contains("package-lock.json was taken, not yarn.lock"),
        "{said}"
    );
    let (kind, said) = taken(r#"{"packageManager":"yarn@1.22.22+sha512.aa"}"#);
    assert!(
        kind == "yarn.lock" && said.contains("yarn.lock was taken, not package-lock.json"),
        "{said}"
    );
    assert_eq!(taken(r#"{"packageManager":"pnpm@9.0.0"}"#).0, "npm");
    write("yarn.lock", "no lock");
    let (kind, said) = taken(r#"{"packageManager":"yarn@1.22.22"}"#);
    assert!(
        kind == "ranges" && said.contains("yarn.lock was not followed: it is of no format"),
        "{said}"
    );
}

#[test]
fn the_lock_file_of_a_workspace_above_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let member = folder.path().join("apps/api");
    fs::create_dir_all(&member).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let said = || of_node(&member, b"{}").remark;
    write("yarn.lock", "");
    write("package.json", "{}");
    assert_eq!(said(), None);
    write("package.json", r#"{"workspaces": ["apps/*"]}"#);
    let text = said().unwrap();
    assert!(
        text.contains("yarn.lock was not followed") && text.contains("of a workspace above"),
        "{text}"
    );
    fs::create_dir(folder.path().join("apps/.git")).unwrap();
    assert_eq!(said(), None);
}
