//! Evidence as commands that a person can send again: what a reply gave (a token, an id) is a variable that an earlier
//! command sets, what the tool was given (an admin's password) is one that the reader sets.

use model::{Exchange, Facts, Sees};
use report::finding::{Proof, Request};
use report::{clean, curl};

/// The most requests of one proof.
const MOST: usize = 24;

/// The most characters of a reply.
const ANSWER: usize = 160;

/// What stands for an id in the bytes until it is written as a variable: nothing that is sent otherwise.
const MARK: &str = "unrequested-id-";

/// Every exchange as a command, in order.
pub(crate) fn requests(exchanges: &[Exchange], shows: &[usize]) -> Vec<Request> {
    let mut known = Known::default();
    exchanges
        .iter()
        .enumerate()
        .map(|(number, exchange)| known.request(exchange, shows.contains(&number)))
        .collect()
}

/// What shows the effect, with the requests that it needs. Where the effect is seen in no single reply, all.
pub(crate) fn proof(exploit: &str, facts: &Facts, exchanges: &[Exchange]) -> Proof {
    let held: Vec<_> = facts.looked.iter().filter(|look| look.held).collect();
    let elsewhere = held.iter().any(|look| {
        look.exchange.is_none()
            || matches!(
                look.sees,
                Sees::State(_) | Sees::Measured { .. } | Sees::Told(_)
            )
    });
    let mut shows: Vec<usize> = held
        .iter()
        .filter_map(|look| look.exchange)
        .map(|number| number as usize)
        .collect();
    shows.sort_unstable();
    shows.dedup();
    let all = requests(exchanges, &shows);
    let mut compared = shows.clone();
    for look in held
        .iter()
        .filter(|look| matches!(look.sees, Sees::Told(_)))
    {
        // A reading of several replies at once: what it was compared with was sent just before or after.
        let at = look.exchange.map_or(usize::MAX, |number| number as usize);
        let beside = [at.checked_sub(1), at.checked_add(1)];
        compared.extend(
            beside
                .into_iter()
                .flatten()
                .filter(|at| *at < exchanges.len()),
        );
    }
    let wanted = chosen(exchanges, &shows, &compared, elsewhere);
    let kept: Vec<Request> = all
        .into_iter()
        .enumerate()
        .filter(|(number, _)| wanted.contains(number))
        .map(|(_, request)| request)
        .take(MOST)
        .collect();
    Proof {
        exploit: exploit.to_owned(),
        left_out: exchanges.len() - kept.len(),
        requests: kept,
    }
}

/// The numbers of the requests that are shown: never so many that those with the effect are lost among them.
fn chosen(
    exchanges: &[Exchange],
    shows: &[usize],
    compared: &[usize],
    elsewhere: bool,
) -> Vec<usize> {
    let wanted = if elsewhere || shows.is_empty() {
        without_repetitions(exchanges, shows)
    } else {
        needed(exchanges, shows)
    };
    let first = &shows[..shows.len().min(1)];
    let fits = |wanted: &Vec<usize>| wanted.len() <= MOST || shows.is_empty();
    [
        wanted,
        needed(exchanges, compared),
        needed(exchanges, shows),
    ]
    .into_iter()
    .find(fits)
    .unwrap_or_else(|| needed(exchanges, first))
}

/// Up to the last that shows the effect; of many requests for the same thing in a row the first two and the last.
fn without_repetitions(exchanges: &[Exchange], shows: &[usize]) -> Vec<usize> {
    let stem = |at: usize| {
        exchanges.get(at).map(|one| {
            let label: String = one.label.chars().filter(|c| !c.is_ascii_digit()).collect();
            (label, target(&one.sent).to_owned())
        })
    };
    let end = shows.last().map_or(exchanges.len(), |last| last + 1);
    (0..end.min(exchanges.len()))
        .filter(|&at| {
            let like = |other: Option<usize>| other.is_some_and(|other| stem(other) == stem(at));
            let in_the_middle =
                like(at.checked_sub(1)) && like(at.checked_sub(2)) && like(Some(at + 1));
            !in_the_middle || shows.contains(&at)
        })
        .collect()
}

