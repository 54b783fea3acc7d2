//! The honest flow, under both bindings, over every switch.

use crate::honest::honest;
use crate::support::{People, serve, settings, unique};
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

#[test]
fn every_reply_has_the_headers() {
    let site = serve(&contract(), |app| app);
    let People { a, .. } = site.people();
    let file = a.keep("a.txt", b"a").unwrap();
    let asked = [
        ("Origin", "https://evil.example.org"),
        ("Access-Control-Request-Method", "GET"),
    ];
    let replies = [
        (200, a.call(Capability::Me, "", &[])),
        (200, a.call(Capability::Download, &file, &[])),
        (204, a.send("OPTIONS", "/api/auth/me", &asked, b"")),
        (401, site.client.call(Capability::Me, "", &[])),
        (404, a.call(Capability::ReadNote, "999", &[])),
        (
            404,
            a.call(Capability::Download, "..%2f..%2fetc%2fpasswd", &[]),
        ),
        (404, a.call(Capability::Download, "%ff", &[])),
        (404, site.client.send("GET", "/docs", &[], b"")),
        (405, site.client.send("DELETE", "/api/auth/me", &[], b"")),
        (
            413,
            a.upload("a.txt", "text/plain", &vec![b'x'; 6 * 1024 * 1024]),
        ),
        (
            413,
            a.call(
                Capability::CreateNote,
                "",
                &[("title", "a"), ("body", &"x".repeat(300_000))],
            ),
        ),
        (415, a.upload("a.html", "text/html", b"<html>")),
        (415, a.upload("a.png", "image/png", b"<html>")),
    ];
    for (status, reply) in replies {
        assert_eq!(reply.status, status, "{}", reply.head);
        for name in [
            "content-security-policy",
            "x-frame-options",
            "x-content-type-options",
            "strict-transport-security",
        ] {
            assert!(reply.header(name).is_some(), "{name} on {status}");
        }
        assert!(reply.header("access-control-allow-origin").is_none());
    }
    let early = serve(&contract(), |app| app.with_shape(Shape::EarlyRefusal));
    let a = early.people().a;
    let body = a.form("a.txt", "text/plain", &vec![b'x'; 6 * 1024 * 1024]);
    let head = format!(
        "POST /api/files HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary=b0undary\r\n\r\n",
        a.token.as_ref().unwrap(),
        body.len()
    );
    let reply = a.raw(head.as_bytes());
    assert_eq!(
        (reply.status, reply.header("connection")),
        (413, Some("close")),
        "before any of the body"
    );
}

#[test]
fn input_is_validated() {
    let site = serve(&contract(), |app| app);
    let People { a, s, .. } = site.people();
    let json = [("Content-Type", "application/json")];
    let post = |path: &str, body: &str| a.send("POST", path, &json, body.as_bytes()).status;
    for body in ["", "{", "null", "[]", "\"a\"", "{\"title\":"] {
        assert_eq!(post("/api/notes", body), 400, "{body}");
    }
    for body in [
        "{}",
        r#"{"title":1,"body":"b"}"#,
        r#"{"title":"a","body":null}"#,
        r#"{"title":" ","body":"b"}"#,
    ] {
        assert_eq!(post("/api/notes", body), 422, "{body}");
    }
    assert_eq!(
        a.send(
            "POST",
            "/api/notes",
            &[("Content-Type", "text/plain")],
            b"{}"
        )
        .status,
        415
    );
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=a",
        "limit=",
        "sort=body",
        "sort=title%20desc",
    ] {
        assert_eq!(
            a.send("GET", &format!("/api/search?{query}"), &[], b"")
                .status,
            422,
            "{query}"
        );
    }
    for (email, password) in [
        ("nobody", "kD83!fmeW0zz-qRt"),
        ("a@example.com", "123456"),
        ("a@example.com", &*"xY3$".repeat(18)),
        ("", ""),
    ] {
        let reply = site.client.call(
            Capability::Register,
            "",
            &[("email", email), ("password", password)],
        );
        assert_eq!(reply.status, 422, "{email}");
    }
    let me = s
        .out(Capability::Me, &s.call(Capability::Me, "", &[]), "id")
        .unwrap();
    assert_eq!(
        s.call(Capability::ChangeRole, &me, &[("role", "owner")])
            .status,
        422
    );
    assert_eq!(
        s.call(Capability::ChangeRole, &me, &[("role", "user")])
            .status,
        409,
        "the last admin"
    );
    assert_eq!(
        s.call(Capability::DeleteUser, &me, &[]).status,
        409,
        "the last admin"
    );
    assert_eq!(s.call(Capability::DeleteUser, "999", &[]).status, 404);
    assert_eq!(a.call(Capability::Users, "", &[]).status, 403);
    for name in [
        "a/b.txt",
        "..\\b.txt",
        "..",
        "",
        &format!("{}.txt", "x".repeat(255)),
    ] {
        assert!(
            [415, 422, 400].contains(&a.upload(name, "text/plain", b"a").status),
            "{name}"
        );
    }
}

#[test]
fn what_a_deleted_user_had_is_gone() {
    let site = serve(&contract(), |app| app);
    let People { a, s, .. } = site.people();
    a.keep("a.txt", b"gone").unwrap();
    let id = a
        .out(Capability::Me, &a.call(Capability::Me, "", &[]), "id")
        .unwrap();
    assert_eq!(s.call(Capability::DeleteUser, &id, &[]).status, 204);
    assert_eq!(
        a.call(Capability::Me, "", &[]).status,
        401,
        "the token is worth nothing now"
    );
    assert_eq!(
        std::fs::read_dir(&site.settings.uploads).unwrap().count(),
        0
    );
}

/// A cookie comes along from any page, so the page is looked at.
#[test]
fn a_cookie_is_not_enough_from_another_page() {
    let site = serve(&other_binding(), |app| app);
    let People { a, .. } = site.people();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let from = |origin: &str| {
        a.send(
            "POST",
            "/v2/memos",
            &[form, ("Origin", origin)],
            b"subject=a&text=b",
        )
        .status
    };
    assert_eq!(from("https://evil.example.org"), 403);
    assert_eq!(from("null"), 403);
    assert_eq!(from("https://app.example.com"), 201);
    assert_eq!(from("http://app"), 201, "the app's own page");
}

#[test]
fn a_binding_that_cannot_be_served_is_refused() {
    let mut binding = contract();
    binding.routes.get_mut(&Capability::Login).unwrap().path = "/api/auth/register".to_owned();
    let (settings, _folder) = settings();
    let refused = App::secure(settings, binding)
        .serve("127.0.0.1:0".parse().unwrap())
        .unwrap_err();
    assert!(refused.to_string().contains("login"), "{refused}");
}
