//! `report --serve`: all runs of the ledger as pages, on this machine alone. Reads, and changes nothing.
//!
//! A page of another site can make a browser ask here by a name that it lets lead to 127.0.0.1: whatever is not asked for by
//! our own address is not answered.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{board, report};
use crate::exit::Fatal;
use crate::ledger::{self, Ledger, RunRow};
use crate::view;

/// How many are answered at a time; who comes then is told to come again.
const MOST: usize = 16;
/// Of the request's line and headers.
const LARGEST_HEAD: usize = 8 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the page of a running run is asked for again.
const SECONDS: u32 = 5;

/// Where it listens, before anybody is answered.
pub(super) fn listen(port: u16) -> Result<TcpListener, Fatal> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
        Fatal::usage(format!(
            "cannot listen on 127.0.0.1:{port}: {error}; another port: --port PORT, 0 for any"
        ))
    })
}

/// Answers until the process is ended.
pub(super) fn serve(ledger: Ledger, listener: &TcpListener) -> Result<(), Fatal> {
    let address = listener.local_addr()?;
    let (ledger, busy) = (Arc::new(ledger), Arc::new(AtomicUsize::new(0)));
    for stream in listener.incoming() {
        // Who went away before being answered is nobody's error.
        let Ok(mut stream) = stream else { continue };
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let _ = stream.set_write_timeout(Some(PATIENCE));
        if busy.load(Ordering::Relaxed) >= MOST {
            let _ = Answer::plain(503, "busy; ask again").send(&mut stream);
            continue;
        }
        busy.fetch_add(1, Ordering::Relaxed);
        let (ledger, busy) = (ledger.clone(), busy.clone());
        std::thread::spawn(move || {
            let _free = Free(&busy);
            let answer = match head(&mut stream) {
                Some(head) => answered(&ledger, address, &head),
                None => Answer::plain(400, "no request that can be read"),
            };
            let _ = answer.send(&mut stream);
        });
    }
    Ok(())
}

/// Gives the place back, whatever happens meanwhile.
struct Free<'a>(&'a AtomicUsize);

impl Drop for Free<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Answer {
    status: u16,
    html: bool,
    body: String,
}

impl Answer {
    fn plain(status: u16, why: &str) -> Self {
        Self {
            status,
            html: false,
            body: format!("{why}\n"),
        }
    }

    fn page(body: String) -> Self {
        Self {
            status: 200,
            html: true,
            body,
        }
    }

    fn send(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            421 => "Misdirected Request",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        };
        let kind = if self.html { "html" } else { "plain" };
        let allow = if self.status == 405 {
            "Allow: GET\r\n"
        } else {
            ""
        };
        let head = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Length: {}\r\n{allow}Cache-Control: \
             no-store\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\nConnection: close\r\n\r\n",
            self.status,
            self.body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(self.body.as_bytes())?;
        stream.flush()
    }
}

/// The request's line and headers, if they end.
fn head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 1024];
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        if bytes.len() > LARGEST_HEAD {
            return None;
        }
        match stream.read(&mut piece) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&piece[..read]),
            Ok(_) | Err(_) => return None,
        }
    }
    Some(bytes)
}

fn answered(ledger: &Ledger, address: SocketAddr, head: &[u8]) -> Answer {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    if !matches!(request.parse(head), Ok(httparse::Status::Complete(_))) {
        return Answer::plain(400, "no request that can be read");
    }
    let mut hosts = request
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("host"));
    let ours = [
        format!("127.0.0.1:{}", address.port()),
        format!("localhost:{}", address.port()),
    ];
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => ours.iter().any(|one| one.as_bytes() == host.value),
        _ => false,
    };
    if !named {
        return Answer::plain(421, "asked for by a name that is not this address");
    }
    if request.method != Some("GET") {
        return Answer::plain(405, "there is only GET");
    }
    let answer = match request.path.unwrap_or_default() {
        "/" => list(ledger).map(Answer::page),
        path => match path.strip_prefix("/run/") {
            Some(id) => page(ledger, id),
            None => Ok(Answer::plain(404, "there is no such page")),
        },
    };
    answer.unwrap_or_else(|error| Answer::plain(500, &report::said(&error)))
}

/// The runs that have a page.
fn runs(ledger: &Ledger) -> Result<Vec<RunRow>, Fatal> {
    let mut runs = ledger.runs()?;
    runs.retain(|run| run.command != "calibrate");
    Ok(runs)
}

