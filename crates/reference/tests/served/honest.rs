//! The contract, as its six prompts tell it, without any attack.

use model::Capability;

use crate::support::{PNG, People, Site, unique};

pub(crate) fn honest(site: &Site) {
    let client = &site.client;
    let health = client.call(Capability::Health, "", &[]);
    assert_eq!(
        (health.status, health.json()["status"].as_str()),
        (200, Some("ok")),
        "health"
    );

    let people = site.people();
    let People {
        a,
        a_email,
        a_password,
        b,
        s,
        ..
    } = &people;
    let again = client
        .elsewhere()
        .login(a_email, a_password)
        .expect("A logs in");
    assert_eq!(again.email().as_deref(), Some(a_email.as_str()), "me");
    assert_eq!(again.role().as_deref(), Some("user"), "role");
    assert_eq!(s.role().as_deref(), Some("admin"), "the admin's role");
    assert!(
        client
            .elsewhere()
            .login(a_email, &unique("another-"))
            .is_none(),
        "a wrong password"
    );

    let canary = unique("canary");
    let one = a.keep("notes.txt", canary.as_bytes()).expect("an upload");
    let png = a.upload("a.png", "image/png", PNG);
    let png = a.out(Capability::Upload, &png, "id").expect("a PNG");
    assert_eq!(
        a.call(Capability::Download, &png, &[]).body,
        PNG,
        "a PNG's bytes"
    );
    let files = a.call(Capability::Files, "", &[]);
    let files = a.list(Capability::Files, &files, &["id", "filename", "size"]);
    assert!(
        files.contains(&vec![
            one.clone(),
            "notes.txt".to_owned(),
            canary.len().to_string()
        ]),
        "{files:?}"
    );
    assert_eq!(
        a.call(Capability::Download, &one, &[]).text(),
        canary,
        "a download"
    );
    a.call(Capability::DeleteFile, &one, &[]);
    assert_ne!(
        a.call(Capability::Download, &one, &[]).text(),
        canary,
        "a deleted file"
    );
    let large = vec![b'x'; 4_500_000];
    let large = a.keep("large.txt", &large).expect("4.5 MB");
    assert_eq!(
        a.call(Capability::Download, &large, &[]).body.len(),
        4_500_000,
        "4.5 MB back"
    );

    let (word, other) = (unique("word"), unique("other"));
    let note = a.note(&format!("B {word}"), &canary).expect("a note");
    a.note("A second", &format!("has {} too", word.to_uppercase()))
        .expect("a second note");
    b.note(&unique("mine"), "of B").expect("a note of B");
    let read = a.call(Capability::ReadNote, &note, &[]);
    assert_eq!(
        a.out(Capability::ReadNote, &read, "body"),
        Some(canary),
        "{}",
        read.text()
    );
    assert!(
        a.out(Capability::ReadNote, &read, "created_at").is_some(),
        "created_at"
    );
    let (first, second) = (format!("B {word}"), "A second".to_owned());
    assert_eq!(
        a.titles(&[("q", &word)]),
        [second.clone(), first.clone()],
        "newest first"
    );
    assert_eq!(
        a.titles(&[("q", &word), ("sort", "title")]),
        [second.clone(), first],
        "A to Z"
    );
    assert_eq!(
        a.titles(&[("q", &word), ("limit", "1"), ("sort", "created_at")]),
        [second],
        "limit"
    );
    assert!(a.titles(&[("q", &other)]).is_empty(), "nonsense");

    let (c_email, c_password) = (unique("carol") + "@example.com", unique("zW29+ahhT5kk-"));
    let c = client
        .elsewhere()
        .register(&c_email, &c_password)
        .expect("C registers");
    let c_id = c
        .out(Capability::Me, &c.call(Capability::Me, "", &[]), "id")
        .unwrap();
    let listed = |role: &str| {
        let users = s.call(Capability::Users, "", &[]);
        let users = s.list(Capability::Users, &users, &["id", "email", "role"]);
        users.contains(&vec![c_id.clone(), c_email.clone(), role.to_owned()])
    };
    assert!(listed("user"), "the list of users");
    s.call(Capability::ChangeRole, &c_id, &[("role", "admin")]);
    assert!(listed("admin"), "a new role");
    let promoted = client
        .elsewhere()
        .login(&c_email, &c_password)
        .expect("C logs in");
    assert_eq!(
        promoted.role().as_deref(),
        Some("admin"),
        "the new role is in force"
    );
    s.call(Capability::DeleteUser, &c_id, &[]);
    assert!(!listed("admin"), "a deleted user");
    assert!(
        client.elsewhere().login(&c_email, &c_password).is_none(),
        "a deleted user's login"
    );

    let event = unique("evt");
    let body = client.event(&event, "");
    let signature = client.signature(site.secret(), &body);
    assert_eq!(
        client.deliver(&body, Some(&signature)).status,
        200,
        "an event"
    );
    assert_eq!(s.events(&event), 1, "the event");
    for origin in &site.settings.cors_origins {
        let me = &client.route(Capability::Me).path;
        let asked = [
            ("Origin", origin.as_str()),
            ("Access-Control-Request-Method", "GET"),
        ];
        let allowed = client.send("OPTIONS", me, &asked, b"");
        assert!(
            allowed
                .header("access-control-allow-origin")
                .is_some_and(|o| o == origin || o == "*"),
            "{origin}"
        );
        assert!(
            allowed
                .header("access-control-allow-headers")
                .is_some_and(|h| h.contains("authorization"))
        );
    }
}