/// The shown ones and, from the last to the first, what they take from earlier replies.
fn needed(exchanges: &[Exchange], shows: &[usize]) -> Vec<usize> {
    let gives: Vec<Vec<Given>> = exchanges.iter().map(given).collect();
    let mut wanted = shows.to_vec();
    for at in (0..exchanges.len()).rev() {
        if !wanted.contains(&at) {
            continue;
        }
        for (earlier, given) in gives.iter().enumerate().take(at) {
            if !wanted.contains(&earlier)
                && given.iter().any(|one| one.is_used(&exchanges[at].sent))
            {
                wanted.push(earlier);
            }
        }
    }
    wanted
}

/// What later requests can take from an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Given {
    Token(String),
    Id(String),
    /// A registered address: who signs in with it was registered.
    Email(String),
}

impl Given {
    fn is_used(&self, sent: &[u8]) -> bool {
        match self {
            Self::Token(text) | Self::Email(text) => contains(sent, text.as_bytes()),
            Self::Id(id) => segments(target(sent)).any(|segment| segment == id),
        }
    }
}

fn given(exchange: &Exchange) -> Vec<Given> {
    let mut all = Vec::new();
    let reply = reply(exchange);
    if let Some((token, _)) = reply.as_ref().and_then(token) {
        all.push(Given::Token(token));
    }
    if let Some(id) = reply.as_ref().and_then(|reply| id(exchange, reply)) {
        all.push(Given::Id(id));
    }
    let good = reply.is_some_and(|reply| (200..300).contains(&reply.status));
    all.extend(
        fields(&exchange.sent)
            .into_iter()
            .filter(|text| good && text.contains('@'))
            .map(Given::Email),
    );
    all
}

#[derive(Default)]
struct Known {
    secrets: Vec<(String, String)>,
    ids: Vec<(String, String)>,
}

impl Known {
    fn request(&mut self, exchange: &Exchange, shows: bool) -> Request {
        if exchange.who == "admin" {
            self.learn_admin(&exchange.sent);
            self.learn_credentials(&exchange.sent);
        }
        let sent = self.marked(&exchange.sent);
        let command = curl::command(&sent, &self.secrets);
        let reply = reply(exchange);
        let mut command = command;
        let fresh =
            |known: &[(String, String)], value: &str| known.iter().all(|(other, _)| other != value);
        if let Some((token, get)) = reply
            .as_ref()
            .and_then(token)
            .filter(|(token, _)| fresh(&self.secrets, token))
        {
            let who: String = exchange
                .who
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .collect();
            let name = format!("TOKEN_{}_{}", who.to_uppercase(), self.secrets.len() + 1);
            command = format!("{name}=$({command} | {get})");
            self.secrets.push((token, name));
        } else if let Some(id) = reply
            .as_ref()
            .and_then(|reply| id(exchange, reply))
            .filter(|id| fresh(&self.ids, id))
        {
            let name = format!("ID_{}", self.ids.len() + 1);
            command = format!(
                r#"{name}=$({command} | sed -n 's/.*"id": *"\{{0,1\}}\([^",}}]*\).*/\1/p')"#
            );
            let mark = format!("{MARK}{}-mark", self.ids.len() + 1);
            self.secrets.push((mark, name));
            self.ids.push((id, String::new()));
        }
        let answer = match &reply {
            Some(reply) => {
                let text: String = reply.text().chars().take(ANSWER * 4).collect();
                let text = self.hidden(&text);
                format!(
                    "{} {}",
                    reply.status,
                    text.chars().take(ANSWER).collect::<String>()
                )
            }
            None => format!(
                "no whole reply: {}",
                exchange.trouble.as_deref().unwrap_or("?")
            ),
        };
        Request {
            says: format!(
                "{} ({}, from {})",
                clean(&exchange.label),
                clean(&exchange.who),
                exchange.from
            ),
            command,
            answer: clean(&answer),
            shows,
        }
    }

