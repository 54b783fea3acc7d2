//! The honest flow, under both bindings, over every switch.

use crate::support::{People, honest, serve, unique};
use model::Capability;
use reference::{App, Shape, Weakness, contract, other_binding};

#[test]
fn the_secure_app_keeps_the_contract() {
    honest(&serve(&contract(), |app| app));
}

#[test]
fn the_same_app_under_another_binding() {
    honest(&serve(&other_binding(), |app| app));
}

/// In two halves, one per binding, as the machine has two cores.
#[test]
fn every_weakness_keeps_the_contract() {
    for weakness in Weakness::ALL {
        let site = serve(&contract(), |app| app.with_weakness(*weakness));
        eprintln!("{}", weakness.name());
        honest(&site);
    }
}

#[test]
fn every_weakness_keeps_the_contract_under_another_binding() {
    for weakness in Weakness::ALL {
        let site = serve(&other_binding(), |app| app.with_weakness(*weakness));
        eprintln!("{}", weakness.name());
        honest(&site);
    }
}

#[test]
fn every_shape_keeps_the_contract() {
    for shape in Shape::ALL {
        for binding in [contract(), other_binding()] {
            eprintln!("{}", shape.name());
            honest(&serve(&binding, |app| app.with_shape(*shape)));
        }
    }
}

#[test]
fn two_files_may_have_one_name() {
    let site = serve(&contract(), |app| app);
    let People { a, .. } = site.people();
    let (one, two) = (
        a.keep("same.txt", b"one").unwrap(),
        a.keep("same.txt", b"two").unwrap(),
    );
    assert_eq!(a.call(Capability::Download, &one, &[]).text(), "one");
    assert_eq!(a.call(Capability::Download, &two, &[]).text(), "two");
    assert_eq!(
        std::fs::read_dir(&site.settings.uploads).unwrap().count(),
        2
    );
}

#[test]
fn everything_is_there_after_a_restart_and_the_port_is_free() {
    let site = serve(&contract(), |app| app);
    let People {
        a,
        a_email,
        a_password,
        ..
    } = site.people();
    let (file, note) = (
        a.keep("a.txt", b"kept").unwrap(),
        a.note("kept", "too").unwrap(),
    );
    let at = site.running.addr();
    site.running.stop();
    let running = App::secure(site.settings.clone(), contract())
        .serve(at)
        .unwrap();
    assert_eq!(a.call(Capability::Download, &file, &[]).text(), "kept");
    assert_eq!(a.call(Capability::ReadNote, &note, &[]).status, 200);
    assert!(
        site.client
            .elsewhere()
            .login(&a_email, &a_password)
            .is_some()
    );
    drop(running);
    assert!(std::net::TcpListener::bind(at).is_ok());
}

#[test]
fn eight_clients_at_once() {
    let site = serve(&contract(), |app| app);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let email = unique("many") + "@example.com";
                let client = site
                    .client
                    .elsewhere()
                    .register(&email, "kD83!fmeW0zz-qRt")
                    .unwrap();
                for round in 0..25 {
                    let file = client.keep("a.txt", email.as_bytes()).unwrap();
                    let note = client.note(&format!("{round}"), &email).unwrap();
                    assert_eq!(client.call(Capability::Download, &file, &[]).text(), email);
                    assert_eq!(client.call(Capability::ReadNote, &note, &[]).status, 200);
                    assert_eq!(client.call(Capability::DeleteFile, &file, &[]).status, 204);
                    assert_eq!(
                        client.titles(&[("q", &email), ("limit", "100")]).len(),
                        round + 1
                    );
                }
            });
        }
    });
}
