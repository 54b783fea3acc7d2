use std::collections::BTreeMap;

use model::decision::Stride;
use model::run::{Cost, Run, Source};
use model::{Fault, Step};

use super::*;
use crate::finding::tests::{judged, rules, session as hostile_session};
use crate::finding::{Proof, Request};
use crate::fixture;
use crate::text::hostile;

/// As many sessions, in turn of two frameworks; a third of the verdicts each way, and some undecided.
pub(crate) fn run(sessions: usize, replicates: u32) -> Run {
    let all = rules();
    let mut made = Vec::new();
    for number in 0..sessions {
        let mut verdicts: Vec<_> = all
            .iter()
            .enumerate()
            .map(|(at, rule)| {
                let word = match (at + number) % 7 {
                    0 | 1 => Word::Exploited,
                    2 if at % 5 == 0 => Word::Inconclusive,
                    _ => Word::Resisted,
                };
                judged(&rule.exploit, rule.tier, word)
            })
            .collect();
        let mut session = hostile_session();
        // The hostile one's words, in the suite's exploits.
        for one in &session.verdicts {
            if let Some(place) = verdicts
                .iter_mut()
                .find(|other| other.exploit == one.exploit)
            {
                place.reason.clone_from(&one.reason);
                place.notes.clone_from(&one.notes);
            }
        }
        if let Some(stopped) = verdicts
            .iter_mut()
            .find(|one| one.verdict == Word::Inconclusive)
        {
            stopped.fault = Some(Fault::App);
            stopped.step = Some(Step::Witness);
        }
        session.verdicts = verdicts;
        session.framework = ["fastapi", "nextjs"][number % 2].into();
        session.agent = format!(
            "recorded:{}",
            ["literal", "hardened", hostile::SHORT][number / 2 % 3]
        );
        session.arm = "silent".into();
        session.replicate = number as u32 % replicates + 1;
        session.id = format!("{}/{}/{number}", session.framework, session.agent);
        session.attack = Some(Cost {
            requests: 300,
            wall_ms: 6_000,
            app_cpu_ms: None,
        });
        session.source = Some(Source {
            steps: ["1-auth", "2-files"]
                .iter()
                .map(|step| Stride {
                    step: (*step).to_owned(),
                    ..Stride::default()
                })
                .collect(),
            ..session.source.clone().unwrap()
        });
        made.push(session);
    }
    Run {
        run: "01a21505-7c99-77a9-9a06-e6c6998200ac".into(),
        ..fixture::run(made)
    }
}

pub(crate) fn board(run: &Run) -> Board<'_> {
    // Leaked: a test's rules live as long as the test.
    let rules: &'static [Rule] = Box::leak(rules().into_boxed_slice());
    let page =
        "The title.\n\n## What it does\nOne line\nand another.\n\n## Does not cover\nThe rest.\n";
    Board {
        run,
        rules,
        pages: rules
            .iter()
            .map(|rule| (rule.exploit.clone(), page.to_owned()))
            .collect::<BTreeMap<_, _>>(),
        day: "2026-11-26".into(),
        notices: vec![format!("a notice {}", hostile::SHORT)],
        called: "unrequested".into(),
        live: None,
    }
}

/// The longest proof that there is, of hostile words.
#[allow(clippy::unnecessary_wraps, reason = "a `Prove`")]
pub(crate) fn prove(_: &Session, exploit: &str) -> Option<Proof> {
    let request = |number: usize| Request {
        says: hostile::SHORT.into(),
        command: format!("curl '{}' {}", hostile::SHORT, "x".repeat(700)),
        answer: format!("200 {}", hostile::SHORT),
        shows: number == 20,
    };
    Some(Proof {
        exploit: exploit.to_owned(),
        requests: (0..24).map(request).collect(),
        left_out: 3,
    })
}

fn elements(page: &str) -> Vec<String> {
    page.split('<')
        .skip(1)
        .filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic()))
        .map(|part| {
            part.chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect()
        })
        .collect()
}

/// The page without its own script, which is no words of anybody.
fn without_script(page: &str) -> String {
    page.replace(style::SCRIPT, "")
}

