//! Forms in a page, as far as a request needs them.

/// One form: where it is posted to, if it says so, and what stands in it.
pub(crate) struct Form<'a> {
    pub(crate) action: Option<String>,
    pub(crate) inside: &'a str,
}

/// One control of a form that has a name.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) name: String,
    /// Its type; `select`, `textarea` and `button` for these.
    pub(crate) kind: String,
    /// What a box, a list, a button or a hidden field is sent with.
    pub(crate) value: Option<String>,
}

impl Control {
    /// Sent only where it is pressed.
    pub(crate) fn is_pressed(&self) -> bool {
        matches!(self.kind.as_str(), "submit" | "button" | "image" | "reset")
    }
}

pub(crate) fn forms(page: &str) -> Vec<Form<'_>> {
    let mut found = Vec::new();
    let lower = page.to_ascii_lowercase();
    let mut rest = 0;
    while let Some(start) = lower[rest..].find("<form").map(|at| at + rest) {
        let end = lower[start..]
            .find("</form")
            .map_or(lower.len(), |at| at + start);
        rest = end;
        let inside = &page[start..end];
        let tag = &inside[..inside.find('>').unwrap_or(inside.len())];
        let action = attribute(tag, "action");
        found.push(Form { action, inside });
    }
    found
}

pub(crate) fn controls(form: &str) -> Vec<Control> {
    let mut all = Vec::new();
    let lower = form.to_ascii_lowercase();
    for (at, _) in lower.match_indices('<') {
        let end = form[at..].find('>').map_or(form.len(), |end| at + end);
        let tag = &form[at..end];
        let is = |name: &&&str| lower[at + 1..].starts_with(**name);
        let Some(element) = ["input", "select", "textarea", "button"].iter().find(is) else {
            continue;
        };
        let Some(name) = attribute(tag, "name") else {
            continue;
        };
        let typed = attribute(tag, "type").map(|kind| kind.to_ascii_lowercase());
        let kind = match *element {
            "input" => typed.unwrap_or_else(|| "text".to_owned()),
            other => other.to_owned(),
        };
        let own = || attribute(tag, "value");
        let value = match kind.as_str() {
            "checkbox" => Some(own().unwrap_or_else(|| "on".to_owned())),
            "radio" | "hidden" | "submit" | "button" => own(),
            "select" => {
                let inside = lower[end..]
                    .find("</select")
                    .map_or(form.len(), |to| end + to);
                form[end..inside]
                    .split("<option")
                    .skip(1)
                    .filter_map(|option| attribute(option.split('>').next()?, "value"))
                    .find(|value| !value.is_empty())
            }
            _ => None,
        };
        all.push(Control { name, kind, value });
    }
    all
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let at = lower
        .match_indices(name)
        .find(|(at, _)| {
            let before = lower[..*at].ends_with(char::is_whitespace);
            before && lower[at + name.len()..].trim_start().starts_with('=')
        })
        .map(|(at, _)| at)?;
    let value = tag[at + name.len()..]
        .trim_start()
        .strip_prefix('=')?
        .trim_start();
    let quoted = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let text = match quoted {
        Some(quote) => value[1..].split(quote).next(),
        None => value
            .split(|c: char| c.is_whitespace() || c == '>')
            .next()
            .map(|text| text.trim_end_matches('/')),
    };
    text.map(plain)
}

/// Without the references that a page must write.
fn plain(text: &str) -> String {
    let mut out = text.to_owned();
    for (written, meant) in [
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ] {
        out = out.replace(written, meant);
    }
    out
}
