//! A session after each of its steps: when each exploit became what it is at the end, and what a later step broke.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::Word;
use model::decision::{Decided, Decision, Turn, changes};
use model::run::{Judged, Regression, Session, Stage, Tier};

use crate::bench::{painted, short, sign};
use crate::decisions::{choice, place, wrap};
use crate::paint::{Paint, clean};

const NAME: usize = 28;
/// Of a step in the table.
const COLUMN: usize = 2;

/// What was said after a step, the last one included.
struct After<'a> {
    step: &'a str,
    verdicts: &'a [Judged],
    decisions: &'a [Decided],
}

fn all(session: &Session) -> Vec<After<'_>> {
    let stages = session.stages.iter().map(|one: &Stage| After {
        step: &one.step,
        verdicts: &one.verdicts,
        decisions: &one.decisions,
    });
    let last = After {
        step: &session.step,
        verdicts: &session.verdicts,
        decisions: &session.decisions,
    };
    stages.chain([last]).collect()
}

impl<'a> After<'a> {
    fn of(&self, exploit: &str) -> Option<&'a Judged> {
        self.verdicts.iter().find(|one| one.exploit == exploit)
    }

    fn word(&self, exploit: &str) -> Option<Word> {
        self.of(exploit).map(|one| one.verdict)
    }
}

fn is_decided(word: Option<Word>) -> bool {
    matches!(word, Some(Word::Resisted | Word::Exploited))
}

/// Each time an exploit that was resisted after a step succeeded after a later one. What is undecided or does not apply is
/// neither.
pub fn regressions(session: &Session) -> Vec<Regression> {
    if session.stages.is_empty() {
        return Vec::new();
    }
    let steps = all(session);
    let mut found = Vec::new();
    // Where the last attack was cut short, an earlier step knows more.
    let mut exploits: Vec<&str> = Vec::new();
    for judged in steps.iter().flat_map(|one| one.verdicts) {
        if !exploits.contains(&judged.exploit.as_str()) {
            exploits.push(&judged.exploit);
        }
    }
    for exploit in exploits {
        let words: Vec<Option<Word>> = steps.iter().map(|one| one.word(exploit)).collect();
        let mut held: Option<usize> = None;
        for (at, word) in words.iter().enumerate() {
            match (word, held) {
                (Some(Word::Resisted), _) => held = Some(at),
                (Some(Word::Exploited), Some(before)) => {
                    held = None;
                    let again = words[at..]
                        .iter()
                        .position(|word| *word == Some(Word::Resisted));
                    found.push(Regression {
                        exploit: exploit.to_owned(),
                        tier: steps[at]
                            .of(exploit)
                            .map_or(Tier::Hardening, |one| one.tier),
                        resisted: steps[before].step.to_owned(),
                        exploited: steps[at].step.to_owned(),
                        between: steps[before + 1..at]
                            .iter()
                            .map(|one| one.step.to_owned())
                            .collect(),
                        again: again.map(|ahead| steps[at + ahead].step.to_owned()),
                        decided: otherwise(exploit, &steps[before], &steps[at]),
                    });
                }
                (Some(Word::Exploited | Word::Inconclusive | Word::NotApplicable) | None, _) => {}
            }
        }
    }
    found
}

/// What was decided otherwise of the matters that an exploit tests.
fn otherwise(exploit: &str, before: &After<'_>, after: &After<'_>) -> Option<Vec<Turn>> {
    let tested = |one: &After<'_>| -> Vec<Decision> {
        let decided = one.decisions.iter();
        let tested = decided.filter(|one| one.tests.iter().any(|id| id == exploit));
        tested.map(|one| one.decision.clone()).collect()
    };
    let (before, after) = (tested(before), tested(after));
    if before.is_empty() || after.is_empty() {
        return None;
    }
    let mut turns: Vec<Turn> = changes(&before, &after).iter().map(Turn::from).collect();
    // The same choice, and other code that makes it: a route more, a check less.
    for new in &after {
        let same = before
            .iter()
            .find(|old| old.fingerprint() == new.fingerprint());
        if let Some(old) = same
            && (places(old) != places(new) || old.below != new.below)
        {
            turns.push(Turn {
                before: Some(old.clone()),
                after: Some(new.clone()),
            });
        }
    }
    Some(turns)
}

/// By what stands there: moved lines are the same.
fn places(decision: &Decision) -> Vec<&str> {
    let mut texts: Vec<&str> = decision
        .spans
        .iter()
        .map(|span| span.text.as_str())
        .collect();
    texts.sort_unstable();
    texts
}