#[test]
fn hostile_words_add_no_element() {
    let run = run(6, 1);
    let page = render(&board(&run), &mut prove);
    let known = [
        "html", "head", "meta", "title", "style", "body", "a", "header", "p", "h1", "bdi", "span",
        "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "main", "section", "h2",
        "h3", "h4", "article", "ul", "ol", "li", "code", "pre", "details", "summary", "footer",
        "strong", "em", "nav", "svg", "line", "circle", "br", "kbd", "script",
    ];
    let text = without_script(&page);
    for name in elements(&text) {
        assert!(known.contains(&name.as_str()), "<{name}>");
    }
    assert_eq!(text.matches("<script").count(), 1);
    assert!(
        page.contains("<section id=\"apart\">"),
        "its words are tried, too"
    );
    for word in [
        "src=",
        "url(",
        "@import",
        "<link",
        "href=\"http",
        "href=\"j",
    ] {
        let shown = if word == "src=" {
            text.matches("&lt;img src=").count()
        } else {
            0
        };
        assert_eq!(text.matches(word).count(), shown, "{word}");
    }
    assert!(!page.contains(['\u{1b}', '\u{202e}', '\u{0}', '\u{feff}']));
    assert!(page.contains("&lt;script&gt;pwned"), "the words are shown");
}

#[test]
fn every_verdict_is_a_cell_that_opens_what_is_there() {
    let run = run(6, 1);
    let page = render(&board(&run), &mut prove);
    let verdicts: usize = run.sessions.iter().map(|one| one.verdicts.len()).sum();
    assert_eq!(page.matches("href=\"#c-").count(), verdicts);
    assert_eq!(page.matches("<article class=\"cell\"").count(), verdicts);
    let ids: std::collections::BTreeSet<&str> = page
        .split("id=\"")
        .skip(1)
        .filter_map(|part| part.split('"').next())
        .collect();
    for target in page
        .split("href=\"#")
        .skip(1)
        .filter_map(|part| part.split('"').next())
    {
        assert!(ids.contains(target), "#{target} leads nowhere");
    }
    assert_eq!(page.matches(" id=\"").count(), ids.len(), "an id twice");
}

#[test]
fn a_frameworks_sessions_stand_together() {
    let run = run(6, 1);
    let page = render(&board(&run), &mut prove);
    assert_eq!(page.matches("scope=\"colgroup\"").count(), 2);
    assert_eq!(page.matches("scope=\"colgroup\" colspan=\"3\"").count(), 2);
}

#[test]
fn a_cells_sign_and_words_are_those_of_its_verdict() {
    let run = run(2, 1);
    let page = render(&board(&run), &mut prove);
    for session in &run.sessions {
        for one in &session.verdicts {
            let said = format!(
                "aria-label=\"{}: {}, {} {}\">{}</a>",
                word(one.verdict, one.tier),
                one.exploit,
                session.framework,
                crate::text::markup(&crate::text::clip(agent(session), NAME)),
                sign(one.verdict, one.tier)
            );
            assert!(page.contains(&said), "{said}");
        }
    }
}

#[test]
fn the_largest_run_is_under_five_megabytes_and_shows_what_succeeded() {
    let mut run = run(150, 25);
    let page = render(&board(&run), &mut prove);
    assert!(page.len() < 5_000_000, "hostile: {}", page.len());
    for session in &mut run.sessions {
        session.agent = "claude-code@2.1.330".into();
        for one in &mut session.verdicts {
            one.reason = "bob's request for alice's note 7 was answered with her canary".into();
            one.notes.clear();
        }
    }
    let mut usual = |_: &Session, exploit: &str| {
        let request = |number: usize| {
            Request {
            says: "bob reads alice's note (bob, from 127.3.7.1)".into(),
            command: "curl -sS -i --path-as-is -X GET \"$BASE\"'/api/notes/7' -H 'Authorization: Bearer '\"$TOKEN_BOB_2\"".into(),
            answer: "200 {\"id\":7,\"title\":\"a title\",\"body\":\"a body with a canary\"}".into(),
            shows: number == 7,
        }
        };
        Some(Proof {
            exploit: exploit.to_owned(),
            requests: (0..9).map(request).collect(),
            left_out: 3,
        })
    };
    let page = render(&board(&run), &mut usual);
    assert!(page.len() < 5_000_000, "usual: {}", page.len());
    let exploited = run
        .sessions
        .iter()
        .flat_map(|one| &one.verdicts)
        .filter(|one| one.verdict == Word::Exploited)
        .count();
    assert!(exploited > 1000);
    assert!(page.matches("Here it shows.").count() >= exploited);
}

