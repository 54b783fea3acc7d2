//! Registrations that want more than an email and a password, and logins that show a page: small servers that refuse as the
//! common validators do, or as pages do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use infer::{Given, Hint, Hints, Inferred, Talk};
use model::{Capability, Carrier};
use serde_json::{Map, Value, json};

type Fields = Map<String, Value>;

/// One request as the app sees it.
struct Asked {
    line: String,
    fields: Fields,
    json: bool,
    token: String,
}

/// What an app answers.
struct Answer {
    status: u16,
    headers: Vec<String>,
    body: String,
}

fn said(status: u16, body: &Value) -> Answer {
    Answer {
        status,
        headers: vec!["Content-Type: application/json".into()],
        body: body.to_string(),
    }
}

fn page(status: u16, body: &str) -> Answer {
    Answer {
        status,
        headers: vec!["Content-Type: text/html".into()],
        body: body.to_owned(),
    }
}

/// An app that keeps its accounts, as it was sent them, and who is signed in.
struct App {
    accounts: Mutex<Vec<Fields>>,
    sessions: Mutex<BTreeMap<String, String>>,
    /// Whose each note is, what it says, and whether it was read.
    notes: Mutex<Vec<(String, Fields, bool)>>,
    /// A refusal, if these fields do not do.
    wants: fn(&Asked) -> Option<Answer>,
    style: Style,
}

#[derive(Clone, Copy, Default)]
struct Style {
    /// Opens to any password.
    careless: bool,
    /// What a login names the account by, and must be equal to.
    by: &'static str,
    /// Answers both logins by 200 and a page, with a session that is somebody's or nobody's.
    pages: bool,
    /// Leads on by a redirect.
    redirects: bool,
    /// To whom notes are shown that are not theirs.
    notes: Notes,
    /// Who is not signed in is told everybody's email: alone, or as if it were theirs.
    tells: Tells,
}

#[derive(Clone, Copy, Default)]
enum Tells {
    #[default]
    Nothing,
    Accounts,
    TheLast,
}

#[derive(Clone, Copy, Default)]
enum Notes {
    /// None are there.
    #[default]
    None,
    Everybody,
    /// Everybody whom nobody knows.
    Strangers,
    /// Everybody, once the owner has read it.
    OnceRead,
    /// Everybody; the answer to a new one is the list of all.
    Listed,
    /// Everybody, and so a search that signed-in users make in their own.
    Gallery,
}

