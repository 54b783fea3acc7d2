//! A small client for the tests: requests by binding, and the bytes as written.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use model::Binding;
use model::binding::{Body, Capability, Carrier, Route};
use reference::{App, Running, Settings};
use serde_json::{Map, Value};
use sha2::Sha256;
use tempfile::TempDir;

pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR canary";

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn shows(&self, canary: &str) -> bool {
        self.text().contains(canary)
    }
}

/// A port of the app, reached from one address.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) at: SocketAddr,
    pub(crate) from: Ipv4Addr,
    pub(crate) binding: Binding,
    pub(crate) token: Option<String>,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A loopback address that nobody else in these tests uses.
pub(crate) fn fresh_address() -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 3, 0, 1)) + NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn unique(prefix: &str) -> String {
    format!(
        "{prefix}{}x{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

impl Client {
    pub(crate) fn new(at: SocketAddr, binding: &Binding) -> Self {
        Self {
            at,
            from: fresh_address(),
            binding: binding.clone(),
            token: None,
        }
    }

    pub(crate) fn elsewhere(&self) -> Self {
        Self {
            from: fresh_address(),
            ..self.clone()
        }
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    pub(crate) fn raw(&self, bytes: &[u8]) -> Reply {
        let socket = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::STREAM,
            None,
        )
        .unwrap();
        rustix::net::bind(&socket, &SocketAddrV4::new(self.from, 0)).unwrap();
        let IpAddr::V4(to) = self.at.ip() else {
            panic!("an IPv4 app")
        };
        rustix::net::connect(&socket, &SocketAddrV4::new(to, self.at.port())).unwrap();
        let mut stream = TcpStream::from(socket);
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        // A refusal can come, and the connection close, while the body is still being written.
        let _ = stream.write_all(bytes);
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got);
        parse(&got)
    }

    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: app\r\nConnection: close\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(token) = &self.token {
            match &self.binding.token {
                Carrier::Header { name, scheme } => {
                    head += &format!("{name}: {scheme} {token}\r\n");
                }
                Carrier::Cookie { name } => head += &format!("Cookie: {name}={token}\r\n"),
            }
        }
        if !body.is_empty() || method != "GET" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        self.raw(&bytes)
    }

    pub(crate) fn route(&self, capability: Capability) -> &Route {
        self.binding.route(capability).unwrap()
    }

    /// A call with inputs by canonical name, and others (`extra`) beside the first of them.
    pub(crate) fn call_with(
        &self,
        what: Capability,
        id: &str,
        inputs: &[(&str, &str)],
        extra: &[(&str, Value)],
    ) -> Reply {
        let route = self.route(what);
        let path = route.path_with(id);
        match route.body {
            Body::None => {
                let query: Vec<_> = inputs
                    .iter()
                    .map(|(name, value)| format!("{}={}", route.field(name), percent(value)))
                    .collect();
                let target = if query.is_empty() {
                    path
                } else {
                    format!("{path}?{}", query.join("&"))
                };
                self.send(&route.method, &target, &[], b"")
            }
            Body::Json => {
                let mut whole = Value::Object(Map::new());
                for (name, value) in inputs {
                    put(&mut whole, &pointer(route, name), (*value).into());
                }
                let first = inputs
                    .first()
                    .map(|(name, _)| pointer(route, name))
                    .unwrap_or_default();
                let folder = first.rsplit_once('/').map_or("", |(folder, _)| folder);
                for (name, value) in extra {
                    put(&mut whole, &format!("{folder}/{name}"), value.clone());
                }
                let body = whole.to_string();
                self.send(
                    &route.method,
                    &path,
                    &[("Content-Type", "application/json")],
                    body.as_bytes(),
                )
            }
            Body::Form => {
                let form: Vec<_> = inputs
                    .iter()
                    .map(|(name, value)| format!("{}={}", route.field(name), percent(value)))
                    .collect();
                let headers = [("Content-Type", "application/x-www-form-urlencoded")];
                self.send(&route.method, &path, &headers, form.join("&").as_bytes())
            }
            Body::Multipart => panic!("see upload"),
        }
    }

    pub(crate) fn call(&self, what: Capability, id: &str, inputs: &[(&str, &str)]) -> Reply {
        self.call_with(what, id, inputs, &[])
    }

    pub(crate) fn upload(&self, name: &str, declared: &str, bytes: &[u8]) -> Reply {
        let route = self.route(Capability::Upload);
        let body = self.form(name, declared, bytes);
        let headers = [("Content-Type", "multipart/form-data; boundary=b0undary")];
        self.send(&route.method, &route.path, &headers, &body)
    }

    pub(crate) fn form(&self, name: &str, declared: &str, bytes: &[u8]) -> Vec<u8> {
        let field = self.route(Capability::Upload).field("file");
        let mut body = format!(
            "--b0undary\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
             Content-Type: {declared}\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--b0undary--\r\n");
        body
    }

    /// One output of a reply, as text: ids are numbers or strings.
    pub(crate) fn out(&self, what: Capability, reply: &Reply, name: &str) -> Option<String> {
        plain(reply.json().pointer(&self.route(what).pointer(name))?)
    }

    /// The members of a list, each output by name.
    pub(crate) fn list(&self, what: Capability, reply: &Reply, names: &[&str]) -> Vec<Vec<String>> {
        let route = self.route(what);
        let whole = reply.json();
        let Some(Value::Array(members)) = whole.pointer(&route.pointer("list")) else {
            return vec![];
        };
        let of = |member: &Value| {
            names
                .iter()
                .map(|name| {
                    member
                        .pointer(&route.pointer(name))
                        .and_then(plain)
                        .unwrap_or_default()
                })
                .collect()
        };
        members.iter().map(of).collect()
    }

    pub(crate) fn token_in(&self, what: Capability, reply: &Reply) -> Option<String> {
        match &self.binding.token {
            Carrier::Header { .. } => self.out(what, reply, "token"),
            Carrier::Cookie { name } => {
                let value = reply
                    .header("set-cookie")?
                    .strip_prefix(&format!("{name}="))?;
                value.split(';').next().map(str::to_owned)
            }
        }
    }

    /// Registers and signs in.
    pub(crate) fn register(&self, email: &str, password: &str) -> Option<Self> {
        let reply = self.call(
            Capability::Register,
            "",
            &[("email", email), ("password", password)],
        );
        self.token_in(Capability::Register, &reply)
            .map(|token| self.with_token(&token))
    }

    pub(crate) fn login(&self, email: &str, password: &str) -> Option<Self> {
        let reply = self.call(
            Capability::Login,
            "",
            &[("email", email), ("password", password)],
        );
        self.token_in(Capability::Login, &reply)
            .map(|token| self.with_token(&token))
    }

    pub(crate) fn email(&self) -> Option<String> {
        self.out(Capability::Me, &self.call(Capability::Me, "", &[]), "email")
    }

    pub(crate) fn role(&self) -> Option<String> {
        self.out(Capability::Me, &self.call(Capability::Me, "", &[]), "role")
    }

    pub(crate) fn note(&self, title: &str, body: &str) -> Option<String> {
        let reply = self.call(
            Capability::CreateNote,
            "",
            &[("title", title), ("body", body)],
        );
        self.out(Capability::CreateNote, &reply, "id")
    }

    pub(crate) fn keep(&self, name: &str, bytes: &[u8]) -> Option<String> {
        self.out(
            Capability::Upload,
            &self.upload(name, "text/plain", bytes),
            "id",
        )
    }

    pub(crate) fn titles(&self, inputs: &[(&str, &str)]) -> Vec<String> {
        let reply = self.call(Capability::Search, "", inputs);
        self.list(Capability::Search, &reply, &["title"]).concat()
    }

    pub(crate) fn event(&self, id: &str, space: &str) -> Vec<u8> {
        let route = self.route(Capability::Webhook);
        let mut whole = Value::Object(Map::new());
        for (name, value) in [
            ("id", Value::from(id)),
            ("type", "paid".into()),
            ("data", serde_json::json!({"n": 1})),
        ] {
            let field = route.field(name);
            put(
                &mut whole,
                &if field.starts_with('/') {
                    field.to_owned()
                } else {
                    format!("/{field}")
                },
                value,
            );
        }
        format!("{space}{whole}").into_bytes()
    }

    pub(crate) fn deliver(&self, body: &[u8], signature: Option<&str>) -> Reply {
        let route = self.route(Capability::Webhook);
        let mut headers = vec![("Content-Type", "application/json")];
        headers.extend(signature.map(|value| (self.binding.signature.header.as_str(), value)));
        self.send(&route.method, &route.path, &headers, body)
    }

    pub(crate) fn signature(&self, secret: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body);
        let hex: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{}{hex}", self.binding.signature.prefix)
    }

    /// How often an admin sees an event.
    pub(crate) fn events(&self, id: &str) -> usize {
        let reply = self.call(Capability::Events, "", &[]);
        self.list(Capability::Events, &reply, &["id"])
            .iter()
            .filter(|event| event[0] == id)
            .count()
    }
}

