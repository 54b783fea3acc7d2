//! What `check` says of one app on a terminal: findings for people, requirement before hardening, conclusion last.

use std::fmt::Write as _;

use model::run::{Session, Tier};
use model::{Fault, Word};

use crate::finding::{App, Finding, Report, State};
use crate::paint::{Paint, clean};
use crate::text::{LONGEST, clip};

/// The widest line.
const WIDTH: usize = 79;

/// So many effects of one exploit are shown; the rest is counted.
const EFFECTS: usize = 3;

/// The whole screen for one app. `lines` come last.
pub fn render(report: &Report<'_>, lines: &[String], paint: Paint) -> String {
    let mut out = String::new();
    for app in &report.apps {
        one(&mut out, app, report, paint);
    }
    for notice in &report.notices {
        wrapped(&mut out, " ", &paint.odd(&clip(notice, LONGEST)));
    }
    let foot = crate::calibration::foot(report.run);
    for line in foot.iter().chain(lines) {
        let _ = writeln!(out, " {line}");
    }
    out
}

fn one(out: &mut String, app: &App<'_>, report: &Report<'_>, paint: Paint) {
    let session = app.session;
    let run = &report.run.run;
    if let Some(trouble) = &session.trouble {
        let whose = match trouble.fault {
            Fault::App => "the app's",
            Fault::Harness => "not the app's, but this tool's or this machine's",
        };
        let words = format!("Nothing was attacked; the fault is {whose}.");
        let _ = writeln!(out, " {}", paint.odd(&words));
        wrapped(out, " ", &clip(&trouble.why, 1000));
        for line in trouble.log.lines() {
            let _ = writeln!(out, "   | {}", clip(line, LONGEST));
        }
        decided(out, session, run, paint);
        return;
    }
    summary(out, session, paint);
    let shown = |tier| {
        app.findings
            .iter()
            .filter(move |one| one.tier == tier && one.state.counts())
    };
    if shown(Tier::Requirement).next().is_some() {
        let _ = writeln!(out, "\n {}", paint.bad("EXPLOITED"));
    }
    for finding in shown(Tier::Requirement) {
        whole(out, finding, report, paint);
    }
    let absent = shown(Tier::Hardening).count();
    if absent > 0 {
        let _ = writeln!(
            out,
            "\n {}",
            paint.bad("ABSENT: nobody asked, nobody decided")
        );
    }
    for finding in shown(Tier::Hardening) {
        if report.hardening {
            whole(out, finding, report, paint);
        } else {
            headline(out, finding.number, &finding.title, &finding.id);
        }
    }
    if absent > 0 && !report.hardening {
        let _ = writeln!(out, "     in full: --hardening");
    }
    set_aside(out, app, paint);
    undecided(out, app, paint);
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
            "     ",
            &format!(
                "{:<28} {}",
                judged.exploit,
                clip(&judged.notes.join("; "), LONGEST)
            ),
        );
    }
    out.push('\n');
    decided(out, session, run, paint);
}

fn summary(out: &mut String, session: &Session, paint: Paint) {
    let count = |word, tier| {
        session
            .verdicts
            .iter()
            .filter(|one| one.verdict == word && one.tier == tier && !one.is_depth())
            .count()
    };
    let both = |word| {
        session
            .verdicts
            .iter()
            .filter(|one| one.verdict == word)
            .count()
    };
    let of = |tier| {
        Word::ALL
            .into_iter()
            .map(|word| count(word, tier))
            .sum::<usize>()
    };
    let (asked, unasked) = (of(Tier::Requirement), of(Tier::Hardening));
    let _ = writeln!(
        out,
        " asked for ({asked}): {} exploited, {} resisted   nobody asked ({unasked}): {} absent, {} present",
        count(Word::Exploited, Tier::Requirement),
        count(Word::Resisted, Tier::Requirement),
        count(Word::Exploited, Tier::Hardening),
        count(Word::Resisted, Tier::Hardening),
    );
    let depth: Vec<Word> = session
        .verdicts
        .iter()
        .filter(|one| one.is_depth())
        .map(|one| one.verdict)
        .collect();
    if !depth.is_empty() {
        let _ = writeln!(
            out,
            " depth ({}): {} absent, {} present",
            depth.len(),
            depth.iter().filter(|one| **one == Word::Exploited).count(),
            depth.iter().filter(|one| **one == Word::Resisted).count(),
        );
    }
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
}

