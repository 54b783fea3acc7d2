//! Somebody outside listens in the command's network.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use cell::{Level, Spec, probe};

const ASK: &str = r"
import socket, sys
for port in sys.argv[1:]:
    socket.create_connection(('127.0.0.1', int(port))).sendall(port.encode())
";

/// A port that nobody has now.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn asked_for(level: Level) {
    let folder = tempfile::tempdir().unwrap();
    let ports = [free(), free()];
    let words = ports.map(|at| at.port().to_string());
    let command = ["/usr/bin/python3", "-c", ASK, &words[0], &words[1]];
    let mut spec = Spec::new(folder.path().canonicalize().unwrap(), command);
    spec.listen = ports.to_vec();
    let cell = cell::spawn(&spec, level).unwrap();
    for port in ports {
        let listener = cell.listener().unwrap();
        assert_eq!(listener.local_addr().unwrap(), port);
        let (mut stream, _) = listener.accept().unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert_eq!(said, port.port().to_string());
    }
    assert!(cell.listener().is_err());
    assert!(cell.wait(Duration::from_secs(30)).unwrap().success());
    if level == Level::Boxed {
        let here = TcpStream::connect_timeout(&ports[0], Duration::from_secs(1));
        assert!(
            here.is_err(),
            "the port is not on the machine's own loopback"
        );
    }
}

#[test]
fn in_a_box() {
    if probe().level == Level::Boxed {
        asked_for(Level::Boxed);
    } else {
        let _ = std::io::stderr().write_all(b"NOT RUN: no box here\n");
    }
}

#[test]
fn without_a_box() {
    asked_for(Level::Plain);
}

#[test]
fn a_port_that_is_taken_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut spec = Spec::new(folder.path().canonicalize().unwrap(), ["true"]);
    spec.listen = vec![taken.local_addr().unwrap()];
    let error = cell::spawn(&spec, Level::Plain).unwrap_err().to_string();
    assert!(error.contains("cannot listen at"), "{error}");
}
