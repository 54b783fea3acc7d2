//! Login, me, and where the token goes: found together with the registration, since each proves the others.

use model::{Body, Capability, Carrier, Route};
use serde_json::{Value, json};
use wire::Reply;

use crate::ask::{Signed, Wanted, forms, plain};
use crate::find::{Account, Asked, Search, absent, done, fit, json};
use crate::hint::Hint;
use crate::{json as values, names};

const ME: &[&str] = &[
    "me",
    "profile",
    "whoami",
    "myself",
    "user",
    "account",
    "current",
    "currentuser",
    "self",
    "session",
    "userinfo",
];
pub(crate) const WANTED: [Wanted; 2] = [("email", names::EMAIL), ("password", names::PASSWORD)];

/// A login that answered: how it is asked, and what of the reply may be a token.
struct Opened {
    route: Route,
    tokens: Vec<Token>,
    status: u16,
}

/// What may be a token, and where it was.
#[derive(Debug, Clone)]
struct Token {
    value: String,
    /// Of a JSON reply; `None` for a cookie.
    at: Option<String>,
    cookie: Option<String>,
}

impl Search<'_, '_> {
    /// Apps without registration have accounts that somebody made: those that are known open them.
    pub(crate) fn only_the_given(&mut self, logins: &[(Hint, String)]) -> bool {
        let user = self.given.users.first();
        let Some((email, password)) = user.or(self.given.admin.as_ref()).cloned() else {
            if logins.is_empty() {
                self.not(Capability::Login, "no route looks like a login");
            }
            return false;
        };
        let like = plain("POST", "");
        let Some(account) = self.open(logins, &like, &email, &password) else {
            return false;
        };
        self.not(
            Capability::Register,
            "no registration worked; only given accounts open",
        );
        let is_user = user.is_some();
        self.user = Some(account.clone());
        if is_user {
            self.sign_in_the_admin();
        } else {
            self.admin = Some(account);
        }
        true
    }

    /// Tries the logins, those that are asked like `like` first, until `me` shows the account.
    pub(crate) fn open(
        &mut self,
        logins: &[(Hint, String)],
        like: &Route,
        email: &str,
        password: &str,
    ) -> Option<Account> {
        let mut second: Option<(Opened, Signed)> = None;
        for (hint, method) in logins.iter().take(6) {
            if self.careless.contains(&hint.path) {
                continue;
            }
            let mut all = forms(hint, method, &WANTED, &[Body::Json, Body::Form]);
            all.sort_by_key(|form| (form.send != like.send, form.body != like.body));
            for form in all {
                let inputs = credentials(email, password);
                let Some(reply) = self.ask(
                    &form,
                    &Asked {
                        inputs: &inputs,
                        ..Asked::default()
                    },
                ) else {
                    break;
                };
                if absent(&reply) {
                    break;
                }
                if !done(&reply) {
                    continue;
                }
                let tokens = tokens(&reply);
                if tokens.is_empty() {
                    continue;
                }
                let opened = Opened {
                    route: form,
                    tokens,
                    status: reply.status,
                };
                if let Some(signed) = self.me(&opened, email) {
                    if self.opens_without(&opened.route, email, &signed) {
                        break;
                    }
                    return Some(self.bind_login(opened.route, signed, email, opened.status));
                }
                // No `me` shows it. A token that only the right password gives is a login all the same.
                let inputs = credentials(email, &self.talk.password());
                let wrong = self.ask(
                    &opened.route,
                    &Asked {
                        inputs: &inputs,
                        ..Asked::default()
                    },
                );
                let refused = wrong.is_some_and(|wrong| {
                    let others = self::tokens(&wrong);
                    !done(&wrong) || others.iter().all(|one| one.at != opened.tokens[0].at)
                });
                if refused && second.is_none() {
                    let first = opened.tokens[0].clone();
                    let carrier = self.carriers(&first).into_iter().next()?;
                    let signed = Signed {
                        carrier,
                        token: first.value,
                    };
                    second = Some((opened, signed));
                }
            }
        }
        let (opened, signed) = second?;
        self.not(Capability::Me, "no route shows the signed-in user's email");
        let at = opened.tokens[0].at.clone();
        let mut route = opened.route;
        read_token(&mut route, at);
        Some(self.bind_login(route, signed, email, opened.status))
    }

