//! Arms beside the one that says nothing: what asking changed. One family of tests over all arms.

use std::fmt::Write as _;

use model::run::{Answer, Became, Part, Session};

use super::{Row, SILENT, Side, probability, share, whole};
use crate::paint::{Paint, clean};
use crate::statistics::{self, Interval};

/// Sessions whose own words are shown below a control.
const SHOWN: usize = 4;

/// One arm against the first, in the tests that both, one or neither was asked for.
pub(crate) struct Uplift {
    pub(crate) arm: String,
    pub(crate) row: Row,
    pub(crate) difference: Interval,
    /// Corrected by Holm over all of them.
    pub(crate) p: f64,
}

/// The arms, the silent one first, and what each of the others changed.
pub(crate) fn uplifts<'a>(sessions: &[&'a Session]) -> (Vec<Side<'a>>, Vec<Uplift>) {
    let mut arms = super::sides(sessions, |one| one.arm.clone());
    arms.sort_by_key(|arm| arm.name != SILENT);
    let mut all: Vec<Uplift> = Vec::new();
    for arm in arms.iter().skip(1) {
        let rows = whole(&arms[0], arm);
        all.extend(rows.into_iter().map(|row| Uplift {
            arm: arm.name.clone(),
            difference: statistics::apart(row.first, row.second),
            p: row.p,
            row,
        }));
    }
    let p: Vec<f64> = all.iter().map(|one| one.p).collect();
    for (one, corrected) in all.iter_mut().zip(statistics::holm(&p)) {
        one.p = corrected;
    }
    (arms, all)
}

/// Nothing for the sessions of one arm that asks for nothing by number and tells nothing.
pub(crate) fn render(sessions: &[&Session], paint: Paint) -> String {
    let mut out = String::new();
    let (arms, uplifts) = uplifts(sessions);
    if arms.len() > 1 {
        table(&mut out, &arms, &uplifts, paint);
    }
    for arm in &arms {
        by_number(&mut out, &arm.name, &arm.sessions, paint);
        told(&mut out, &arm.name, &arm.sessions, paint);
    }
    out
}

fn table(out: &mut String, arms: &[Side<'_>], uplifts: &[Uplift], paint: Paint) {
    let _ = writeln!(
        out,
        "\n {}\n   {:<22}{:<17}{:<17}{:>6}  p corrected",
        paint.head("ARMS: resisted or present, 95 % intervals over sessions"),
        "A: ".to_owned() + &clean(&arms[0].name),
        "A",
        "B",
        "B - A"
    );
    for arm in &arms[1..] {
        let _ = writeln!(
            out,
            "   {}",
            paint.head(&format!("B: {}", clean(&arm.name)))
        );
        for one in uplifts.iter().filter(|one| one.arm == arm.name) {
            let row = &one.row;
            let _ = writeln!(
                out,
                "     {:<20}{:<17}{:<17}{:>+6.1}  {}{}",
                clean(&row.name),
                share(row.first),
                share(row.second),
                one.difference.value * 100.0,
                probability(one.p),
                if row.pairs { "  paired" } else { "" }
            );
            if let Some(open) = &row.open {
                let _ = writeln!(out, "     {:<20}{open}", "");
            }
        }
    }
}

/// What became of the controls that were asked for by their numbers.
fn by_number(out: &mut String, arm: &str, sessions: &[&Session], paint: Paint) {
    let asked: Vec<&Answer> = match sessions.iter().find(|one| !one.wanted.is_empty()) {
        Some(session) => session.wanted.iter().collect(),
        None => return,
    };
    let head = format!("ASKED FOR BY NUMBER: {}, sessions", clean(arm));
    let words: String = Became::ALL
        .iter()
        .map(|one| format!("{:>10}", one.name()))
        .collect();
    let _ = writeln!(out, "\n {}\n   {:<25}{words}", paint.head(&head), "");
    for control in asked {
        let answers: Vec<(&Session, &Answer)> = sessions
            .iter()
            .filter_map(|session| {
                let mut wanted = session.wanted.iter();
                Some((*session, wanted.find(|one| one.what == control.what)?))
            })
            .collect();
        let counts: String = Became::ALL
            .iter()
            .map(|word| {
                let count = answers.iter().filter(|(_, one)| one.became == *word);
                format!("{:>10}", count.count())
            })
            .collect();
        let what = clean(&control.what);
        if what.chars().count() > 24 {
            let _ = writeln!(out, "   {what}\n   {:<25}{counts}", "");
        } else {
            let _ = writeln!(out, "   {what:<25}{counts}");
        }
        let other = answers
            .iter()
            .filter(|(_, one)| one.became != Became::Obeyed);
        for (session, one) in other.take(SHOWN) {
            // The arm is in the heading.
            let name = super::super::bench::short(session);
            let name = name.strip_suffix(&format!("/{arm}")).unwrap_or(&name);
            let line = format!("{name}: {}, {}", one.became.name(), clean(&one.found));
            let line: String = line.chars().take(72).collect();
            let _ = writeln!(out, "      {line}");
        }
    }
}

/// What became of the findings that an arm told, and of those that it kept back.
fn told(out: &mut String, arm: &str, sessions: &[&Session], paint: Paint) {
    let all: Vec<(&Session, &model::run::Split)> = sessions
        .iter()
        .filter_map(|session| Some((*session, session.feedback.as_ref()?)))
        .collect();
    if all.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n {}\n   {:<34}{:>12}{:>15}{:>13}",
        paint.head(&format!("FINDINGS TOLD: {}", clean(arm))),
        "",
        "told closed",
        "kept closed",
        "broken"
    );
    let of = |part: &Part| {
        format!(
            "{} of {}",
            part.closed.len(),
            part.closed.len() + part.open.len() + part.undecided.len()
        )
    };
    for (session, split) in all {
        let _ = writeln!(
            out,
            "   {:<34}{:>12}{:>15}{:>13}",
            super::super::bench::short(session),
            of(&split.told),
            of(&split.held_back),
            split.broken.len()
        );
    }
}

