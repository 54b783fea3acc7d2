//! The reference app behind a conversation that is listened to, and hints made of a binding.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use exploit::{Stage as _, Target};
use infer::{Given, Hint, Hints, Inferred, Talk};
use model::{Binding, Body, Capability, Carrier, Route};
use reference::Twin;
use serde_json::{Map, Value, json};

/// The start lines of what was asked.
pub(crate) type Asked = Arc<Mutex<Vec<String>>>;

/// Serves the app behind a listener that writes down what is asked.
pub(crate) fn served(twin: &Twin) -> (Target, Asked) {
    let target = twin
        .boot(&[])
        .unwrap_or_else(|refused| panic!("the reference app did not start: {refused:?}"));
    let asked = Asked::default();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (app, lines) = (target.at.address, asked.clone());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let lines = lines.clone();
            std::thread::spawn(move || relay(client, app, &lines));
        }
    });
    let mut target = target;
    target.at.address = address;
    target.at.host = address.to_string();
    (target, asked)
}

/// One connection, with the client's own address kept, since the app limits by it.
fn relay(mut client: std::net::TcpStream, app: std::net::SocketAddr, lines: &Mutex<Vec<String>>) {
    use std::io::{Read as _, Write as _};
    let from = client.peer_addr().unwrap().ip();
    let socket = wire::socket(from).unwrap();
    rustix::net::connect(&socket, &app).unwrap();
    let mut server = std::net::TcpStream::from(socket);
    let mut first = [0; 16 * 1024];
    let got = client.read(&mut first).unwrap_or(0);
    if got == 0 {
        return;
    }
    let line = String::from_utf8_lossy(&first[..got])
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    lines.lock().unwrap().push(line);
    if server.write_all(&first[..got]).is_err() {
        return;
    }
    let (mut up_from, mut up_to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut up_from, &mut up_to);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(std::net::Shutdown::Both);
}

/// Infers with the binding withheld.
pub(crate) fn infer_of(target: &Target, hints: &Hints, seed: &str) -> Inferred {
    infer_with(target, hints, seed, true)
}

pub(crate) fn infer_with(target: &Target, hints: &Hints, seed: &str, may_delete: bool) -> Inferred {
    let dial = |from| target.dial.socket(from);
    let mut talk = Talk::new(&dial, target.at.address, &target.at.host, seed);
    let given = Given {
        users: Vec::new(),
        admin: target.given.admin.clone(),
        webhook_secret: target.given.webhook_secret.clone(),
        may_delete,
    };
    infer::infer(&mut talk, hints, &given)
}

/// Words that lie around in any handler.
const NOISE: [&str; 16] = [
    "request", "response", "status", "json", "error", "db", "id", "user", "where", "select",
    "result", "row", "length", "detail", "message", "headers",
];

/// Routes with bags of words: what is read from a source, order and nesting lost.
pub(crate) fn bag(binding: &Binding) -> Hints {
    let mut hints = Hints::default();
    for (capability, route) in &binding.routes {
        let mut hint = Hint::new(&route.method, &route.path);
        let mut words: BTreeSet<String> = NOISE.iter().map(|word| (*word).to_owned()).collect();
        for input in capability.inputs() {
            words.extend(
                route
                    .field(input)
                    .split('/')
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned),
            );
        }
        hint.words = words;
        hints.routes.push(hint);
    }
    for path in [
        "/api/version",
        "/metrics",
        "/api/notes/{a}/comments/{b}",
        "/",
    ] {
        hints.routes.push(Hint::new("GET", path));
    }
    hints.words.insert(binding.signature.header.clone());
    hints.words.insert(binding.signature.prefix.clone());
    hints
        .words
        .extend(["X-Request-Id", "text/html", "a=b", "Content-Type"].map(str::to_owned));
    if let Carrier::Header { name, .. } = &binding.token {
        hints.words.insert(name.clone());
    }
    hints
}

/// An OpenAPI document as a framework would write it.
pub(crate) fn document(binding: &Binding) -> Value {
    let mut paths = Map::new();
    for (capability, route) in &binding.routes {
        let at = paths.entry(route.path.clone()).or_insert_with(|| json!({}));
        at[route.method.to_lowercase()] = operation(binding, *capability, route);
    }
    json!({"openapi": "3.1.0", "paths": paths})
}

fn operation(binding: &Binding, capability: Capability, route: &Route) -> Value {
    let mut parameters = Vec::new();
    if capability == Capability::Webhook {
        parameters.push(json!({"name": binding.signature.header, "in": "header"}));
    }
    if let Carrier::Header { name, .. } = &binding.token {
        parameters.push(json!({"name": name, "in": "header"}));
    }
    let kind = match route.body {
        Body::None => {
            for input in capability.inputs() {
                parameters.push(json!({"name": route.field(input), "in": "query"}));
            }
            return json!({"parameters": parameters});
        }
        Body::Json => "application/json",
        Body::Form => "application/x-www-form-urlencoded",
        Body::Multipart => "multipart/form-data",
    };
    let mut schema = json!({"type": "object", "properties": {}});
    for input in capability.inputs() {
        let mut at = &mut schema;
        for part in route
            .field(input)
            .split('/')
            .filter(|part| !part.is_empty())
        {
            at["required"] = json!([part]);
            at = &mut at["properties"][part];
        }
        *at = if *input == "file" {
            json!({"type": "string", "format": "binary"})
        } else {
            json!({"type": "string"})
        };
    }
    json!({"parameters": parameters, "requestBody": {"content": {kind: {"schema": schema}}}})
}

/// How what was found differs from what was served.
pub(crate) fn differences(given: &Binding, found: &Inferred) -> Vec<String> {
    let mut all = Vec::new();
    let other = &found.binding;
    if given.token != other.token {
        all.push(format!("token {:?}, not {:?}", other.token, given.token));
    }
    if given.signature != other.signature {
        all.push(format!(
            "signature {:?}, not {:?}",
            other.signature, given.signature
        ));
    }
    let plain = |field: &str| field.trim_start_matches('/').to_owned();
    for (capability, route) in &given.routes {
        let name = capability.name();
        let Some(known) = other.route(*capability) else {
            let why = found
                .why_not(*capability)
                .map_or("no reason", |one| &one.why);
            all.push(format!("{name} is not bound: {why}"));
            continue;
        };
        if (&route.method, &route.path, route.body) != (&known.method, &known.path, known.body) {
            all.push(format!(
                "{name}: {} {} {:?}",
                known.method, known.path, known.body
            ));
        }
        for input in capability.inputs() {
            if plain(route.field(input)) != plain(known.field(input)) {
                all.push(format!("{name}: {input} is sent as {}", known.field(input)));
            }
        }
        for output in capability.outputs() {
            let cookie = matches!(given.token, Carrier::Cookie { .. }) && *output == "token";
            if !cookie && route.pointer(output) != known.pointer(output) {
                all.push(format!(
                    "{name}: {output} is read at {:?}",
                    known.pointer(output)
                ));
            }
        }
    }
    all
}
