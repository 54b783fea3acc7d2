//! One command hook in a JSON file that is a person's own: put in without touching another byte, and taken out again.
//!
//! JSON has no comments, so what was there before is known from how the piece is written: into an empty object or list it
//! goes without a space behind the bracket, anywhere else with one. What taking out gives is proved by putting in again.

use serde_json::Value;

/// Why a file is left alone.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("it is no plain JSON ({0}); --no-hook leaves it out")]
    NoJson(String),
    #[error("`{0}` in it is not what it should be ({1}); --no-hook leaves it out")]
    Shape(&'static str, &'static str),
    #[error("it has `{0}` twice; --no-hook leaves it out")]
    Twice(&'static str),
}

/// When an agent begins, so that what it finds is known, and when it believes to be done.
const EVENTS: [&str; 2] = ["SessionStart", "Stop"];
/// Seconds; agents wait for minutes by themselves.
const TIMEOUT: &str = "30";

/// A value with its place in the text.
#[derive(Debug)]
struct Node {
    start: usize,
    end: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Object(Vec<Member>),
    Array(Vec<Node>),
    Text(String),
    Other,
}

#[derive(Debug)]
struct Member {
    key: String,
    start: usize,
    value: Node,
}

/// The text with a hook that runs the command at each event.
pub(super) fn insert(text: Option<&[u8]>, command: &str) -> Result<Vec<u8>, Refused> {
    let mut whole = text.map(<[u8]>::to_vec);
    for event in EVENTS {
        whole = Some(insert_at(whole.as_deref(), command, event)?);
    }
    Ok(whole.unwrap_or_default())
}

/// The text without hooks that run the command; `None` where the file was made for them and nothing else is in it.
pub(super) fn remove(text: &[u8], command: &str) -> Result<Option<Vec<u8>>, Refused> {
    let mut rest = text.to_vec();
    // What was put in last is taken out first.
    for event in EVENTS.into_iter().rev() {
        match remove_at(&rest, command, event)? {
            Some(text) => rest = text,
            None => return Ok(None),
        }
    }
    Ok(Some(rest))
}

fn insert_at(
    text: Option<&[u8]>,
    command: &str,
    event_name: &'static str,
) -> Result<Vec<u8>, Refused> {
    let Some(text) = text else {
        return Ok(made(command, event_name).into_bytes());
    };
    let text = plain(text)?;
    let root = parse(text)?;
    let style = Style::of(text, &root);
    let group = group(command);
    let Some(hooks) = member(&root, "hooks")? else {
        let value = Piece::Object(vec![("hooks", hooks_of(group, event_name))]);
        return Ok(put(text, &root, value, &style));
    };
    expect(hooks, "hooks", "an object", is_object)?;
    let Some(event) = member(hooks, event_name)? else {
        let value = Piece::Object(vec![(event_name, Piece::Array(vec![group]))]);
        return Ok(put(text, hooks, value, &style));
    };
    expect(event, event_name, "a list", is_array)?;
    if places(&root, command, event_name, is_always)?.is_some() {
        return Ok(text.as_bytes().to_vec());
    }
    Ok(put(text, event, Piece::Array(vec![group]), &style))
}

fn remove_at(
    text: &[u8],
    command: &str,
    event_name: &'static str,
) -> Result<Option<Vec<u8>>, Refused> {
    let mut text = plain(text)?.to_owned();
    let made = made(command, event_name);
    loop {
        if text == made {
            return Ok(None);
        }
        let root = parse(&text)?;
        let Some(at) = places(&root, command, event_name, |_| Ok(true))? else {
            return Ok(Some(text.into_bytes()));
        };
        let cuts = cuts(&text, &root, at, event_name)?;
        let exact = cuts.iter().find(|cut| {
            insert_at(Some(cut.as_bytes()), command, event_name)
                .is_ok_and(|again| again == text.as_bytes())
        });
        if exact.is_none() && is_same(&text, &made) {
            return Ok(None);
        }
        let Some(next) = exact.or(cuts.first()) else {
            return Ok(Some(text.into_bytes()));
        };
        text.clone_from(next);
    }
}

