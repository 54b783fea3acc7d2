//! A model that follows a script, for tests: it speaks Anthropic's Messages, OpenAI's Responses and Chat Completions to the real
//! command-line agents, and has them write a shipped recording with their own tools. It can fail in the ways that models' servers do.
//!
//! What it says depends on the conversation that it is sent, never on a count of requests: the agents send again what they
//! think was lost.

mod chat;
mod conversation;
mod http;
mod messages;
mod play;
mod responses;

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, spawn};

pub use conversation::{Conversation, Item};
pub use play::{Call, Reply, Stop, tokens};

/// What the model does.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// The sample session that it plays to whoever speaks Messages: `imports-first`.
    pub messages: String,
    /// The same for Responses.
    pub responses: String,
    /// The same for Chat Completions.
    pub chat: String,
    /// Commands that it runs before all else at a step (1 to 6).
    pub commands: Vec<(usize, String)>,
    pub troubles: Vec<Trouble>,
    /// Where there are any, these are played and no recording.
    pub scenes: Vec<Scene>,
}

/// What the model does after a user's message.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// Words of that message; the last message that begins a scene counts.
    pub when: String,
    /// Message by message; after the last it says that it is done.
    pub calls: Vec<Vec<Call>>,
}

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// At which prompt, from 1, and at which of the model's messages after it, from 0.
    pub step: usize,
    pub message: usize,
    /// How many requests meet it there; then all goes well.
    pub times: u32,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The server answers with this status.
    Status(u16),
    /// The stream ends in the middle of a message.
    Cut,
    /// The request is read and never answered.
    Silence,
    /// The stream begins and never goes on.
    Stall,
    /// The model says that it will not, and does nothing.
    Refusal,
    /// The vendor's safeguards end the message.
    Safeguards,
    /// The model says that it is done, and has done nothing.
    Idle,
    /// The conversation is longer than what the model can read.
    TooLong,
    /// An answer that is no JSON.
    Garbage,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Which prompt and which message it was for; `None` for a request on the side.
    pub at: Option<(usize, usize)>,
}

struct State {
    script: Script,
    met: Mutex<Vec<u32>>,
    seen: Mutex<Vec<Seen>>,
    open: Mutex<Vec<TcpStream>>,
    ended: AtomicBool,
}

/// Serves on a port of its own until it is dropped.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(script: Script) -> io::Result<Self> {
        Self::start_at(script, "127.0.0.1:0")
    }

    pub fn start_at(script: Script, address: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            met: Mutex::new(vec![0; script.troubles.len()]),
            script,
            seen: Mutex::default(),
            open: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        let thread = spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.ended.load(Ordering::Acquire) {
                    return;
                }
                let shared = Arc::clone(&shared);
                spawn(move || {
                    // Whoever went away misses nothing.
                    let _ = shared.answer(&stream);
                    // Its copy, kept for the server's end, would hold it open.
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        Ok(Self {
            address,
            state,
            thread: Some(thread),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.state.seen).clone()
    }

    /// Waits for ever: for a server that is a program.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Release);
        let _ = TcpStream::connect(self.address);
        for stream in lock(&self.state.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl State {
    fn answer(&self, stream: &TcpStream) -> io::Result<()> {
        let request = http::read(stream)?;
        lock(&self.open).push(stream.try_clone()?);
        let path = request.path.split('?').next().unwrap_or_default();
        let wire = match (request.method.as_str(), path) {
            ("POST", "/v1/messages") => Wire::Messages,
            // The second is where a ChatGPT account asks.
            ("POST", "/v1/responses" | "/backend-api/codex/responses") => Wire::Responses,
            ("POST", "/v1/chat/completions") => Wire::Chat,
            _ => {
                self.note(&request, None);
                return http::plain(stream, 404, "{}");
            }
        };
        let Ok(body) = serde_json::from_slice(&request.body) else {
            self.note(&request, None);
            return http::plain(stream, 400, "{}");
        };
        let conversation = wire.conversation(&body);
        let at = conversation.at();
        self.note(&request, at);
        let reply = play::reply(&self.script, wire.recording(&self.script), &conversation);
        let trouble = at.and_then(|at| self.trouble(at));
        let stream_of = |reply: &Reply| wire.stream(reply, &conversation, &body);
        match trouble {
            None => http::events(stream, &stream_of(&reply)),
            Some(Kind::Status(status)) => http::plain(stream, status, &wire.error(status)),
            Some(Kind::Cut) => {
                let events = stream_of(&reply);
                http::events(stream, &events[..events.len() / 2])
            }
            Some(Kind::Stall) => {
                http::events(stream, &stream_of(&reply)[..1])?;
                http::until_closed(stream)
            }
            Some(Kind::Silence) => http::until_closed(stream),
            Some(Kind::Refusal) => http::events(stream, &stream_of(&play::refusal(&reply))),
            Some(Kind::Idle) => http::events(stream, &stream_of(&play::idle(&reply))),
            Some(Kind::Safeguards) => http::events(stream, &stream_of(&play::safeguards(&reply))),
            Some(Kind::TooLong) => match wire {
                Wire::Messages => http::plain(stream, 400, &messages::too_long()),
                Wire::Responses => http::events(stream, &[responses::too_long()]),
                Wire::Chat => http::plain(stream, 400, &wire.error(400)),
            },
            Some(Kind::Garbage) => http::events(stream, &["data: this is no JSON\n\n".to_owned()]),
        }
    }

    fn trouble(&self, at: (usize, usize)) -> Option<Kind> {
        let mut met = lock(&self.met);
        let mut all = self.script.troubles.iter().zip(met.iter_mut());
        let (trouble, times) =
            all.find(|(one, times)| (one.step, one.message) == at && **times < one.times)?;
        *times += 1;
        Some(trouble.kind)
    }

    fn note(&self, request: &http::Request, at: Option<(usize, usize)>) {
        lock(&self.seen).push(Seen {
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            at,
        });
    }
}

/// The ways in which the agents speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Messages,
    Responses,
    Chat,
}

impl Wire {
    fn recording(self, script: &Script) -> &str {
        match self {
            Self::Messages => &script.messages,
            Self::Responses => &script.responses,
            Self::Chat => &script.chat,
        }
    }

    fn conversation(self, body: &serde_json::Value) -> Conversation {
        match self {
            Self::Messages => messages::conversation(body),
            Self::Responses => responses::conversation(body),
            Self::Chat => chat::conversation(body),
        }
    }

    fn stream(
        self,
        reply: &Reply,
        conversation: &Conversation,
        body: &serde_json::Value,
    ) -> Vec<String> {
        match self {
            Self::Messages => messages::stream(reply, conversation),
            Self::Responses => responses::stream(reply, conversation),
            Self::Chat => chat::stream(reply, conversation, body),
        }
    }

    fn error(self, status: u16) -> String {
        match self {
            Self::Messages => messages::error(status),
            Self::Responses | Self::Chat => responses::error(status),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
