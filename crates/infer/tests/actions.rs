//! Accounts that are made and opened by server actions: pages whose forms say by hidden fields which function is meant, and
//! answers that lead on whatever came of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod request;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use infer::{Given, Hint, Hints, Inferred, Talk};
use model::{Body, Capability, Carrier};
use serde_json::json;

const FORMS: &str = r#"<form action="" encType="multipart/form-data" method="POST"><input type="hidden" name="$ACTION_ID_aa"/>
    <input type="email" name="email"/><input type="password" name="password"/><button>Sign in</button></form>
    <form action="" encType="multipart/form-data" method="POST"><input type="hidden" name="$ACTION_REF_1"/><input type="hidden"
    name="$ACTION_1:0" value="{&quot;id&quot;:&quot;bb&quot;}"/><input type="email" name="email"/><input type="password"
    name="password"/><input type="password" name="again"/><button>Sign up</button></form>"#;
const NOTE: &str = r#"<form method="POST"><input type="hidden" name="$ACTION_ID_cc"/><input name="title"/><textarea name="body"></textarea></form>"#;

/// What the start page shows to a browser without scripts.
#[derive(Clone, Copy, Default, PartialEq)]
enum Shows {
    #[default]
    Both,
    SignIn,
    Nothing,
}

#[derive(Clone, Copy, Default)]
struct Style {
    /// Opens to any password.
    careless: bool,
    /// A wrong password is given a session, too: nobody's.
    guests: bool,
    shows: Shows,
}

#[derive(Default)]
struct App {
    style: Style,
    accounts: Mutex<BTreeMap<String, String>>,
    sessions: Mutex<Vec<String>>,
    /// What was posted where no function was named.
    stray: Mutex<u32>,
}

impl App {
    /// Status, further headers, body.
    fn answer(
        &self,
        line: &str,
        cookie: Option<usize>,
        form: &BTreeMap<String, String>,
    ) -> (u16, String, String) {
        let text = |name: &str| form.get(name).cloned().unwrap_or_default();
        let mut sessions = self.sessions.lock().unwrap();
        let mut accounts = self.accounts.lock().unwrap();
        let user = cookie.and_then(|number| sessions.get(number).cloned());
        let user = user.filter(|email| !email.is_empty());
        let page = |body: &str| {
            (
                200,
                "Content-Type: text/html\r\n".to_owned(),
                body.to_owned(),
            )
        };
        match (line, user) {
            ("GET /api/me", Some(email)) => {
                (200, String::new(), json!({"email": email}).to_string())
            }
            ("GET /", _) if self.style.shows == Shows::Nothing => page("<div id=root></div>"),
            ("GET /", _) if self.style.shows == Shows::SignIn => {
                page(FORMS.split_once("</form>").unwrap().0)
            }
            ("GET /join", _) => page("<div id=root></div>"),
            ("GET /", _) => page(FORMS),
            ("GET /write", Some(_)) => page(NOTE),
            ("POST /", _) if form.contains_key("$ACTION_ID_aa") => {
                let right = accounts.get(&text("email")) == Some(&text("password"));
                let opened =
                    accounts.contains_key(&text("email")) && (right || self.style.careless);
                if !opened && !self.style.guests {
                    return (303, "Location: /?error=1\r\n".into(), String::new());
                }
                sessions.push(if opened { text("email") } else { String::new() });
                let number = sessions.len() - 1;
                let headers =
                    format!("Location: /\r\nSet-Cookie: sid={number}-session; HttpOnly\r\n");
                (303, headers, String::new())
            }
            ("POST /", _) if text("$ACTION_1:0") == r#"{"id":"bb"}"# => {
                if text("again") == text("password") && !text("password").is_empty() {
                    accounts.insert(text("email"), text("password"));
                }
                (303, "Location: /\r\n".into(), String::new())
            }
            ("POST /", _) => {
                *self.stray.lock().unwrap() += 1;
                (500, String::new(), String::new())
            }
            _ => (404, String::new(), String::new()),
        }
    }
}

type Asked = (String, Option<usize>, BTreeMap<String, String>);

