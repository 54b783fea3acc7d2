//! An app that answers by heart: finding out how it is used ends, within its requests, in a binding that can be written
//! down and read again, whatever its document and its answers say.
//!
//! An input is its routes, as `METHOD /path word word` lines or as an OpenAPI document, and after each `=== METHOD /path`
//! line what it answers there: status, headers, an empty line, the body. Several for one route are given in turn. `$name`
//! is what was last sent under that name, `$token` by whom. `PAGE /path` is a page that may show forms.
#![no_main]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use infer::{Given, Hint, Hints, Talk};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const MOST: u32 = 120;
const MOST_ROUTES: usize = 24;

/// What the app answers, and what it was last sent.
struct App {
    answers: BTreeMap<String, (usize, Vec<String>)>,
    sent: BTreeMap<String, String>,
}

impl App {
    fn take(&mut self, name: &str, value: &Value) {
        match value {
            Value::Object(map) => map.iter().for_each(|(name, inner)| self.take(name, inner)),
            Value::String(text) => {
                self.sent.insert(name.to_owned(), text.clone());
            }
            Value::Number(number) => {
                self.sent.insert(name.to_owned(), number.to_string());
            }
            _ => {}
        }
    }

    fn answer(&mut self, head: &str, body: &str) -> String {
        for line in head.lines() {
            let Some((name, value)) = line.split_once(": ") else {
                continue;
            };
            if name.eq_ignore_ascii_case("authorization") || name.eq_ignore_ascii_case("cookie") {
                let token = value.rsplit([' ', '=']).next().unwrap_or_default();
                self.sent.insert("token".into(), token.to_owned());
            }
        }
        if let Ok(value) = serde_json::from_str(body) {
            self.take("body", &value);
        } else {
            for (name, value) in body.split('&').filter_map(|one| one.split_once('=')) {
                let value = value.replace("%40", "@").replace('+', " ");
                self.sent.insert(name.to_owned(), value);
            }
        }
        let mut line = head.split(' ');
        let method = line.next().unwrap_or_default();
        let target = line.next().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let whole = format!("{method} {path}");
        let same = |route: &&String| {
            let beginning = route.strip_suffix("{id}");
            **route == whole || beginning.is_some_and(|route| whole.starts_with(route))
        };
        let Some(route) = self.answers.keys().find(same).cloned() else {
            return "404\n\n{}".into();
        };
        let sent = &self.sent;
        let (turn, all) = self.answers.get_mut(&route).expect("a key");
        let mut said = all[*turn % all.len()].clone();
        *turn += 1;
        // From the last: `$password_again` comes before `$password`, which it begins with.
        for (name, value) in sent.iter().rev() {
            if said.len() < 1 << 16 {
                said = said.replace(&format!("${name}"), value);
            }
        }
        said
    }
}

static APP: Mutex<App> = Mutex::new(App {
    answers: BTreeMap::new(),
    sent: BTreeMap::new(),
});

fn serve(stream: &mut TcpStream) -> Option<()> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    let (head, body) = loop {
        let got = stream.read(&mut part).ok().filter(|got| *got > 0)?;
        bytes.extend_from_slice(&part[..got]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.to_ascii_lowercase();
        let length = length.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break (head.to_owned(), body.to_owned());
        }
    };
    assert!(
        head.lines().next()?.ends_with(" HTTP/1.1"),
        "no request line: {head:?}"
    );
    let said = APP
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .answer(&head, &body);
    let (head, body) = said.split_once("\n\n").unwrap_or((&said, ""));
    // Waiting is not what is looked at.
    let head = head.replace("429", "428").replace('\n', "\r\n");
    let framing = match head.to_ascii_lowercase() {
        own if own.contains("content-length") || own.contains("transfer-encoding") => String::new(),
        _ => format!("\r\nContent-Length: {}", body.len()),
    };
    let reply = format!("HTTP/1.1 {head}{framing}\r\n\r\n{body}");
    stream.write_all(reply.as_bytes()).ok()
}

fn address() -> SocketAddr {
    static AT: OnceLock<SocketAddr> = OnceLock::new();
    *AT.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = serve(&mut stream);
            }
        });
        address
    })
}

fn routes(text: &str) -> Hints {
    if text.trim_start().starts_with('{') {
        let mut hints = infer::read_openapi(text).unwrap_or_default();
        hints.routes.truncate(MOST_ROUTES);
        return hints;
    }
    let mut hints = Hints::default();
    for line in text.lines().take(MOST_ROUTES) {
        let mut words = line.split_whitespace();
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            continue;
        };
        let mut hint = Hint::new(method, path);
        hint.words = words.map(str::to_owned).collect();
        match method {
            "PAGE" => hints.pages.push(Hint {
                method: "GET".into(),
                ..hint
            }),
            _ => hints.routes.push(hint),
        }
    }
    hints
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split("\n=== ");
    let hints = routes(parts.next().unwrap_or_default());
    let mut answers: BTreeMap<String, (usize, Vec<String>)> = BTreeMap::new();
    for part in parts {
        let (route, said) = part.split_once('\n').unwrap_or((part, "200\n\n"));
        let list = &mut answers.entry(route.to_owned()).or_default().1;
        list.push(said.to_owned());
    }
    *APP.lock().unwrap_or_else(PoisonError::into_inner) = App {
        answers,
        sent: BTreeMap::new(),
    };

    let address = address();
    let dial = |from: IpAddr| wire::socket(from);
    let mut talk = Talk::new(&dial, address, &address.to_string(), "seed").at_most(MOST);
    let given = Given {
        webhook_secret: Some("a-secret".into()),
        may_delete: true,
        ..Given::default()
    };
    let began = std::time::Instant::now();
    let found = infer::infer(&mut talk, &hints, &given);
    assert!(began.elapsed() < Duration::from_secs(8), "it took too long");
    assert!(found.requests <= MOST);
    for capability in model::Capability::ALL {
        assert!(found.binding.route(capability).is_some() != found.why_not(capability).is_some());
    }
    let written = infer::write_config(&found);
    let (rest, beside) = infer::beside(written.clone()).expect("it can be split");
    let again = exploit::parse_binding(&rest).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(again, found.binding, "{written}");
    for capability in beside.absent {
        let why = found.why_not(capability).expect("it is not bound");
        assert!(!why.seen, "{}: {}", capability.name(), why.why);
    }
});