#[test]
fn samples_are_said_to_be_samples_and_one_session_has_no_interval() {
    let run = run(2, 1);
    let (page, paper) = (
        render(&board(&run), &mut prove),
        paper::render(&board(&run)),
    );
    for text in [&page, &paper] {
        assert!(text.contains("hand-written"), "{text}");
        assert!(text.contains("can give less than p ="), "{text}");
    }
    let mut real = run;
    for session in &mut real.sessions {
        session.agent = "claude-code@2.1.330".into();
    }
    let page = render(&board(&real), &mut prove);
    assert!(!page.contains("hand-written sample"));
}

#[test]
fn tiers_are_never_added_up() {
    let run = run(4, 1);
    let columns = columns(&run);
    let all: usize = columns.iter().map(|one| one.verdicts.len()).sum();
    let of: u32 = Tier::ALL
        .into_iter()
        .map(|tier| shares::Figures::of(&columns, tier).of)
        .sum();
    assert_eq!(of as usize, all);
    for text in [
        render(&board(&run), &mut prove),
        paper::render(&board(&run)),
    ] {
        assert!(!text.contains(&format!("of {all}")), "a sum of both tiers");
    }
}

#[test]
fn arms_are_shown_from_two_on_against_the_silent_one() {
    let mut run = run(12, 3);
    assert!(!render(&board(&run), &mut prove).contains("id=\"arms\""));
    assert!(!paper::render(&board(&run)).contains("### Arms"));
    for (number, session) in run.sessions.iter_mut().enumerate() {
        session.agent = "recorded:literal".into();
        session.replicate = number as u32 / 4 + 1;
        if number / 2 % 2 == 1 {
            session.arm = "checklist".into();
            for one in &mut session.verdicts {
                one.verdict = Word::Resisted;
            }
        }
    }
    let columns = columns(&run);
    let (arms, uplifts) = crate::compare::arms::uplifts(&columns);
    let names: Vec<&str> = arms.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["silent", "checklist"]);
    assert_eq!(uplifts.len(), 2, "one arm in two tiers");
    let one = &uplifts[0];
    assert!(
        one.row.pairs && one.difference.value > 0.1 && one.difference.low < one.difference.value
    );
    // Six pairs all one way: 2 of 64, twice for two tiers.
    assert!((one.p - 4.0 / 64.0).abs() < 1e-9, "{}", one.p);
    let page = render(&board(&run), &mut prove);
    assert!(page.contains("id=\"arms\"") && page.contains("0.062, paired"));
    assert!(paper::render(&board(&run)).contains("### Arms, against `silent`"));
}

#[test]
fn what_was_not_attacked_is_in_no_figure_and_is_named() {
    let mut run = run(3, 1);
    run.sessions[1].trouble = Some(model::run::Trouble {
        fault: Fault::App,
        step: Step::Boot,
        why: format!("it ended {}", hostile::SHORT),
        log: String::new(),
    });
    let page = render(&board(&run), &mut prove);
    assert!(page.contains("was not attacked"));
    let rules = rules().len();
    assert_eq!(page.matches("<article class=\"cell\"").count(), 2 * rules);
    run.sessions.clear();
    let page = render(&board(&run), &mut prove);
    assert!(page.contains("No app was attacked"));
}

#[test]
fn a_table_for_a_paper_holds_hostile_names() {
    let run = run(6, 1);
    let text = paper::render(&board(&run));
    assert!(!text.contains("<script") && !text.contains("@everyone"));
    for line in text.lines().filter(|line| line.starts_with('|')) {
        assert!(line.ends_with('|'), "{line}");
    }
}
