//! Where a bundle is written, and what of somebody's app is not.

use super::*;

#[test]
fn nothing_that_is_there_already_is_taken_for_its_own_half() {
    let made = made("");
    let part = made.folder.path().join("out.part");
    fs::create_dir(&part).unwrap();
    fs::write(part.join("thesis.tex"), "years of it").unwrap();
    fs::write(made.folder.path().join("out.tar.part"), "more").unwrap();
    made.bundle("out");
    made.bundle("out.tar");
    let names = files(made.folder.path());
    for kept in ["out.part/thesis.tex", "out.tar.part"] {
        assert!(names.iter().any(|name| name == kept), "{kept}: {names:?}");
    }
    assert!(
        !names.iter().any(|name| name.starts_with('.')),
        "nothing half written is left: {names:?}"
    );
}

#[test]
fn a_slash_at_the_end_names_the_same_folder() {
    let made = made("");
    let root = made.bundle("out/");
    assert_eq!(verify(&root).unwrap().1, Exit::Done);
    let again = super::super::write::write(&made.ledger, &made.row, &root);
    let Err(fatal) = again else {
        panic!("it was written over")
    };
    assert!(fatal.why.contains("is there already"), "{}", fatal.why);
}

#[test]
fn of_a_checked_app_no_settings_and_no_databases_are_written() {
    for command in ["check", "bench"] {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("data")).unwrap();
        for (name, text) in [
            (".env", "SECRET_KEY=c"),
            ("data/.env.local", "SECRET_KEY=c"),
            ("data/app.sqlite3", "c"),
            ("data/app.db-wal", "c"),
            ("data/users", "SQLite format 3\0c"),
            ("data/seed.sql", "c"),
        ] {
            fs::write(tree.join(name), text).unwrap();
        }
        let ledger = Ledger::open(&folder.path().join("ledger")).unwrap();
        let suite = crate::context::suite_hash();
        let row = ledger
            .begin_run(command, &suite, "/somewhere", "h")
            .unwrap();
        let unit = unit(&ledger, &row.id, ("none", "check"), folder.path());
        attacked(&ledger, unit, ("missing-token", false), "");
        ended(&ledger, unit);
        ledger.end_run(&row.id).unwrap();
        let row = ledger.run(Some(&row.id)).unwrap();
        let root = folder.path().join("out");
        let made = write_without(&ledger, &row, &root, Vec::new()).unwrap();
        let names = files(&root.join("units/1/tree"));
        let text = whole(&root);
        if command == "bench" {
            assert_eq!(names.len(), 7, "a sample's are shipped: {names:?}");
            continue;
        }
        assert_eq!(names, ["app/main.py", "data/seed.sql"]);
        for name in [
            ".env",
            "data/.env.local",
            "data/app.sqlite3",
            "data/app.db-wal",
            "data/users",
        ] {
            let says = format!("units/1/tree/{name}");
            assert!(
                made.left_out.iter().any(|one| one.contains(&says)),
                "{name}"
            );
            assert!(text.contains(&says), "{name}: {text}");
        }
    }
}

#[test]
fn a_secret_of_the_environment_is_a_key_however_it_is_written() {
    let keys = super::super::write::keys(|name| {
        let value = match name {
            "UNREQUESTED_ADMIN" => "ann@example.com:pass\"w:rd",
            "UNREQUESTED_WEBHOOK_SECRET" => "whsec-1",
            "OPENAI_API_KEY" => "short",
            _ => return None,
        };
        Some(value.to_owned())
    });
    let named: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
    assert!(named.contains(&"UNREQUESTED_ADMIN") && named.contains(&"UNREQUESTED_WEBHOOK_SECRET"));
    assert!(!named.contains(&"OPENAI_API_KEY"), "too short for a key");
    for (said, is_in) in [
        (r#"{"password":"pass\"w:rd"}"#, true),
        ("pass\"w:rd", true),
        ("whsec-1", true),
        ("ann@example.com", false),
    ] {
        let made = made(said);
        let to = made.folder.path().join("bundle");
        let written = write_without(&made.ledger, &made.row, &to, keys.clone());
        assert_eq!(written.is_err(), is_in, "{said}");
        assert_eq!(to.exists(), !is_in, "{said}");
    }
}