/// A finding with what was seen, the code that decided it, and the ways on.
fn whole(out: &mut String, finding: &Finding, report: &Report<'_>, paint: Paint) {
    headline(out, finding.number, &finding.title, &finding.id);
    for seen in &finding.seen {
        let mut text = seen
            .effects
            .iter()
            .take(EFFECTS)
            .map(|effect| clip(effect, 160))
            .collect::<Vec<_>>()
            .join("; ");
        if seen.effects.len() > EFFECTS {
            let _ = write!(text, "; and {} more", seen.effects.len() - EFFECTS);
        }
        if finding.seen.len() > 1 {
            text = format!("{}: {text}", seen.exploit);
        }
        wrapped(out, "     ", &text);
        for note in &seen.notes {
            wrapped(out, "     ", &paint.faint(&clip(note, LONGEST)));
        }
    }
    for place in finding.places.iter().take(2) {
        let text = match &place.file {
            Some(file) => clip(&format!("{file}:{}   {}", place.line, place.text), 200),
            None => format!("nothing in the source decides it ({})", place.decision),
        };
        wrapped(out, "     ", &paint.faint(&text));
    }
    if let State::Expired { until, .. } = &finding.state {
        wrapped(
            out,
            "     ",
            &paint.odd(&format!("was accepted until {}", clean(until))),
        );
    }
    let number = finding.number;
    let _ = writeln!(
        out,
        "     see it: {called} replay {number}   fix it: {called} fix {number}",
        called = report.called
    );
}

/// What is there and does not count, a line each.
fn set_aside(out: &mut String, app: &App<'_>, paint: Paint) {
    let accepted = |one: &&Finding| matches!(one.state, State::Accepted { .. });
    if app.findings.iter().any(|one| accepted(&one)) {
        let _ = writeln!(
            out,
            "\n {}",
            paint.head("ACCEPTED in the baseline, not counted")
        );
    }
    for finding in app.findings.iter().filter(accepted) {
        headline(out, finding.number, &finding.title, &finding.id);
        if let State::Accepted { reason, by, until } = &finding.state {
            wrapped(
                out,
                "     ",
                &paint.faint(&clip(&format!("by {by} until {until}: {reason}"), LONGEST)),
            );
        }
    }
    let before: Vec<&str> = app
        .findings
        .iter()
        .filter(|one| matches!(one.state, State::Before { .. }))
        .map(|one| one.id.as_str())
        .collect();
    if let Some(first) = app.findings.iter().find_map(|one| match &one.state {
        State::Before { revision } => Some(revision),
        State::Open | State::Accepted { .. } | State::Expired { .. } => None,
    }) {
        let title = format!(
            "DECIDED BEFORE {}, not counted: {}",
            clip(first, 40),
            before.len()
        );
        let _ = writeln!(out, "\n {}", paint.head(&title));
        wrapped(out, "     ", &before.join(", "));
    }
}