/// The file that is made where there is none.
fn made(command: &str, event_name: &'static str) -> String {
    let style = Style {
        eol: "\n",
        unit: Some("  ".to_owned()),
    };
    let value = Piece::Object(vec![("hooks", hooks_of(group(command), event_name))]);
    format!("{}\n", value.render(&style, ""))
}

fn is_same(text: &str, made: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    value(text) == value(made)
}

// --- what is put in ----------------------------------------------------------------------------------------------------

enum Piece {
    Object(Vec<(&'static str, Piece)>),
    Array(Vec<Piece>),
    Word(String),
}

fn hooks_of(group: Piece, event_name: &'static str) -> Piece {
    Piece::Object(vec![(event_name, Piece::Array(vec![group]))])
}

fn group(command: &str) -> Piece {
    let handler = Piece::Object(vec![
        ("type", Piece::Word("\"command\"".into())),
        ("command", Piece::Word(format!("\"{command}\""))),
        ("timeout", Piece::Word(TIMEOUT.into())),
    ]);
    Piece::Object(vec![("hooks", Piece::Array(vec![handler]))])
}

impl Piece {
    /// On one line or on many; there is always a space behind a bracket.
    fn render(&self, style: &Style, indent: &str) -> String {
        let inner = style.unit.as_ref().map(|unit| format!("{indent}{unit}"));
        let deeper = inner.clone().unwrap_or_default();
        let (open, close, items) = match self {
            Self::Word(word) => return word.clone(),
            Self::Object(members) => (
                '{',
                '}',
                members
                    .iter()
                    .map(|(key, value)| format!("\"{key}\": {}", value.render(style, &deeper)))
                    .collect::<Vec<_>>(),
            ),
            Self::Array(values) => (
                '[',
                ']',
                values
                    .iter()
                    .map(|value| value.render(style, &deeper))
                    .collect(),
            ),
        };
        match inner {
            None => format!("{open} {} {close}", items.join(", ")),
            Some(inner) => {
                let eol = style.eol;
                let items = items.join(&format!(",{eol}{inner}"));
                format!("{open}{eol}{inner}{items}{eol}{indent}{close}")
            }
        }
    }

    /// Its one member or element, without the brackets.
    fn inside(&self, style: &Style, indent: &str) -> String {
        match self {
            Self::Object(members) => members
                .iter()
                .map(|(key, value)| format!("\"{key}\": {}", value.render(style, indent)))
                .collect(),
            Self::Array(values) => values
                .iter()
                .map(|value| value.render(style, indent))
                .collect(),
            Self::Word(word) => word.clone(),
        }
    }
}

/// How the file is written.
struct Style {
    eol: &'static str,
    /// What a level is indented by; `None` where all is on one line.
    unit: Option<String>,
}

impl Style {
    fn of(text: &str, root: &Node) -> Self {
        let eol = if text.contains("\r\n") { "\r\n" } else { "\n" };
        Self {
            eol,
            unit: indent(text, root),
        }
    }
}

/// What stands before the first thing in a container, where that is on a line of its own.
fn indent(text: &str, of: &Node) -> Option<String> {
    let (first, _) = *of.spans().first()?;
    let gap = &text[of.start + 1..first];
    gap.rfind('\n').map(|at| gap[at + 1..].to_owned())
}

/// Puts the one member or element of `piece` into a container, as its last.
fn put(text: &str, into: &Node, piece: Piece, style: &Style) -> Vec<u8> {
    let flat = Style {
        eol: style.eol,
        unit: None,
    };
    let (at, new) = match into.spans().last() {
        None => (into.start + 1, piece.inside(&flat, "")),
        Some((_, end)) => (
            *end,
            match indent(text, into) {
                None => format!(", {}", piece.inside(&flat, "")),
                Some(indent) => format!(",{}{indent}{}", style.eol, piece.inside(style, &indent)),
            },
        ),
    };
    [&text[..at], &new, &text[at..]].concat().into_bytes()
}

// --- what is taken out ---------------------------------------------------------------------------------------------------

/// Whether a group runs at each of its event, whatever began a session.
fn is_always(group: &Node) -> Result<bool, Refused> {
    let matcher = member(group, "matcher")?;
    Ok(matcher
        .is_none_or(|one| matches!(&one.kind, Kind::Text(all) if all.is_empty() || all == "*")))
}

/// Which group of the event, of those that count, and which handler in it, runs the command.
fn places(
    root: &Node,
    command: &str,
    event_name: &'static str,
    counts: fn(&Node) -> Result<bool, Refused>,
) -> Result<Option<(usize, usize)>, Refused> {
    let Some(hooks) = member(root, "hooks")? else {
        return Ok(None);
    };
    if !is_object(&hooks.kind) {
        return Ok(None);
    }
    let Some(event) = member(hooks, event_name)? else {
        return Ok(None);
    };
    for (index, group) in event.elements().iter().enumerate() {
        if !counts(group)? {
            continue;
        }
        let Some(handlers) = member(group, "hooks")? else {
            continue;
        };
        for (place, handler) in handlers.elements().iter().enumerate() {
            let runs = member(handler, "command")?;
            if runs.is_some_and(|one| matches!(&one.kind, Kind::Text(text) if text == command)) {
                return Ok(Some((index, place)));
            }
        }
    }
    Ok(None)
}

/// The text without the handler and without all that would be empty then, and without less and less of that.
fn cuts(
    text: &str,
    root: &Node,
    (group, handler): (usize, usize),
    event_name: &'static str,
) -> Result<Vec<String>, Refused> {
    let gone = Refused::Shape("hooks", "an object");
    let hooks = member(root, "hooks")?.ok_or(gone)?;
    let event = member(hooks, event_name)?.ok_or(Refused::Shape(event_name, "a list"))?;
    let one = &event.elements()[group];
    let handlers = member(one, "hooks")?.ok_or(Refused::Shape("hooks", "a list"))?;
    let mut all = vec![cut(text, handlers, handler)];
    let only = |node: &Node| node.spans().len() == 1;
    // A group's other words, its matcher, say for what the handler was.
    if only(handlers) {
        all.insert(0, cut(text, event, group));
        if only(event) {
            all.insert(0, cut(text, hooks, hooks.place(event_name)));
            if only(hooks) {
                all.insert(0, cut(text, root, root.place("hooks")));
            }
        }
    }
    Ok(all)
}

/// The text without one member or element.
fn cut(text: &str, of: &Node, index: usize) -> String {
    let spans = of.spans();
    let (start, end) = spans[index];
    let (from, to) = match (index.checked_sub(1), spans.get(index + 1)) {
        (_, Some((next, _))) => (start, *next),
        (Some(last), None) => (spans[last].1, end),
        (None, None) if start == of.start + 1 => (start, end),
        (None, None) => (of.start + 1, of.end - 1),
    };
    format!("{}{}", &text[..from], &text[to..])
}

// --- reading -------------------------------------------------------------------------------------------------------------

impl Node {
    /// Where its members or elements are.
    fn spans(&self) -> Vec<(usize, usize)> {
        match &self.kind {
            Kind::Object(members) => members
                .iter()
                .map(|member| (member.start, member.value.end))
                .collect(),
            Kind::Array(values) => values
                .iter()
                .map(|value| (value.start, value.end))
                .collect(),
            Kind::Text(_) | Kind::Other => Vec::new(),
        }
    }

    fn elements(&self) -> &[Node] {
        match &self.kind {
            Kind::Array(values) => values,
            Kind::Object(_) | Kind::Text(_) | Kind::Other => &[],
        }
    }

    fn place(&self, key: &str) -> usize {
        match &self.kind {
            Kind::Object(members) => members
                .iter()
                .position(|member| member.key == key)
                .unwrap_or_default(),
            Kind::Array(_) | Kind::Text(_) | Kind::Other => 0,
        }
    }
}

fn is_object(kind: &Kind) -> bool {
    matches!(kind, Kind::Object(_))
}

fn is_array(kind: &Kind) -> bool {
    matches!(kind, Kind::Array(_))
}

fn expect(
    node: &Node,
    name: &'static str,
    what: &'static str,
    is: fn(&Kind) -> bool,
) -> Result<(), Refused> {
    if is(&node.kind) {
        Ok(())
    } else {
        Err(Refused::Shape(name, what))
    }
}

fn member<'a>(of: &'a Node, key: &'static str) -> Result<Option<&'a Node>, Refused> {
    let Kind::Object(members) = &of.kind else {
        return Ok(None);
    };
    let mut found = members.iter().filter(|member| member.key == key);
    let first = found.next().map(|member| &member.value);
    match found.next() {
        Some(_) => Err(Refused::Twice(key)),
        None => Ok(first),
    }
}

fn plain(text: &[u8]) -> Result<&str, Refused> {
    std::str::from_utf8(text).map_err(|error| Refused::NoJson(error.to_string()))
}

fn parse(text: &str) -> Result<Node, Refused> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| Refused::NoJson(error.to_string()))?;
    if !value.is_object() {
        return Err(Refused::NoJson("it is no object".to_owned()));
    }
    let mut reader = Reader { text, at: 0 };
    Ok(reader.value())
}