    /// Whether a wrong password opens the account as well, seen by `me`: a page may answer 200 to both, and a session of
    /// anybody's may be given to both. Such a login is not bound: no exploit could tell what opened it.
    fn opens_without(&mut self, login: &Route, email: &str, right: &Signed) -> bool {
        let inputs = credentials(email, &self.talk.password());
        let wrong = self.ask(
            login,
            &Asked {
                inputs: &inputs,
                ..Asked::default()
            },
        );
        let (Some(wrong), Some(me)) = (wrong, self.binding.route(Capability::Me).cloned()) else {
            return false;
        };
        let cookie = match &right.carrier {
            Carrier::Cookie { name } => Some(name),
            Carrier::Header { .. } => None,
        };
        let given: Vec<Token> = tokens(&wrong)
            .into_iter()
            .filter(|one| one.cookie.as_ref() == cookie && one.at == self.proven)
            .collect();
        for token in given {
            if self.shows(&me, &right.carrier, token.value, email) {
                self.binding.routes.remove(&Capability::Me);
                self.careless.push(login.path.clone());
                self.rather(
                    Capability::Login,
                    format!(
                        "{} {} opens an account with a wrong password as well",
                        login.method, login.path
                    ),
                );
                return true;
            }
        }
        false
    }

    /// Whether `me` shows the account with this email to who has the token.
    fn shows(&mut self, me: &Route, carrier: &Carrier, token: String, email: &str) -> bool {
        let signed = Signed {
            carrier: carrier.clone(),
            token,
        };
        let asked = Asked {
            by: Some(&signed),
            ..Asked::default()
        };
        let shown = self.honest(me, &asked);
        shown.is_some_and(|shown| shown.contains(email.as_bytes()))
    }

    fn bind_login(
        &mut self,
        mut route: Route,
        signed: Signed,
        email: &str,
        status: u16,
    ) -> Account {
        read_token(&mut route, self.proven.take());
        self.binding.token = signed.carrier.clone();
        self.opens = Some(route.clone());
        self.bind_success(Capability::Login, route, status);
        Account {
            email: email.to_owned(),
            signed,
        }
    }

    /// The ways to carry a token, the likeliest first.
    fn carriers(&self, token: &Token) -> Vec<Carrier> {
        if let Some(name) = &token.cookie {
            return vec![Carrier::Cookie { name: name.clone() }];
        }
        let header = |name: &str, scheme: &str| Carrier::Header {
            name: name.to_owned(),
            scheme: scheme.to_owned(),
        };
        let mut all = vec![header("Authorization", "Bearer")];
        for scheme in ["Token", "JWT", ""] {
            all.push(header("Authorization", scheme));
        }
        for name in &self.hints.words {
            let lower = name.to_ascii_lowercase();
            let headers = lower.contains('-') && lower.len() < 40 && !lower.contains(' ');
            if headers
                && (lower.contains("token")
                    || lower.contains("auth")
                    || lower.contains("session")
                    || lower.contains("api-key"))
            {
                all.push(header(name, ""));
                all.push(header(name, "Bearer"));
            }
        }
        all
    }

