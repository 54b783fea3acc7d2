//! The proxy over real sockets: an agent on one side, a model's server of ours on the other.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod tls;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use agent::Usage;
use agent::proxy::{
    Api, Counted, Key, Outcome, Proxy, Record, Refusal, Settings, Tally, Vendor, serve,
};

const CANARY: &str = "sk-canary-5f1e9c0a7b3d4826-never-seen";
const DUMMY: &str = "sk-dummy";
const START: &str = "data: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-x\",\"usage\":{\"input_tokens\":100,\"cache_read_input_tokens\":9,\"output_tokens\":1}}}\n\n";
const DELTA: &str = "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":20}}\n\ndata: {\"type\":\"message_stop\"}\n\n";
const JSON: &str = "{\"model\":\"claude-x\",\"usage\":{\"input_tokens\":5,\"output_tokens\":6}}";
const MESSAGES: &str = "/v1/messages?beta=true";
const CODEX: &str = "/backend-api/codex/responses";

/// What the model's server got: head and body.
type Got = (String, Vec<u8>);

/// A model's server: each connection's request is noted and answered by the script.
struct Model {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
}

fn model(script: impl Fn(&Got, &mut TcpStream) + Send + Sync + 'static) -> Model {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let got = Arc::new(Mutex::new(Vec::new()));
    let (notes, script) = (Arc::clone(&got), Arc::new(script));
    spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let (notes, script) = (Arc::clone(&notes), Arc::clone(&script));
            spawn(move || {
                let request = request(&mut socket);
                notes.lock().unwrap().push(request.clone());
                script(&request, &mut socket);
            });
        }
    });
    Model { address, got }
}

fn request(socket: &mut impl Read) -> Got {
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = header(&head, "content-length").map_or(0, |text| text.parse().unwrap());
            let mut body = bytes[end + 4..].to_vec();
            while body.len() < length {
                let read = socket.read(&mut chunk).unwrap();
                assert!(read > 0, "half a request");
                body.extend_from_slice(&chunk[..read]);
            }
            return (head, body);
        }
        let read = socket.read(&mut chunk).unwrap_or_default();
        if read == 0 {
            return (String::new(), Vec::new());
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    })
}

