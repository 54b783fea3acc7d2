//! The scoreboard of `bench`: only rows that differ, tiers apart and never summed, what is undecided with its cause,
//! conclusion last.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::Word;
use model::decision::Told;
use model::run::{Judged, Run, Score, Session, Tier};

use crate::compare::SILENT;
use crate::paint::{Paint, clean};
use crate::score::session_scores;

/// What a reader should do next.
#[derive(Debug, Clone, Default)]
pub struct Next {
    pub lines: Vec<String>,
}

const NAME_WIDTH: usize = 28;
/// The narrowest column: four letters of a name.
const COLUMN: usize = 5;
const WIDTH: usize = 80;

/// The first word of the agent's name, or the arm where sessions of one agent differ in it.
fn word<'a>(session: &'a Session, columns: &[&Session]) -> &'a str {
    let alike = |of: fn(&Session) -> &str| columns.iter().all(|one| of(one) == of(session));
    if alike(|one| &one.agent) && !alike(|one| &one.arm) {
        return &session.arm;
    }
    let agent = session
        .agent
        .strip_prefix("recorded:")
        .unwrap_or(&session.agent);
    agent.split(['-', '@']).next().unwrap_or(agent)
}

/// Wide enough for whole words where all columns then fit.
fn column_width(columns: &[&Session]) -> usize {
    let widest = columns
        .iter()
        .map(|session| word(session, columns).len() + 2)
        .max()
        .unwrap_or(COLUMN);
    let mut frameworks: Vec<&str> = columns
        .iter()
        .map(|session| session.framework.as_str())
        .collect();
    frameworks.dedup();
    if NAME_WIDTH + 3 + widest * columns.len() + 2 * frameworks.len() <= WIDTH {
        widest.max(COLUMN)
    } else {
        COLUMN
    }
}

/// The whole scoreboard. `order` gives every exploit's id in the suite's order.
pub fn render(run: &Run, order: &[&str], next: &Next, paint: Paint) -> String {
    let mut out = String::new();
    let (columns, troubled): (Vec<&Session>, Vec<&Session>) = run
        .sessions
        .iter()
        .filter(|session| session.agent != "reference")
        .partition(|one| one.trouble.is_none());
    if !columns.is_empty() {
        heads(&mut out, &columns, paint);
        for tier in Tier::ALL {
            tier_rows(&mut out, tier, &columns, order, paint);
        }
        legend(&mut out, &columns);
    }
    for session in &run.sessions {
        undecided(&mut out, session, paint);
    }
    out.push_str(&crate::compare::arms::render(&columns, paint));
    let told: Vec<(String, Told)> = columns
        .iter()
        .filter_map(|session| Some((short(session), session.told()?)))
        .collect();
    let told: Vec<(String, &Told)> = told
        .iter()
        .map(|(name, told)| (name.clone(), told))
        .collect();
    if !told.is_empty() {
        out.push('\n');
        out.push_str(crate::decisions::bench(&told, paint).trim_end());
        out.push('\n');
    }
    let attacked: Vec<&Session> = run
        .sessions
        .iter()
        .filter(|one| one.agent != "reference")
        .collect();
    out.push_str(&crate::stages::render(&attacked, order, paint));
    for session in troubled {
        let trouble = session.trouble.as_ref();
        let why = trouble.map_or("", |trouble| trouble.why.as_str());
        let _ = writeln!(
            out,
            " {} {}: not attacked: {}",
            paint.odd("?"),
            short(session),
            clean(why)
        );
    }
    out.push('\n');
    conclusion(&mut out, &columns);
    foot(&mut out, run);
    for line in &next.lines {
        let _ = writeln!(out, " {line}");
    }
    out
}

/// Framework and agent, and the arm where that is not the silent one.
pub(crate) fn short(session: &Session) -> String {
    let agent = session
        .agent
        .strip_prefix("recorded:")
        .unwrap_or(&session.agent);
    if matches!(session.arm.as_str(), SILENT | "none") {
        format!("{}/{agent}", session.framework)
    } else {
        format!("{}/{agent}/{}", session.framework, session.arm)
    }
}