/// Reads what is known to be JSON, and nested no deeper than `serde_json` allows.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    /// The next byte that is no space.
    fn peek(&mut self) -> u8 {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.text.as_bytes().get(self.at).copied().unwrap_or(b'}')
    }

    fn value(&mut self) -> Node {
        let first = self.peek();
        let start = self.at;
        let kind = match first {
            b'{' => {
                let mut members = Vec::new();
                self.at += 1;
                while self.peek() != b'}' {
                    let start = self.at;
                    let key = self.string();
                    self.peek();
                    self.at += 1;
                    let value = self.value();
                    members.push(Member { key, start, value });
                    self.comma();
                }
                self.at += 1;
                Kind::Object(members)
            }
            b'[' => {
                let mut values = Vec::new();
                self.at += 1;
                while self.peek() != b']' {
                    values.push(self.value());
                    self.comma();
                }
                self.at += 1;
                Kind::Array(values)
            }
            b'"' => Kind::Text(self.string()),
            _ => {
                let rest = &self.text[self.at..];
                let ends = [' ', '\t', '\n', '\r', ',', ']', '}'];
                self.at += rest.find(ends).unwrap_or(rest.len());
                Kind::Other
            }
        };
        let end = self.at;
        Node { start, end, kind }
    }

    fn comma(&mut self) {
        if self.peek() == b',' {
            self.at += 1;
        }
    }

    fn string(&mut self) -> String {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        for byte in self.text[self.at..].bytes() {
            self.at += 1;
            match byte {
                b'"' if !escaped => break,
                b'\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        serde_json::from_str(&self.text[start..self.at]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: &str = "unrequested hook claude-code";

    /// Settings as people write them, with a hook of their own and without.
    const FILES: [&str; 30] = [
        "{}",
        "{}\n",
        "{ }",
        "{\n}\n",
        "\n {\r\n\t} \n",
        "{\"model\":\"x\"}",
        "{ \"model\": \"x\" }\n",
        "{\n  \"model\": \"x\"\n}\n",
        "{\n    \"model\": \"x\",\n    \"a\": [1, {\"b\": null}]\n}",
        "{\r\n\t\"model\": \"x\"\r\n}\r\n",
        "{\n  \"hooks\": {}\n}\n",
        "{\n  \"hooks\": {\n  }\n}\n",
        "{\"hooks\":{}}",
        "{\"hooks\":{\"Stop\":[]}}",
        "{\"a\": 1, \"hooks\": {}}",
        "{\"a\": 1, \"hooks\": {\"Stop\": []}}",
        "{\n  \"a\": 1,\n  \"hooks\": {}\n}\n",
        "{\n  \"a\": 1,\n  \"hooks\": {\n    \"Stop\": []\n  }\n}\n",
        "{ \"hooks\": { \"Stop\": [] } }",
        "{\n  \"hooks\": {\n    \"Stop\": []\n  }\n}\n",
        "{\n  \"hooks\": {\n    \"Stop\": [\n    ]\n  },\n  \"model\": \"x\"\n}\n",
        "{\n  \"hooks\": {\n    \"PreToolUse\": [{\"matcher\": \"Bash\", \"hooks\": [{\"type\": \"command\", \"command\": \"a \\\"b\\\" {\"}]}]\n  }\n}\n",
        "{\"hooks\": {\"Stop\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"say done\"}]}]}, \"z\": 1}",
        "{\n  \"hooks\": {\n    \"Stop\": [\n      {\n        \"hooks\": [\n          { \"type\": \"command\", \"command\": \"say\" }\n        ]\n      }\n    ]\n  }\n}\n",
        "{\n  \"hooks\": { \"Stop\": [ { \"hooks\": [] } ] }\n}",
        "{\"hooks\":{\"SessionStart\":[]}}",
        "{\n  \"hooks\": {\n    \"SessionStart\": [],\n    \"Stop\": []\n  }\n}\n",
        "{\n  \"hooks\": {\n    \"SessionStart\": [\n      {\n        \"hooks\": [\n          { \"type\": \"command\", \"command\": \"say\" }\n        ]\n      }\n    ]\n  }\n}\n",
        "{\"hooks\": {\"SessionStart\": [{\"matcher\": \"resume\", \"hooks\": [{\"type\": \"command\", \"command\": \"say\"}]}]}}",
        "{\"a\":\"caf\u{e9} \\u007b [\",\"hooks\":{\"Stop\":[{}]}}",
    ];

    fn value(text: &[u8]) -> Value {
        serde_json::from_slice(text).unwrap()
    }

    /// How often the hook is there for each event, where agents look for it.
    fn has(text: &[u8]) -> [usize; 2] {
        let value = value(text);
        ["SessionStart", "Stop"].map(|event| {
            let groups = value["hooks"][event].as_array().unwrap().iter();
            groups
                .flat_map(|group| group["hooks"].as_array().cloned().unwrap_or_default())
                .filter(|one| one["type"] == "command" && one["command"] == COMMAND)
                .count()
        })
    }

    fn without_empty(mut value: Value) -> Value {
        if let Some(hooks) = value["hooks"].as_object_mut() {
            hooks.retain(|_, groups| groups.as_array().is_none_or(|all| !all.is_empty()));
        }
        let root = value.as_object_mut().unwrap();
        root.retain(|_, one| !one.is_null() && one.as_object().is_none_or(|all| !all.is_empty()));
        value
    }

    #[test]
    fn every_file_has_its_bytes_again_and_keeps_all_it_says() {
        for text in FILES {
            let with = insert(Some(text.as_bytes()), COMMAND).unwrap();
            assert_eq!(has(&with), [1, 1], "{text}");
            assert_eq!(insert(Some(&with), COMMAND).unwrap(), with, "{text}");
            let without = remove(&with, COMMAND).unwrap();
            let without = without.unwrap_or_else(|| panic!("{text:?} is gone"));
            assert_eq!(String::from_utf8(without).unwrap(), text);
            // Not one byte of the person's is another: what came is one piece, or two where both events had a place.
            let with = String::from_utf8(with).unwrap();
            let head = text
                .bytes()
                .zip(with.bytes())
                .take_while(|(a, b)| a == b)
                .count();
            let tail = text[head..]
                .bytes()
                .rev()
                .zip(with[head..].bytes().rev())
                .take_while(|(a, b)| a == b)
                .count();
            let between = &text[head..text.len() - tail];
            assert!(
                between.is_empty() || text.contains("SessionStart"),
                "{with}"
            );
            let came = &with[head..with.len() - tail];
            assert!(came.contains(between), "{with}");
        }
    }

    #[test]
    fn two_commands_in_one_file_do_not_disturb_each_other() {
        for text in FILES {
            let one = insert(Some(text.as_bytes()), COMMAND).unwrap();
            let both = insert(Some(&one), "unrequested hook codex").unwrap();
            let back = remove(&both, "unrequested hook codex").unwrap().unwrap();
            assert_eq!(back, one, "{text}");
            // In the other order the rest says the same, but for containers that are empty.
            let other = remove(&both, COMMAND).unwrap().unwrap();
            let last = remove(&other, "unrequested hook codex").unwrap();
            let last = last.map_or(serde_json::json!({}), |text| value(&text));
            let (last, wanted) = (without_empty(last), without_empty(value(text.as_bytes())));
            assert_eq!(last, wanted, "{text}");
        }
    }

    #[test]
    fn a_file_that_was_made_for_it_goes_also_when_it_was_formatted_anew() {
        let text = insert(None, COMMAND).unwrap();
        assert_eq!(has(&text), [1, 1]);
        assert_eq!(remove(&text, COMMAND).unwrap(), None);
        let again = serde_json::to_vec(&value(&text)).unwrap();
        assert_eq!(remove(&again, COMMAND).unwrap(), None);
        assert_eq!(value(&text)["hooks"]["Stop"][0]["hooks"][0]["timeout"], 30);
    }

    #[test]
    fn a_handler_for_some_starts_of_a_session_is_none_for_all() {
        for (matcher, there) in [("resume", 2), ("", 1), ("*", 1)] {
            let text = format!(
                r#"{{"hooks": {{"SessionStart": [{{"matcher": "{matcher}", "hooks": [{{"type": "command", "command": "{COMMAND}"}}]}}]}}}}"#
            );
            let with = insert(Some(text.as_bytes()), COMMAND).unwrap();
            assert_eq!(has(&with), [there, 1], "{matcher}");
            assert_eq!(insert(Some(&with), COMMAND).unwrap(), with);
            let without = remove(&with, COMMAND).unwrap();
            assert!(without.is_none_or(|text| !String::from_utf8(text).unwrap().contains(COMMAND)));
        }
    }

    #[test]
    fn what_somebody_wrote_since_stays() {
        for text in FILES {
            let with = String::from_utf8(insert(Some(text.as_bytes()), COMMAND).unwrap()).unwrap();
            let at = with.rfind('}').unwrap();
            let edited = format!("{},\"mine\": [1]{}", &with[..at], &with[at..]);
            let kept = remove(edited.as_bytes(), COMMAND).unwrap().unwrap();
            let kept = value(&kept);
            assert_eq!(kept["mine"], serde_json::json!([1]), "{text}");
            assert!(!kept.to_string().contains(COMMAND), "{kept}");
            for (key, old) in value(text.as_bytes()).as_object().unwrap() {
                assert!(key == "hooks" || kept[key] == *old, "{text}");
            }
        }
        // A second handler in our group, and our handler before others.
        let text = r#"{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "unrequested hook claude-code"}, {"type": "command", "command": "say"}]}]}}"#;
        let kept = remove(text.as_bytes(), COMMAND).unwrap().unwrap();
        assert_eq!(
            String::from_utf8(kept).unwrap(),
            r#"{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "say"}]}]}}"#
        );
    }

    #[test]
    fn what_is_no_plain_json_is_refused() {
        for (text, refused) in [
            ("{ // mine\n}", "no plain JSON"),
            ("{\"a\": 1,}", "no plain JSON"),
            ("\u{feff}{}", "no plain JSON"),
            ("", "no plain JSON"),
            ("[]", "it is no object"),
            (
                "{\"hooks\": []}",
                "`hooks` in it is not what it should be (an object)",
            ),
            (
                "{\"hooks\": {\"Stop\": {}}}",
                "`Stop` in it is not what it should be (a list)",
            ),
            ("{\"hooks\": {}, \"hooks\": {}}", "it has `hooks` twice"),
        ] {
            let said = insert(Some(text.as_bytes()), COMMAND)
                .unwrap_err()
                .to_string();
            assert!(said.contains(refused), "{text}: {said}");
        }
        assert!(remove(b"{\"a\": \"\xff\"}", COMMAND).is_err());
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(insert(Some(format!("{{\"a\": {deep}}}").as_bytes()), COMMAND).is_err());
    }
}
