//! What a registration wants beside an email and a password: filled by name, and by what a document allows; the next guess
//! where an answer names the field again.

use std::collections::BTreeMap;

use model::{Body, Route};
use serde_json::{Value, json};

use crate::hint::{Field, Hint};
use crate::refusal::Refusal;
use crate::{json as values, names};

/// How a field is filled for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fill {
    Same(Value),
    Email,
    Password,
    /// Letters and digits of the email, before its `@`.
    Unique,
}

/// One further field, and what it may want, the likeliest first.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Further {
    name: String,
    /// As [`crate::ask::request`] takes it.
    at: String,
    fills: Vec<Fill>,
}

impl Further {
    /// Fills it with what an answer says that it may be, once; what makes an admin is not ours to ask for.
    fn take(&mut self, choices: &[Value]) -> bool {
        let mut meant: Vec<&Value> = choices.iter().filter(|one| !is_admin(one)).collect();
        if is_role(&names::plain(&self.name)) {
            // Who may do more than plain users would make every exploit about them mean nothing.
            meant.retain(|one| rank(one) < 2);
            meant.sort_by_key(|one| rank(one));
        }
        let meant: Vec<Fill> = meant.into_iter().cloned().map(Fill::Same).collect();
        let new = !meant.is_empty() && !meant.contains(&self.fills[0]);
        if new {
            self.fills = meant;
        }
        new
    }
}

/// What one form of a registration is sent beside its email and password.
#[derive(Debug, Clone)]
pub(crate) struct Wants {
    body: Body,
    folder: String,
    own: [String; 2],
    all: Vec<Further>,
    guessed: bool,
}

impl Wants {
    /// Begins with what a document requires.
    pub(crate) fn of(hint: &Hint, form: &Route) -> Self {
        let field = form.field("password");
        let folder = field.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut wants = Self {
            body: form.body,
            folder: folder.to_owned(),
            own: [form.field("email").to_owned(), field.to_owned()],
            all: Vec::new(),
            guessed: false,
        };
        let required = hint
            .fields
            .iter()
            .filter(|field| field.required && !field.file);
        for field in required {
            wants.add(values::key(&field.at), field.value.clone(), Some(field));
        }
        wants
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The fields' names, as a sentence has them.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.all.iter().map(|one| one.name.as_str()).collect();
        names.join(", ")
    }

