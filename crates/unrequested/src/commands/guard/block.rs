//! A marked block in a text file that is a person's own: put in, renewed, and taken out so that the rest has its bytes again.
//!
//! The first marker says what taking out must know: how many line ends before it are not the file's, whether the file was
//! made for the block, and the hash of what stands inside.

/// Why a file is left alone.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("it is no text in UTF-8 or ASCII (it has zero bytes); convert it first")]
    NoText,
    #[error(
        "line {0} is a marker of unrequested without its other half; put it back, or remove the marker by hand"
    )]
    Broken(usize),
    #[error(
        "it has more than one block of unrequested (the second begins in line {0}); leave one of them, from its begin to its end"
    )]
    Twice(usize),
    #[error(
        "the first marker (line {0}) was changed, so it cannot be known what was there before; remove the block by hand, from its begin to its end"
    )]
    Marker(usize),
    #[error(
        "what stands between the markers (line {0}) was changed by hand; move your words outside of them and say --overwrite: then what is between them is lost"
    )]
    Edited(usize),
}

const BEGIN: &str = "<!-- unrequested:begin";
const END: &str = "<!-- unrequested:end -->";
const NOTE: &str = "written by `unrequested guard`; write outside of it";

/// One line: where it starts, where its words end, where the next one starts.
#[derive(Debug, Clone, Copy)]
struct Line {
    start: usize,
    words: usize,
    next: usize,
}

/// The block of a text.
struct Found {
    begin: Line,
    end: Line,
    number: usize,
    /// Line ends before it that are not the file's.
    ends: usize,
    /// Whether the file was made for it.
    made: bool,
    hash: String,
}

impl Found {
    /// The line end that the block was written with.
    fn eol<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        &text[self.begin.words..self.begin.next]
    }

    fn is_edited(&self, text: &[u8]) -> bool {
        self.hash != hash(&text[self.begin.next..self.end.start])
    }
}

/// The text with the block in it; `None` is a file that is not there. `body` ends with a line end.
pub(super) fn insert(text: Option<&[u8]>, body: &str, overwrite: bool) -> Result<Vec<u8>, Refused> {
    let Some(text) = text else {
        return Ok(render(body, b"\n", 0, true));
    };
    if let Some(found) = find(text)? {
        if !overwrite && found.is_edited(text) {
            return Err(Refused::Edited(found.number));
        }
        let mut block = render(body, found.eol(text), found.ends, found.made);
        if found.end.words == found.end.next {
            block.truncate(block.len() - found.eol(text).len());
        }
        return Ok([&text[..found.begin.start], &block, &text[found.end.next..]].concat());
    }
    let eol = eol(text);
    let ends = match text {
        [] => 0,
        [.., b'\n'] => 1,
        _ => 2,
    };
    Ok([text, &eol.repeat(ends), &render(body, eol, ends, false)].concat())
}

/// The text without the block, `None` where the file was made for it and nothing else is in it.
pub(super) fn remove(text: &[u8], overwrite: bool) -> Result<Option<Vec<u8>>, Refused> {
    let Some(found) = find(text)? else {
        return Ok(Some(text.to_vec()));
    };
    if !overwrite && found.is_edited(text) {
        return Err(Refused::Edited(found.number));
    }
    let eol = found.eol(text);
    let mut before = &text[..found.begin.start];
    let after = &text[found.end.next..];
    for _ in 0..found.ends {
        before = before.strip_suffix(eol).unwrap_or(before);
    }
    if before.is_empty() && after.is_empty() && found.made {
        return Ok(None);
    }
    // What somebody wrote behind the block does not become the end of the line before it.
    let joint = if before.is_empty() || before.ends_with(b"\n") || after.is_empty() {
        &[][..]
    } else {
        eol
    };
    Ok(Some([before, joint, after].concat()))
}

/// Whether a line of the text, outside of the block, takes another file in: `@AGENTS.md`.
pub(super) fn imports(text: &[u8], name: &str) -> bool {
    let wanted = [format!("@{name}"), format!("@./{name}")];
    lines(text).iter().any(|line| {
        let words = text[line.start..line.words].trim_ascii();
        wanted.iter().any(|one| one.as_bytes() == words)
    })
}

