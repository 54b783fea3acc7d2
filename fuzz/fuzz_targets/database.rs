//! A database file as an app may leave it.
#![no_main]

use std::fs;
use std::sync::OnceLock;

use exploit::fuzz::{Kept, rows, stored};
use libfuzzer_sys::fuzz_target;

const LARGEST_CELL: usize = 4096;
/// A character that is no UTF-8 becomes one of three bytes.
const WIDEST: usize = 3;

fuzz_target!(|data: &[u8]| {
    static FILE: OnceLock<std::path::PathBuf> = OnceLock::new();
    let file = FILE.get_or_init(|| support::folder().join("app.db"));
    fs::write(file, data).expect("written");
    let tables = rows(file);
    for end in ["-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(file.with_extension(format!("db{end}")));
    }
    let Some(tables) = tables else { return };
    for (name, cell) in tables.iter().flatten() {
        assert!(name.contains('.') && cell.len() <= LARGEST_CELL * WIDEST);
    }
    let form = stored(
        "abcdefgHIJKLMN123-_.",
        &tables,
        "ann@example.org",
        "bob@example.org",
    );
    if let Some(Kept::Derived(share)) = form {
        assert!(share.is_finite() && share >= 0.0, "a cost of {share}");
    }
});