fn whole(kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";

fn chunk(socket: &mut TcpStream, text: &str) {
    write!(socket, "{:x}\r\n{text}\r\n", text.len()).unwrap();
    socket.flush().unwrap();
}

fn proxy(vendor: Vendor, model: SocketAddr, key: Option<&str>) -> Proxy {
    with_key(vendor, model, key.map(|text| Key::new(text).unwrap()))
}

fn with_key(vendor: Vendor, model: SocketAddr, key: Option<Key>) -> Proxy {
    let api = Api::at(vendor, &format!("http://{model}")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    serve(listener, Settings::new(api, key)).unwrap()
}

fn ask(proxy: &Proxy, start: &str, more: &str, body: &[u8]) -> String {
    let mut agent = TcpStream::connect(proxy.address()).unwrap();
    agent
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let length = body.len();
    let head = format!(
        "{start} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: {length}\r\n{more}\r\n"
    );
    agent.write_all(head.as_bytes()).unwrap();
    agent.write_all(body).unwrap();
    let mut reply = Vec::new();
    let _ = agent.read_to_end(&mut reply);
    String::from_utf8_lossy(&reply).into_owned()
}

fn post(proxy: &Proxy, path: &str, body: &str) -> String {
    let more = format!("x-api-key: {DUMMY}\r\nauthorization: Bearer {DUMMY}\r\n");
    ask(proxy, &format!("POST {path}"), &more, body.as_bytes())
}

fn only(proxy: Proxy) -> Record {
    let records = proxy.end();
    assert_eq!(records.len(), 1, "{records:?}");
    records.into_iter().next().unwrap()
}

#[test]
fn the_dummy_is_replaced_by_the_key_and_tokens_are_counted() {
    let server = model(|_, socket| {
        socket.write_all(STREAM.as_bytes()).unwrap();
        chunk(socket, START);
        chunk(socket, DELTA);
        socket.write_all(b"0\r\n\r\n").unwrap();
    });
    let between = proxy(Vendor::Anthropic, server.address, Some(CANARY));
    let more = format!(
        "x-api-key: {DUMMY}\r\nauthorization: Bearer {DUMMY}\r\ncookie: a={DUMMY}\r\nanthropic-version: 2023-06-01\r\n\
         accept-encoding: gzip\r\nx-mine: {DUMMY}\r\nconnection: x-mine\r\n"
    );
    let reply = ask(
        &between,
        &format!("POST {MESSAGES}"),
        &more,
        b"{\"model\":\"asked\"}",
    );
    assert!(
        reply.starts_with("HTTP/1.1 200") && reply.contains("message_stop"),
        "{reply}"
    );
    let (head, body) = server.got.lock().unwrap()[0].clone();
    assert!(
        head.starts_with("POST /v1/messages?beta=true HTTP/1.1"),
        "{head}"
    );
    assert_eq!(header(&head, "x-api-key").as_deref(), Some(CANARY));
    assert_eq!(header(&head, "host"), Some(server.address.to_string()));
    assert_eq!(
        header(&head, "accept-encoding").as_deref(),
        Some("identity")
    );
    assert_eq!(
        header(&head, "anthropic-version").as_deref(),
        Some("2023-06-01")
    );
    assert!(!head.contains(DUMMY), "{head}");
    assert_eq!(body, b"{\"model\":\"asked\"}");
    assert_eq!(
        between.passed() as usize,
        body.len() + START.len() + DELTA.len()
    );
    let record = only(between);
    let usage = Usage {
        input: 100,
        cache_read: 9,
        output: 20,
        ..Usage::default()
    };
    let wanted = Outcome::Replied {
        status: 200,
        counted: Counted::Whole(usage),
        stop: Some("end_turn".into()),
        ended: true,
    };
    assert_eq!(record.outcome, wanted);
    assert_eq!(
        (record.model.as_str(), record.served_by.as_deref()),
        ("asked", Some("claude-x"))
    );
    assert_eq!(Tally::of(&[record]).models["claude-x"], usage);
}

#[test]
fn the_other_vendor_and_whole_replies() {
    let reply = r#"{"model":"gpt-x","status":"completed","usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":3}}"#;
    let server = model(move |_, socket| {
        socket
            .write_all(whole("application/json", reply).as_bytes())
            .unwrap();
    });
    let between = proxy(Vendor::OpenAi, server.address, Some(CANARY));
    let got = post(&between, "/v1/responses", "{\"model\":\"gpt-x\"}");
    assert!(got.ends_with(reply), "{got}");
    let head = server.got.lock().unwrap()[0].0.clone();
    assert_eq!(
        header(&head, "authorization"),
        Some(format!("Bearer {CANARY}"))
    );
    assert!(!head.contains(DUMMY));
    let usage = Usage {
        input: 6,
        cache_read: 4,
        output: 3,
        ..Usage::default()
    };
    let outcome = only(between).outcome;
    assert!(
        matches!(outcome, Outcome::Replied { counted: Counted::Whole(found), ended: true, .. } if found == usage),
        "{outcome:?}"
    );
}

#[test]
fn a_subscriptions_token_goes_where_its_vendor_wants_it_and_never_comes_back() {
    let (key, account) = ("x-api-key", "chatgpt-account-id");
    for (vendor, path, beyond, id) in [
        (Vendor::Anthropic, "/v1/messages", "/v1/messages", None),
        (Vendor::OpenAi, "/v1/responses", CODEX, Some("an-account")),
    ] {
        let server = model(|got, socket| {
            let body = format!("{{\"said\":\"{CANARY}\"}}");
            let mut reply = whole("application/json", &body);
            reply.insert_str(17, &format!("set-cookie: a=b\r\nx-echo: {CANARY}\r\n"));
            let is_second = String::from_utf8_lossy(&got.1).contains("second");
            let status = if is_second { "401 No" } else { "200 OK" };
            let reply = reply.replacen("200 OK", status, 1);
            socket.write_all(reply.as_bytes()).unwrap();
        });
        let token = Key::of_subscription(CANARY, id.map(str::to_owned)).unwrap();
        let between = with_key(vendor, server.address, Some(token));
        let more = format!(
            "authorization: Bearer {DUMMY}\r\nanthropic-beta: oauth-x\r\n{account}: {DUMMY}\r\n"
        );
        let start = format!("POST {path}?a=b");
        let first = ask(&between, &start, &more, b"{}");
        let x = "x".repeat(CANARY.len());
        assert!(first.ends_with(&format!("{{\"said\":\"{x}\"}}")), "{first}");
        let second = ask(&between, &start, &more, b"{\"model\":\"second\"}");
        let said = second.contains("the subscription's sign-in");
        assert!(said && second.starts_with("HTTP/1.1 401"), "{second}");
        for reply in [first, second, format!("{:?}", between.end())] {
            let tells = reply.contains(CANARY) || reply.contains("set-cookie");
            assert!(!tells, "{reply}");
        }
        for (head, _) in server.got.lock().unwrap().iter() {
            let wanted = format!("POST {beyond}?a=b HTTP/1.1");
            assert!(head.starts_with(&wanted), "{head}");
            let bearer = header(head, "authorization").unwrap();
            assert_eq!(bearer, format!("Bearer {CANARY}"));
            assert_eq!(header(head, key), None);
            assert_eq!(header(head, account).as_deref(), id);
            assert_eq!(header(head, "anthropic-beta").as_deref(), Some("oauth-x"));
            assert!(!head.contains(DUMMY), "{head}");
        }
    }
}

#[test]
fn without_a_key_the_agents_own_credential_passes() {
    let server = model(|_, socket| {
        socket
            .write_all(whole("application/json", JSON).as_bytes())
            .unwrap();
    });
    let between = proxy(Vendor::Anthropic, server.address, None);
    post(&between, MESSAGES, "{}");
    let head = server.got.lock().unwrap()[0].0.clone();
    assert_eq!(
        header(&head, "authorization"),
        Some(format!("Bearer {DUMMY}"))
    );
}

#[test]
fn a_stream_passes_as_it_comes() {
    let (seen, wait): (_, Receiver<()>) = channel();
    let wait = Mutex::new(wait);
    let server = model(move |_, socket| {
        socket.write_all(STREAM.as_bytes()).unwrap();
        chunk(socket, START);
        // Not before the agent has read the first event.
        wait.lock()
            .unwrap()
            .recv_timeout(Duration::from_secs(60))
            .unwrap();
        chunk(socket, DELTA);
        socket.write_all(b"0\r\n\r\n").unwrap();
    });
    let between = proxy(Vendor::Anthropic, server.address, Some(CANARY));
    let mut agent = TcpStream::connect(between.address()).unwrap();
    agent
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    write!(
        agent,
        "POST {MESSAGES} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}"
    )
    .unwrap();
    let mut got = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&got).contains("message_start") {
        let read = agent.read(&mut piece).unwrap();
        assert!(read > 0);
        got.extend_from_slice(&piece[..read]);
    }
    assert!(!String::from_utf8_lossy(&got).contains("message_delta"));
    seen.send(()).unwrap();
    agent.read_to_end(&mut got).unwrap();
    assert!(String::from_utf8_lossy(&got).contains("message_stop"));
}

#[test]
fn everything_else_is_refused_recorded_and_never_sent() {
    let server = model(|_, socket| {
        socket
            .write_all(whole("application/json", JSON).as_bytes())
            .unwrap();
    });
    let between = proxy(Vendor::Anthropic, server.address, Some(CANARY));
    for (start, more, body, status) in [
        ("GET /v1/messages", "", "{}", 404),
        ("POST /v1/files", "", "{}", 404),
        ("POST /v1/responses", "", "{}", 404),
        ("POST /v1/messages/batches", "", "{}", 404),
        ("POST http://evil.example/v1/messages", "", "{}", 404),
        ("CONNECT api.anthropic.com:443", "", "", 404),
        ("POST /v1/messages", "content-encoding: gzip\r\n", "{}", 400),
        ("POST /v1/messages", "", "not json", 400),
        (
            "POST /v1/messages",
            "",
            r#"{"tools":[{"type":"web_fetch_20250910"}]}"#,
            403,
        ),
    ] {
        let reply = ask(&between, start, more, body.as_bytes());
        assert!(
            reply.starts_with(&format!("HTTP/1.1 {status}")),
            "{start}: {reply}"
        );
    }
    let records = between.end();
    assert_eq!(records.len(), 9);
    for record in &records {
        assert!(matches!(record.outcome, Outcome::Refused(_)), "{record:?}");
    }
    assert_eq!(Tally::of(&records).refused, 9);
    assert_eq!(server.got.lock().unwrap().len(), 0);
}

#[test]
fn ten_megabytes_pass_whole_and_more_than_the_vendor_takes_does_not() {
    let server = model(|_, socket| {
        socket
            .write_all(whole("application/json", JSON).as_bytes())
            .unwrap();
    });
    let between = proxy(Vendor::Anthropic, server.address, Some(CANARY));
    let body = format!("{{\"model\":\"m\",\"x\":\"{}\"}}", "y".repeat(10 << 20));
    assert!(post(&between, MESSAGES, &body).starts_with("HTTP/1.1 200"));
    assert_eq!(server.got.lock().unwrap()[0].1, body.as_bytes());

    let mut agent = TcpStream::connect(between.address()).unwrap();
    let length = 33 << 20;
    write!(
        agent,
        "POST {MESSAGES} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"
    )
    .unwrap();
    // It hangs up when it has read enough.
    let _ = agent.write_all(&vec![b' '; length]);
    let _ = agent.read_to_end(&mut Vec::new());
    let records = between.end();
    assert_eq!(records[1].outcome, Outcome::Refused(Refusal::TooLarge));
    assert_eq!(server.got.lock().unwrap().len(), 1);
}

#[test]
fn a_cut_stream_reaches_the_agent_cut_and_counts_at_least_what_came() {
    let server = model(|_, socket| {
        socket.write_all(STREAM.as_bytes()).unwrap();
        chunk(socket, START);
    });
    let between = proxy(Vendor::Anthropic, server.address, Some(CANARY));
    let reply = post(&between, MESSAGES, "{}");
    assert!(
        reply.contains("message_start") && !reply.ends_with("0\r\n\r\n"),
        "{reply}"
    );
    let usage = Usage {
        input: 100,
        cache_read: 9,
        output: 1,
        ..Usage::default()
    };
    let record = only(between);
    assert_eq!(
        record.outcome,
        Outcome::Replied {
            status: 200,
            counted: Counted::AtLeast(usage),
            stop: None,
            ended: false
        }
    );
    assert_eq!(Tally::of(&[record]).short, 1);
}

/// Waits for a thread of the model's server that is to end.
fn joined<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap()
}

