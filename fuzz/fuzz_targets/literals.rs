//! Source in which a secret's default may stand: whatever comes before it, the default is found.
#![no_main]

use std::fs;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    static TREE: OnceLock<std::path::PathBuf> = OnceLock::new();
    let tree = TREE.get_or_init(|| {
        let tree = support::folder().join("source");
        fs::create_dir_all(&tree).expect("a folder");
        tree
    });
    let planted = &b"\nSECRET = \"a-planted-default\"\n"[..];
    fs::write(tree.join("app.py"), [data, planted].concat()).expect("written");
    fs::write(
        tree.join(".env"),
        [data, &b"\nAPP_KEY=another-default\n"[..]].concat(),
    )
    .expect("written");
    let found = app::literals(tree);
    for (at, text) in found.iter().enumerate() {
        assert!((4..=128).contains(&text.len()), "{text:?}");
        assert!(!found[..at].contains(text), "{text:?} is there twice");
    }
    // Words, then phrases, then words: those with white space stand together.
    let runs = found.chunk_by(|a, b| phrase(a) == phrase(b));
    let runs_of_phrases = runs.filter(|run| phrase(&run[0])).count();
    assert!(runs_of_phrases <= 1, "{found:?}");
    if found.len() < 400 {
        for wanted in ["a-planted-default", "another-default"] {
            assert!(
                found.iter().any(|text| text == wanted),
                "{wanted} is not among {found:?}"
            );
        }
    }
});

fn phrase(text: &str) -> bool {
    text.contains(char::is_whitespace)
}
