//! A small app for tests: it keeps its accounts and notes in memory, and refuses, answers and shows as it is told to.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use infer::{Given, Hint, Hints, Inferred, Talk};
use model::Capability;
use serde_json::{Map, Value, json};

use crate::request;

pub(crate) type Fields = Map<String, Value>;

/// One request as the app sees it.
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) fields: Fields,
    pub(crate) json: bool,
    pub(crate) token: String,
}

/// What an app answers.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

pub(crate) fn said(status: u16, body: &Value) -> Answer {
    Answer {
        status,
        headers: vec!["Content-Type: application/json".into()],
        body: body.to_string(),
    }
}

pub(crate) fn page(status: u16, body: &str) -> Answer {
    Answer {
        status,
        headers: vec!["Content-Type: text/html".into()],
        body: body.to_owned(),
    }
}

/// An app that keeps its accounts, as it was sent them, and who is signed in.
pub(crate) struct App {
    pub(crate) accounts: Mutex<Vec<Fields>>,
    pub(crate) sessions: Mutex<BTreeMap<String, String>>,
    /// Whose each note is, what it says, and whether it was read.
    pub(crate) notes: Mutex<Vec<(String, Fields, bool)>>,
    /// A refusal, if these fields do not do.
    pub(crate) wants: fn(&Asked) -> Option<Answer>,
    pub(crate) style: Style,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Style {
    /// Opens to any password.
    pub(crate) careless: bool,
    /// What a login names the account by, and must be equal to.
    pub(crate) by: &'static str,
    /// Answers both logins by 200 and a page, with a session that is somebody's or nobody's.
    pub(crate) pages: bool,
    /// Leads on by a redirect.
    pub(crate) redirects: bool,
    /// To whom notes are shown that are not theirs.
    pub(crate) notes: Notes,
    /// Who is not signed in is told everybody's email: alone, or as if it were theirs.
    pub(crate) tells: Tells,
}

#[derive(Clone, Copy, Default)]
pub(crate) enum Tells {
    #[default]
    Nothing,
    Accounts,
    TheLast,
}

#[derive(Clone, Copy, Default)]
pub(crate) enum Notes {
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
    let request = request::read(stream)?;
    let is_json = request
        .header("content-type")
        .is_some_and(|kind| kind.contains("json"));
    let fields = if is_json {
        serde_json::from_str(&request.body).unwrap()
    } else {
        let pairs = request
            .body
            .split('&')
            .filter_map(|one| one.split_once('='));
        pairs.map(pair).collect()
    };
    let cookie = request.header("cookie").map(|one| one.replace("sid=", ""));
    let bearer = request
        .header("authorization")
        .map(|one| one.replace("Bearer ", ""));
    Some(Asked {
        line: request.line,
        fields,
        json: is_json,
        // Nobody's, where there is neither.
        token: cookie.or(bearer).unwrap_or_default(),
    })
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

pub(crate) fn found(
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

pub(crate) fn why(found: &Inferred, capability: Capability) -> String {
    assert!(
        found.binding.route(capability).is_none(),
        "{} is bound",
        capability.name()
    );
    let one = found.why_not(capability).unwrap();
    assert!(one.seen, "{}", one.why);
    one.why.clone()
}
