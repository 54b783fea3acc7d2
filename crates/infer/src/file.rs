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
    let _ = writeln!(
        out,
        "absent = [{}]\n\
         # Accounts that are there already, where nobody can register or the admin is not ADMIN_EMAIL's; and the webhooks' secret.\n\
         # users = [\"EMAIL:PASSWORD\", \"EMAIL:PASSWORD\", \"EMAIL:PASSWORD\"]\n\
         # admin = \"EMAIL:PASSWORD\"\n\
         # webhook_secret = \"SECRET\"\n\n[token]",
        absent.join(", ")
    );
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

/// What a file says beside the binding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    /// What the app has not, `absent = ["webhook"]`.
    pub absent: Vec<Capability>,
    /// `admin = "EMAIL:PASSWORD"`.
    pub admin: Option<(String, String)>,
    /// `users = ["EMAIL:PASSWORD"]`.
    pub users: Vec<(String, String)>,
    /// `webhook_secret = "SECRET"`.
    pub webhook_secret: Option<String>,
}

/// Splits a file into the binding and what stands beside it.
pub fn beside(text: String) -> Result<(String, Beside), String> {
    let mut beside = Beside::default();
    let Ok(mut table) = text.parse::<toml::Table>() else {
        return Ok((text, beside));
    };
    let words = |value: Option<toml::Value>, name: &str, of: &str| -> Result<Vec<String>, String> {
        let Some(value) = value else {
            return Ok(Vec::new());
        };
        let all = value.as_array().and_then(|all| {
            let words = all.iter().map(|one| one.as_str().map(str::to_owned));
            words.collect::<Option<Vec<_>>>()
        });
        all.ok_or_else(|| format!("`{name}` is no list of {of}"))
    };
    for name in words(table.remove("absent"), "absent", "capabilities")? {
        let known = Capability::ALL.into_iter().find(|one| one.name() == name);
        let known = known.ok_or_else(|| format!("`absent` names `{name}`, which is no capability"));
        beside.absent.push(known?);
    }
    for user in words(table.remove("users"), "users", "EMAIL:PASSWORD")? {
        beside.users.push(named_account(&user, "users")?);
    }
    if let Some(admin) = table.remove("admin") {
        let text = admin.as_str().unwrap_or_default();
        beside.admin = Some(named_account(text, "admin")?);
    }
    if let Some(secret) = table.remove("webhook_secret") {
        let text = secret.as_str().filter(|text| !text.is_empty());
        let text = text.ok_or("`webhook_secret` is no text")?;
        beside.webhook_secret = Some(text.to_owned());
    }
    let rest = toml::to_string(&table).map_err(|error| error.to_string())?;
    Ok((rest, beside))
}

fn named_account(text: &str, name: &str) -> Result<(String, String), String> {
    account(text).map_err(|_| format!("`{name}` has what is not EMAIL:PASSWORD"))
}

/// `EMAIL:PASSWORD`; what is wrong is told without the password.
pub fn account(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((email, password)) if !email.is_empty() && !password.is_empty() => {
            Ok((email.to_owned(), password.to_owned()))
        }
        _ => Err("it is not EMAIL:PASSWORD".to_owned()),
    }
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
        let text = "version = 1\nabsent = [\"webhook\"]\nusers = [\"a@b:c:d\", \"e:f\"]\nadmin = \"g:h\"\nwebhook_secret = \"s\"\n[token]\n";
        let (rest, found) = beside(text.into()).unwrap();
        let pair = |email: &str, password: &str| (email.to_owned(), password.to_owned());
        let wanted = Beside {
            absent: vec![Capability::Webhook],
            admin: Some(pair("g", "h")),
            users: vec![pair("a@b", "c:d"), pair("e", "f")],
            webhook_secret: Some("s".into()),
        };
        assert_eq!(found, wanted);
        assert!(
            rest.contains("version = 1") && rest.contains("[token]") && !rest.contains("absent")
        );
        let (rest, found) = beside("version = 1".into()).unwrap();
        assert_eq!((rest.as_str(), found), ("version = 1\n", Beside::default()));
        for wrong in [
            "absent = [\"serch\"]",
            "absent = \"search\"",
            "absent = [1]",
            "users = \"a:b\"",
            "users = [\"ab\"]",
            "users = [\":b\"]",
            "admin = [\"a:b\"]",
            "webhook_secret = 7",
        ] {
            let name = wrong.split(' ').next().unwrap();
            let told = beside(wrong.into()).unwrap_err();
            assert!(told.contains(&format!("`{name}`")), "{wrong}: {told}");
        }
        assert!(
            !beside("users = [\"secret\"]".into())
                .unwrap_err()
                .contains("secret")
        );
    }
}