impl App {
    fn answer(&self, asked: &Asked) -> Answer {
        let text = |name: &str| {
            asked
                .fields
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        match asked.line.as_str() {
            "POST /register" => {
                if let Some(refusal) = (self.wants)(asked) {
                    return refusal;
                }
                let mut accounts = self.accounts.lock().unwrap();
                accounts.push(asked.fields.clone());
                if self.style.redirects {
                    return Answer {
                        status: 302,
                        headers: vec!["Location: /login".into()],
                        body: String::new(),
                    };
                }
                said(
                    201,
                    &json!({"message": "Account created", "email": text("email")}),
                )
            }
            "POST /login" => self.login(text(self.style.by), text("password")),
            "GET /me" => {
                let sessions = self.sessions.lock().unwrap();
                match sessions.get(&asked.token) {
                    Some(email) if !email.is_empty() => {
                        said(200, &json!({"id": 1, "email": email}))
                    }
                    _ => self.stranger(),
                }
            }
            "POST /notes" => self.write(asked),
            line => {
                let (id, term) = (
                    line.strip_prefix("GET /notes/"),
                    line.strip_prefix("GET /search?q="),
                );
                match (id.map(str::parse), term) {
                    (Some(Ok(id)), _) => self.note(id, &asked.token),
                    (_, Some(term)) => self.search(term, &asked.token),
                    _ => said(404, &json!({})),
                }
            }
        }
    }

    fn stranger(&self) -> Answer {
        let accounts = self.accounts.lock().unwrap();
        let emails: Vec<&Value> = accounts.iter().map(|one| &one["email"]).collect();
        match self.style.tells {
            Tells::Nothing => said(401, &json!({"error": "not signed in"})),
            Tells::Accounts => said(401, &json!({"error": "not signed in", "accounts": emails})),
            Tells::TheLast => said(200, &json!({"id": 1, "email": emails.last()})),
        }
    }

    fn who(&self, token: &str) -> Option<String> {
        self.sessions.lock().unwrap().get(token).cloned()
    }

    fn write(&self, asked: &Asked) -> Answer {
        let Some(owner) = self.who(&asked.token) else {
            return said(401, &json!({"error": "not signed in"}));
        };
        let mut notes = self.notes.lock().unwrap();
        notes.push((owner, asked.fields.clone(), false));
        if matches!(self.style.notes, Notes::Listed) {
            let all: Vec<Value> = (0..notes.len()).map(|id| json!({"id": id})).collect();
            return said(201, &all.into());
        }
        said(201, &json!({"id": notes.len() - 1}))
    }

    fn search(&self, term: &str, token: &str) -> Answer {
        let who = self.who(token);
        let notes = self.notes.lock().unwrap();
        let all = notes.iter().enumerate();
        let mine = all.filter(|(_, (owner, ..))| who.as_ref().is_none_or(|who| who == owner));
        let found = mine.filter(|(_, (_, note, _))| {
            note.values()
                .any(|text| text.as_str().is_some_and(|text| text.contains(term)))
        });
        let found = found.map(|(id, (_, note, _))| {
            let mut note = note.clone();
            note.insert("id".into(), id.into());
            Value::Object(note)
        });
        said(200, &found.collect::<Vec<_>>().into())
    }

    fn note(&self, id: usize, token: &str) -> Answer {
        let who = self.who(token);
        let mut notes = self.notes.lock().unwrap();
        let Some((owner, note, read)) = notes.get_mut(id) else {
            return said(404, &json!({}));
        };
        let own = who.as_ref() == Some(owner);
        *read |= own;
        let shown = match self.style.notes {
            Notes::None => false,
            Notes::Everybody | Notes::Listed | Notes::Gallery => true,
            Notes::Strangers => who.is_none(),
            Notes::OnceRead => *read,
        };
        if own || shown {
            return said(200, &Value::Object(note.clone()));
        }
        said(404, &json!({}))
    }

    fn login(&self, name: &str, password: &str) -> Answer {
        let accounts = self.accounts.lock().unwrap();
        let account = accounts.iter().find(|one| one[self.style.by] == name);
        let right = account.filter(|one| self.style.careless || one["password"] == password);
        let mut sessions = self.sessions.lock().unwrap();
        let token = format!("0123456789abcdef{}", sessions.len());
        let email = right.map_or("", |one| one["email"].as_str().unwrap());
        if right.is_none() && !self.style.pages {
            return said(401, &json!({"error": "wrong"}));
        }
        sessions.insert(token.clone(), email.to_owned());
        if self.style.pages || self.style.redirects {
            let mut answer = page(
                200,
                "<form><input name=email><input name=password type=password></form>",
            );
            if right.is_some() && self.style.redirects {
                answer = page(303, "");
                answer.headers.push("Location: /".into());
            }
            answer
                .headers
                .push(format!("Set-Cookie: sid={token}; HttpOnly"));
            return answer;
        }
        said(200, &json!({"token": token}))
    }
}

fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                head.lines().find_map(|line| {
                    let (key, value) = line.split_once(": ")?;
                    key.eq_ignore_ascii_case(name).then(|| value.to_owned())
                })
            };
            let length = header("content-length").map_or(0, |one| one.parse().unwrap());
            if body.len() >= length {
                let is_json = header("content-type").is_some_and(|kind| kind.contains("json"));
                let fields = if is_json {
                    serde_json::from_str(body).unwrap()
                } else {
                    body.split('&')
                        .filter_map(|pair| pair.split_once('='))
                        .map(pair)
                        .collect()
                };
                let cookie = header("cookie").map(|one| one.replace("sid=", ""));
                let bearer = header("authorization").map(|one| one.replace("Bearer ", ""));
                let line: Vec<&str> = head.split_whitespace().take(2).collect();
                return Some(Asked {
                    line: line.join(" "),
                    fields,
                    json: is_json,
                    token: cookie.or(bearer).unwrap_or_default(),
                });
            }
        }
        match stream.read(&mut part) {
            Ok(got) if got > 0 => bytes.extend_from_slice(&part[..got]),
            _ => return None,
        }
    }
}

fn pair((name, value): (&str, &str)) -> (String, Value) {
    let value = value.replace("%40", "@").replace("%20", " ");
    (name.to_owned(), json!(value))
}

fn serve(app: &Arc<App>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let Some(asked) = read(&mut stream) else {
                continue;
            };
            let answer = app.answer(&asked);
            let mut headers = answer.headers.join("\r\n");
            headers.push_str("\r\n");
            let length = answer.body.len();
            let head = format!(
                "HTTP/1.1 {} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n",
                answer.status
            );
            let _ = stream.write_all((head + &answer.body).as_bytes());
        }
    });
    address
}