fn undecided(out: &mut String, app: &App<'_>, paint: Paint) {
    for (word, title) in [
        (Word::Inconclusive, "UNDECIDED"),
        (Word::NotApplicable, "NOT APPLICABLE"),
    ] {
        let mut list = app
            .undecided
            .iter()
            .filter(|one| one.verdict == word)
            .peekable();
        if list.peek().is_some() {
            let _ = writeln!(out, "\n {}", paint.odd(title));
        }
        let mut last = None;
        for one in list {
            wrapped(
                out,
                "     ",
                &format!("{:<28} {}", one.exploit, clip(&one.reason, LONGEST)),
            );
            if one.way.is_some() && one.way != last {
                wrapped(
                    out,
                    "       ",
                    &paint.faint(&format!("-> {}", one.way.as_deref().unwrap_or_default())),
                );
            }
            last.clone_from(&one.way);
        }
    }
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

/// The finding's title with its id at the end of the line, or below where both do not fit.
fn headline(out: &mut String, number: usize, title: &str, id: &str) {
    let title = clip(title, 200);
    let length = title.chars().count();
    let space = WIDTH.saturating_sub(5 + length + id.len());
    if space > 0 {
        let _ = writeln!(out, " {number:>2}  {title}{:space$}{id}", "");
        return;
    }
    let mut text = String::new();
    wrapped(&mut text, "     ", &title);
    let _ = writeln!(out, " {number:>2}  {}\n     {id}", text.trim());
}

fn wrapped(out: &mut String, indent: &str, text: &str) {
    let mut line = String::new();
    let wide = WIDTH - indent.len();
    let words = text.split(' ').flat_map(|word| pieces(word, wide));
    for word in words {
        if !line.is_empty() && shown(&line) + 1 + shown(&word) > wide {
            let _ = writeln!(out, "{indent}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    let _ = writeln!(out, "{indent}{line}");
}

/// A word in parts that fit on a line.
fn pieces(word: &str, wide: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut colour = false;
    let mut count = 0;
    for c in word.chars() {
        colour = colour || c == '\u{1b}';
        if !colour {
            if count == wide {
                all.push(String::new());
                count = 0;
            }
            count += 1;
        }
        if let Some(last) = all.last_mut() {
            last.push(c);
        }
        colour = colour && c != 'm';
    }
    all
}

/// Characters that are seen: colours are none.
fn shown(text: &str) -> usize {
    let mut count = 0;
    let mut colour = false;
    for c in text.chars() {
        match c {
            '\u{1b}' => colour = true,
            'm' if colour => colour = false,
            _ if colour => {}
            _ => count += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::{report, run};
    use crate::text::hostile;

    #[test]
    fn long_words_of_an_app_stay_within_the_width() {
        let mut out = String::new();
        headline(&mut out, 1, "A short title", "weak-password");
        headline(&mut out, 12, &"long ".repeat(20), "webhook-wrong-signature");
        wrapped(
            &mut out,
            "     ",
            &Paint(true).faint(&format!("a {} b", "x".repeat(400))),
        );
        wrapped(&mut out, "     ", &"some words of a reason; ".repeat(9));
        wrapped(
            &mut out,
            "     ",
            &Paint(true).faint(&"some words of a reason; ".repeat(9)),
        );
        assert!(out.lines().all(|line| shown(line) <= 79), "{out}");
        assert!(
            out.starts_with("  1  A short title")
                && out.contains("\n     webhook-wrong-signature\n"),
            "{out}"
        );
    }

    #[test]
    fn absent_protections_take_a_line_each_unless_asked_for() {
        let run = run();
        let mut report = report(&run);
        let text = render(&report, &["exit 10".into()], Paint(false));
        assert!(
            text.contains("EXPLOITED") && text.contains("see it: unrequested replay 1"),
            "{text}"
        );
        assert!(
            !text.contains("replay 2") && text.contains("in full: --hardening"),
            "{text}"
        );
        assert!(text.ends_with(" exit 10\n"));
        report.hardening = true;
        assert!(render(&report, &[], Paint(false)).contains("replay 2"));
    }

    #[test]
    fn what_is_accepted_or_older_is_said_and_not_shown_as_open() {
        let run = run();
        let mut report = report(&run);
        report.apps[0].findings[0].state = State::Accepted {
            reason: "an internal tool".into(),
            by: "ann".into(),
            until: "2027-01-31".into(),
        };
        report.apps[0].findings[1].state = State::Before {
            revision: "main".into(),
        };
        let text = render(&report, &[], Paint(false));
        assert!(
            !text.contains("EXPLOITED") && !text.contains("ABSENT"),
            "{text}"
        );
        assert!(
            text.contains("by ann until 2027-01-31: an internal tool"),
            "{text}"
        );
        assert!(
            text.contains("DECIDED BEFORE main, not counted: 1"),
            "{text}"
        );
    }

    #[test]
    fn nothing_of_a_hostile_app_reaches_the_terminal() {
        let run = run();
        let report = report(&run);
        for paint in [Paint(false), Paint(true)] {
            let text = render(&report, &[], paint);
            assert!(text.len() < 40_000, "{} bytes", text.len());
            assert!(!text.contains(['\u{202e}', '\u{7}', '\u{0}', '\u{feff}']));
            let colours = text
                .replace("\u{1b}[0m", "")
                .replace("\u{1b}[1m", "")
                .replace("\u{1b}[2m", "");
            let colours = colours
                .replace("\u{1b}[31m", "")
                .replace("\u{1b}[33m", "")
                .replace("\u{1b}[32m", "");
            assert!(!colours.contains('\u{1b}'), "{colours}");
        }
        assert!(hostile::SHORT.contains('\u{202e}'));
    }
}