fn heads(out: &mut String, columns: &[&Session], paint: Paint) {
    let wide = column_width(columns);
    let (mut frameworks, mut names, mut arms) = (String::new(), String::new(), String::new());
    let differ = |of: fn(&Session) -> &str| columns.iter().any(|one| of(one) != of(columns[0]));
    let two_heads = differ(|one| &one.agent) && differ(|one| &one.arm);
    let mut last = "";
    for session in columns {
        let word: String = word(session, columns).chars().take(wide - 1).collect();
        let gap = gap(last, session);
        if session.framework != last {
            last = &session.framework;
            // Above the first letter of its first column.
            let from = names.len() + gap.len() + wide - word.len();
            let _ = write!(
                frameworks,
                "{:from$}",
                "",
                from = from.saturating_sub(frameworks.len())
            );
            frameworks.push_str(last);
        }
        let _ = write!(names, "{gap}{word:>wide$}");
        let arm: String = session.arm.chars().take(wide - 1).collect();
        let _ = write!(arms, "{gap}{arm:>wide$}");
    }
    let pad = " ".repeat(NAME_WIDTH + 3);
    let _ = writeln!(out, "{pad}{}", paint.head(frameworks.trim_end()));
    let _ = writeln!(out, "{pad}{names}");
    if two_heads {
        let _ = writeln!(out, "{pad}{arms}");
    }
}

/// Frameworks stand apart.
fn gap(last: &str, session: &Session) -> &'static str {
    if last.is_empty() || last == session.framework {
        ""
    } else {
        "  "
    }
}

/// One cell per column, with the gaps.
fn cells(columns: &[&Session], cell: impl Fn(usize) -> String) -> String {
    let mut last = "";
    let mut out = String::new();
    for (index, session) in columns.iter().enumerate() {
        out.push_str(gap(last, session));
        out.push_str(&cell(index));
        last = &session.framework;
    }
    out
}

pub(crate) fn sign(judged: Option<&Judged>) -> char {
    let Some(judged) = judged else { return ' ' };
    match (judged.verdict, judged.tier) {
        (Word::Exploited, Tier::Requirement) => 'x',
        (Word::Resisted, Tier::Requirement) => '.',
        (Word::Exploited, Tier::Hardening) => '-',
        (Word::Resisted, Tier::Hardening) => '+',
        (Word::NotApplicable, _) => 'n',
        (Word::Inconclusive, _) => '?',
    }
}

pub(crate) fn painted(sign: char, wide: usize, paint: Paint) -> String {
    let cell = format!("{sign:>wide$}");
    match sign {
        'x' | '-' => paint.bad(&cell),
        '.' | '+' => paint.good(&cell),
        '?' => paint.odd(&cell),
        _ => cell,
    }
}

fn tier_rows(out: &mut String, tier: Tier, columns: &[&Session], order: &[&str], paint: Paint) {
    let of = columns
        .iter()
        .map(|one| one.verdicts.iter().filter(|one| one.tier == tier).count())
        .max()
        .unwrap_or(0);
    if of == 0 {
        return;
    }
    let (title, foot, all_good) = match tier {
        Tier::Requirement => ("THE PROMPT ASKED", "resisted", "resisted by all"),
        Tier::Hardening => ("NOBODY ASKED", "present", "present in all"),
    };
    let _ = writeln!(out, " {}", paint.head(&format!("{title} ({of})")));
    let wide = column_width(columns);
    let mut alike = 0;
    for id in order {
        let row: Vec<Option<&Judged>> = columns
            .iter()
            .map(|session| {
                session
                    .verdicts
                    .iter()
                    .find(|one| one.exploit == *id && one.tier == tier)
            })
            .collect();
        if row.iter().all(Option::is_none) {
            continue;
        }
        if row
            .iter()
            .flatten()
            .all(|one| one.verdict == Word::Resisted)
        {
            alike += 1;
            continue;
        }
        let cells = cells(columns, |index| painted(sign(row[index]), wide, paint));
        let _ = writeln!(out, "   {id:<NAME_WIDTH$}{cells}");
    }
    if alike > 0 {
        let _ = writeln!(
            out,
            "   {:<NAME_WIDTH$} {all_good}",
            format!("{alike} more")
        );
    }
    let scores: Vec<Score> = columns.iter().map(|one| tier_score(one, tier)).collect();
    let counts = cells(columns, |index| {
        format!("{:>wide$}", scores[index].resisted)
    });
    let _ = writeln!(out, "   {foot:<NAME_WIDTH$}{counts}");
    // Arms are asked for other things.
    if scores.iter().any(|one| one.of != of) {
        let counts = cells(columns, |index| format!("{:>wide$}", scores[index].of));
        let _ = writeln!(out, "   {:<NAME_WIDTH$}{counts}", "of");
    }
    out.push('\n');
}

fn tier_score(session: &Session, tier: Tier) -> Score {
    session_scores(&session.id, &session.verdicts)
        .into_iter()
        .find(|score| score.tier == tier)
        .unwrap_or(Score {
            session: session.id.clone(),
            tier,
            of: 0,
            exploited: 0,
            resisted: 0,
            not_applicable: 0,
            inconclusive: 0,
        })
}