fn found(
    wants: fn(&Asked) -> Option<Answer>,
    style: Style,
    words: &[&str],
) -> (Inferred, Vec<Fields>) {
    let by = if style.by.is_empty() {
        "email"
    } else {
        style.by
    };
    let app = Arc::new(App {
        accounts: Mutex::default(),
        sessions: Mutex::default(),
        notes: Mutex::default(),
        wants,
        style: Style { by, ..style },
    });
    let address = serve(&app);
    let mut hints = Hints::default();
    for (method, path) in [("POST", "/register"), ("POST", "/login"), ("GET", "/me")] {
        let mut hint = Hint::new(method, path);
        let own = ["email", "password"]
            .iter()
            .chain(words)
            .map(|word| (*word).to_owned());
        hint.words = own.collect();
        if path == "/login" {
            hint.words = [by, "password"].map(str::to_owned).into();
        }
        hints.routes.push(hint);
    }
    if !matches!(style.notes, Notes::None) {
        for (method, path) in [("POST", "/notes"), ("GET", "/notes/{id}")] {
            let mut hint = Hint::new(method, path);
            hint.words = ["title", "body"].map(str::to_owned).into();
            hints.routes.push(hint);
        }
        let mut hint = Hint::new("GET", "/search");
        hint.words = ["q".to_owned()].into();
        hints.routes.push(hint);
    }
    let dial = |from: IpAddr| wire::socket(from);
    let mut talk = Talk::new(&dial, address, &address.to_string(), "seed");
    let found = infer::infer(&mut talk, &hints, &Given::default());
    let accounts = app.accounts.lock().unwrap().clone();
    (found, accounts)
}

fn why(found: &Inferred, capability: Capability) -> String {
    assert!(
        found.binding.route(capability).is_none(),
        "{} is bound",
        capability.name()
    );
    let one = found.why_not(capability).unwrap();
    assert!(one.seen, "{}", one.why);
    one.why.clone()
}