    /// Looks for a route that shows this email to who has the token, and not to others; binds it.
    fn me(&mut self, opened: &Opened, email: &str) -> Option<Signed> {
        let candidates = self.ranked(&["GET"], 0, |hint| {
            let admin = hint.parts().iter().any(|part| part.contains("admin"));
            fit(hint, ME, &["email", "me", "currentuser"]) - if admin { 6 } else { 0 }
        });
        for token in opened.tokens.iter().take(6) {
            for carrier in self.carriers(token).into_iter().take(8) {
                let signed = Signed {
                    carrier,
                    token: token.value.clone(),
                };
                for (hint, method) in candidates.iter().take(6) {
                    let route = plain(method, &hint.path);
                    let Some(reply) = self.honest(
                        &route,
                        &Asked {
                            by: Some(&signed),
                            ..Asked::default()
                        },
                    ) else {
                        continue;
                    };
                    let Some(value) = json(&reply) else { continue };
                    let Some(at) = values::at(&value, email) else {
                        continue;
                    };
                    let bare = self.ask(&route, &Asked::default());
                    let shows = bare.as_ref().is_some_and(|bare| {
                        // In another place of a refusal it is a hole of its own: everybody's accounts.
                        let elsewhere = bare.status >= 400
                            && json(bare).is_some_and(|bare| {
                                bare.pointer(&at).is_none_or(|one| one != email)
                            });
                        bare.contains(email.as_bytes()) && !elsewhere
                    });
                    // A list of everybody is not who is signed in.
                    if shows || at.split('/').any(|part| part.parse::<usize>().is_ok()) {
                        continue;
                    }
                    let mut route = route;
                    read_me(&mut route, &value, &at);
                    self.bind(Capability::Me, route);
                    self.proven.clone_from(&token.at);
                    return Some(signed);
                }
            }
        }
        None
    }

    /// A registration's own token, where it gives one that opens the account.
    pub(crate) fn token_of_registration(
        &mut self,
        form: &mut Route,
        reply: &Reply,
        account: &Account,
    ) {
        let Carrier::Header { .. } = account.signed.carrier else {
            return;
        };
        let Some(me) = self.binding.route(Capability::Me).cloned() else {
            return;
        };
        for token in tokens(reply).into_iter().filter(|token| token.at.is_some()) {
            if self.shows(&me, &account.signed.carrier, token.value, &account.email) {
                return read_token(form, token.at);
            }
        }
    }

    pub(crate) fn sign_in(&mut self, email: &str, password: &str) -> Option<Account> {
        let login = self.opens.clone()?;
        let inputs = credentials(email, password);
        let reply = self.ask(
            &login,
            &Asked {
                inputs: &inputs,
                ..Asked::default()
            },
        )?;
        if !done(&reply) {
            return None;
        }
        let carrier = self.binding.token.clone();
        let token = match &carrier {
            Carrier::Header { .. } => {
                let value = json(&reply)?;
                values::text(value.pointer(&login.pointer("token"))?)
            }
            Carrier::Cookie { name } => {
                let all = tokens(&reply);
                all.into_iter()
                    .find(|one| one.cookie.as_ref() == Some(name))?
                    .value
            }
        };
        Some(Account {
            email: email.to_owned(),
            signed: Signed { carrier, token },
        })
    }

    pub(crate) fn sign_in_the_admin(&mut self) {
        let Some((email, password)) = self.given.admin.clone() else {
            return;
        };
        self.admin = self.sign_in(&email, &password);
        // `me` of both tells where the role stands.
        let (Some(admin), Some(user), Some(me)) = (
            self.admin.clone(),
            self.user.clone(),
            self.binding.route(Capability::Me).cloned(),
        ) else {
            return;
        };
        let mut shown = |account: &Account| {
            self.honest(
                &me,
                &Asked {
                    by: Some(&account.signed),
                    ..Asked::default()
                },
            )
            .as_ref()
            .and_then(json)
        };
        if let (Some(one), Some(other)) = (shown(&admin), shown(&user))
            && let Some(told) = role_told(&one, &other)
        {
            let mut me = me;
            read_as(&mut me, "role", told.at.clone());
            self.bind(Capability::Me, me);
            self.call_roles(&told);
        }
    }

    /// Writes down what the app calls an admin and a user, where that is not what they are called here.
    pub(crate) fn call_roles(&mut self, told: &Told) {
        self.roles_told = true;
        for (role, word) in [("admin", &told.admin), ("user", &told.user)] {
            if word.as_str() != Some(role) {
                self.binding.roles.insert(role.to_owned(), word.clone());
            }
        }
    }
}

/// Where replies about an admin and about a user tell them apart, and the words for it.
pub(crate) struct Told {
    pub(crate) at: String,
    pub(crate) admin: Value,
    pub(crate) user: Value,
}

