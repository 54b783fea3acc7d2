use super::*;
use crate::Paint;
use crate::fixture::{judged, session as plain};
use crate::text::hostile;
use model::decision::{Confidence, Decided, Decision, InForce, Origin, Span};

fn decided(id: &str, origin: Origin, file: &str, lines: (u32, u32), tests: &[&str]) -> Decided {
    Decided {
        decision: Decision {
            decision: id.into(),
            choice: "built from strings".into(),
            origin,
            parameters: BTreeMap::default(),
            below: None,
            confidence: Confidence::High,
            spans: vec![Span {
                file: file.into(),
                line: lines.0,
                column: 1,
                end_line: lines.1,
                text: String::new(),
            }],
            lines: 0,
            notes: vec![],
        },
        step: String::new(),
        asked: None,
        reviewed: None,
        in_force: InForce::NotInForce,
        tests: tests.iter().map(|id| (*id).to_owned()).collect(),
    }
}

fn hit(file: &str, line: u32, end_line: u32) -> Hit {
    Hit {
        rule: "B608".into(),
        severity: "medium".into(),
        file: Some(file.into()),
        line,
        end_line,
        package: None,
        says: "SQL built from text".into(),
    }
}

fn said(findings: Vec<Hit>) -> Said {
    Said {
        examined: Extent {
            files: Some(2),
            lines: Some(204),
            ..Extent::default()
        },
        findings,
        remarks: vec![],
    }
}

fn attacked() -> Session {
    let (r, h) = (Tier::Requirement, Tier::Hardening);
    let mut depth = judged("deep", r, Word::Exploited);
    depth.area = "depth".into();
    let mut session = plain(vec![
        judged("sql-injection-sort", r, Word::Exploited),
        judged("login-rate-limit", h, Word::Exploited),
        judged("upload-oversize", r, Word::Resisted),
        judged("webhook-replay", h, Word::Inconclusive),
        judged("security-headers", h, Word::NotApplicable),
        depth,
    ]);
    session.decisions = vec![
        decided(
            "sql-access",
            Origin::HandWritten,
            "app/main.py",
            (199, 202),
            &["sql-injection-sort"],
        ),
        decided(
            "login-throttling",
            Origin::Absent,
            "app/main.py",
            (10, 10),
            &["login-rate-limit"],
        ),
        decided(
            "upload-size",
            Origin::HandWritten,
            "app/main.py",
            (124, 124),
            &["upload-oversize"],
        ),
    ];
    session
}

#[test]
fn nothing_examined_is_never_nought_findings() {
    for unit in 0..4 {
        let mut extent = Extent {
            files: Some(1),
            lines: Some(1),
            packages: Some(1),
            rules: Some(1),
        };
        let field = match unit {
            0 => &mut extent.files,
            1 => &mut extent.lines,
            2 => &mut extent.packages,
            _ => &mut extent.rules,
        };
        *field = Some(0);
        let nothing = Said {
            examined: extent,
            ..Said::default()
        };
        let outcome = Outcome::of(nothing.clone());
        assert!(
            matches!(outcome, Outcome::ExaminedNothing { .. }),
            "{outcome:?}"
        );
        let absurd = Outcome::of(Said {
            findings: vec![hit("a", 1, 1)],
            ..nothing
        });
        assert!(matches!(absurd, Outcome::Broke { .. }), "{absurd:?}");
    }
    assert!(Outcome::of(said(vec![])).said().is_some());
    let unread = Outcome::of(Said {
        examined: Extent {
            files: Some(0),
            ..Extent::default()
        },
        remarks: vec!["not read: a.py".into(), "not read: b.py".into()],
        ..Said::default()
    });
    let why = "0 files; not read: a.py (and 1 more)".to_owned();
    assert_eq!(unread, Outcome::ExaminedNothing { why });
}

#[test]
fn a_finding_counts_as_near_up_to_three_lines_and_in_the_same_file_alone() {
    let session = attacked();
    let at = |file: &str, line, end| {
        beside(&session, &said(vec![hit(file, line, end)]))
            .unwrap()
            .same_place
            .len()
    };
    for (line, end, wanted) in [
        (195, 195, 0),
        (196, 196, 1),
        (190, 196, 1),
        (200, 200, 1),
        (205, 205, 1),
        (206, 206, 0),
        (1, 1000, 1),
        (u32::MAX, u32::MAX, 0),
    ] {
        assert_eq!(at("app/main.py", line, end), wanted, "{line}-{end}");
        assert_eq!(at("app/other.py", line, end), 0, "{line}-{end}");
    }
}