fn find(text: &[u8]) -> Result<Option<Found>, Refused> {
    if text.contains(&0) {
        return Err(Refused::NoText);
    }
    let mut found: Option<Found> = None;
    let mut open: Option<(Line, usize)> = None;
    for (index, line) in lines(text).into_iter().enumerate() {
        let number = index + 1;
        let words = text[line.start..line.words].trim_ascii_end();
        if words == END.as_bytes() {
            let (begin, at) = open.take().ok_or(Refused::Broken(number))?;
            let marker = std::str::from_utf8(&text[begin.start..begin.words]).ok();
            let (ends, made, hash) = marker.and_then(read).ok_or(Refused::Marker(at))?;
            found = Some(Found {
                begin,
                end: line,
                number: at,
                ends,
                made,
                hash,
            });
        } else if words.starts_with(BEGIN.as_bytes()) {
            if let Some((_, at)) = open {
                return Err(Refused::Broken(at));
            }
            if found.is_some() {
                return Err(Refused::Twice(number));
            }
            open = Some((line, number));
        }
    }
    match open {
        Some((_, at)) => Err(Refused::Broken(at)),
        None => Ok(found),
    }
}

/// What the first marker says.
fn read(marker: &str) -> Option<(usize, bool, String)> {
    let rest = marker.trim_end().strip_prefix(BEGIN)?.strip_suffix("-->")?;
    let field = |name: &str| {
        let mut words = rest.split_whitespace();
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let ends = field("ends")?.parse().ok().filter(|ends| *ends <= 2)?;
    let made = match field("made")? {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    Some((ends, made, field("sum")?.to_owned()))
}

fn render(body: &str, eol: &[u8], ends: usize, made: bool) -> Vec<u8> {
    let made = if made { "yes" } else { "no" };
    let hash = hash(body.as_bytes());
    let text = format!("{BEGIN} ends={ends} made={made} sum={hash} ({NOTE}) -->\n{body}{END}\n");
    let lines: Vec<&[u8]> = text.as_bytes().split(|byte| *byte == b'\n').collect();
    lines.join(eol)
}

/// Of the text with plain line ends: a file whose line ends are converted was not edited.
pub(super) fn hash(text: &[u8]) -> String {
    let mut plain = Vec::with_capacity(text.len());
    for line in lines(text) {
        plain.extend_from_slice(&text[line.start..line.words]);
        plain.push(b'\n');
    }
    blake3::hash(&plain).to_hex().as_str()[..16].to_owned()
}

/// The line end of the first line.
fn eol(text: &[u8]) -> &'static [u8] {
    match text.iter().position(|byte| *byte == b'\n') {
        Some(at) if text[..at].ends_with(b"\r") => b"\r\n",
        _ => b"\n",
    }
}

fn lines(text: &[u8]) -> Vec<Line> {
    let mut all = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = text[start..].iter().position(|byte| *byte == b'\n');
        let next = end.map_or(text.len(), |end| start + end + 1);
        let mut words = end.map_or(next, |_| next - 1);
        if end.is_some() && text[start..words].ends_with(b"\r") {
            words -= 1;
        }
        all.push(Line { start, words, next });
        start = next;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "## Defaults\n\n- one\n";

    /// All texts of up to so many of these parts.
    fn texts(parts: &[&str], longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..longest {
            last = last
                .iter()
                .flat_map(|text| parts.iter().map(move |part| format!("{text}{part}")))
                .collect();
            all.extend(last.clone());
        }
        all
    }

    const PARTS: [&str; 6] = ["a", "\n", "\r\n", "\r", "\u{feff}", " "];

    #[test]
    fn every_text_has_its_bytes_again() {
        let all = texts(&PARTS, 6);
        assert!(all.len() > 50_000);
        for text in &all {
            let with = insert(Some(text.as_bytes()), BODY, false).unwrap();
            assert!(with.starts_with(text.as_bytes()), "{text:?}");
            let marker = with
                .windows(BEGIN.len())
                .position(|part| part == BEGIN.as_bytes());
            let before = &with[..marker.unwrap()];
            let blank = before.ends_with(b"\n\n") || before.ends_with(b"\n\r\n");
            assert!(blank || text.is_empty(), "{text:?}");
            assert_eq!(insert(Some(&with), BODY, false).unwrap(), with, "{text:?}");
            let without = remove(&with, false).unwrap();
            assert_eq!(without.as_deref(), Some(text.as_bytes()), "{text:?}");
            // The same after the block was renewed.
            let renewed = insert(Some(&with), "other\n", false).unwrap();
            assert_eq!(
                remove(&renewed, false).unwrap().as_deref(),
                Some(text.as_bytes()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_is_written_before_and_behind_the_block_stays() {
        for text in texts(&PARTS, 3) {
            let with = insert(Some(text.as_bytes()), BODY, false).unwrap();
            for behind in texts(&PARTS, 2) {
                for before in texts(&PARTS, 2) {
                    let edited = [before.as_bytes(), &with, behind.as_bytes()].concat();
                    // A mark in front of the first marker makes it another line.
                    let Ok(without) = remove(&edited, false) else {
                        assert!(text.is_empty() && !before.is_empty(), "{before:?} {text:?}");
                        continue;
                    };
                    let kept = without.unwrap();
                    let head = [before.as_bytes(), text.as_bytes()].concat();
                    assert!(kept.starts_with(&head), "{before:?} {text:?} {behind:?}");
                    assert!(kept.ends_with(behind.as_bytes()));
                    let joint = kept.len() - head.len() - behind.len();
                    let open = !head.is_empty() && !head.ends_with(b"\n") && !behind.is_empty();
                    assert_eq!(joint > 0, open, "{before:?} {text:?} {behind:?}");
                }
            }
        }
    }

    #[test]
    fn a_file_that_was_made_for_it_goes_unless_somebody_wrote_into_it() {
        let made = insert(None, BODY, false).unwrap();
        assert_eq!(remove(&made, false).unwrap(), None);
        let more = [&made[..], b"mine\n"].concat();
        assert_eq!(remove(&more, false).unwrap().unwrap(), b"mine\n");
        let empty = insert(Some(b""), BODY, false).unwrap();
        assert_eq!(remove(&empty, false).unwrap().unwrap(), b"");
    }

    #[test]
    fn a_block_keeps_the_line_ends_of_its_file_and_survives_their_conversion() {
        let with = insert(Some(b"a\r\nb"), BODY, false).unwrap();
        let text = String::from_utf8(with).unwrap();
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        let converted = text.replace("\r\n", "\n");
        assert_eq!(
            remove(converted.as_bytes(), false).unwrap().unwrap(),
            b"a\nb"
        );
        let back = converted.replace('\n', "\r\n");
        assert_eq!(remove(back.as_bytes(), false).unwrap().unwrap(), b"a\r\nb");
        // An editor took the last line end away.
        let trimmed = text.trim_end();
        assert_eq!(
            insert(Some(trimmed.as_bytes()), BODY, false).unwrap(),
            trimmed.as_bytes()
        );
        assert_eq!(
            remove(trimmed.as_bytes(), false).unwrap().unwrap(),
            b"a\r\nb"
        );
    }

    #[test]
    fn what_is_not_utf8_is_kept_and_what_is_no_text_is_refused() {
        let latin = b"caf\xe9\n";
        let with = insert(Some(latin), BODY, false).unwrap();
        assert_eq!(remove(&with, false).unwrap().unwrap(), latin);
        let wide = b"\xff\xfea\0\n\0";
        assert_eq!(insert(Some(wide), BODY, false), Err(Refused::NoText));
        assert_eq!(remove(wide, false), Err(Refused::NoText));
    }

    #[test]
    fn markers_that_do_not_fit_are_refused_and_named_by_their_line() {
        let block = String::from_utf8(insert(None, BODY, false).unwrap()).unwrap();
        let begin = block.lines().next().unwrap();
        for (text, refused) in [
            (format!("x\n{begin}\ny\n"), Refused::Broken(2)),
            (format!("x\ny\n{END}\n"), Refused::Broken(3)),
            (format!("{END}\n{begin}\n"), Refused::Broken(1)),
            (format!("{begin}\n{block}"), Refused::Broken(1)),
            (format!("{begin}\n{block}{END}\n"), Refused::Broken(1)),
            (format!("{block}\n{block}"), Refused::Twice(7)),
            (block.replace("ends=0", "ends=many"), Refused::Marker(1)),
            (block.replace("made=yes ", ""), Refused::Marker(1)),
            (block.replace("- one", "- two"), Refused::Edited(1)),
            (block.replace("sum=", "sum=0"), Refused::Edited(1)),
        ] {
            assert_eq!(
                insert(Some(text.as_bytes()), BODY, false).as_ref(),
                Err(&refused),
                "{text}"
            );
            assert_eq!(
                remove(text.as_bytes(), false).as_ref(),
                Err(&refused),
                "{text}"
            );
        }
        let edited = format!("mine\n{}", block.replace("- one", "- two"));
        assert_eq!(
            insert(Some(edited.as_bytes()), BODY, true).unwrap(),
            format!("mine\n{block}").as_bytes()
        );
        assert_eq!(remove(edited.as_bytes(), true).unwrap().unwrap(), b"mine\n");
    }

    #[test]
    fn a_line_that_only_speaks_of_the_marker_is_none() {
        let text = b"see `<!-- unrequested:begin` there\n";
        let with = insert(Some(text), BODY, false).unwrap();
        assert_eq!(remove(&with, false).unwrap().unwrap(), text);
    }

    #[test]
    fn an_import_is_a_line_of_its_own() {
        assert!(imports(b"# x\r\n@AGENTS.md\r\n", "AGENTS.md"));
        assert!(imports(b" @./AGENTS.md", "AGENTS.md"));
        assert!(!imports(b"see @AGENTS.md\n", "AGENTS.md"));
    }
}