#[cfg(test)]
mod tests {
    use model::Word;
    use model::run::{Split, Tier};

    use super::*;
    use crate::fixture;

    fn session(arm: &str, replicate: u32, limit: (Tier, Word)) -> Session {
        let mut session = fixture::session(vec![
            fixture::judged("missing-token", Tier::Requirement, Word::Resisted),
            fixture::judged("login-rate-limit", limit.0, limit.1),
            fixture::judged("weak-password", Tier::Hardening, Word::Exploited),
        ]);
        session.arm = arm.into();
        session.replicate = replicate;
        session
    }

    #[test]
    fn what_one_arm_alone_was_asked_for_is_a_group_of_its_own() {
        let silent = (1..=8).map(|n| session("silent", n, (Tier::Hardening, Word::Exploited)));
        let explicit = (1..=8).map(|n| session("explicit", n, (Tier::Requirement, Word::Resisted)));
        let all: Vec<Session> = silent.chain(explicit).collect();
        let all: Vec<&Session> = all.iter().collect();
        let text = render(&all, Paint(false));
        let row = |name: &str| {
            let line = text.lines().find(|line| line.trim().starts_with(name));
            line.unwrap_or_default().to_owned()
        };
        // All eight pairs the same way: 2 of 256, times three rows.
        assert!(
            row("asked in B ").contains("+100.0  0.023  paired"),
            "{text}"
        );
        assert!(row("requirement ").contains("+0.0  1.000"), "{text}");
        assert!(row("hardening ").contains("+0.0  1.000"), "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        assert_eq!(render(&all[..8], Paint(false)), "");
    }

    #[test]
    fn what_became_of_each_number_and_of_what_was_told_is_counted() {
        let mut one = session("explicit", 1, (Tier::Requirement, Word::Resisted));
        let mut two = one.clone();
        let answer = |became, found: &str| Answer {
            what: "bcrypt with 12 rounds".into(),
            decision: "password-hash".into(),
            became,
            found: found.into(),
        };
        one.wanted = vec![answer(Became::Obeyed, "bcrypt, cost 12")];
        two.wanted = vec![answer(Became::Weaker, "bcrypt, cost 10")];
        two.feedback = Some(Split {
            told: Part {
                closed: vec!["a".into(), "b".into()],
                open: vec!["c".into()],
                undecided: vec![],
            },
            held_back: Part {
                closed: vec![],
                open: vec![],
                undecided: vec!["d".into()],
            },
            broken: vec!["e".into()],
        });
        let text = render(&[&one, &two], Paint(false));
        let words: Vec<&str> = text.split_whitespace().collect();
        let words = words.join(" ");
        assert!(words.contains("bcrypt with 12 rounds 1 0 1 0 0"), "{text}");
        assert!(words.contains("weaker, bcrypt, cost 10"), "{text}");
        assert!(words.contains("2 of 3 0 of 1 1"), "{text}");
    }
}