#[test]
fn only_what_was_exploited_and_has_code_can_have_a_finding_beside_it() {
    // On the code of a resisted exploit, and where an absence was noted.
    let found = beside(
        &attacked(),
        &said(vec![
            hit("app/main.py", 124, 124),
            hit("app/main.py", 10, 10),
        ]),
    )
    .unwrap();
    assert_eq!(found.same_place, []);
    assert_eq!((found.causes, found.with_code), (3, 1));
    // What an audit finds is in no place.
    let audit = Said {
        examined: Extent {
            packages: Some(9),
            ..Extent::default()
        },
        ..said(vec![])
    };
    assert_eq!(beside(&attacked(), &audit), None);
}

#[test]
fn a_session_is_counted_by_tier_and_without_the_depth_suite() {
    let wanted = Exploits {
        exploited: 1,
        absent: 1,
        resisted: 1,
        undecided: 1,
        not_applicable: 1,
    };
    assert_eq!(exploits(&attacked()), wanted);
}

#[test]
fn severities_are_the_scanner_s_own_the_worst_first() {
    let mut all = vec![];
    for word in ["low", "odd", "high", "low", ""] {
        all.push(Hit {
            severity: word.into(),
            ..Hit::default()
        });
    }
    assert_eq!(
        said(all).severities(),
        [("high", 1), ("low", 2), ("", 1), ("odd", 1)]
    );
}

fn scan(outcome: Outcome) -> Scan {
    let session = attacked();
    Scan {
        schema: SCHEMA,
        tool: "0".into(),
        run: Some("0190".into()),
        level: "namespaces".into(),
        trees: vec![Tree {
            name: session.id.clone(),
            step: session.step.clone(),
            not_scanned: None,
            exploits: Some(exploits(&session)),
            scanners: vec![Looked {
                scanner: "bandit",
                version: Some("1.9.4".into()),
                beside: outcome.said().and_then(|said| beside(&session, said)),
                outcome,
            }],
        }],
    }
}

#[test]
fn people_see_counts_the_place_and_no_claim_of_a_cause() {
    let text = render(
        &scan(Outcome::of(said(vec![hit("app/main.py", 200, 200)]))),
        false,
        Paint(false),
    );
    for wanted in [
        "exploits: 1 exploited, 1 absent, 1 resisted, 1 undecided, 1 not applicable",
        "bandit 1.9.4      2 files, 204 lines: 1 finding (1 medium)",
        "same place: 1 of 3 causes; 1 of them is decided by code that is there",
        "exploited: app/main.py:199-202 (sql-access)",
        "beside B608 medium, app/main.py:200: SQL built from text",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn what_did_not_examine_has_no_count_of_findings() {
    for (outcome, word) in [
        (
            Outcome::ExaminedNothing {
                why: "0 files".into(),
            },
            "examined nothing: 0 files",
        ),
        (Outcome::NotRun { why: "w".into() }, "not run: w"),
        (Outcome::Broke { why: "w".into() }, "it broke: w"),
    ] {
        let scan = scan(outcome);
        let text = render(&scan, true, Paint(false));
        assert!(text.contains(word), "{text}");
        assert!(!text.contains("finding ("), "{text}");
        assert!(
            !text.contains("0 findings") && !text.contains("same place:"),
            "{text}"
        );
        let json = serde_json::to_value(&scan).unwrap();
        assert!(
            json.pointer("/trees/0/scanners/0/findings").is_none(),
            "{json}"
        );
    }
}

#[test]
fn words_of_trees_and_scanners_stay_words() {
    let mut bad = hit(hostile::SHORT, 1, 1);
    bad.rule = hostile::long();
    bad.severity = hostile::long();
    bad.says = hostile::long();
    let mut said = said(vec![bad]);
    said.remarks = vec![hostile::long()];
    let mut scan = scan(Outcome::of(said));
    scan.trees[0].name = hostile::long();
    scan.trees[0].not_scanned = Some(hostile::long());
    scan.trees[0].scanners[0].version = Some(hostile::long());
    let text = render(&scan, true, Paint(false));
    assert!(text.len() < 10_000);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
    let why = hostile::long();
    let text = render(&self::scan(Outcome::Broke { why }), true, Paint(false));
    assert!(text.len() < 5_000 && !text.contains('\u{1b}'));
}