fn pointer(route: &Route, name: &str) -> String {
    let field = route.field(name);
    if field.starts_with('/') {
        field.to_owned()
    } else {
        format!("/{field}")
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn put(whole: &mut Value, pointer: &str, value: Value) {
    let mut at = whole;
    for step in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = at
            .as_object_mut()
            .unwrap()
            .entry(step)
            .or_insert(Value::Null);
    }
    *at = value;
}

pub(crate) fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

fn parse(got: &[u8]) -> Reply {
    let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Reply {
            status: 0,
            head: String::from_utf8_lossy(got).into_owned(),
            body: vec![],
        };
    };
    let head = String::from_utf8_lossy(&got[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    let mut reply = Reply {
        status,
        head,
        body: got[end + 4..].to_vec(),
    };
    if reply.header("transfer-encoding").is_some() {
        reply.body = unchunked(&reply.body);
    }
    reply
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size =
            usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap().trim(), 16).unwrap();
        if size == 0 {
            break;
        }
        whole.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    whole
}

/// A served app in a folder of its own.
pub(crate) struct Site {
    pub(crate) running: Running,
    pub(crate) settings: Settings,
    pub(crate) client: Client,
    pub(crate) _folder: TempDir,
}

pub(crate) fn settings() -> (Settings, TempDir) {
    let folder = TempDir::new().unwrap();
    let settings = Settings {
        bcrypt_cost: 4,
        ..Settings::in_folder(&folder.path().join("state"))
    };
    (settings, folder)
}

pub(crate) fn serve(binding: &Binding, change: impl FnOnce(App) -> App) -> Site {
    let (settings, folder) = settings();
    let app = change(App::secure(settings.clone(), binding.clone()));
    let running = app.serve("127.0.0.1:0".parse().unwrap()).unwrap();
    let client = Client::new(running.addr(), binding);
    Site {
        running,
        settings,
        client,
        _folder: folder,
    }
}

/// Two signed-in users and the admin.
pub(crate) struct People {
    pub(crate) a: Client,
    pub(crate) a_email: String,
    pub(crate) a_password: String,
    pub(crate) b: Client,
    pub(crate) s: Client,
}

impl Site {
    pub(crate) fn people(&self) -> People {
        let (a_email, b_email) = (
            unique("alice") + "@example.com",
            unique("bob") + "@example.com",
        );
        let (a_password, b_password) = (unique("kD83!fmeW0zz-"), unique("pL41?qqzR8yy-"));
        let a = self
            .client
            .elsewhere()
            .register(&a_email, &a_password)
            .expect("A registers");
        let b = self
            .client
            .elsewhere()
            .register(&b_email, &b_password)
            .expect("B registers");
        let admin = &self.settings;
        let s = self
            .client
            .elsewhere()
            .login(&admin.admin_email, &admin.admin_password)
            .expect("S logs in");
        People {
            a,
            a_email,
            a_password,
            b,
            s,
        }
    }

    pub(crate) fn secret(&self) -> &str {
        self.settings.webhook_secret.as_deref().unwrap()
    }
}
