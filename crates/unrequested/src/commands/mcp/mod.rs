//! `mcp`: this tool for coding agents, as a Model Context Protocol server over stdin and stdout.
//!
//! A call runs the command of the same name as a child of this process, so that it can be ended at any time with all that it
//! started (docs/decisions/016-mcp-by-hand.md). Nothing but the protocol goes to stdout.

mod child;
mod told;
mod tools;
mod wire;

use std::collections::BTreeMap;
use std::io::{BufReader, Stdout, Write as _};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Map, Value, json};

use self::child::Event;
use self::told::Told;
use self::tools::{Job, Limits, Tool};
use self::wire::{BAD_PARAMS, Era, Line, Message, NO_METHOD, NO_REQUEST, NOT_JSON, Refusal};
use crate::cli::{Cli, Mcp};
use crate::exit::{Exit, Fatal};

/// An app under test keeps a core busy.
const MOST_CALLS: usize = 4;

const INSTRUCTIONS: &str = "Finds the protections of a web app that nobody asked for and nobody reviewed. After changing an app's sign-in, uploads, search, \
     admin routes or webhooks: `decisions` for what the source decided (a second), `check` for what really holds (minutes), `fix` for how \
     to close a finding, then `check` with `only`. A finding that a person accepted stays as it is.";

struct Server {
    limits: Limits,
    out: Mutex<Stdout>,
    /// Calls that run, by the request's id.
    calls: Mutex<BTreeMap<String, Sender<Event>>>,
}

pub(super) fn run(cli: &Cli, mcp: &Mcp) -> Result<Exit, Fatal> {
    let server = Arc::new(Server {
        limits: Limits {
            folder: std::env::current_dir()?.canonicalize()?,
            anywhere: mcp.anywhere,
            deadline: Duration::from_secs(mcp.deadline),
            ledger: std::path::absolute(&cli.dir)?,
            require_box: cli.require_box,
        },
        out: Mutex::new(std::io::stdout()),
        calls: Mutex::new(BTreeMap::new()),
    });
    let mut input = BufReader::new(std::io::stdin());
    let mut running: Vec<JoinHandle<()>> = Vec::new();
    while let Ok(Some(line)) = wire::next_line(&mut input, wire::LONGEST_LINE) {
        running.retain(|thread| !thread.is_finished());
        let messages = match line {
            Line::Text(line) if line.trim_ascii().is_empty() => continue,
            Line::Text(line) => wire::messages(&line),
            Line::TooLong => {
                let why = format!("a line is longer than {} bytes", wire::LONGEST_LINE);
                vec![Err(Refusal::new(&Value::Null, NOT_JSON, why))]
            }
        };
        for message in messages {
            let answer = match message {
                Ok(Message::Request { id, method, params }) => {
                    match server.request(&id, &method, &params) {
                        Ok(Answer::Now(answer)) => answer,
                        Ok(Answer::Later(thread)) => {
                            running.push(thread);
                            continue;
                        }
                        Err(refusal) => refusal.to_json(),
                    }
                }
                Ok(Message::Notification { method, params }) => {
                    if method == "notifications/cancelled" {
                        server.cancel(&params);
                    }
                    continue;
                }
                Ok(Message::Reply) => continue,
                Err(refusal) => refusal.to_json(),
            };
            server.say(&answer);
        }
    }
    // Nobody is there any more: what runs for them ends.
    server.cancel_all();
    for thread in running {
        let _ = thread.join();
    }
    Ok(Exit::Done)
}

enum Answer {
    Now(Value),
    Later(JoinHandle<()>),
}