fn read(stream: &mut TcpStream) -> Option<Asked> {
    let request = request::read(stream)?;
    let parts = request.body.split("name=\"").skip(1).filter_map(|part| {
        let (name, rest) = part.split_once("\"\r\n\r\n")?;
        Some((name.to_owned(), rest.split_once("\r\n")?.0.to_owned()))
    });
    let cookie = request.header("cookie").and_then(|one| {
        let id = one.strip_prefix("sid=")?.strip_suffix("-session")?;
        id.parse().ok()
    });
    let parts = parts.collect();
    Some((request.line, cookie, parts))
}

fn serve(app: &Arc<App>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let Some((line, cookie, form)) = read(&mut stream) else {
                continue;
            };
            let (status, headers, body) = app.answer(&line, cookie, &form);
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    address
}

fn found(style: Style) -> (Inferred, Arc<App>) {
    let app = Arc::new(App {
        style,
        ..App::default()
    });
    let address = serve(&app);
    let mut hints = Hints::default();
    hints.routes.push(Hint::new("GET", "/api/me"));
    for (path, words) in [
        ("/", ["email", "password", "FormData"]),
        (
            "/join",
            [
                "email",
                "password",
                if style.shows == Shows::SignIn {
                    "FormData"
                } else {
                    "h1"
                },
            ],
        ),
        ("/write", ["title", "body", "main"]),
        ("/about", ["h1", "p", "main"]),
    ] {
        let mut page = Hint::new("GET", path);
        page.words = words.map(str::to_owned).into();
        hints.pages.push(page);
    }
    let dial = |from: IpAddr| wire::socket(from);
    let mut talk = Talk::new(&dial, address, &address.to_string(), "seed");
    let found = infer::infer(&mut talk, &hints, &Given::default());
    (found, app)
}

/// Of an answer that leads on either way, `me` alone tells what it was.
#[test]
fn accounts_are_made_and_opened_by_the_forms_of_a_page() {
    for guests in [false, true] {
        let (found, app) = found(Style {
            guests,
            ..Style::default()
        });
        let bound = found.bound();
        let wanted = [
            Capability::Health,
            Capability::Register,
            Capability::Login,
            Capability::Me,
        ];
        assert_eq!(bound, wanted, "{:?}", found.unbound);
        let register = found.binding.route(Capability::Register).unwrap();
        assert!(register.redirects && register.body == Body::Multipart);
        let also =
            json!({"$ACTION_REF_1": "", "$ACTION_1:0": "{\"id\":\"bb\"}", "again": "{password}"});
        assert_eq!(json!(register.also), also);
        let login = found.binding.route(Capability::Login).unwrap();
        assert_eq!(json!(login.also), json!({"$ACTION_ID_aa": ""}));
        assert!(login.redirects && login.path == "/");
        assert_eq!(found.binding.token, Carrier::Cookie { name: "sid".into() });
        assert_eq!(*app.stray.lock().unwrap(), 0);
        for capability in [Capability::CreateNote, Capability::ReadNote] {
            let one = found.why_not(capability).unwrap();
            assert!(one.seen && one.why.contains("/write"), "{}", one.why);
        }
        assert!(!found.why_not(Capability::Upload).unwrap().seen);
    }
}

#[test]
fn an_action_that_opens_to_any_password_is_no_login() {
    let (found, _) = found(Style {
        careless: true,
        ..Style::default()
    });
    let why = &found.why_not(Capability::Login).unwrap().why;
    assert!(why.contains("with a wrong password as well"), "{why}");
    assert!(found.binding.route(Capability::Me).is_none());
}

#[test]
fn a_page_without_a_form_is_named_and_nothing_is_said_to_be_absent() {
    let (found, _) = found(Style {
        shows: Shows::Nothing,
        ..Style::default()
    });
    assert_eq!(found.bound(), [Capability::Health]);
    for capability in Capability::ALL.into_iter().skip(1) {
        assert!(
            found.why_not(capability).unwrap().seen,
            "{}",
            capability.name()
        );
    }
    let why = &found.why_not(Capability::Register).unwrap().why;
    assert!(why.contains("the page / asks for it"), "{why}");
}

#[test]
fn the_page_that_shows_no_form_is_named_and_not_the_other() {
    let (found, _) = found(Style {
        shows: Shows::SignIn,
        ..Style::default()
    });
    assert_eq!(found.bound(), [Capability::Health]);
    let why = &found.why_not(Capability::Register).unwrap().why;
    assert!(why.contains("the page /join asks for it"), "{why}");
}
