//! The string literals of a source tree: what an app may fall back to when a secret is not set.

use std::fs;
use std::path::Path;

const MOST: usize = 400;
const LARGEST_FILE: u64 = 512 * 1024;
const ENDS: [&str; 14] = [
    "py", "js", "ts", "mjs", "cjs", "tsx", "rs", "toml", "env", "example", "sh", "yml", "yaml",
    "json",
];
/// Start scripts without an ending.
const NAMES: [&str; 2] = ["Dockerfile", "Procfile"];

/// Literals of 4 to 128 characters: those in a line with the word `secret` or `key` first, then those of them with white
/// space, then all others without. JSON is mostly data: of it only the first two.
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
            let left_out = crate::tree::LEFT_OUT.contains(&name.as_str());
            if path.is_symlink() || left_out || name == "package-lock.json" {
                continue;
            }
            let end = path.extension().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                folders.push(path);
            } else if (name.starts_with(".env")
                || NAMES.contains(&name.as_str())
                || ENDS.contains(&end.as_ref()))
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
                    } else if end == "json" {
                        continue;
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
    let word = |text: &String| !text.contains(char::is_whitespace);
    let (words, phrases): (Vec<_>, Vec<_>) = near.into_iter().partition(word);
    let others = far.into_iter().filter(word);
    let mut all = Vec::new();
    for text in words.into_iter().chain(phrases).chain(others) {
        if (4..=128).contains(&text.len()) && !all.contains(&text) {
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

    fn found(files: &[(&str, &[u8])]) -> Vec<String> {
        let tree = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(tree.path().join(name), text).unwrap();
        }
        literals(tree.path())
    }

    #[test]
    fn a_byte_that_is_no_text_hides_nothing() {
        let text = b"# caf\xe9\nSECRET = \"dev-secret\"\n";
        assert_eq!(found(&[("app.py", text)]), ["dev-secret"]);
    }

    #[test]
    fn what_is_likelier_a_key_comes_first() {
        let source = b"greeting = 'hello'\nwelcome = 'hello you'\nsecret = 'keep it a secret'\nkey = 'k-1234'\n";
        let config = br#"{
            "name": "shop",
            "jwtSecret": "of the config",
            "key": "k-5678"
        }"#;
        assert_eq!(
            found(&[("app.py", source), ("default.json", config)]),
            [
                "k-1234",
                "jwtSecret",
                "k-5678",
                "keep it a secret",
                "of the config",
                "hello"
            ]
        );
    }
}