    /// Ids in the path as marks, which [`curl`] writes as variables.
    fn marked(&self, sent: &[u8]) -> Vec<u8> {
        let path = target(sent);
        let mut out = sent.to_vec();
        for (number, (id, _)) in self.ids.iter().enumerate() {
            if segments(path).any(|segment| segment == id) {
                let mark = format!("{MARK}{}-mark", number + 1);
                let new: Vec<String> = path
                    .split('/')
                    .map(|part| {
                        if part == id {
                            mark.clone()
                        } else {
                            part.to_owned()
                        }
                    })
                    .collect();
                if let Some(at) = find(&out, path.as_bytes()) {
                    out.splice(at..at + path.len(), new.join("/").into_bytes());
                }
                break;
            }
        }
        out
    }

    /// The admin's credentials that no reply was seen to give, as a token in a nested field: shown, they would still sign in.
    fn learn_credentials(&mut self, sent: &[u8]) {
        let end = find(sent, b"\r\n\r\n").unwrap_or(sent.len());
        let head = String::from_utf8_lossy(&sent[..end]).into_owned();
        for line in head.lines().skip(1) {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let name = name.trim().to_ascii_lowercase();
            let values: Vec<&str> = match name.as_str() {
                "authorization" | "proxy-authorization" | "x-api-key" | "x-auth-token" => {
                    value.split_whitespace().last().into_iter().collect()
                }
                "cookie" => value
                    .split(';')
                    .filter_map(|one| one.split_once('=').map(|(_, value)| value.trim()))
                    .collect(),
                _ => continue,
            };
            for value in values {
                let known = self.secrets.iter().any(|(other, _)| other == value);
                if value.len() >= 8 && !known {
                    let name = format!("CREDENTIAL_{}", self.secrets.len() + 1);
                    self.secrets.push((value.to_owned(), name));
                }
            }
        }
    }

    /// The admin is the user's own: their address and password are for the reader to set.
    fn learn_admin(&mut self, sent: &[u8]) {
        for text in fields(sent) {
            let name = if text.contains('@') {
                "ADMIN_EMAIL"
            } else {
                "ADMIN_PASSWORD"
            };
            if text.len() >= 8 && self.secrets.iter().all(|(other, _)| *other != text) {
                self.secrets.push((text, name.to_owned()));
            }
        }
    }

    fn hidden(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (secret, name) in &self.secrets {
            text = text.replace(secret.as_str(), &format!("${name}"));
        }
        text
    }
}

fn reply(exchange: &Exchange) -> Option<wire::Reply> {
    let raw = exchange.got.as_ref()?;
    wire::Reply::parse(raw, method(&exchange.sent))
}

fn method(sent: &[u8]) -> &str {
    let end = sent.iter().position(|byte| *byte == b' ').unwrap_or(0);
    std::str::from_utf8(&sent[..end]).unwrap_or_default()
}

/// The request's target as it was written; empty where it is no text.
fn target(sent: &[u8]) -> &str {
    let line = sent.split(|byte| *byte == b'\r').next().unwrap_or_default();
    std::str::from_utf8(line)
        .unwrap_or_default()
        .split(' ')
        .nth(1)
        .unwrap_or_default()
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('?')
        .next()
        .unwrap_or_default()
        .split('/')
        .filter(|one| !one.is_empty())
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    !wanted.is_empty() && find(bytes, wanted).is_some()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// The texts of a JSON body, at any depth, or the values of a form. Nothing of large bodies.
fn fields(sent: &[u8]) -> Vec<String> {
    const LARGEST: usize = 16 * 1024;
    let Some(end) = find(sent, b"\r\n\r\n") else {
        return Vec::new();
    };
    let body = &sent[end + 4..];
    if body.len() > LARGEST {
        return Vec::new();
    }
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) {
        let mut all = Vec::new();
        texts(&value, &mut all);
        return all;
    }
    let Ok(form) = std::str::from_utf8(body) else {
        return Vec::new();
    };
    form.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(_, value)| value.replace("%40", "@"))
        .filter(|value| !value.contains(['\n', '\r']))
        .collect()
}

