//! Text of apps, made harmless for each place where it is shown. What is shown is one line, cut, and says what was cut.

use std::fmt::Write as _;

use crate::paint::clean;

/// The most characters of one text of an app in any report.
pub(crate) const LONGEST: usize = 400;

/// Cleaned, and cut after so many characters.
pub(crate) fn clip(text: &str, longest: usize) -> String {
    // An app can send megabytes: what is cut off is never looked at.
    let end = text.char_indices().nth(longest).map(|(at, _)| at);
    match end {
        None => clean(text),
        Some(end) => {
            let more = text[end..].len();
            format!("{}… ({more} bytes more)", clean(&text[..end]))
        }
    }
}

/// For HTML and XML, in text and in quoted attributes.
pub(crate) fn markup(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // No XML document may hold these, escaped or not.
            c if c.is_control() && c != '\n' && c != '\t'
                || matches!(c, '\u{fffe}' | '\u{ffff}') =>
            {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

/// For the running text of Markdown as GitHub shows it: nothing in it is markup, a mention, a reference or a link.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::new();
    for c in clip(text, LONGEST).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' | '#' => {
                out.push(c);
                out.push_str("<!-- -->");
            }
            ':' => out.push_str(":<!-- -->"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '!' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    // An address without a scheme becomes a link, too.
    out.replace("www.", "www<!-- -->.")
        .replace(":<!-- --> ", ": ")
}

/// A code span of Markdown that nothing in it can end, in a table, too.
pub(crate) fn code(text: &str) -> String {
    let text = clip(text, LONGEST).replace('|', "\u{2502}");
    let ticks = "`".repeat(longest_run(&text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.is_empty() {
        " "
    } else {
        ""
    };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// A code block of Markdown that nothing in it can end. Lines are kept.
pub(crate) fn block(text: &str, language: &str) -> String {
    let lines: Vec<String> = text.lines().map(clean).collect();
    let text = lines.join("\n");
    let fence = "`".repeat(longest_run(&text, '`').max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// What an app may put wherever it is quoted.
#[cfg(test)]
pub(crate) mod hostile {
    pub(crate) const SHORT: &str = "<script>pwned=1</script>\u{1b}[2J\u{202e}]]>--><img src=x onerror=pwned=1> \
        '\"`|``` =HYPERLINK(\"http://evil.example\",\"x\") @everyone #1 [a](javascript:pwned) www.evil.example \u{0} \u{7} \
        \r\n::error::x \u{fffe} \u{feff} \u{e0041} </details></style></title>";

    pub(crate) fn long() -> String {
        format!("{}{}", SHORT, "A<b>".repeat(256 * 1024))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_megabyte_is_cut_and_said_so() {
        let text = clip(&hostile::long(), 50);
        assert!(text.chars().count() < 300, "{text}");
        assert!(text.contains("bytes more"), "{text}");
        assert_eq!(clip("short", 5), "short");
    }

    #[test]
    fn markup_holds_no_tag_and_nothing_that_xml_forbids() {
        let text = markup(hostile::SHORT);
        assert!(!text.contains(['<', '>', '"', '\'']), "{text}");
        assert!(
            !text
                .chars()
                .any(|c| c.is_control() && c != '\n' && c != '\t')
        );
        assert!(!text.contains('\u{fffe}'));
    }

    #[test]
    fn markdown_is_no_markup_no_mention_and_no_link() {
        let text = markdown(hostile::SHORT);
        assert!(
            !text.contains("<script") && !text.contains("<img"),
            "{text}"
        );
        for bad in [
            "@everyone",
            "#1",
            "http://",
            "www.evil",
            "[a](",
            "javascript:p",
            "\n",
        ] {
            assert!(!text.contains(bad), "{bad}: {text}");
        }
        assert_eq!(markdown("who: nobody"), "who: nobody");
    }

    #[test]
    fn nothing_in_a_code_span_or_block_ends_it() {
        let span = code(hostile::SHORT);
        assert!(span.starts_with("````") && span.ends_with("````"), "{span}");
        assert!(!span.contains('|') && !span.contains('\n'));
        let fenced = block("a\n```\n````\nb\u{1b}[2J", "text");
        assert!(fenced.starts_with("`````text\n") && fenced.ends_with("\n`````\n"));
        assert!(!fenced.contains('\u{1b}'));
    }
}
