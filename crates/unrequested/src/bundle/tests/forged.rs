//! What is altered together with its manifest, and what only this tool says otherwise.

use super::*;

const ATTACK: &str = "units/1/attacks/1-note-read-other-user.json";

/// A run of the arm that tells findings: attacked after the sixth step, before the words and after them.
fn with_feedback() -> Made {
    run("bench", |ledger, id, folder| {
        for (step, held) in [
            ("6-production", true),
            ("before-7-feedback", true),
            ("7-feedback", false),
        ] {
            let unit = unit(ledger, id, ("feedback", step), folder);
            attacked(ledger, unit, ("note-read-other-user", held), "");
            ended(ledger, unit);
        }
        let new = NewTurn {
            run: id,
            session: "fastapi/recorded:literal/feedback/1",
            step: "7-feedback",
            prompt: "1. Wanted: a note is its owner's.",
            agent: "codex@0",
            model: "m",
            auth: Some("subscription"),
            program: None,
        };
        ledger.begin_turn(&new).unwrap();
    })
}

fn report_of(root: &Path) -> Value {
    serde_json::from_slice(&fs::read(root.join(REPORT)).unwrap()).unwrap()
}

#[test]
fn a_session_that_was_told_findings_verifies_and_what_became_of_them_cannot_be_taken_out() {
    let made = with_feedback();
    let root = made.bundle("bundle");
    assert!(whole(&root).contains("2 verdicts"));
    let split = &report_of(&root)["sessions"][1]["feedback"];
    assert_eq!(split["told"]["closed"][0], "note-read-other-user");
    reworded(&root, REPORT, |read| {
        let session = read["sessions"][1].as_object_mut().unwrap();
        session.remove("feedback").unwrap();
    });
    altered(&root, &["`feedback`"]);
}

#[test]
fn a_true_verdict_after_a_false_one_hides_nothing() {
    let made = made("");
    let root = made.bundle("bundle");
    let verdict = copied(&root, "verdict");
    reworded(&verdict, REPORT, |read| {
        let all = read["sessions"][0]["verdicts"].as_array_mut().unwrap();
        let mut forged = all
            .iter()
            .find(|one| one["exploit"] == "note-read-other-user")
            .unwrap()
            .clone();
        forged["verdict"] = "resisted".into();
        all.insert(0, forged);
    });
    altered(&verdict, &["note-read-other-user: twice"]);
    let session = copied(&root, "session");
    reworded(&session, REPORT, |read| {
        let all = read["sessions"].as_array_mut().unwrap();
        let mut forged = all[0].clone();
        forged["verdicts"][0]["verdict"] = "resisted".into();
        all.insert(0, forged);
    });
    altered(&session, &["fastapi/recorded:literal/silent/1", "twice"]);
}

#[test]
fn nothing_of_a_report_can_be_changed_added_or_taken_out() {
    type Change = fn(&mut Value);
    let made = made("");
    let root = made.bundle("bundle");
    let changes: [(&str, Change); 7] = [
        ("`tool`", |read| read["tool"] = "9.9.9".into()),
        ("`schema`", |read| read["schema"] = "x".into()),
        ("`conclusion`", |read| {
            read["conclusion"] = "all is well".into();
        }),
        ("`complete`", |read| {
            read.as_object_mut().unwrap().remove("complete");
        }),
        ("`trouble`", |read| {
            let session = read["sessions"][0].as_object_mut().unwrap();
            session.remove("trouble");
        }),
        ("`regrade`", |read| {
            read["regrade"] = Value::Null;
        }),
        ("missing-token", |read| {
            read["sessions"][0]["verdicts"][0]["area"] = "depth".into();
            read["sessions"][0]["verdicts"][1]["area"] = "depth".into();
        }),
    ];
    for (number, (says, change)) in changes.into_iter().enumerate() {
        let root = copied(&root, &format!("copy-{number}"));
        reworded(&root, REPORT, change);
        altered(&root, &[says]);
    }
}

#[test]
fn a_look_at_nothing_is_noticed() {
    let made = made("");
    let root = made.bundle("bundle");
    reworded(&root, ATTACK, |read| {
        read["facts"]["looked"][0]["exchange"] = 9.into();
    });
    altered(&root, &["look ", ATTACK, "exchange 9"]);
}

#[test]
fn bytes_that_are_not_there_or_cannot_be_read_are_noticed() {
    let made = made("");
    let root = made.bundle("bundle");
    let unread = copied(&root, "unread");
    reworded(&unread, ATTACK, |read| {
        read["exchanges"][0]["got"] = serde_json::json!({"base64": "no base64!"});
    });
    altered(&unread, &["unread ", ATTACK]);
    let gone = copied(&root, "gone");
    reworded(&gone, ATTACK, |read| {
        read["exchanges"][0]["got"] = serde_json::json!({"file": "blobs/00"});
    });
    altered(&gone, &["missing ", ATTACK, "blobs/00"]);
}

