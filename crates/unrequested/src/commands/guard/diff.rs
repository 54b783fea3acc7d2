//! A change of a file as a unified diff. What changes is one stretch, so there is one hunk.

use std::fmt::Write as _;

use report::{Paint, clean};

/// Lines around what changes.
const AROUND: usize = 3;
const NO_END: &str = "\\ No newline at end of file";

/// `None` is a file that is not there.
pub(super) fn unified(
    name: &str,
    before: Option<&[u8]>,
    after: Option<&[u8]>,
    paint: Paint,
) -> String {
    let side = |letter: char, is_there: bool| {
        if is_there {
            format!("{letter}/{name}")
        } else {
            "/dev/null".to_owned()
        }
    };
    let mut out = format!(
        "{}\n{}\n",
        paint.head(&format!("--- {}", clean(&side('a', before.is_some())))),
        paint.head(&format!("+++ {}", clean(&side('b', after.is_some()))))
    );
    let (old, new) = (
        lines(before.unwrap_or_default()),
        lines(after.unwrap_or_default()),
    );
    let shortest = old.len().min(new.len());
    let head = (0..shortest).take_while(|at| old[*at] == new[*at]).count();
    let tail = (0..shortest - head)
        .take_while(|at| old[old.len() - 1 - at] == new[new.len() - 1 - at])
        .count();
    let from = head.saturating_sub(AROUND);
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let more = tail.min(AROUND);
    let range = |count: usize| {
        // An empty range is named by the line before it.
        let first = if count == 0 { from } else { from + 1 };
        if count == 1 {
            first.to_string()
        } else {
            format!("{first},{count}")
        }
    };
    let hunk = format!(
        "@@ -{} +{} @@",
        range(old_end + more - from),
        range(new_end + more - from)
    );
    let _ = writeln!(out, "{}", paint.faint(&hunk));
    let mut show = |sign: char, lines: &[&[u8]]| {
        for line in lines {
            let text = String::from_utf8_lossy(line);
            let words = text.strip_suffix('\n').unwrap_or(&text);
            let words = words.strip_suffix('\r').unwrap_or(words);
            // Spaces at the front are what a file's indentation is; tabs stay.
            let words: Vec<String> = words.split('\t').map(clean).collect();
            let row = format!("{sign}{}", words.join("\t"));
            let row = match sign {
                '+' => paint.good(&row),
                '-' => paint.bad(&row),
                _ => row,
            };
            let _ = writeln!(out, "{row}");
            if !text.ends_with('\n') {
                let _ = writeln!(out, "{NO_END}");
            }
        }
    };
    show(' ', &old[from..head]);
    show('-', &old[head..old_end]);
    show('+', &new[head..new_end]);
    show(' ', &old[old_end..old_end + more]);
    out
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_with_what_stands_around_it() {
        let old = b"1\n2\n3\n4\n5\n6\n7\n8\n9";
        let new = b"1\n2\n3\n4\nx\n6\n7\n8\n9";
        assert_eq!(
            unified("f", Some(old), Some(new), Paint(false)),
            "--- a/f\n+++ b/f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n"
        );
        assert_eq!(
            unified("f", None, Some(b"a\nb"), Paint(false)),
            format!("--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n{NO_END}\n")
        );
        assert_eq!(
            unified("f", Some(b"a\n"), None, Paint(false)),
            "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"
        );
        assert_eq!(
            unified("f", Some(b"a"), Some(b"a\nb\n"), Paint(false)),
            format!("--- a/f\n+++ b/f\n@@ -1 +1,2 @@\n-a\n{NO_END}\n+a\n+b\n")
        );
    }

    #[test]
    fn a_line_of_a_file_cannot_move_the_cursor() {
        let text = unified("f", Some(b"\x1b[2J\ta\r\n"), Some(b"b\r\n"), Paint(false));
        assert!(!text.contains('\x1b') && text.contains("\ta\n"), "{text:?}");
    }
}