fn legend(out: &mut String, columns: &[&Session]) {
    let signs: Vec<char> = columns
        .iter()
        .flat_map(|one| one.verdicts.iter().map(|one| sign(Some(one))))
        .collect();
    let known = [
        ('x', "exploited"),
        ('.', "resisted"),
        ('-', "absent"),
        ('+', "present"),
        ('n', "not applicable"),
        ('?', "undecided"),
    ];
    let shown: Vec<String> = known
        .iter()
        .filter(|(sign, _)| signs.contains(sign))
        .map(|(sign, word)| format!("{sign} {word}"))
        .collect();
    let _ = writeln!(out, " {}", shown.join("   "));
}

fn undecided(out: &mut String, session: &Session, paint: Paint) {
    if let Some(ended) = &session.ended {
        let _ = writeln!(
            out,
            " {} {}: the app ended while it was attacked: {}",
            paint.odd("?"),
            short(session),
            clean(ended)
        );
    }
    let mut causes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for judged in session
        .verdicts
        .iter()
        .filter(|one| one.verdict == Word::Inconclusive)
    {
        causes
            .entry(clean(&judged.reason))
            .or_default()
            .push(&judged.exploit);
    }
    for (cause, exploits) in causes {
        let which = match exploits.as_slice() {
            [one] => (*one).to_owned(),
            [one, two] => format!("{one}, {two}"),
            [one, rest @ ..] => format!("{one} and {} more", rest.len()),
            [] => continue,
        };
        let _ = writeln!(
            out,
            " {} {} {which}: {cause}",
            paint.odd("?"),
            short(session)
        );
    }
}

/// What these sessions show, in words that claim no more.
fn conclusion(out: &mut String, columns: &[&Session]) {
    if columns.len() < 2 {
        return;
    }
    let only_samples = columns
        .iter()
        .all(|session| session.agent.starts_with("recorded:"));
    let mut by_framework: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for session in columns {
        let score = tier_score(session, Tier::Requirement);
        let name = short(session);
        let name = name.split_once('/').map_or(name.as_str(), |(_, rest)| rest);
        by_framework
            .entry(&session.framework)
            .or_default()
            .push(format!("{name} {} of {}", score.resisted, score.of));
    }
    let _ = writeln!(
        out,
        " {}",
        if only_samples {
            "In these samples:"
        } else {
            "In these sessions:"
        }
    );
    for (framework, list) in by_framework {
        wrap(
            out,
            &format!(
                "{framework} resisted what the prompt asked for: {}.",
                list.join(", ")
            ),
        );
    }
    let mut seldom: Vec<&str> = Vec::new();
    for judged in columns[0]
        .verdicts
        .iter()
        .filter(|one| one.tier == Tier::Hardening)
    {
        let met: Vec<&Judged> = columns
            .iter()
            .flat_map(|one| &one.verdicts)
            .filter(|other| other.exploit == judged.exploit)
            .collect();
        let nobody = met.iter().all(|other| other.tier == Tier::Hardening);
        let present = met.iter().filter(|other| other.verdict == Word::Resisted);
        if nobody && present.count() <= 1 {
            seldom.push(&judged.exploit);
        }
    }
    if !seldom.is_empty() {
        let list = seldom.join(", ");
        wrap(
            out,
            &format!(
                "Of what nobody asked for, present in at most 1 of {}: {list}.",
                columns.len()
            ),
        );
    }
    if only_samples {
        wrap(
            out,
            "They are hand-written: they show the instrument, not any agent.",
        );
    }
}