#[test]
fn an_agent_that_is_killed_ends_the_vendors_reply_and_is_counted() {
    let (closed, was_closed) = channel();
    let server = model(move |_, socket| {
        socket.write_all(STREAM.as_bytes()).unwrap();
        chunk(socket, START);
        let _ = closed.send(socket.read(&mut [0; 1]).unwrap_or_default());
    });
    let between = proxy(Vendor::Anthropic, server.address, Some(CANARY));
    let mut agent = TcpStream::connect(between.address()).unwrap();
    write!(
        agent,
        "POST {MESSAGES} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}"
    )
    .unwrap();
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).contains("message_start") {
        let mut piece = [0; 512];
        let read = agent.read(&mut piece).unwrap();
        got.extend_from_slice(&piece[..read]);
    }
    drop(agent);
    let read = was_closed.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(read, 0, "the vendor goes on talking to nobody");
    let record = only(between);
    assert!(
        matches!(
            record.outcome,
            Outcome::Replied {
                counted: Counted::AtLeast(_),
                ended: false,
                ..
            }
        ),
        "{record:?}"
    );
}

#[test]
fn its_end_ends_every_connection_and_records_what_was_under_way() {
    let server = model(|_, socket| {
        socket.write_all(STREAM.as_bytes()).unwrap();
        chunk(socket, START);
        let _ = socket.read(&mut [0; 1]);
    });
    let between = proxy(Vendor::Anthropic, server.address, Some(CANARY));
    let address = between.address();
    let (began, has_begun) = channel();
    let agent = spawn(move || {
        let mut agent = TcpStream::connect(address).unwrap();
        write!(
            agent,
            "POST {MESSAGES} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}"
        )
        .unwrap();
        let mut got = vec![0; 16];
        agent.read_exact(&mut got).unwrap();
        began.send(()).unwrap();
        let _ = agent.read_to_end(&mut got);
    });
    has_begun.recv_timeout(Duration::from_secs(60)).unwrap();
    let record = only(between);
    assert!(
        matches!(record.outcome, Outcome::Replied { ended: false, .. }),
        "{record:?}"
    );
    joined(agent);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn compressed_replies_pass_and_are_said_not_to_be_counted() {
    let server = model(|_, socket| {
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd")
            .unwrap();
    });
    let between = proxy(Vendor::Anthropic, server.address, Some(CANARY));
    let reply = post(&between, MESSAGES, "{}");
    assert!(
        reply.contains("content-encoding: gzip") && reply.ends_with("abcd"),
        "{reply}"
    );
    assert_eq!(Tally::of(&between.end()).short, 1);
}

#[test]
fn errors_and_their_headers_reach_the_agent_untouched_and_cost_nothing() {
    for status in [400, 429, 500, 529] {
        let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"},"usage":{"output_tokens":9}}"#;
        let server = model(move |_, socket| {
            write!(
                socket,
                "HTTP/1.1 {status} X\r\nretry-after: 17\r\nanthropic-ratelimit-tokens-remaining: 0\r\nx-should-retry: true\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        });
        let between = proxy(Vendor::Anthropic, server.address, Some(CANARY));
        let reply = post(&between, MESSAGES, "{}");
        for words in [
            &format!("HTTP/1.1 {status}") as &str,
            "retry-after: 17",
            "anthropic-ratelimit-tokens-remaining: 0",
            "x-should-retry: true",
            body,
        ] {
            assert!(reply.contains(words), "{words}: {reply}");
        }
        let outcome = only(between).outcome;
        assert!(
            matches!(outcome, Outcome::Replied { status: found, counted: Counted::Nothing, .. } if found == status),
            "{outcome:?}"
        );
    }
}

/// A server that says all it heard, in every place: headers, JSON, a stream byte by byte, an error.
#[test]
fn the_key_is_in_nothing_that_is_sent_back_or_printed() {
    for kind in ["application/json", "text/event-stream", "text/plain"] {
        for status in [200, 400, 401, 403, 500] {
            let server = model(move |(head, body), socket| {
                let key = header(head, "x-api-key").unwrap_or_default();
                assert_eq!(key, CANARY);
                write!(
                    socket,
                    "HTTP/1.1 {status} X\r\nx-echo: {key}\r\nset-cookie: k={key}\r\ncontent-type: {kind}\r\n\
                     transfer-encoding: chunked\r\n\r\n"
                )
                .unwrap();
                let all = format!("data: {key}{}{head}\n\n", String::from_utf8_lossy(body));
                for piece in all.as_bytes().chunks(3) {
                    write!(socket, "{:x}\r\n", piece.len()).unwrap();
                    socket.write_all(piece).unwrap();
                    socket.write_all(b"\r\n").unwrap();
                }
                socket.write_all(b"0\r\n\r\n").unwrap();
            });
            let between = proxy(Vendor::Anthropic, server.address, Some(CANARY));
            let reply = post(&between, MESSAGES, "{\"model\":\"m\"}");
            assert!(reply.starts_with(&format!("HTTP/1.1 {status}")), "{reply}");
            // Without the chunks' framing, which may lie in between.
            let text: String = reply.split("\r\n").filter(|line| line.len() > 4).collect();
            let joined: String = reply
                .split("\r\n")
                .filter(|line| line.is_empty() || u32::from_str_radix(line, 16).is_err())
                .collect();
            for seen in [&reply, &text, &joined] {
                assert!(!seen.contains("canary"), "{kind} {status}: {seen}");
            }
            // Some vendors repeat a part of the key there.
            assert_eq!(status == 401, reply.contains("refused the key"), "{reply}");
            let records = format!("{:?}", between.end());
            assert!(!records.contains("canary"), "{records}");
        }
    }
}

#[test]
fn a_server_that_is_not_there_is_a_connection_that_ends() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let between = proxy(Vendor::OpenAi, free, Some(CANARY));
    let reply = post(&between, "/v1/responses", "{\"model\":\"m\"}");
    assert!(reply.is_empty(), "{reply}");
    let record = only(between);
    assert!(matches!(record.outcome, Outcome::NoReply(_)), "{record:?}");
    assert_eq!(record.model, "m");
}

#[test]
fn what_was_sent_and_not_answered_may_have_cost() {
    let dropped = model(|_, _| ());
    let between = proxy(Vendor::Anthropic, dropped.address, Some(CANARY));
    assert!(post(&between, MESSAGES, "{\"model\":\"m\"}").is_empty());
    let record = only(between);
    assert!(
        matches!(record.outcome, Outcome::Unanswered(_)),
        "{record:?}"
    );
    assert_eq!(Tally::of(&[record]).short, 1);

    // The agent is ended while the model thinks, and so is the proxy after it.
    let thinks = model(|_, socket| drop(socket.read(&mut [0])));
    let between = proxy(Vendor::Anthropic, thinks.address, Some(CANARY));
    let mut agent = TcpStream::connect(between.address()).unwrap();
    let head = format!("POST {MESSAGES} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{{}}");
    agent.write_all(head.as_bytes()).unwrap();
    let begun = Instant::now();
    while thinks.got.lock().unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing came");
        std::thread::yield_now();
    }
    drop(agent);
    let record = only(between);
    assert_eq!(record.outcome, Outcome::HungUp);
    assert_eq!(Tally::of(&[record]).short, 1);
}

#[test]
fn a_spent_budget_stops_the_next_request() {
    let server = model(|_, socket| {
        socket
            .write_all(whole("application/json", JSON).as_bytes())
            .unwrap();
    });
    let api = Api::at(Vendor::Anthropic, &format!("http://{}", server.address)).unwrap();
    let mut settings = Settings::new(api, Key::new(CANARY));
    settings.budget = Some(Box::new(|records| {
        (Tally::of(records).usage().output >= 6).then_some(Refusal::Spent)
    }));
    let between = serve(TcpListener::bind("127.0.0.1:0").unwrap(), settings).unwrap();
    assert!(post(&between, MESSAGES, "{}").starts_with("HTTP/1.1 200"));
    assert!(post(&between, MESSAGES, "{}").starts_with("HTTP/1.1 403"));
    assert_eq!(between.end()[1].outcome, Outcome::Refused(Refusal::Spent));
    assert_eq!(server.got.lock().unwrap().len(), 1);
}