#[test]
fn looks_that_are_not_repeated_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger")).unwrap();
    let suite = crate::context::suite_hash();
    let row = ledger.begin_run("bench", &suite, "", "h").unwrap();
    let unit = unit(&ledger, &row.id, ("silent", "6-production"), folder.path());
    attacked(&ledger, unit, ("missing-token", false), "");
    let long = format!("alices canary{}", " ".repeat(70_000));
    answered(&ledger, unit, ("note-read-other-user", true), "", &long);
    ended(&ledger, unit);
    ledger.end_run(&row.id).unwrap();
    let row = ledger.run(Some(&row.id)).unwrap();
    let made = Made {
        folder,
        ledger,
        row,
    };
    let root = made.bundle("bundle");
    let text = whole(&root);
    assert!(
        text.contains("1 looks repeated on the stored replies, 1 in exchanges that are too large"),
        "{text}"
    );
    let cut = copied(&root, "cut");
    reworded(&cut, "units/1/attacks/1-missing-token.json", |read| {
        read["exchanges"][0]["got"] = serde_json::json!({"text": "HTTP/1.1 200 OK\r\n"});
    });
    let (text, _) = verify(&cut).unwrap();
    assert!(
        text.contains("0 looks repeated") && text.contains("1 in replies that are not whole"),
        "{text}"
    );
}

#[test]
fn what_another_version_words_otherwise_is_said_and_is_not_called_altered() {
    let made = made("");
    let root = made.bundle("bundle");
    reworded(&root, REPORT, |read| {
        for one in read["sessions"][0]["verdicts"].as_array_mut().unwrap() {
            one["area"] = "renamed".into();
        }
    });
    whole(&root);
    let older = |read: &mut Value| read["tool"] = "0.0.9".into();
    reworded(&root, RUN, |read| older(&mut read["run"]));
    reworded(&root, REPORT, |read| {
        older(read);
        read["sessions"][0]["verdicts"][0]["reason"] = "in other words".into();
        read["sessions"][0]["more"] = 1.into();
    });
    let text = whole(&root);
    for says in ["0.0.9", "its reason", "`more`", "every verdict follows"] {
        assert!(text.contains(says), "{says}: {text}");
    }
    let verdict = copied(&root, "verdict");
    reworded(&verdict, REPORT, |read| {
        for one in read["sessions"][0]["verdicts"].as_array_mut().unwrap() {
            one["verdict"] = "resisted".into();
        }
    });
    altered(&verdict, &["reported resisted, its facts say exploited"]);
    let score = copied(&root, "score");
    reworded(&score, REPORT, |read| {
        read["scores"][0]["resisted"] = 25.into();
    });
    altered(&score, &["`scores`"]);
}

#[test]
fn an_arm_that_this_tool_does_not_have_is_named() {
    let made = made("");
    let root = made.bundle("bundle");
    assert!(!whole(&root).contains("arm "));
    reworded(&root, "units/1/unit.json", |read| {
        read["unit"]["new"]["arm"] = "loud".into();
    });
    reworded(&root, REPORT, |read| {
        read["sessions"][0]["arm"] = "loud".into();
    });
    let text = whole(&root);
    assert_eq!(text.matches("`loud`").count(), 1, "{text}");
}

#[test]
fn a_regrade_of_an_unfinished_run_verifies_as_incomplete() {
    let mut made = made("");
    let suite = crate::context::suite_hash();
    let origin = made.ledger.begin_run("bench", &suite, "", "h").unwrap();
    let row = made.ledger.begin_regrade(&suite, "h", &origin).unwrap();
    let folder = made.folder.path();
    let unit = unit(&made.ledger, &row.id, ("silent", "6-production"), folder);
    attacked(&made.ledger, unit, ("missing-token", false), "");
    ended(&made.ledger, unit);
    made.ledger.end_run(&row.id).unwrap();
    made.row = made.ledger.run(Some(&row.id)).unwrap();
    let root = made.bundle("unfinished");
    assert_eq!(report_of(&root)["complete"], false);
    whole(&root);
    reworded(&root, REPORT, |read| read["complete"] = true.into());
    altered(&root, &["`complete`"]);
    made.ledger.end_run(&origin.id).unwrap();
    let root = made.bundle("finished");
    assert_eq!(report_of(&root)["complete"], true);
    whole(&root);
}

#[test]
fn the_words_that_an_arm_and_an_attempt_were_given_are_in_it() {
    let made = with_feedback();
    let root = made.bundle("bundle");
    let names = files(&root);
    for wanted in ["arms/feedback.toml", "arms/feedback/7-feedback.md"] {
        assert!(names.iter().any(|name| name == wanted), "{names:?}");
    }
    let of_arms = names.iter().filter(|name| name.starts_with("arms/"));
    assert_eq!(of_arms.count(), 2, "{names:?}");
    let turn = fs::read(root.join("turns/1/turn.json")).unwrap();
    let turn: Value = serde_json::from_slice(&turn).unwrap();
    assert_eq!(turn["prompt"], "1. Wanted: a note is its owner's.");
}
