//! Decoys behave as they say.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::honest::honest;
use crate::support::{Client, serve, unique};
use model::Capability;
use reference::decoy::{self, Break};
use reference::{contract, other_binding};

fn client(at: SocketAddr) -> Client {
    Client::new(at, &contract())
}

#[test]
fn dead_refuses() {
    let dead = decoy::dead().unwrap();
    let refused = TcpStream::connect(dead.addr()).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn always_answers_the_same() {
    for status in [200, 404, 500] {
        let decoy = decoy::always(status).unwrap();
        let reply =
            client(decoy.addr()).call(Capability::Login, "", &[("email", "a"), ("password", "b")]);
        assert_eq!(reply.status, status);
        assert_eq!(reply.json()["status"], status);
        assert_eq!(decoy.requests(), 1);
    }
}

#[test]
fn echo_echoes_and_spill_spills() {
    let (echo, spill) = (decoy::echo().unwrap(), decoy::spill().unwrap());
    let canary = unique("canary");
    let told = |at| {
        client(at).call(
            Capability::CreateNote,
            "",
            &[("title", &canary), ("body", "b")],
        )
    };
    assert!(
        told(echo.addr()).shows(&canary)
            && !client(echo.addr())
                .call(Capability::Me, "", &[])
                .shows(&canary)
    );
    told(spill.addr());
    let other = client(spill.addr()).call(Capability::Me, "", &[]);
    assert!(other.shows(&canary) && other.json().is_object());
}

#[test]
fn a_proxy_breaks_for_good() {
    let site = serve(&contract(), |app| app);
    for how in Break::ALL {
        let proxy = decoy::break_at(3, site.running.addr(), how).unwrap();
        let client = client(proxy.addr());
        assert_eq!(client.call(Capability::Health, "", &[]).status, 200);
        assert_eq!(client.call(Capability::Me, "", &[]).status, 401);
        if how == Break::Hang {
            let mut stream = TcpStream::connect(proxy.addr()).unwrap();
            std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\n\r\n").unwrap();
            stream
                .set_read_timeout(Some(Duration::from_millis(300)))
                .unwrap();
            assert!(
                std::io::Read::read(&mut stream, &mut [0]).is_err(),
                "nothing comes"
            );
            assert_eq!(proxy.requests(), 3);
        } else {
            let broken = if how == Break::Status500 { 500 } else { 0 };
            for _ in 0..2 {
                let reply = client.call(Capability::Health, "", &[]);
                assert_eq!(reply.status, broken, "{how:?}: {}", reply.head);
                assert_eq!(reply.head.is_empty(), how == Break::Close);
            }
            assert_eq!(proxy.requests(), 4);
        }
        let (start, at) = (Instant::now(), proxy.addr());
        drop(proxy);
        assert!(start.elapsed() < Duration::from_secs(2));
        assert!(TcpStream::connect(at).is_err());
    }
}

#[test]
fn the_contract_works_through_proxies() {
    for binding in [contract(), other_binding()] {
        let mut site = serve(&binding, |app| app);
        let canary = unique("canary");
        let proxy = decoy::spilling(site.running.addr()).unwrap();
        site.client.at = proxy.addr();
        honest(&site);
        let people = site.people();
        people.a.note(&canary, "b").unwrap();
        assert!(people.b.call(Capability::Me, "", &[]).shows(&canary));
        assert!(site.client.call(Capability::Files, "", &[]).shows(&canary));

        let patient = decoy::break_at(usize::MAX, site.running.addr(), Break::Close).unwrap();
        site.client.at = patient.addr();
        honest(&site);
        assert!(patient.requests() > 20);
    }
}