/// The names of what does not do, as the app has them; the fields are called in either fashion.
fn lacking(asked: &Asked) -> Vec<&'static str> {
    let at =
        |snake: &str, camel: &str| asked.fields.get(snake).or(asked.fields.get(camel)).cloned();
    let mut all = Vec::new();
    let plain = |value: Option<Value>| {
        let value = value.unwrap_or_default();
        value.as_str().is_some_and(|text| {
            text.len() >= 3 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    if !plain(asked.fields.get("username").cloned()) {
        all.push("username");
    }
    if !at("full_name", "fullName").is_some_and(|value| value.is_string()) {
        all.push("full_name");
    }
    if at("password_confirm", "confirmPassword") != asked.fields.get("password").cloned() {
        all.push("password_confirm");
    }
    if at("accept_terms", "acceptTerms") != Some(json!(true)) {
        all.push("accept_terms");
    }
    all
}

fn camel(snake: &str) -> &'static str {
    match snake {
        "full_name" => "fullName",
        "password_confirm" => "confirmPassword",
        "accept_terms" => "acceptTerms",
        _ => "username",
    }
}

fn refused(asked: &Asked, write: impl Fn(&[&'static str]) -> Answer) -> Option<Answer> {
    if !asked.json {
        return Some(page(400, "no JSON"));
    }
    let lacking = lacking(asked);
    (!lacking.is_empty()).then(|| write(&lacking))
}

type Wants = fn(&Asked) -> Option<Answer>;

/// What is wanted is named by the app alone: no document, no source.
#[test]
fn further_fields_are_learned_from_what_refuses_them() {
    let styles: [(&str, Wants, bool); 6] = [
        (
            "FastAPI",
            |asked| {
                refused(asked, |lacking| {
                    let all: Vec<_> = lacking
                    .iter()
                    .map(|name| json!({"type": "missing", "loc": ["body", name], "msg": "Field required", "input": asked.fields}))
                    .collect();
                    said(422, &json!({"detail": all}))
                })
            },
            false,
        ),
        (
            "marshmallow",
            |asked| {
                refused(asked, |lacking| {
                    let all: Fields = lacking
                        .iter()
                        .map(|name| {
                            (
                                (*name).to_owned(),
                                json!(["Missing data for required field."]),
                            )
                        })
                        .collect();
                    said(400, &json!({"errors": all}))
                })
            },
            false,
        ),
        (
            "zod",
            |asked| {
                refused(asked, |lacking| {
                    let all: Vec<_> = lacking.iter().map(|name| json!({"code": "invalid_type", "path": [camel(name)], "message": "Required"})).collect();
                    said(400, &json!({"error": {"issues": all, "name": "ZodError"}}))
                })
            },
            true,
        ),
        (
            "express-validator, by 200",
            |asked| {
                refused(asked, |lacking| {
                    let all: Vec<_> = lacking.iter().map(|name| json!({"type": "field", "msg": "Invalid value", "path": camel(name), "location": "body"})).collect();
                    said(200, &json!({"success": false, "errors": all}))
                })
            },
            true,
        ),
        (
            "class-validator",
            |asked| {
                refused(asked, |lacking| {
                    let all: Vec<_> = lacking
                        .iter()
                        .map(|name| format!("{} should not be empty", camel(name)))
                        .collect();
                    said(
                        400,
                        &json!({"message": all, "error": "Bad Request", "statusCode": 400}),
                    )
                })
            },
            true,
        ),
        (
            "serde, one at a time",
            |asked| {
                refused(asked, |lacking| {
                    page(
                        422,
                        &format!(
                            "Failed to deserialize the JSON body: missing field `{}` at line 1 column 60",
                            lacking[0]
                        ),
                    )
                })
            },
            false,
        ),
    ];
    for (name, wants, camels) in styles {
        let (found, accounts) = found(wants, Style::default(), &[]);
        assert!(found.binding.route(Capability::Login).is_some(), "{name}");
        assert!(found.binding.route(Capability::Me).is_some(), "{name}");
        let register = found.binding.route(Capability::Register).unwrap();
        assert!(!register.redirects, "{name}");
        for (field, value) in [
            ("full_name", json!("Ada Lovelace")),
            ("password_confirm", json!("{password}")),
            ("accept_terms", json!(true)),
            ("username", json!("{unique}")),
        ] {
            let field = if camels { camel(field) } else { field };
            assert_eq!(register.also[&format!("/{field}")], value, "{name}");
        }
        let (text, _) = infer::beside(infer::write_config(&found)).unwrap();
        assert_eq!(
            exploit::parse_binding(&text).unwrap(),
            found.binding,
            "{text}"
        );
        let first = &accounts[0];
        let email = first["email"].as_str().unwrap();
        assert_eq!(
            first["username"],
            email.split('@').next().unwrap(),
            "{name}"
        );
        assert!(found.requests < 60, "{name}: {}", found.requests);
    }
}

/// Words without names, and 500s: then the source's names are tried.
#[test]
fn what_no_answer_names_is_guessed_from_the_source() {
    let words = [
        "username",
        "full_name",
        "password_confirm",
        "accept_terms",
        "row",
        "role",
        "is_admin",
    ];
    let wants: Wants = |asked| refused(asked, |_| page(500, "Internal Server Error"));
    let (found, accounts) = found(wants, Style::default(), &words);
    assert!(found.binding.route(Capability::Register).is_some());
    assert!(found.binding.route(Capability::Login).is_some());
    assert!(
        !accounts[0].contains_key("role") && !accounts[0].contains_key("is_admin"),
        "{accounts:?}"
    );
}

#[test]
fn a_form_shown_again_says_what_it_wants() {
    let wants: Wants = |asked| {
        let on = asked.fields.get("terms").and_then(Value::as_str) == Some("on");
        let same = asked.fields.get("repeat") == asked.fields.get("password");
        (asked.json || !on || !same).then(|| {
            page(200, "<form method=post><input name=email><input name=password type=password><input name=repeat type=password>\
                <input type=checkbox name=terms></form>")
        })
    };
    let style = Style {
        redirects: true,
        pages: true,
        ..Style::default()
    };
    let (found, accounts) = found(wants, style, &[]);
    assert_eq!(accounts[0]["repeat"], accounts[0]["password"]);
    let route = |of| found.binding.route(of).unwrap();
    let (register, login) = (route(Capability::Register), route(Capability::Login));
    assert_eq!(
        (
            register.also["repeat"].as_str(),
            register.also["terms"].as_str()
        ),
        (Some("{password}"), Some("on"))
    );
    assert!(register.redirects && login.redirects);
    assert!(found.binding.route(Capability::Me).is_some());
    assert_eq!(found.binding.token, Carrier::Cookie { name: "sid".into() });
    assert!(found.requests < 60, "{}", found.requests);
}

/// The name is then the email itself, since a binding knows an account by its email.
#[test]
fn a_login_by_name_is_opened_by_the_email() {
    let wants: Wants = |asked| {
        (!asked.fields.contains_key("username"))
            .then(|| said(400, &json!({"error": "username is required"})))
    };
    let (found, accounts) = found(
        wants,
        Style {
            by: "username",
            ..Style::default()
        },
        &[],
    );
    let login = found.binding.route(Capability::Login).unwrap();
    assert_eq!(login.field("email"), "username");
    assert!(accounts.iter().any(|one| one["username"] == one["email"]));
    let register = found.binding.route(Capability::Register).unwrap();
    assert_eq!(register.also["/username"], "{email}");
}

/// Near misses: nothing is bound that was not shown.
#[test]
fn what_makes_nobody_or_wants_what_nobody_has_is_not_bound() {
    let forgets: Wants = |_| Some(said(201, &json!({"message": "Account created"})));
    let (nobody, _) = found(forgets, Style::default(), &["username", "terms"]);
    assert!(why(&nobody, Capability::Register).contains("no login opened the account"));
    assert!(nobody.bound().is_empty(), "{:?}", nobody.bound());
    assert!(nobody.requests < 200, "{}", nobody.requests);

    let code: Wants = |asked| {
        (asked.fields.get("invite_code") != Some(&json!("TEAM-4711"))).then(|| {
            said(
                403,
                &json!({"errors": {"invite_code": ["This code is not known."]}}),
            )
        })
    };
    let (closed, accounts) = found(code, Style::default(), &[]);
    assert!(why(&closed, Capability::Register).contains("This code is not known"));
    assert!(closed.bound().is_empty() && accounts.is_empty());

    // A confirmation that must be equal and is called as nobody would guess.
    let differs: Wants = |asked| {
        (asked.fields.get("zweitens") != asked.fields.get("password"))
            .then(|| said(400, &json!({"error": "The passwords do not match"})))
    };
    let (other, accounts) = found(differs, Style::default(), &["zweitens"]);
    assert!(why(&other, Capability::Register).contains("do not match"));
    assert!(other.bound().is_empty() && accounts.is_empty());
}

/// The right password and a wrong one answer alike but for what the session shows.
#[test]
fn a_login_is_bound_by_the_session_that_only_the_right_password_gives() {
    let pages = Style {
        pages: true,
        ..Style::default()
    };
    let (found_out, _) = found(|_| None, pages, &[]);
    assert_eq!(
        found_out.bound(),
        [Capability::Register, Capability::Login, Capability::Me]
    );

    for style in [
        Style {
            careless: true,
            ..Style::default()
        },
        Style {
            careless: true,
            ..pages
        },
    ] {
        let (careless, _) = found(|_| None, style, &[]);
        let told = why(&careless, Capability::Login);
        assert!(told.contains("with a wrong password as well"), "{told}");
        assert!(careless.bound().is_empty(), "{:?}", careless.bound());
        assert!(careless.requests < 200, "{}", careless.requests);
    }
}

/// What everybody is shown may be meant so. What others are not shown, or not before its owner saw it, is personal.
#[test]
fn what_is_personal_is_told_from_what_is_for_all() {
    for (notes, personal) in [
        (Notes::Everybody, false),
        (Notes::Strangers, true),
        (Notes::OnceRead, true),
        (Notes::Listed, false),
        (Notes::Gallery, false),
    ] {
        let style = Style {
            notes,
            ..Style::default()
        };
        let (found, _) = found(|_| None, style, &[]);
        let bound = found.binding.route(Capability::ReadNote).is_some();
        assert_eq!(bound, personal);
        // Strangers find everything in each of these apps, and users their own.
        let search = found.binding.route(Capability::Search).is_some();
        assert_eq!(search, personal);
        if !personal {
            assert!(why(&found, Capability::ReadNote).contains("to anybody"));
            assert!(why(&found, Capability::Search).contains("to anybody"));
        }
    }
}

/// Who is signed in is told by what is in one place for them and not for strangers, whatever else strangers are told.
#[test]
fn who_is_signed_in_is_told_from_who_is_there() {
    for (tells, bound) in [
        (Tells::Nothing, true),
        (Tells::Accounts, true),
        (Tells::TheLast, false),
    ] {
        let style = Style {
            tells,
            ..Style::default()
        };
        let (found, _) = found(|_| None, style, &[]);
        assert_eq!(found.binding.route(Capability::Me).is_some(), bound);
    }
}
