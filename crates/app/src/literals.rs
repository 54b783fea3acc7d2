//! The string literals of a source tree: what an app may fall back to when a secret is not set.

use std::fs;
use std::path::Path;

const MOST: usize = 400;
const LARGEST_FILE: u64 = 512 * 1024;
const ENDS: [&str; 13] = [
    "py", "js", "ts", "mjs", "cjs", "tsx", "rs", "toml", "env", "example", "sh", "yml", "yaml",
];
/// Start scripts without an ending.
const NAMES: [&str; 2] = ["Dockerfile", "Procfile"];

/// Literals of 4 to 128 characters without white space, those near the word `secret` or `key` first.
pub fn literals(tree: &Path) -> Vec<String> {
    let (mut near, mut far) = (Vec::new(), Vec::new());
    let mut folders = vec![tree.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_symlink() || crate::tree::LEFT_OUT.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if (name.starts_with(".env")
                || NAMES.contains(&name.as_str())
                || path
                    .extension()
                    .is_some_and(|end| ENDS.iter().any(|known| end == *known)))
                && path
                    .metadata()
                    .is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST_FILE)
                && let Ok(bytes) = fs::read(&path)
            {
                // A comment in another encoding hides nothing.
                let text = String::from_utf8_lossy(&bytes);
                for line in text.lines() {
                    let lower = line.to_ascii_lowercase();
                    let list = if lower.contains("secret") || lower.contains("key") {
                        &mut near
                    } else {
                        &mut far
                    };
                    list.extend(in_line(line));
                    if name.starts_with(".env")
                        && let Some((_, value)) = line.split_once('=')
                    {
                        list.push(value.trim().trim_matches(['"', '\'']).to_owned());
                    }
                }
            }
        }
    }
    let mut all = Vec::new();
    for text in near.into_iter().chain(far) {
        if (4..=128).contains(&text.len())
            && !text.contains(char::is_whitespace)
            && !all.contains(&text)
        {
            all.push(text);
            if all.len() == MOST {
                break;
            }
        }
    }
    all
}

fn in_line(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = line.chars();
    while let Some(open) = chars.next() {
        if !matches!(open, '"' | '\'' | '`') {
            continue;
        }
        let mut text = String::new();
        while let Some(c) = chars.next() {
            if c == open {
                found.push(text);
                break;
            }
            text.push(if c == '\\' {
                chars.next().unwrap_or('\\')
            } else {
                c
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_literals() {
        assert_eq!(
            in_line(r#"KEY = os.environ.get("JWT_SECRET", 'dev-"key"')"#),
            ["JWT_SECRET", "dev-\"key\""]
        );
        assert_eq!(in_line(r#"x = "a\"b" # it's"#), ["a\"b"]);
    }

    #[test]
    fn a_byte_that_is_no_text_hides_nothing() {
        let tree =
            std::env::temp_dir().join(format!("unrequested-literals-{}", std::process::id()));
        fs::create_dir_all(&tree).unwrap();
        fs::write(tree.join("app.py"), b"# caf\xe9\nSECRET = \"dev-secret\"\n").unwrap();
        let found = literals(&tree);
        fs::remove_dir_all(&tree).unwrap();
        assert_eq!(found, ["dev-secret"]);
    }
}