    /// What one account is registered with.
    pub(crate) fn inputs<'a>(&'a self, email: &str, password: &str) -> Vec<(&'a str, Value)> {
        let mut inputs = vec![("email", json!(email)), ("password", json!(password))];
        for one in &self.all {
            let value = match &one.fills[0] {
                Fill::Same(value) => value.clone(),
                Fill::Email => json!(email),
                Fill::Password => json!(password),
                Fill::Unique => {
                    let local = email.split('@').next().unwrap_or_default();
                    let plain: String = local.chars().filter(char::is_ascii_alphanumeric).collect();
                    json!(plain)
                }
            };
            inputs.push((&one.at, value));
        }
        inputs
    }

    /// The same for a binding.
    pub(crate) fn also(&self) -> BTreeMap<String, Value> {
        let all = self.all.iter().map(|one| {
            let value = match &one.fills[0] {
                Fill::Same(value) => value.clone(),
                Fill::Email => json!("{email}"),
                Fill::Password => json!("{password}"),
                Fill::Unique => json!("{unique}"),
            };
            (one.at.clone(), value)
        });
        all.collect()
    }

    /// Whether an answer names both the email and the password: then they were not read, and more fields will not help.
    pub(crate) fn unread(&self, refusal: &Refusal) -> bool {
        !refusal.form_again && self.own.iter().all(|own| refusal.names(values::key(own)))
    }

    /// Whether the form that was filled with more than an email and a password is shown again: then nothing was made.
    pub(crate) fn asked_again(&self, refusal: &Refusal) -> bool {
        let all = || self.all.iter().all(|one| refusal.names(&one.name));
        refusal.form_again && !self.all.is_empty() && all()
    }

    /// Takes up what an answer names; whether anything is to be tried that was not.
    pub(crate) fn heed(&mut self, hint: &Hint, refusal: &Refusal) -> bool {
        let mut anew = false;
        for one in &refusal.named {
            let plain = names::plain(&one.name);
            if let Some(known) = self
                .all
                .iter_mut()
                .find(|known| names::plain(&known.name) == plain)
            {
                if known.take(&one.choices) {
                    anew = true;
                // Sent, and named all the same: it wants something else. A form shows all of its fields each time.
                } else if known.fills.len() > 1 && !refusal.form_again {
                    known.fills.remove(0);
                    anew = true;
                }
            } else {
                let field = hint
                    .fields
                    .iter()
                    .find(|field| names::plain(values::key(&field.at)) == plain);
                let value = one.value.clone();
                let value = value.or_else(|| field.and_then(|field| field.value.clone()));
                if self.add(&one.name, value, field) {
                    anew = true;
                    if let Some(new) = self.all.last_mut() {
                        new.take(&one.choices);
                    }
                }
            }
        }
        anew
    }

    /// Once, where an answer names nothing: what the source names and registrations are known to want.
    pub(crate) fn guess(&mut self, hint: &Hint) -> bool {
        if std::mem::replace(&mut self.guessed, true) {
            return false;
        }
        let mut anew = false;
        for word in &hint.words {
            if is_known(word) {
                anew |= self.add(word, None, None);
            }
        }
        anew
    }

    /// Where no login opened the account: logins that want the name are asked with the email, so the name is the email.
    pub(crate) fn email_as_name(&mut self) -> bool {
        let mut anew = false;
        for one in &mut self.all {
            if one.fills[0] == Fill::Unique {
                one.fills = vec![Fill::Email];
                anew = true;
            }
        }
        anew
    }

    fn add(&mut self, name: &str, value: Option<Value>, field: Option<&Field>) -> bool {
        let plain = names::plain(name);
        let sent = self
            .own
            .iter()
            .map(|own| values::key(own))
            .chain(self.all.iter().map(|one| one.name.as_str()))
            .any(|sent| names::plain(sent) == plain);
        if sent || self.all.len() >= MOST {
            return false;
        }
        let at = match (self.body, field) {
            (Body::Json, Some(field)) if field.at.starts_with('/') => field.at.clone(),
            (Body::Json, _) => format!("{}/{name}", self.folder),
            (Body::None | Body::Form | Body::Multipart, _) => name.to_owned(),
        };
        self.all.push(Further {
            name: name.to_owned(),
            at,
            fills: fills(&plain, value, self.body == Body::Json),
        });
        true
    }
}

/// More fields no registration is given.
const MOST: usize = 16;

const CONFIRMED: &[&str] = &["confirm", "repeat", "again", "retype", "reenter", "verify"];
const SECOND: &[&str] = &["password2", "pass2", "passwd2", "pwd2"];
const AGREED: &[&str] = &[
    "terms", "agree", "accept", "consent", "gdpr", "privacy", "policy", "eula", "over18", "optin",
];
const USERNAME: &[&str] = &[
    "username",
    "uname",
    "handle",
    "nickname",
    "nick",
    "login",
    "loginname",
    "accountname",
    "screenname",
    "displayname",
];
const EMAIL: &[&str] = &["email", "mail", "emailaddress", "useremail"];

/// What is filled by a part of its name.
const PARTS: &[(&str, &[&str])] = &[
    ("firstname", &["Ada"]),
    ("givenname", &["Ada"]),
    ("forename", &["Ada"]),
    ("lastname", &["Lovelace"]),
    ("surname", &["Lovelace"]),
    ("familyname", &["Lovelace"]),
    (
        "birth",
        &[
            "1990-05-17",
            "05/17/1990",
            "17.05.1990",
            "1990-05-17T00:00:00Z",
        ],
    ),
    (
        "dob",
        &[
            "1990-05-17",
            "05/17/1990",
            "17.05.1990",
            "1990-05-17T00:00:00Z",
        ],
    ),
    ("phone", &["+14155550123", "4155550123"]),
    ("mobile", &["+14155550123", "4155550123"]),
    ("zip", &["94103"]),
    ("postal", &["94103"]),
    ("postcode", &["94103"]),
    ("country", &["US", "United States"]),
    ("city", &["London"]),
    ("address", &["1 Main Street"]),
    ("street", &["1 Main Street"]),
    ("timezone", &["UTC"]),
    ("locale", &["en", "en-US"]),
    ("language", &["en", "English"]),
    ("gender", &["female", "other"]),
    ("website", &["https://example.org/"]),
    ("company", &["Example"]),
    ("organization", &["Example"]),
    ("name", &["Ada Lovelace", "Ada"]),
];
/// What nobody is asked for who is not to be more than a user.
const ROLES: &[&str] = &["user", "member", "customer", "free"];
/// Who may do more than plain users.
const MORE: &[&str] = &[
    "mod", "manage", "operator", "superv", "editor", "teach", "instruct", "employ", "agent",
    "system", "lead", "host", "author",
];