/// Where an admin's reply says "admin" and a user's says something else; else, where both have a word at a role's name, or a
/// flag at the name of one.
pub(crate) fn role_told(admin: &Value, user: &Value) -> Option<Told> {
    let mut found: Vec<(usize, Told)> = Vec::new();
    for (at, one) in values::leaves(admin) {
        let Some(other) = user.pointer(&at).filter(|other| *other != one) else {
            continue;
        };
        let name = values::key(&at);
        let role = names::rank(name, names::ROLE);
        let rank = match (one, other) {
            (Value::String(word), Value::String(_)) if word == "admin" => role.unwrap_or(99),
            // A word that is an id's, a name's or a date's is at another name than a role's.
            (Value::String(word), Value::String(other)) if is_word(word) && is_word(other) => {
                match role {
                    Some(rank) => 100 + rank,
                    None => continue,
                }
            }
            (Value::Bool(true), Value::Bool(false)) => match names::rank(name, names::ADMIN) {
                Some(rank) => 200 + rank,
                None => continue,
            },
            _ => continue,
        };
        let told = Told {
            at,
            admin: one.clone(),
            user: other.clone(),
        };
        found.push((rank, told));
    }
    found.sort_by(|(one, a), (other, b)| (one, &a.at).cmp(&(other, &b.at)));
    found.into_iter().next().map(|(_, told)| told)
}

/// Whether it may be the word for a role.
fn is_word(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-');
    (2..24).contains(&text.len()) && text.bytes().all(letter)
}

/// Writes a pointer down where it differs from the canonical one.
pub(crate) fn read_as(route: &mut Route, name: &str, at: String) {
    if at == format!("/{name}") {
        route.read.remove(name);
    } else {
        route.read.insert(name.to_owned(), at);
    }
}

fn read_token(route: &mut Route, at: Option<String>) {
    if let Some(at) = at {
        read_as(route, "token", at);
    }
}

fn read_me(route: &mut Route, value: &Value, at: &str) {
    let folder = at.rsplit_once('/').map_or("", |(folder, _)| folder);
    let near = value.pointer(folder).unwrap_or(value);
    if let Some((id, _)) = values::named(near, names::ID) {
        read_as(route, "id", format!("{folder}{id}"));
    }
    if let Some((role, _)) = values::named(near, names::ROLE) {
        read_as(route, "role", format!("{folder}{role}"));
    }
    read_as(route, "email", at.to_owned());
}

pub(crate) fn credentials(email: &str, password: &str) -> [(&'static str, Value); 2] {
    [("email", json!(email)), ("password", json!(password))]
}

/// What of a reply may be a token, the likeliest first.
fn tokens(reply: &Reply) -> Vec<Token> {
    let mut found = Vec::new();
    if let Some(value) = json(reply) {
        let mut ranked: Vec<(usize, Token)> = values::leaves(&value)
            .into_iter()
            .filter_map(|(at, value)| Some((at, value.as_str()?)))
            .filter(|(_, text)| text.len() >= 16 && !text.contains([' ', '@', '\n']))
            .map(|(at, text)| {
                let rank = names::rank(values::key(&at), names::TOKEN);
                let signed = text.starts_with("eyJ") && text.matches('.').count() == 2;
                let rank = rank.unwrap_or(if signed { 20 } else { 60 });
                let refresh = names::plain(&at).contains("refresh");
                let token = Token {
                    value: text.to_owned(),
                    at: Some(at),
                    cookie: None,
                };
                (rank + if refresh { 30 } else { 0 }, token)
            })
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        found.extend(ranked.into_iter().map(|(_, token)| token));
    }
    for line in reply.header_values("set-cookie") {
        if let Some((name, rest)) = line.split_once('=') {
            let value = rest.split(';').next().unwrap_or_default().trim();
            if !value.is_empty() && value != "\"\"" {
                found.push(Token {
                    value: value.to_owned(),
                    at: None,
                    cookie: Some(name.trim().to_owned()),
                });
            }
        }
    }
    found
}