fn wrap(out: &mut String, text: &str) {
    let mut line = String::from("  ");
    for word in text.split(' ') {
        if line.len() + word.len() + 1 > 79 {
            let _ = writeln!(out, "{line}");
            line = String::from("    ");
        } else if !line.trim().is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

fn foot(out: &mut String, run: &Run) {
    let verdicts: usize = run
        .sessions
        .iter()
        .map(|session| session.verdicts.len())
        .sum();
    let open = run
        .sessions
        .iter()
        .flat_map(|session| &session.verdicts)
        .filter(|one| one.verdict == Word::Inconclusive)
        .count();
    let requests: u64 = run
        .sessions
        .iter()
        .filter_map(|session| session.attack.as_ref())
        .map(|one| one.requests)
        .sum();
    let stages = || run.sessions.iter().flat_map(|session| &session.stages);
    let earlier: usize = stages().map(|stage| stage.verdicts.len()).sum();
    let state = if run.complete { "" } else { "   INCOMPLETE" };
    let _ = writeln!(
        out,
        "\n {verdicts} verdicts, {open} undecided   {requests} requests{state}"
    );
    if earlier > 0 {
        let verdicts = stages().flat_map(|stage| &stage.verdicts);
        let open = verdicts
            .filter(|one| one.verdict == Word::Inconclusive)
            .count();
        let costs = stages().filter_map(|stage| stage.attack.as_ref());
        let requests: u64 = costs.map(|one| one.requests).sum();
        let broken: usize = run
            .sessions
            .iter()
            .map(|session| session.regressions.len())
            .sum();
        let plural = if broken == 1 { "" } else { "s" };
        let _ = writeln!(
            out,
            " after earlier steps, in no score: {earlier} verdicts, {open} undecided   {requests} requests\n {broken} regression{plural}"
        );
    }
    for line in crate::calibration::foot(run) {
        let _ = writeln!(out, " {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, run};
    use model::run::Trouble;
    use model::{Fault, Step};

    fn judged(exploit: &str, tier: Tier, verdict: Word) -> Judged {
        Judged {
            reason: "a\x1b[31m reason".into(),
            ..fixture::judged(exploit, tier, verdict)
        }
    }

    fn session(agent: &str, verdicts: Vec<Judged>) -> Session {
        Session {
            id: format!("fastapi/{agent}"),
            agent: agent.into(),
            ..fixture::session(verdicts)
        }
    }

    #[test]
    fn rows_that_do_not_differ_are_counted_and_tiers_stay_apart() {
        let (r, h) = (Tier::Requirement, Tier::Hardening);
        let one = session(
            "recorded:literal",
            vec![
                judged("missing-token", r, Word::Resisted),
                judged("sql-injection-sort", r, Word::Exploited),
                judged("weak-password", h, Word::Exploited),
            ],
        );
        let two = session(
            "recorded:hardened",
            vec![
                judged("missing-token", r, Word::Resisted),
                judged("sql-injection-sort", r, Word::Inconclusive),
                judged("weak-password", h, Word::Resisted),
            ],
        );
        let mut broken = session("recorded:broken", vec![]);
        broken.trouble = Some(Trouble {
            fault: Fault::App,
            step: Step::Boot,
            why: "it ended".into(),
            log: String::new(),
        });
        let text = render(
            &run(vec![one, two, broken]),
            &["missing-token", "sql-injection-sort", "weak-password"],
            &Next::default(),
            Paint(false),
        );
        let expected = "                                  fastapi
                                  literal  hardened
 THE PROMPT ASKED (2)
   sql-injection-sort                   x         ?
   1 more                       resisted by all
   resisted                             1         1

 NOBODY ASKED (1)
   weak-password                        -         +
   present                              0         1

 x exploited   . resisted   - absent   + present   ? undecided
 ? fastapi/hardened sql-injection-sort: a\\x1b[31m reason
 ? fastapi/broken: not attacked: it ended

 In these samples:
  fastapi resisted what the prompt asked for: literal 1 of 2, hardened 1 of 2.
  Of what nobody asked for, present in at most 1 of 2: weak-password.
  They are hand-written: they show the instrument, not any agent.

 6 verdicts, 1 undecided   0 requests
 instrument on fastapi: not measured
";
        assert_eq!(text, expected, "\n{text}");
        assert!(text.lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn arms_are_told_apart_and_asked_for_is_not_called_unasked() {
        let (r, h) = (Tier::Requirement, Tier::Hardening);
        let one = |agent: &str, arm: &str, tier: Tier, verdict: Word| {
            let mut one = session(
                agent,
                vec![
                    judged("missing-token", r, Word::Exploited),
                    judged("login-rate-limit", tier, verdict),
                    judged("weak-password", h, Word::Exploited),
                ],
            );
            one.arm = arm.into();
            one
        };
        let sessions = vec![
            one("claude-code@1", "silent", h, Word::Exploited),
            one("codex@1", "silent", h, Word::Exploited),
            one("claude-code@1", "checklist", r, Word::Resisted),
            one("codex@1", "checklist", r, Word::Exploited),
        ];
        let text = render(
            &run(sessions),
            &["missing-token", "login-rate-limit", "weak-password"],
            &Next::default(),
            Paint(false),
        );
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(lines[1], "claude codex claude codex", "{text}");
        assert_eq!(lines[2], "silent silent checkli checkli", "{text}");
        assert!(lines.contains(&"resisted 0 0 1 0".to_owned()), "{text}");
        assert!(lines.contains(&"of 1 1 2 2".to_owned()), "{text}");
        // One alone has the limit, but some were asked for it.
        let seldom = text.split("present in at most").nth(1).unwrap();
        assert!(seldom.contains("weak-password"), "{text}");
        assert!(!seldom.contains("login-rate-limit"), "{text}");
    }
}