fn is_confirmation(plain: &str) -> bool {
    SECOND.contains(&plain) || CONFIRMED.iter().any(|part| plain.contains(part))
}

fn is_agreement(plain: &str) -> bool {
    plain == "tos" || AGREED.iter().any(|part| plain.contains(part))
}

/// Whether registrations are known to want what is called so.
pub(crate) fn is_known(name: &str) -> bool {
    let plain = names::plain(name);
    is_confirmation(&plain)
        || is_agreement(&plain)
        || USERNAME.contains(&plain.as_str())
        || plain == "age"
        || PARTS.iter().any(|(part, _)| plain.contains(part))
}

fn is_role(plain: &str) -> bool {
    ["role", "usertype", "accounttype", "plan"].contains(&plain)
}

/// The likeliest first, never none.
fn fills(plain: &str, value: Option<Value>, json: bool) -> Vec<Fill> {
    let same =
        |list: &[&str]| -> Vec<Fill> { list.iter().map(|text| Fill::Same(json!(text))).collect() };
    let yes = || {
        if json {
            vec![Fill::Same(json!(true)), Fill::Same(json!("on"))]
        } else {
            same(&["on", "true", "1", "yes"])
        }
    };
    let mut all = Vec::new();
    if is_agreement(plain) {
        all.extend(value.map(Fill::Same));
        all.extend(yes());
    } else if is_confirmation(plain) {
        let other = if plain.contains("mail") {
            Fill::Email
        } else {
            Fill::Password
        };
        all.push(other);
        all.extend(yes().into_iter().take(1));
    } else if USERNAME.contains(&plain) {
        all.extend([Fill::Unique, Fill::Email]);
    } else if EMAIL.contains(&plain) {
        all.push(Fill::Email);
    } else if is_role(plain) {
        all.extend(value.filter(|value| !is_admin(value)).map(Fill::Same));
        all.extend(same(ROLES));
    } else {
        let number = value.as_ref().is_some_and(Value::is_number);
        let known = PARTS.iter().find(|(part, _)| plain.contains(part));
        let value = value.map(Fill::Same);
        if plain == "age" {
            all.push(Fill::Same(json!(30)));
        } else if plain.contains("year") {
            all.push(Fill::Same(json!(1990)));
        }
        // A number that a document allows is any; a name says more.
        let late = number && !all.is_empty();
        if !late {
            all.extend(value.clone());
        }
        match known {
            Some((_, list)) => all.extend(same(list)),
            None if json => {
                all.extend(same(&["wordsworth"]));
                all.extend([json!(true), json!(1), json!("1990-05-17")].map(Fill::Same));
            }
            None => all.extend(same(&["wordsworth", "on", "1"])),
        }
        if late {
            all.extend(value);
        }
    }
    let mut once: Vec<Fill> = Vec::new();
    for fill in all {
        if !once.contains(&fill) {
            once.push(fill);
        }
    }
    once
}

/// 0 for plain users, 2 for who may do more.
fn rank(role: &Value) -> u8 {
    let text = values::text(role).to_ascii_lowercase();
    let more = MORE.iter().any(|word| text.contains(word));
    if ROLES.contains(&text.as_str()) {
        0
    } else {
        1 + u8::from(more)
    }
}