fn texts(value: &serde_json::Value, all: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => all.push(text.clone()),
        serde_json::Value::Array(list) => list.iter().for_each(|one| texts(one, all)),
        serde_json::Value::Object(map) => map.values().for_each(|one| texts(one, all)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

/// The id that a reply to a POST gives to what was made.
fn id(exchange: &Exchange, reply: &wire::Reply) -> Option<String> {
    if method(&exchange.sent) != "POST" || !(200..300).contains(&reply.status) {
        return None;
    }
    let value: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
    let id = match value.get("id")? {
        serde_json::Value::Number(number) => number.to_string(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => return None,
    };
    let plain = id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    (plain && !id.is_empty() && id.len() <= 64).then_some(id)
}

/// A token in a reply, and the command that gets it out of the same reply: a field or a cookie.
fn token(reply: &wire::Reply) -> Option<(String, String)> {
    let field = serde_json::from_slice::<serde_json::Value>(&reply.body)
        .ok()
        .and_then(|value| {
            ["token", "access_token", "auth_token", "jwt"]
                .into_iter()
                .find_map(|name| {
                    let token = value.get(name)?.as_str()?.to_owned();
                    Some((
                        token,
                        format!(r#"sed -n 's/.*"{name}": *"\([^"]*\)".*/\1/p'"#),
                    ))
                })
        });
    let cookie = || {
        let line = reply.header("set-cookie")?;
        let (name, rest) = line.split_once('=')?;
        // The name goes into a command: one that is no plain word is left out.
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let token = rest.split(';').next().unwrap_or_default().to_owned();
        let get = format!("sed -n 's/^[Ss]et-[Cc]ookie: *{name}=\\([^;]*\\).*/\\1/p'");
        plain.then_some((token, get))
    };
    field.or_else(cookie).filter(|(token, _)| token.len() >= 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Diff, Observation};
    use std::time::Duration;

    fn exchange(who: &str, label: &str, sent: &str, got: &str) -> Exchange {
        Exchange {
            who: who.into(),
            label: label.into(),
            from: std::net::Ipv4Addr::LOCALHOST.into(),
            sent: sent.replace('\n', "\r\n").into_bytes(),
            got: Some(got.replace('\n', "\r\n").into_bytes()),
            trouble: None,
            took: Duration::ZERO,
        }
    }

    fn ok(body: &str) -> String {
        format!(
            "HTTP/1.1 201 Created\nContent-Type: application/json\nContent-Length: {}\n\n{body}",
            body.len()
        )
    }

    fn conversation() -> Vec<Exchange> {
        let register = |who: &str| {
            exchange(
                who,
                &format!("{who} registers"),
                &format!(
                    "POST /r HTTP/1.1\nHost: h\n\n{{\"email\":\"{who}@example.org\",\"password\":\"pppppppppp\"}}"
                ),
                &ok(&format!("{{\"token\":\"token-of-{who}\"}}")),
            )
        };
        vec![
            register("alice"),
            register("bob"),
            register("carol"),
            exchange(
                "alice",
                "alice writes a note",
                "POST /notes HTTP/1.1\nHost: h\nAuthorization: Bearer token-of-alice\n\n{\"title\":\"t\"}",
                &ok("{\"id\": 7}"),
            ),
            exchange(
                "bob",
                "bob reads it",
                "GET /notes/7 HTTP/1.1\nHost: h\nAuthorization: Bearer token-of-bob\n\n",
                &ok("{\"echo\":\"token-of-bob\"}"),
            ),
        ]
    }

    fn facts(sees: Sees, exchange: u32) -> Facts {
        Facts {
            looked: vec![Observation {
                label: "x".into(),
                sees,
                held: true,
                replied: true,
                exchange: Some(exchange),
            }],
            ..Facts::default()
        }
    }

    #[test]
    fn a_proof_is_what_shows_the_effect_and_what_that_needs() {
        let all = conversation();
        let proof = proof(
            "note-read-other-user",
            &facts(Sees::Status(vec![200]), 4),
            &all,
        );
        let says: Vec<&str> = proof
            .requests
            .iter()
            .map(|one| one.says.split(" (").next().unwrap())
            .collect();
        assert_eq!(
            says,
            [
                "alice registers",
                "bob registers",
                "alice writes a note",
                "bob reads it"
            ]
        );
        assert_eq!(proof.left_out, 1);
        let last = proof.requests.last().unwrap();
        assert!(last.shows);
        assert!(
            last.command.contains(r#"'/notes/'"$ID_1""#),
            "{}",
            last.command
        );
        assert!(
            last.command.contains(r#""$TOKEN_BOB_2""#),
            "{}",
            last.command
        );
        assert!(
            last.answer.contains("$TOKEN_BOB_2") && !last.answer.contains("token-of-bob"),
            "{}",
            last.answer
        );
        assert!(
            proof.requests[2].command.starts_with("ID_1=$(curl "),
            "{}",
            proof.requests[2].command
        );
    }

    #[test]
    fn where_the_effect_is_seen_elsewhere_all_is_shown_but_repetitions() {
        let mut all = conversation();
        for number in 0..30 {
            all.push(exchange(
                "bob",
                &format!("wrong password {number}"),
                "POST /l HTTP/1.1\nHost: h\n\n{}",
                &ok("{}"),
            ));
        }
        let diff = Diff {
            of: "files".into(),
            found: "one".into(),
        };
        let proof = proof("login-rate-limit", &facts(Sees::State(diff), 34), &all);
        assert_eq!(proof.requests.len(), 5 + 3);
        assert_eq!(proof.left_out, 27);
        assert!(proof.requests.last().unwrap().shows);
    }

    #[test]
    fn what_shows_the_effect_is_never_cut_off() {
        let mut all = conversation();
        for number in 0..60 {
            let path = format!("GET /other/{number} HTTP/1.1\nHost: h\n\n");
            all.insert(
                4,
                exchange("bob", &format!("{number} something"), &path, &ok("{}")),
            );
        }
        let last = u32::try_from(all.len() - 1).unwrap();
        let mut told = facts(Sees::Told("x".into()), last);
        let whole = proof("default-secret", &told, &all);
        assert!(whole.requests.len() <= MOST && whole.requests.last().unwrap().shows);
        assert_eq!(whole.requests.len() + whole.left_out, all.len());
        // So many that show it: the first one is enough.
        assert!(
            whole
                .requests
                .iter()
                .any(|one| one.says.starts_with("0 something"))
        );
        told.looked = (0..50)
            .map(|number| facts(Sees::Told("x".into()), number + 4).looked.remove(0))
            .collect();
        let many = proof("default-secret", &told, &all);
        assert!(many.requests.iter().any(|one| one.shows) && many.requests.len() <= MOST);
    }

    #[test]
    fn the_admins_password_is_for_the_reader_to_set() {
        let all = [exchange(
            "admin",
            "the admin signs in",
            "POST /l HTTP/1.1\nHost: h\n\n{\"email\":\"root@corp.example\",\"password\":\"the real one\"}",
            &ok("{\"token\":\"token-of-admin\",\"was\":\"the real one\"}"),
        )];
        let requests = requests(&all, &[]);
        let text = format!("{}{}", requests[0].command, requests[0].answer);
        assert!(
            !text.contains("the real one") && !text.contains("root@corp"),
            "{text}"
        );
        assert!(
            text.contains("$ADMIN_PASSWORD") && text.contains("$ADMIN_EMAIL"),
            "{text}"
        );
    }

    #[test]
    fn a_shell_runs_the_commands_as_they_are() {
        let sent = "GET /it's%20$(id)`id` HTTP/1.1\nHost: h\nX: \"$HOME\" `id` $(id)\n\n";
        let all = [exchange("bob", "odd", sent, &ok("{}"))];
        let command = &requests(&all, &[])[0].command;
        let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}\nBASE=http://b\n{command}");
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("http://b/it's%20$(id)`id`\n"), "{text}");
        assert!(text.contains("X: \"$HOME\" `id` $(id)\n"), "{text}");
    }

    #[test]
    fn a_cookie_whose_name_is_a_command_sets_no_variable() {
        let got = "HTTP/1.1 200 OK\nSet-Cookie: a'; rm -rf /; '=abcdefghij\nContent-Length: 0\n\n";
        let all = [exchange("bob", "odd", "GET / HTTP/1.1\nHost: h\n\n", got)];
        assert!(requests(&all, &[])[0].command.starts_with("curl "));
    }
}