/// What happened, in a sentence.
pub fn sentence(one: &Regression) -> String {
    let (held, broken) = words(one.tier);
    let mut out = format!(
        "{}: {held} after {}, {broken} after {}",
        one.exploit, one.resisted, one.exploited
    );
    if !one.between.is_empty() {
        let _ = write!(
            out,
            ", not decided after {} between",
            one.between.join(" and ")
        );
    }
    if let Some(again) = &one.again {
        let _ = write!(out, ", {held} again after {again}");
    }
    match &one.decided {
        None => out.push('.'),
        Some(turns) if turns.is_empty() => {
            out.push_str("; what the source decides about it reads as before.");
        }
        Some(turns) => {
            let said: Vec<String> = turns.iter().filter_map(turn).collect();
            let _ = write!(out, "; decided otherwise there: {}.", said.join("; "));
        }
    }
    clean(&out)
}

fn words(tier: Tier) -> (&'static str, &'static str) {
    match tier {
        Tier::Requirement => ("resisted", "exploited"),
        Tier::Hardening => ("present", "absent"),
    }
}

fn turn(turn: &Turn) -> Option<String> {
    let one = turn.decision()?;
    let at = match place(one) {
        place if place.is_empty() => place,
        place => format!(" ({place})"),
    };
    let said = match (&turn.before, &turn.after) {
        (Some(old), Some(new)) if choice(old) == choice(new) => {
            format!("still {}, in other code", choice(new))
        }
        (Some(old), Some(new)) => format!("was {}, is {}", choice(old), choice(new)),
        (None, Some(new)) => format!("new: {}", choice(new)),
        (Some(old), None) => format!("gone: {}", choice(old)),
        (None, None) => return None,
    };
    Some(format!("{} {said}{at}", one.decision))
}

/// For each session whose earlier steps were attacked, exploits by steps. `order` gives every exploit's id in the suite's order.
pub fn render(sessions: &[&Session], order: &[&str], paint: Paint) -> String {
    let mut out = String::new();
    for session in sessions.iter().filter(|one| !one.stages.is_empty()) {
        table(&mut out, session, order, paint);
    }
    out
}

fn table(out: &mut String, session: &Session, order: &[&str], paint: Paint) {
    let steps = all(session);
    let names: Vec<&str> = steps.iter().map(|one| one.step).collect();
    let title = format!("AFTER EACH STEP  {}", clean(&short(session)));
    let _ = writeln!(out, "\n {}", paint.head(&title));
    let numbers: String = names
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let number = step.split('-').next().unwrap_or_default();
            let number = match number.parse::<usize>() {
                Ok(number) if number < 10 => number,
                Ok(_) | Err(_) => at + 1,
            };
            format!("{number:>COLUMN$}")
        })
        .collect();
    let line = format!("   {:<NAME$}{numbers}   {}", "", clean(&names.join(" ")));
    wrap(
        out,
        &line[..3 + NAME],
        &" ".repeat(3 + NAME + numbers.len() + 3),
        &line[3 + NAME..],
    );
    // Resisted from the first step on at which it was decided, by that step.
    let mut steady: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for id in order {
        let row: Vec<Option<&Judged>> = steps.iter().map(|one| one.of(id)).collect();
        if row.iter().all(Option::is_none) {
            continue;
        }
        if let Some(since) = steadily_resisted(&row) {
            steady.entry(since).or_default().push(id);
            continue;
        }
        let cells: String = row
            .iter()
            .map(|one| painted(sign(*one), COLUMN, paint))
            .collect();
        let _ = writeln!(out, "   {id:<NAME$}{cells}   {}", became(&row, &names));
    }
    for (since, ids) in steady {
        let text = format!("held since {}: {}", clean(names[since]), ids.join(", "));
        wrap(out, "   ", "     ", &text);
    }
    undecided(out, session, paint);
    for stage in &session.stages {
        if let Some(trouble) = &stage.trouble {
            let text = format!(
                "{} after {}: not attacked: {}",
                paint.odd("?"),
                clean(&stage.step),
                clean(&trouble.why)
            );
            wrap(out, "   ", "     ", &text);
        }
    }
    for one in &session.regressions {
        let text = format!("{} {}", paint.bad("REGRESSION"), sentence(one));
        wrap(out, " ", "   ", &text);
    }
    if session.regressions.is_empty() {
        let _ = writeln!(
            out,
            "   no regression: nothing that held was exploited after a later step"
        );
    }
}

