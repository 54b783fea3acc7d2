//! A tree as `=== name` lines, each followed by that file's text: what the tree is taken for, and how it is started.
#![no_main]

use std::fs;
use std::sync::OnceLock;

use app::framework::{ALL, Language, direct_dependencies, manifests, recognise};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 9] = [
    "requirements.txt",
    "pyproject.toml",
    "package.json",
    "Cargo.toml",
    "main.py",
    "app.py",
    "wsgi.py",
    "server.py",
    "app/main.py",
];

fuzz_target!(|data: &[u8]| {
    static TREE: OnceLock<std::path::PathBuf> = OnceLock::new();
    let tree = TREE.get_or_init(|| {
        let tree = support::folder().join("tree");
        fs::create_dir_all(tree.join("app")).expect("a folder");
        tree
    });
    for name in NAMES {
        let _ = fs::remove_file(tree.join(name));
    }
    // Split as bytes: manifests need not be text.
    let mut rest = data;
    let mut written = Vec::new();
    while let Some(body) = rest.strip_prefix(b"=== ") {
        let end = body
            .windows(5)
            .position(|five| five == b"\n=== ")
            .map_or(body.len(), |at| at + 1);
        let (file, more) = body.split_at(end);
        rest = more;
        let line = file
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(file.len());
        let name = String::from_utf8_lossy(&file[..line]).into_owned();
        if NAMES.contains(&name.as_str()) {
            fs::write(tree.join(&name), &file[(line + 1).min(file.len())..]).expect("written");
            written.push(name);
        }
    }
    for language in [Language::Python, Language::Node, Language::Rust] {
        for name in direct_dependencies(tree, language) {
            assert!(
                !name.contains('\n') && name == name.to_ascii_lowercase(),
                "{name:?}"
            );
        }
    }
    if let Some(found) = recognise(tree) {
        assert!(!manifests(tree).is_empty());
        assert!(
            direct_dependencies(tree, found.language)
                .iter()
                .any(|name| name == found.dependency)
        );
    }
    for framework in ALL {
        for word in (framework.start)(tree).unwrap_or_default() {
            let plain = |c: char| c.is_ascii_alphanumeric() || " -_./:\"$".contains(c);
            assert!(
                word.chars().all(plain) && !word.contains(".."),
                "{}: {word:?}",
                framework.id
            );
        }
    }
});
