//! What `check` says of one app: findings for people, requirement before hardening.

use std::fmt::Write as _;

use model::run::{Judged, Run, Session, Tier};
use model::{Fault, Word};

use crate::paint::{Paint, clean};

/// One numbered finding.
#[derive(Debug, Clone)]
pub struct Finding<'a> {
    /// Its number on the screen, for `replay` and `fix`.
    pub number: usize,
    pub judged: &'a Judged,
}

/// Exploited first, then what is absent, in the suite's order; numbered from 1.
pub fn findings(session: &Session) -> Vec<Finding<'_>> {
    let of = |tier| {
        session
            .verdicts
            .iter()
            .filter(move |one| one.verdict == Word::Exploited && one.tier == tier)
    };
    of(Tier::Requirement)
        .chain(of(Tier::Hardening))
        .enumerate()
        .map(|(index, judged)| Finding {
            number: index + 1,
            judged,
        })
        .collect()
}

/// The whole screen for one app. `lines` come last.
pub fn render(run: &Run, lines: &[String], paint: Paint) -> String {
    let mut out = String::new();
    for session in &run.sessions {
        one(&mut out, session, &run.run, paint);
    }
    let foot = crate::calibration::foot(run);
    for line in foot.iter().chain(lines) {
        let _ = writeln!(out, " {line}");
    }
    out
}

fn one(out: &mut String, session: &Session, run: &str, paint: Paint) {
    if let Some(trouble) = &session.trouble {
        let whose = match trouble.fault {
            Fault::App => "the app's",
            Fault::Harness => "not the app's, but this tool's or this machine's",
        };
        let words = format!("Nothing was attacked; the fault is {whose}.");
        let _ = writeln!(out, " {}", paint.odd(&words));
        let _ = writeln!(out, " {}", clean(&trouble.why));
        for line in trouble.log.lines() {
            let _ = writeln!(out, "   | {}", clean(line));
        }
        decided(out, session, run, paint);
        return;
    }
    let count = |word, tier| {
        session
            .verdicts
            .iter()
            .filter(|one| one.verdict == word && one.tier == tier)
            .count()
    };
    let both = |word| count(word, Tier::Requirement) + count(word, Tier::Hardening);
    let asked = session
        .verdicts
        .iter()
        .filter(|one| one.tier == Tier::Requirement)
        .count();
    let unasked = session.verdicts.len() - asked;
    let _ = writeln!(
        out,
        " asked for ({asked}): {} exploited, {} resisted   nobody asked ({unasked}): {} absent, {} present",
        count(Word::Exploited, Tier::Requirement),
        count(Word::Resisted, Tier::Requirement),
        count(Word::Exploited, Tier::Hardening),
        count(Word::Resisted, Tier::Hardening),
    );
    let _ = writeln!(
        out,
        " not applicable: {}   undecided: {}",
        both(Word::NotApplicable),
        both(Word::Inconclusive)
    );
    if let Some(cost) = &session.attack {
        let _ = writeln!(
            out,
            " {} requests in {:.1} s",
            cost.requests,
            cost.wall_ms as f64 / 1000.0
        );
    }
    if let Some(ended) = &session.ended {
        let line = format!("The app ended while it was attacked: {}", clean(ended));
        let _ = writeln!(out, " {}", paint.odd(&line));
    }
    let findings = findings(session);
    for (tier, title) in [
        (Tier::Requirement, "EXPLOITED"),
        (Tier::Hardening, "ABSENT: nobody asked, nobody decided"),
    ] {
        let mut of_tier = findings
            .iter()
            .filter(|finding| finding.judged.tier == tier)
            .peekable();
        if of_tier.peek().is_some() {
            let _ = writeln!(out, "\n {}", paint.bad(title));
        }
        for finding in of_tier {
            let judged = finding.judged;
            headline(out, finding.number, &judged.title, &judged.exploit);
            wrapped(out, &clean(&judged.reason));
            for place in deciding(session, &judged.exploit) {
                wrapped(out, &paint.faint(&place));
            }
            for note in &judged.notes {
                wrapped(out, &paint.faint(&clean(note)));
            }
        }
    }
    let others = [
        (Word::Inconclusive, "UNDECIDED"),
        (Word::NotApplicable, "NOT APPLICABLE"),
    ];
    for (word, title) in others {
        let mut list = session
            .verdicts
            .iter()
            .filter(|one| one.verdict == word)
            .peekable();
        if list.peek().is_some() {
            let _ = writeln!(out, "\n {}", paint.odd(title));
        }
        for judged in list {
            wrapped(
                out,
                &format!("{:<28} {}", judged.exploit, clean(&judged.reason)),
            );
        }
    }
    let mut noted = session
        .verdicts
        .iter()
        .filter(|one| one.verdict == Word::Resisted && !one.notes.is_empty())
        .peekable();
    if noted.peek().is_some() {
        let _ = writeln!(out, "\n {}", paint.head("REPORTED, not counted"));
    }
    for judged in noted {
        wrapped(
            out,
            &format!("{:<28} {}", judged.exploit, clean(&judged.notes.join("; "))),
        );
    }
    out.push('\n');
    decided(out, session, run, paint);
}

/// What the source decided, with whether it is in force.
fn decided(out: &mut String, session: &Session, run: &str, paint: Paint) {
    if let Some(told) = session.told() {
        let short = run.get(run.len().saturating_sub(12)..).unwrap_or(run);
        let command = format!("unrequested decisions {short}");
        out.push_str(&crate::decisions::short(&told, &command, paint));
        out.push('\n');
    }
}

/// The places that decided what an exploit tests.
fn deciding(session: &Session, exploit: &str) -> Vec<String> {
    session
        .decisions
        .iter()
        .filter(|one| one.tests.iter().any(|id| id == exploit))
        .filter_map(|one| {
            let span = one.decision.spans.first()?;
            Some(clean(&format!(
                "{}:{}   {}",
                span.file, span.line, span.text
            )))
        })
        .take(2)
        .collect()
}

/// The widest line.
const WIDTH: usize = 79;

/// The finding's title with the exploit's id at the end of the line, or below where both do not fit.
fn headline(out: &mut String, number: usize, title: &str, id: &str) {
    let space = WIDTH.saturating_sub(5 + title.len() + id.len());
    if space > 0 {
        let _ = writeln!(out, " {number:>2}  {title}{:space$}{id}", "");
    } else {
        let _ = writeln!(out, " {number:>2}  {title}\n     {id}");
    }
}

fn wrapped(out: &mut String, text: &str) {
    let mut line = String::from("    ");
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > WIDTH && line.trim() != "" {
            let _ = writeln!(out, "{line}");
            line = String::from("    ");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_of_an_app_stay_within_the_width() {
        let mut out = String::new();
        headline(&mut out, 1, "A short title", "weak-password");
        headline(&mut out, 12, &"long ".repeat(14), "webhook-wrong-signature");
        wrapped(&mut out, &"some words of a reason; ".repeat(9));
        assert!(out.lines().all(|line| line.len() <= 79), "{out}");
        assert!(
            out.starts_with("  1  A short title")
                && out.contains("\n     webhook-wrong-signature\n"),
            "{out}"
        );
    }
}
