//! What was found as `unrequested.toml`: to be read, corrected, and read again.

use std::fmt::Write as _;

use model::binding::Scheme;
use model::{Body, Capability, Carrier, Route};

use crate::Inferred;

/// The binding as a file; what is not bound is said in comments.
pub fn write(found: &Inferred) -> String {
    let binding = &found.binding;
    let mut out = String::from(
        "# How this app offers its capabilities, as `unrequested check` found it by using it. Correct what is wrong; names\n\
         # that are left out are the canonical ones (email, password, token, id, title, body, ...). What the app has not is `absent`: only that\n\
         # makes its exploits not applicable.\nversion = 1\n",
    );
    let absent: Vec<String> = Capability::ALL
        .into_iter()
        .filter(|one| binding.route(*one).is_none())
        .filter(|one| found.why_not(*one).is_some_and(|why| !why.seen))
        .map(|one| quoted(one.name()))
        .collect();
    let _ = writeln!(out, "absent = [{}]\n\n[token]", absent.join(", "));
    // Writing to a String cannot fail.
    let _ = match &binding.token {
        Carrier::Header { name, scheme } => {
            writeln!(
                out,
                "in = \"header\"\nname = {}\nscheme = {}",
                quoted(name),
                quoted(scheme)
            )
        }
        Carrier::Cookie { name } => writeln!(out, "in = \"cookie\"\nname = {}", quoted(name)),
    };
    let signature = &binding.signature;
    let _ = writeln!(
        out,
        "\n[signature]\nheader = {}\nprefix = {}{}\n",
        quoted(&signature.header),
        quoted(&signature.prefix),
        if signature.scheme == Scheme::Plain {
            String::new()
        } else {
            format!("\nscheme = {}", quoted(signature.scheme.name()))
        }
    );
    if !binding.roles.is_empty() {
        let words = toml::to_string(&binding.roles).unwrap_or_default();
        let _ = writeln!(out, "[roles]\n{words}");
    }
    out.push_str("[routes]\n");
    let built = |route: &Route| {
        route
            .also
            .keys()
            .any(|name| name.starts_with(crate::pages::ACTION))
    };
    if binding.routes.values().any(built) {
        out.push_str("# Fields named $ACTION_... are those of one build: after another, find them out again.\n");
    }
    for capability in Capability::ALL {
        let name = capability.name();
        let _ = if let Some(route) = binding.route(capability) {
            writeln!(out, "{name} = {}", line(route))
        } else {
            let why = found.why_not(capability).map_or("", |one| one.why.as_str());
            let why: String = why
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            writeln!(out, "# {name} is not bound: {why}")
        };
    }
    out
}

/// What a file says that the app has not, `absent = ["webhook"]`, and the rest of the file: the binding.
pub fn absent(text: String) -> Result<(String, Vec<Capability>), String> {
    let Ok(mut table) = text.parse::<toml::Table>() else {
        return Ok((text, Vec::new()));
    };
    let Some(named) = table.remove("absent") else {
        return Ok((text, Vec::new()));
    };
    let names = named
        .as_array()
        .ok_or("`absent` is no list of capabilities")?;
    let mut all = Vec::new();
    for name in names {
        let name = name.as_str().unwrap_or_default();
        let known = Capability::ALL.into_iter().find(|one| one.name() == name);
        all.push(known.ok_or_else(|| format!("`absent` names `{name}`, which is no capability"))?);
    }
    Ok((
        toml::to_string(&table).map_err(|error| error.to_string())?,
        all,
    ))
}

fn line(route: &Route) -> String {
    let body = match route.body {
        Body::None => "none",
        Body::Json => "json",
        Body::Form => "form",
        Body::Multipart => "multipart",
    };
    let mut out = format!(
        "{{ method = {}, path = {}, body = \"{body}\"",
        quoted(&route.method),
        quoted(&route.path)
    );
    for (name, map) in [("send", &route.send), ("read", &route.read)] {
        if map.is_empty() {
            continue;
        }
        let pairs: Vec<String> = map
            .iter()
            .map(|(key, value)| format!("{key} = {}", quoted(value)))
            .collect();
        let _ = write!(out, ", {name} = {{ {} }}", pairs.join(", "));
    }
    if !route.also.is_empty() {
        let pairs: Vec<String> = route
            .also
            .iter()
            .filter_map(|(key, value)| {
                let value = toml::Value::try_from(value).ok()?;
                Some(format!("{} = {value}", quoted(key)))
            })
            .collect();
        let _ = write!(out, ", also = {{ {} }}", pairs.join(", "));
    }
    if route.redirects {
        out.push_str(", redirects = true");
    }
    out + " }"
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_absent_is_absent() {
        let (rest, all) = absent("version = 1\nabsent = [\"webhook\"]\n[token]\n".into()).unwrap();
        assert_eq!(all, [Capability::Webhook]);
        assert!(
            rest.contains("version = 1") && rest.contains("[token]") && !rest.contains("absent")
        );
        let (rest, all) = absent("version = 1".into()).unwrap();
        assert_eq!((rest.as_str(), all.len()), ("version = 1", 0));
        for wrong in [
            "absent = [\"serch\"]",
            "absent = \"search\"",
            "absent = [1]",
        ] {
            assert!(
                absent(wrong.into()).unwrap_err().contains("absent"),
                "{wrong}"
            );
        }
    }
}