impl Server {
    fn request(
        self: &Arc<Self>,
        id: &Value,
        method: &str,
        params: &Map<String, Value>,
    ) -> Result<Answer, Refusal> {
        let era = match method {
            "initialize" => Era::Handshake,
            _ => Era::of(id, params)?,
        };
        let result = match (method, era) {
            ("initialize", _) => {
                let asked = params.get("protocolVersion").and_then(Value::as_str);
                let asked = asked.ok_or_else(|| {
                    Refusal::new(id, BAD_PARAMS, "`initialize` names a `protocolVersion`")
                })?;
                json!({
                    "protocolVersion": wire::negotiated(asked),
                    "capabilities": {"tools": {}},
                    "serverInfo": wire::server(),
                    "instructions": INSTRUCTIONS,
                })
            }
            ("server/discover", Era::Stateless) => json!({
                "supportedVersions": wire::versions(),
                "capabilities": {"tools": {}},
                "instructions": INSTRUCTIONS,
                "ttlMs": 0,
                "cacheScope": "private",
            }),
            ("server/discover", Era::Handshake) => {
                let why = format!(
                    "`server/discover` says its version in `_meta`, as {}",
                    wire::STATELESS
                );
                return Err(Refusal::new(id, BAD_PARAMS, why));
            }
            ("ping", Era::Handshake) => json!({}),
            ("tools/list", _) => {
                let mut list = json!({"tools": tools::listed()});
                if era == Era::Stateless {
                    list["ttlMs"] = json!(0);
                    list["cacheScope"] = json!("private");
                }
                list
            }
            ("tools/call", _) => return self.call(id, era, params),
            _ => {
                let known = "initialize, ping, tools/list, tools/call, server/discover";
                let method: String = method.chars().take(80).collect();
                let why = format!("there is no method {method:?} here; there are {known}");
                return Err(Refusal::new(id, NO_METHOD, why));
            }
        };
        Ok(Answer::Now(era.result(id, result)))
    }

    fn call(
        self: &Arc<Self>,
        id: &Value,
        era: Era,
        params: &Map<String, Value>,
    ) -> Result<Answer, Refusal> {
        let name = params.get("name").and_then(Value::as_str);
        let tool = name.and_then(Tool::find).ok_or_else(|| {
            let why = "there is no such tool; there are check, decisions, explain, fix";
            Refusal::new(id, BAD_PARAMS, why)
        })?;
        let told = |told: &Told| Ok(Answer::Now(era.result(id, told.to_json())));
        let none = Map::new();
        let arguments = match params.get("arguments") {
            None | Some(Value::Null) => &none,
            Some(Value::Object(arguments)) => arguments,
            Some(_) => return Err(Refusal::new(id, BAD_PARAMS, "`arguments` is an object")),
        };
        let job = match tools::job(tool, arguments, &self.limits) {
            Ok(job) => job,
            Err(why) => return told(&Told::error(why)),
        };
        let (sender, receiver) = channel();
        let key = id.to_string();
        {
            let mut calls = self.calls();
            if calls.contains_key(&key) {
                return Err(Refusal::new(
                    id,
                    NO_REQUEST,
                    "this `id` is still being worked on",
                ));
            }
            if calls.len() >= MOST_CALLS {
                let why = format!("{MOST_CALLS} calls are running; wait for one, or cancel it");
                return told(&Told::error(why));
            }
            calls.insert(key.clone(), sender.clone());
        }
        let token = params
            .get("_meta")
            .and_then(|meta| meta.get("progressToken"));
        let token = token
            .filter(|token| token.is_string() || token.is_i64() || token.is_u64())
            .cloned();
        let (server, request) = (Arc::clone(self), id.clone());
        let thread = std::thread::spawn(move || {
            let ended = child::run(
                &job.arguments,
                &server.limits.folder,
                job.deadline,
                (&sender, &receiver),
                &mut |elapsed, said| server.progress(token.as_ref(), &job, elapsed, said),
            );
            let told = told::told(&job, ended);
            // A cancellation that came in time is kept, and nobody is answered.
            server.calls().remove(&key);
            let cancelled = receiver
                .try_iter()
                .any(|event| matches!(event, Event::Cancel));
            if let Some(told) = told.filter(|_| !cancelled) {
                server.say(&era.result(&request, told.to_json()));
            }
        });
        Ok(Answer::Later(thread))
    }

    fn progress(&self, token: Option<&Value>, job: &Job, elapsed: Duration, said: Option<&str>) {
        let Some(token) = token else { return };
        self.say(&json!({
            "jsonrpc": "2.0",
            "method": "notifications/progress",
            "params": {
                "progressToken": token,
                "progress": elapsed.as_secs_f64(),
                "message": told::progress(job.tool, elapsed, said),
            },
        }));
    }

    fn cancel(&self, params: &Map<String, Value>) {
        if let Some(id) = params.get("requestId")
            && let Some(call) = self.calls().get(&id.to_string())
        {
            let _ = call.send(Event::Cancel);
        }
    }

    fn cancel_all(&self) {
        for call in self.calls().values() {
            let _ = call.send(Event::Cancel);
        }
    }

    /// A message is one line. Who does not read it any more gets no further ones, and nothing runs for them.
    fn say(&self, message: &Value) {
        let line = format!("{message}\n");
        let written = {
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            out.write_all(line.as_bytes()).and_then(|()| out.flush())
        };
        if written.is_err() {
            self.cancel_all();
        }
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<String, Sender<Event>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