fn is_admin(value: &Value) -> bool {
    let text = values::text(value).to_ascii_lowercase();
    ["admin", "root", "owner", "staff", "super"]
        .iter()
        .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::{object, plain};
    use crate::refusal::Named;

    fn wants(at: &[(&str, Option<Value>)]) -> (Hint, Wants, Route) {
        let mut hint = Hint::new("POST", "/register");
        hint.body = Some(Body::Json);
        hint.fields = at
            .iter()
            .map(|(at, value)| Field {
                at: (*at).to_owned(),
                file: false,
                required: true,
                value: value.clone(),
            })
            .collect();
        let mut form = plain("POST", "/register");
        form.body = Body::Json;
        let wants = Wants::of(&hint, &form);
        (hint, wants, form)
    }

    fn refusal(names: &[&str]) -> Refusal {
        let named = names.iter().map(|name| Named {
            name: (*name).to_owned(),
            value: None,
            choices: Vec::new(),
        });
        Refusal {
            named: named.collect(),
            form_again: false,
        }
    }

    #[test]
    fn fields_are_filled_by_name_and_by_what_a_document_allows() {
        let (_, wants, form) = wants(&[
            ("email", None),
            ("password", None),
            ("username", None),
            ("fullName", None),
            ("passwordConfirmation", None),
            ("confirm_email", None),
            ("acceptTerms", Some(json!(true))),
            ("date_of_birth", None),
            ("age", Some(json!(18))),
            ("role", Some(json!("admin"))),
            ("team", Some(json!("red"))),
            ("/profile/city", None),
            ("motto", None),
        ]);
        let sent = object(&form, &wants.inputs("ab.c1@example.org", "pw"));
        let wanted = json!({
            "email": "ab.c1@example.org", "password": "pw", "username": "abc1", "fullName": "Ada Lovelace",
            "passwordConfirmation": "pw", "confirm_email": "ab.c1@example.org", "acceptTerms": true,
            "date_of_birth": "1990-05-17", "age": 30, "role": "user", "team": "red", "profile": {"city": "London"},
            "motto": "wordsworth"
        });
        assert_eq!(sent, wanted);
    }

    #[test]
    fn what_is_named_again_is_filled_otherwise_until_nothing_is_left() {
        let (hint, mut wants, form) = wants(&[]);
        assert!(wants.is_empty());
        let mut tried = Vec::new();
        while wants.heed(&hint, &refusal(&["rank"])) {
            tried.push(object(&form, &wants.inputs("a@b", "pw"))["rank"].clone());
        }
        assert_eq!(
            tried,
            [
                json!("wordsworth"),
                json!(true),
                json!(1),
                json!("1990-05-17")
            ]
        );
        assert!(wants.unread(&refusal(&["email", "pass_word", "rank"])));
        assert!(!wants.unread(&refusal(&["password", "rank"])));
        assert!(!wants.heed(&hint, &refusal(&["Email", "password"])));
    }

    #[test]
    fn what_an_answer_allows_is_taken_but_for_admins() {
        let (hint, mut wants, form) = wants(&[]);
        let mut told = refusal(&["role"]);
        assert!(wants.heed(&hint, &told));
        let sent = |wants: &Wants| object(&form, &wants.inputs("a@b", "pw"))["role"].clone();
        assert_eq!(sent(&wants), "user");
        told.named[0].choices = vec![json!("superadmin"), json!("buyer"), json!("seller")];
        assert!(wants.heed(&hint, &told));
        assert_eq!(sent(&wants), "buyer");
        assert!(wants.heed(&hint, &told));
        assert_eq!(sent(&wants), "seller");
        assert!(!wants.heed(&hint, &told));

        let (hint, mut wants, form) = self::wants(&[]);
        told.named[0].choices = ["manager", "reader", "Member"].map(Value::from).into();
        let mut tried = Vec::new();
        while wants.heed(&hint, &told) {
            tried.push(object(&form, &wants.inputs("a@b", "pw"))["role"].clone());
        }
        assert_eq!(tried, ["Member", "reader"]);
    }

    #[test]
    fn a_wrapped_form_is_given_its_further_fields_inside() {
        let hint = Hint::new("POST", "/users");
        let mut form = plain("POST", "/users");
        form.body = Body::Json;
        form.send = [
            ("email".to_owned(), "/user/email".to_owned()),
            ("password".to_owned(), "/user/password".to_owned()),
        ]
        .into();
        let mut wants = Wants::of(&hint, &form);
        assert!(wants.heed(&hint, &refusal(&["username"])));
        let sent = object(&form, &wants.inputs("a@b", "pw"));
        assert_eq!(
            sent,
            json!({"user": {"email": "a@b", "password": "pw", "username": "a"}})
        );
        assert!(wants.email_as_name() && !wants.email_as_name());
        let sent = object(&form, &wants.inputs("a@b", "pw"));
        assert_eq!(sent["user"]["username"], "a@b");
    }
}