fn page(ledger: &Ledger, id: &str) -> Result<Answer, Fatal> {
    // By its whole id alone: nothing of the path is looked up anywhere else.
    let Some(row) = runs(ledger)?.into_iter().find(|run| run.id == id) else {
        return Ok(Answer::plain(404, "there is no such run"));
    };
    let run = view::run(ledger, &row)?;
    if row.command == "check" {
        return report::check_page(ledger, &row, &run).map(Answer::page);
    }
    let live = row.ended.is_none().then_some(SECONDS);
    board::page(ledger, &row, &run, &[], live).map(Answer::page)
}

fn list(ledger: &Ledger) -> Result<String, Fatal> {
    let runs = runs(ledger)?;
    let mut rows = Vec::new();
    for row in &runs {
        let what = match &row.origin {
            Some(origin) => format!("of {origin}"),
            None if row.command == "check" => row.study.clone(),
            None => String::new(),
        };
        rows.push(::report::board::Listed {
            id: row.id.clone(),
            command: row.command.clone(),
            day: ledger::day(row.begun)?,
            running: row.ended.is_none(),
            what,
        });
    }
    let live = runs
        .iter()
        .any(|run| run.ended.is_none())
        .then_some(SECONDS);
    Ok(::report::board::list(&rows, live))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger with a run that is not over, on a port of its own.
    fn served() -> (tempfile::TempDir, SocketAddr, String) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        let suite = crate::context::suite_hash();
        let run = ledger.begin_run("bench", &suite, "", "").unwrap().id;
        let listener = listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || serve(ledger, &listener));
        (folder, address, run)
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(address: SocketAddr, path: &str) -> String {
        ask(
            address,
            &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        )
    }

    #[test]
    fn runs_are_listed_and_a_running_one_comes_again() {
        let (_folder, address, run) = served();
        let list = get(address, "/");
        assert!(list.starts_with("HTTP/1.1 200 OK\r\n"), "{list}");
        assert!(list.contains(&format!("href=\"/run/{run}\"")), "{list}");
        let page = get(address, &format!("/run/{run}"));
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
        for page in [&list, &page] {
            assert!(page.contains("http-equiv=\"refresh\""), "{page}");
        }
    }

    #[test]
    fn another_name_for_this_address_is_not_answered() {
        let (_folder, address, run) = served();
        let port = address.port();
        for host in [
            "Host: evil.example\r\n".to_owned(),
            format!("Host: evil.example:{port}\r\n"),
            format!("Host: 127.0.0.1.evil.example:{port}\r\n"),
            "Host: 127.0.0.1\r\n".to_owned(),
            format!("Host: 127.0.0.1:{port}\r\nHost: evil.example\r\n"),
            String::new(),
        ] {
            let answer = ask(address, &format!("GET /run/{run} HTTP/1.1\r\n{host}\r\n"));
            assert!(answer.starts_with("HTTP/1.1 421 "), "{host}: {answer}");
            assert!(!answer.contains("<html"));
        }
        let by_name = format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
        assert!(ask(address, &by_name).starts_with("HTTP/1.1 200 "));
    }

    #[test]
    fn there_is_only_get_and_nothing_but_runs() {
        let (_folder, address, run) = served();
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "HEAD"] {
            let request = format!("{method} /run/{run} HTTP/1.1\r\nHost: {address}\r\n\r\n");
            assert!(
                ask(address, &request).starts_with("HTTP/1.1 405 "),
                "{method}"
            );
        }
        for path in [
            "/run/",
            "/run/../ledger.db",
            "/ledger.db",
            "/run/%2e%2e",
            &format!("/run/{}", &run[..8]),
            "//",
        ] {
            assert!(get(address, path).starts_with("HTTP/1.1 404 "), "{path}");
        }
        let long = format!(
            "GET /{} HTTP/1.1\r\nHost: {address}\r\n\r\n",
            "x".repeat(7_000)
        );
        assert!(ask(address, &long).starts_with("HTTP/1.1 404 "));
        assert!(ask(address, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    }

    #[test]
    fn who_says_nothing_keeps_nobody_waiting() {
        let (_folder, address, _) = served();
        let silent: Vec<TcpStream> = (0..MOST - 1)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        assert!(get(address, "/").starts_with("HTTP/1.1 200 "));
        drop(silent);
    }
}