/// Why what is undecided after an earlier step is; where nothing was attacked, that is the cause.
fn undecided(out: &mut String, session: &Session, paint: Paint) {
    let mut causes: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for stage in session.stages.iter().filter(|one| one.trouble.is_none()) {
        let verdicts = stage.verdicts.iter();
        for one in verdicts.filter(|one| one.verdict == Word::Inconclusive) {
            let steps = causes.entry((&one.exploit, &one.reason)).or_default();
            steps.push(&stage.step);
        }
    }
    for ((exploit, reason), steps) in causes {
        let steps = steps.join(", ");
        let text = clean(&format!("{exploit} after {steps}: {reason}"));
        wrap(out, "   ", "     ", &format!("{} {text}", paint.odd("?")));
    }
}

/// The first step of a row that is resisted from there to the end, and does not apply before.
fn steadily_resisted(row: &[Option<&Judged>]) -> Option<usize> {
    let is = |at: usize, word: Word| row[at].is_some_and(|one| one.verdict == word);
    let since = (0..row.len()).find(|at| !is(*at, Word::NotApplicable))?;
    (since..row.len())
        .all(|at| is(at, Word::Resisted))
        .then_some(since)
}

/// What a row is at the end, and since when. A `?` in a row is no change, and is said.
fn became(row: &[Option<&Judged>], names: &[&str]) -> String {
    let word = |at: usize| row[at].map(|one| one.verdict);
    let name = |at: usize| clean(names[at]);
    let tier = |at: usize| row[at].map_or(Tier::Hardening, |one| one.tier);
    let called = |at: usize| {
        let (held, broken) = words(tier(at));
        if word(at) == Some(Word::Resisted) {
            held
        } else {
            broken
        }
    };
    let last = row.len() - 1;
    let Some(decided) = (0..row.len()).rev().find(|at| is_decided(word(*at))) else {
        return match word(last) {
            Some(Word::NotApplicable) => "not applicable".to_owned(),
            _ => "undecided".to_owned(),
        };
    };
    if decided != last {
        return format!("last {} after {}", called(decided), name(decided));
    }
    let alike = |at: &usize| word(*at) == word(last) || !is_decided(word(*at));
    let run = (0..=last).rev().take_while(alike);
    let since = run
        .filter(|at| word(*at) == word(last))
        .last()
        .unwrap_or(last);
    let gaps = (since..last).any(|at| !is_decided(word(at)));
    let doubt = if gaps { " (?)" } else { "" };
    format!("{} since {}{doubt}", called(last), name(since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use model::Fault;
    use model::decision::{Confidence, InForce, Origin, Span};
    use model::run::Trouble;

    const STEPS: [&str; 6] = [
        "1-auth",
        "2-uploads",
        "3-search",
        "4-admin",
        "5-webhooks",
        "6-production",
    ];

    fn word(sign: char) -> Option<Word> {
        Some(match sign {
            'x' => Word::Exploited,
            '.' => Word::Resisted,
            'n' => Word::NotApplicable,
            '?' => Word::Inconclusive,
            _ => return None,
        })
    }

    /// A session by the rows of its table.
    fn session(rows: &[(&str, &str)]) -> Session {
        let verdicts = |at: usize| -> Vec<Judged> {
            let of = |(id, signs): &(&str, &str)| {
                let word = word(signs.chars().nth(at)?)?;
                Some(fixture::judged(id, Tier::Requirement, word))
            };
            rows.iter().filter_map(of).collect()
        };
        let stages = (0..5).map(|at| Stage {
            step: STEPS[at].into(),
            attack: None,
            trouble: None,
            ended: None,
            verdicts: verdicts(at),
            decisions: vec![],
        });
        let mut one = Session {
            stages: stages.collect(),
            ..fixture::session(verdicts(5))
        };
        one.regressions = regressions(&one);
        one
    }

    fn found(signs: &str) -> Vec<String> {
        let session = session(&[("a", signs)]);
        let all = session.regressions.iter();
        all.map(|one| {
            let between = one.between.join("+");
            let again = one.again.clone().unwrap_or_default();
            format!("{} {} [{between}] {again}", one.resisted, one.exploited)
        })
        .collect()
    }

    #[test]
    fn only_what_was_resisted_and_then_exploited_is_a_regression() {
        for none in [
            "......", "xxxxxx", "nnnnnn", "??????", "xxx...", "nn....", "nnxxxx", "..??nn",
            "?xxxxx", "x?....", "......", "     x", ".n?n?.",
        ] {
            assert_eq!(found(none), [""; 0], "{none}");
        }
        assert_eq!(found("..xxxx"), ["2-uploads 3-search [] "]);
        assert_eq!(found("..x   "), ["2-uploads 3-search [] "]);
        assert_eq!(found(".....x"), ["5-webhooks 6-production [] "]);
        assert_eq!(
            found("n.?xx."),
            ["2-uploads 4-admin [3-search] 6-production"]
        );
        assert_eq!(
            found(".n? xx"),
            ["1-auth 5-webhooks [2-uploads+3-search+4-admin] "]
        );
        assert_eq!(
            found(".x.x?x"),
            ["1-auth 2-uploads [] 3-search", "3-search 4-admin [] "]
        );
    }

    #[test]
    fn a_session_that_was_attacked_at_its_end_alone_has_no_table() {
        let mut one = session(&[("a", "..xxxx")]);
        one.stages.clear();
        assert!(regressions(&one).is_empty());
        assert_eq!(render(&[&one], &["a"], Paint(false)), "");
    }

    #[test]
    fn the_table_says_when_each_became_what_it_is() {
        let mut one = session(&[
            ("missing-token", "......"),
            ("note-read-other-user", "nn.xxx"),
            ("login-rate-limit", "xxxxxx"),
            ("webhook-replay", "nnnn.."),
            ("upload-oversize", "nxx?x."),
            ("search-other-user", "nnx?xx"),
            ("weak-password", "xxxx??"),
            ("default-secret", "nnnnnn"),
        ]);
        one.stages[4].trouble = Some(Trouble {
            fault: Fault::App,
            step: model::Step::Boot,
            why: "it \x1b[31m ended".into(),
            log: String::new(),
        });
        let order = [
            "missing-token",
            "note-read-other-user",
            "login-rate-limit",
            "webhook-replay",
            "upload-oversize",
            "search-other-user",
            "weak-password",
            "default-secret",
        ];
        let text = render(&[&one], &order, Paint(false));
        let expected = "
 AFTER EACH STEP  fastapi/x
                                1 2 3 4 5 6   1-auth 2-uploads 3-search 4-admin
                                              5-webhooks 6-production
   note-read-other-user         n n . x x x   exploited since 4-admin
   login-rate-limit             x x x x x x   exploited since 1-auth
   upload-oversize              n x x ? x .   resisted since 6-production
   search-other-user            n n x ? x x   exploited since 3-search (?)
   weak-password                x x x x ? ?   last exploited after 4-admin
   default-secret               n n n n n n   not applicable
   held since 1-auth: missing-token
   held since 5-webhooks: webhook-replay
   ? search-other-user after 4-admin: a reason
   ? upload-oversize after 4-admin: a reason
   ? after 5-webhooks: not attacked: it \\x1b[31m ended
 REGRESSION note-read-other-user: resisted after 3-search, exploited after
   4-admin.
";
        assert_eq!(text, expected, "\n{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }

    fn decided(choice: &str, text: &str) -> Decided {
        let origin = if choice.is_empty() {
            Origin::Absent
        } else {
            Origin::HandWritten
        };
        Decided {
            decision: Decision {
                decision: "route-authorisation".into(),
                choice: choice.into(),
                origin,
                parameters: BTreeMap::new(),
                below: None,
                confidence: Confidence::High,
                spans: vec![Span {
                    file: "app/main.py".into(),
                    line: 7,
                    column: 1,
                    end_line: 7,
                    text: text.into(),
                }],
                lines: 0,
                notes: vec![],
            },
            step: String::new(),
            asked: None,
            reviewed: None,
            in_force: InForce::Untested,
            tests: vec!["a".into()],
        }
    }

    #[test]
    fn a_regression_says_what_the_source_decided_otherwise_and_no_more() {
        let said = |before: Vec<Decided>, after: Vec<Decided>, exploit: &str| {
            let mut one = session(&[(exploit, "nn.xxx")]);
            one.stages[2].decisions = before;
            one.stages[3].decisions = after;
            sentence(&regressions(&one)[0])
        };
        let held = "resisted after 3-search, exploited after 4-admin";
        let owner = || {
            vec![decided(
                "owner in the query",
                "WHERE id = ? AND user_id = ?",
            )]
        };
        assert_eq!(
            said(owner(), vec![decided("", "WHERE id = ?")], "a"),
            format!(
                "a: {held}; decided otherwise there: route-authorisation was owner in the query, is absent (app/main.py:7)."
            )
        );
        assert_eq!(
            said(
                owner(),
                vec![decided("owner in the query", "WHERE id = ?")],
                "a"
            ),
            format!(
                "a: {held}; decided otherwise there: route-authorisation still owner in the query, in other code (app/main.py:7)."
            )
        );
        assert_eq!(
            said(owner(), owner(), "a"),
            format!("a: {held}; what the source decides about it reads as before.")
        );
        assert_eq!(said(vec![], owner(), "a"), format!("a: {held}."));
        assert_eq!(said(owner(), vec![], "b"), format!("b: {held}."));
    }
}
