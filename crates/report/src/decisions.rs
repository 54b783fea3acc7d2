//! What an app's source decided: for one app, for several side by side, and what changed.

use std::fmt::Write as _;

use model::decision::{Burden, Change, Decided, Decision, InForce, Origin, Told};

use crate::paint::{Paint, clean};

const WIDTH: usize = 79;
pub(crate) const ID: usize = 21;

/// `bcrypt, cost 12`; for what was not chosen, `absent` or `unknown`.
pub fn choice(decision: &Decision) -> String {
    match &decision.origin {
        Origin::Absent => "absent".to_owned(),
        Origin::Unknown { .. } => "unknown".to_owned(),
        Origin::Library { .. }
        | Origin::Framework { .. }
        | Origin::Runtime { .. }
        | Origin::HandWritten => {
            let parameters = decision.parameters.iter();
            let parts: Vec<String> = parameters
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            let mut all = vec![decision.choice.clone()];
            all.extend(parts);
            clean(&all.join(", "))
        }
    }
}

/// `library bcrypt 5.0.0`
pub fn origin(origin: &Origin) -> String {
    let with = |word: &str, name: &str, version: &Option<String>| match version {
        Some(version) => format!("{word} {name} {version}"),
        None => format!("{word} {name}"),
    };
    clean(&match origin {
        Origin::Library { name, version } => with("library", name, version),
        Origin::Framework { name, version } => with("framework", name, version),
        Origin::Runtime { module } => format!("runtime {module}"),
        Origin::Unknown { why } => why.clone(),
        Origin::HandWritten | Origin::Absent => origin.word().to_owned(),
    })
}

pub(crate) fn place(decision: &Decision) -> String {
    decision.spans.first().map_or(String::new(), |span| {
        clean(&format!("{}:{}", span.file, span.line))
    })
}

fn asked(one: &Decided) -> String {
    one.asked
        .as_ref()
        .map_or("nobody".to_owned(), |asked| clean(&asked.by))
}

fn reviewed(one: &Decided) -> String {
    match &one.reviewed {
        None => "nobody".to_owned(),
        Some(review) if review.holds => clean(&format!("{} {}", review.by, review.date)),
        Some(review) => clean(&format!("changed since {} reviewed it", review.by)),
    }
}

/// One app's decisions for a terminal.
pub fn list(told: &Told, paint: Paint) -> String {
    let mut out = String::new();
    let (chosen, rest): (Vec<&Decided>, Vec<&Decided>) = told
        .decisions
        .iter()
        .partition(|one| one.decision.origin.is_chosen());
    let _ = writeln!(
        out,
        " {}",
        paint.head(&format!("DECIDED ({})", chosen.len()))
    );
    for one in chosen {
        entry(&mut out, one, paint);
    }
    let absent: Vec<&&Decided> = rest
        .iter()
        .filter(|one| one.decision.origin == Origin::Absent)
        .collect();
    if !absent.is_empty() {
        let title = format!(
            "NOT DECIDED ({}): all source was read, nothing does it",
            absent.len()
        );
        let _ = writeln!(out, "\n {}", paint.head(&title));
    }
    for one in absent {
        let force = one.in_force.told().to_owned();
        let line = format!(
            "{:<ID$} asked by {:<22} {force}",
            one.decision.decision,
            asked(one)
        );
        let _ = writeln!(out, "   {}", line.trim_end());
    }
    let unknown: Vec<&&Decided> = rest
        .iter()
        .filter(|one| matches!(one.decision.origin, Origin::Unknown { .. }))
        .collect();
    if !unknown.is_empty() {
        let _ = writeln!(
            out,
            "\n {}",
            paint.odd(&format!("NOT KNOWN ({})", unknown.len()))
        );
    }
    for one in unknown {
        let text = format!(
            "{:<ID$} {}",
            one.decision.decision,
            origin(&one.decision.origin)
        );
        wrap(&mut out, "   ", &" ".repeat(ID + 4), &text);
    }
    foot(&mut out, told, paint);
    out
}

/// The few lines below `check`: what keeps passwords and signs people in, what is weak or not in force, what is missing.
/// `command` shows all.
pub fn short(told: &Told, command: &str, paint: Paint) -> String {
    let mut out = String::new();
    let chosen: Vec<&Decided> = told
        .decisions
        .iter()
        .filter(|one| one.decision.origin.is_chosen())
        .collect();
    let by = |is: &dyn Fn(&Decided) -> bool| chosen.iter().filter(|one| is(one)).count();
    let unasked = by(&|one| one.asked.is_none());
    let unreviewed = by(&|one| one.reviewed.as_ref().is_none_or(|review| !review.holds));
    let head = format!(
        "DECIDED in the source: {}, asked for by nobody: {unasked}, reviewed by nobody: {unreviewed}",
        chosen.len()
    );
    let _ = writeln!(out, " {}", paint.head(&head));
    for one in chosen {
        let central = matches!(
            one.decision.decision.as_str(),
            "password-hash" | "token-signing"
        );
        if !central && one.decision.below.is_none() && one.in_force != InForce::NotInForce {
            continue;
        }
        let force = one.in_force.told();
        let facts = format!("{}  {}", choice(&one.decision), place(&one.decision));
        let room = WIDTH.saturating_sub(3 + ID + 1 + force.len() + 2);
        let facts = clip(&facts, room);
        let gap = room - facts.chars().count() + 2;
        let force = match one.in_force {
            InForce::NotInForce | InForce::Absent => paint.bad(force),
            InForce::Enforced | InForce::Gift => paint.good(force),
            InForce::Untested => force.to_owned(),
        };
        let line = format!(
            "   {:<ID$} {facts}{:gap$}{force}",
            one.decision.decision, ""
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let named = |is: &dyn Fn(&Origin) -> bool| {
        let ids: Vec<&str> = told
            .decisions
            .iter()
            .filter(|one| is(&one.decision.origin) && one.decision.decision != "secret-logging")
            .map(|one| one.decision.decision.as_str())
            .collect();
        ids.join(", ")
    };
    let absent = named(&|origin| *origin == Origin::Absent);
    if !absent.is_empty() {
        wrap(&mut out, "   ", "     ", &format!("not decided: {absent}"));
    }
    let unknown = named(&|origin| matches!(origin, Origin::Unknown { .. }));
    if !unknown.is_empty() {
        wrap(&mut out, "   ", "     ", &format!("not known: {unknown}"));
    }
    let _ = writeln!(out, "   all of it   {command}");
    out
}

fn entry(out: &mut String, one: &Decided, paint: Paint) {
    let decision = &one.decision;
    let force = one.in_force.told().to_owned();
    let text = choice(decision);
    let room = WIDTH.saturating_sub(3 + ID + 1 + force.len() + 1);
    let id = paint.head(&format!("{:<ID$}", decision.decision));
    let painted = match one.in_force {
        InForce::NotInForce | InForce::Absent => paint.bad(&force),
        InForce::Enforced | InForce::Gift => paint.good(&force),
        InForce::Untested => force.clone(),
    };
    if text.chars().count() <= room {
        let gap = room - text.chars().count() + 1;
        let line = format!("   {id} {text}{:gap$}{painted}", "");
        let _ = writeln!(out, "{}", line.trim_end());
    } else {
        let _ = writeln!(out, "   {id} {painted}");
        let pad = " ".repeat(ID + 4);
        wrap(out, &pad, &pad, &text);
    }
    let pad = " ".repeat(ID + 4);
    let mut facts = vec![origin(&decision.origin)];
    if decision.lines > 0 {
        facts.push(format!("{} lines", decision.lines));
    }
    facts.push(place(decision));
    if !one.step.is_empty() {
        facts.push(format!("since {}", one.step));
    }
    wrap(out, &pad, &pad, &facts.join("   "));
    let who = format!("asked by {}, reviewed by {}", asked(one), reviewed(one));
    let _ = writeln!(out, "{pad}{}", paint.faint(&who));
    if let Some(below) = &decision.below {
        let mut lines = String::new();
        wrap(&mut lines, &pad, &pad, &clean(below));
        let _ = write!(
            out,
            "{}",
            lines
                .lines()
                .map(|line| format!("{}\n", paint.bad(line)))
                .collect::<String>()
        );
    }
    for note in &decision.notes {
        wrap(out, &pad, &pad, &clean(note));
    }
}

fn foot(out: &mut String, told: &Told, paint: Paint) {
    out.push('\n');
    let _ = writeln!(out, " {} files, {} lines read", told.files, told.lines);
    let _ = writeln!(out, " review burden: {}", burden(&told.burden));
    for one in told.unread.iter().take(8) {
        let line = if one.line > 0 {
            format!(":{}", one.line)
        } else {
            String::new()
        };
        let text = clean(&format!("not read: {}{line}: {}", one.file, one.why));
        let _ = writeln!(out, " {}", paint.odd(&text));
    }
    if told.unread.len() > 8 {
        let _ = writeln!(
            out,
            " and {} more that were not read",
            told.unread.len() - 8
        );
    }
}

/// `5 packages (21 more in the lock file), 74 lines of its own`
pub fn burden(burden: &Burden) -> String {
    let locked = match burden.transitive {
        Some(more) => format!("{more} more in the lock file"),
        None => "no lock file".to_owned(),
    };
    format!(
        "{} packages ({locked}), {} lines of its own do security by hand",
        burden.direct, burden.hand_written
    )
}

pub(crate) fn wrap(out: &mut String, first: &str, next: &str, text: &str) {
    let mut line = first.to_owned();
    let mut begun = false;
    for word in text.split(' ') {
        if begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{}", line.trim_end());
            next.clone_into(&mut line);
            begun = false;
        }
        if begun {
            line.push(' ');
        }
        line.push_str(word);
        begun = true;
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

/// All decision ids of several apps, in their order.
fn ids<'a>(columns: &[(&str, &'a Told)]) -> Vec<&'a str> {
    let mut all: Vec<&str> = columns
        .iter()
        .flat_map(|(_, told)| &told.decisions)
        .map(|one| one.decision.decision.as_str())
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn all_of<'a>(told: &'a Told, id: &str) -> Vec<&'a Decided> {
    let of = |one: &&Decided| one.decision.decision == id;
    told.decisions.iter().filter(of).collect()
}

/// What one app decided of a matter, in one cell.
fn cell(told: &Told, id: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for one in all_of(told, id) {
        lines.push(choice(&one.decision));
        if one.decision.origin.is_chosen() {
            let mut facts = origin(&one.decision.origin);
            if one.decision.lines > 0 {
                let _ = write!(facts, ", {} lines", one.decision.lines);
            }
            lines.push(facts);
        }
        lines.extend(one.decision.below.as_deref().map(clean));
        if one.in_force != InForce::Untested {
            lines.push(format!("[{}]", one.in_force.name()));
        }
    }
    if lines.is_empty() {
        lines.push("-".to_owned());
    }
    lines
}

/// Several apps side by side, for a terminal: two columns at a time.
pub fn beside(columns: &[(&str, &Told)], paint: Paint) -> String {
    let mut out = String::new();
    let wide = (WIDTH - 2 - ID) / 2 - 2;
    for pair in columns.chunks(2) {
        let heads: Vec<String> = pair
            .iter()
            .map(|(name, _)| paint.head(&format!("{:<wide$}", clip(&clean(name), wide))))
            .collect();
        let _ = writeln!(out, "  {:ID$}  {}", "", heads.join("  ").trim_end());
        for id in ids(pair) {
            let cells: Vec<Vec<String>> = pair
                .iter()
                .map(|(_, told)| {
                    cell(told, id)
                        .iter()
                        .flat_map(|line| folded(line, wide))
                        .collect()
                })
                .collect();
            let rows = cells.iter().map(Vec::len).max().unwrap_or(0);
            for row in 0..rows {
                let label = if row == 0 { id } else { "" };
                let line: Vec<String> = cells
                    .iter()
                    .map(|cell| format!("{:<wide$}", cell.get(row).map_or("", String::as_str)))
                    .collect();
                let _ = writeln!(
                    out,
                    "  {}",
                    format!("{label:<ID$}  {}", line.join("  ")).trim_end()
                );
            }
        }
        let burdens: Vec<Vec<String>> = pair
            .iter()
            .map(|(_, told)| {
                let own = format!("{} lines by hand", told.burden.hand_written);
                let packages = match told.burden.transitive {
                    Some(more) => format!("{} packages, {more} more locked", told.burden.direct),
                    None => format!("{} packages", told.burden.direct),
                };
                vec![packages, own]
            })
            .collect();
        for row in 0..2 {
            let label = if row == 0 { "REVIEW BURDEN" } else { "" };
            let line: Vec<String> = burdens
                .iter()
                .map(|cell| format!("{:<wide$}", cell[row]))
                .collect();
            let _ = writeln!(
                out,
                "  {}",
                format!("{label:<ID$}  {}", line.join("  ")).trim_end()
            );
        }
        out.push('\n');
    }
    out
}

fn clip(text: &str, wide: usize) -> String {
    text.chars().take(wide).collect()
}

/// A text in lines of at most this many characters, broken between words where it can be.
fn folded(text: &str, wide: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > wide {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        while line.chars().count() > wide {
            let rest: String = line.chars().skip(wide).collect();
            lines.push(clip(&line, wide));
            line = rest;
        }
    }
    lines.push(line);
    lines
}

/// The same as one Markdown table, a column an app; for one app with its places.
pub fn markdown(columns: &[(&str, &Told)]) -> String {
    let escaped = |text: &str| clean(text).replace('|', "\\|").replace('<', "&lt;");
    let mut out = String::new();
    if let [(name, told)] = columns {
        let _ = writeln!(out, "## Security decisions of {}\n", escaped(name));
        let _ = writeln!(
            out,
            "| decision | choice | origin | place | asked by | reviewed by | in force |"
        );
        let _ = writeln!(out, "| --- | --- | --- | --- | --- | --- | --- |");
        for one in &told.decisions {
            let below = one
                .decision
                .below
                .as_ref()
                .map_or(String::new(), |below| format!(" ({below})"));
            let _ = writeln!(
                out,
                "| {} | {}{} | {} | {} | {} | {} | {} |",
                one.decision.decision,
                escaped(&choice(&one.decision)),
                escaped(&below),
                escaped(&origin(&one.decision.origin)),
                escaped(&place(&one.decision)),
                escaped(&asked(one)),
                escaped(&reviewed(one)),
                one.in_force.name()
            );
        }
        let _ = writeln!(
            out,
            "\nReview burden: {}. {} files, {} lines read.",
            burden(&told.burden),
            told.files,
            told.lines
        );
        for one in &told.unread {
            let _ = writeln!(
                out,
                "Not read: {}: {}.",
                escaped(&one.file),
                escaped(&one.why)
            );
        }
        return out;
    }
    let names: Vec<String> = columns.iter().map(|(name, _)| escaped(name)).collect();
    let _ = writeln!(out, "| decision | {} |", names.join(" | "));
    let _ = writeln!(out, "| --- |{}", " --- |".repeat(columns.len()));
    for id in ids(columns) {
        let cells: Vec<String> = columns
            .iter()
            .map(|(_, told)| {
                let lines: Vec<String> = cell(told, id).iter().map(|line| escaped(line)).collect();
                lines.join("<br>")
            })
            .collect();
        let _ = writeln!(out, "| {id} | {} |", cells.join(" | "));
    }
    let burdens: Vec<String> = columns
        .iter()
        .map(|(_, told)| burden(&told.burden))
        .collect();
    let _ = writeln!(out, "| review burden | {} |", burdens.join(" | "));
    out
}

/// What changed, for a terminal or a pull request.
pub fn changed(changes: &[Change<'_>], told: &Told, since: &str, paint: Paint) -> String {
    let mut out = String::new();
    let since = clean(since);
    if changes.is_empty() {
        let _ = writeln!(out, " No security decision changed since {since}.");
        return out;
    }
    let _ = writeln!(out, " {} decided otherwise since {since}:", changes.len());
    let who = |decision: &Decision| {
        let found = told.decisions.iter().find(|one| one.decision == *decision);
        found.map_or(String::new(), |one| {
            format!("asked by {}, reviewed by {}", asked(one), reviewed(one))
        })
    };
    for change in changes {
        let (sign, decision, was) = match change {
            Change::New(new) => ("new", *new, None),
            Change::Changed(old, new) => ("changed", *new, Some(*old)),
            Change::Gone(old) => ("gone", *old, None),
        };
        let text = format!(
            "{:<ID$} {:<8} {}",
            decision.decision,
            sign,
            choice(decision)
        );
        wrap(&mut out, "   ", &" ".repeat(ID + 13), &text);
        let pad = " ".repeat(ID + 13);
        if let Some(old) = was {
            wrap(
                &mut out,
                &pad,
                &pad,
                &format!("before: {} ({})", choice(old), origin(&old.origin)),
            );
        }
        if matches!(change, Change::Gone(_)) {
            continue;
        }
        let facts = format!("{}   {}", origin(&decision.origin), place(decision));
        wrap(&mut out, &pad, &pad, facts.trim_end());
        let _ = writeln!(out, "{pad}{}", paint.faint(&who(decision)));
        if let Some(below) = &decision.below {
            let _ = writeln!(out, "{pad}{}", paint.bad(&clean(below)));
        }
    }
    out
}

/// The few lines of `bench`: how each session keeps passwords and makes tokens, and what that costs to review.
pub fn bench(columns: &[(String, &Told)], paint: Paint) -> String {
    let mut out = String::new();
    if columns.is_empty() {
        return out;
    }
    let wide = columns
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0)
        .min(26);
    let _ = writeln!(
        out,
        " {}",
        paint.head("DECIDED: what keeps passwords, what makes tokens, what there is to review")
    );
    for (name, told) in columns {
        let first = |id: &str| {
            all_of(told, id).first().map_or("-".to_owned(), |one| {
                let decision = &one.decision;
                let from = match &decision.origin {
                    Origin::Library { name, .. } if !decision.choice.eq_ignore_ascii_case(name) => {
                        format!(" ({name})")
                    }
                    Origin::Runtime { .. } => " (runtime)".to_owned(),
                    Origin::HandWritten => " (by hand)".to_owned(),
                    Origin::Library { .. }
                    | Origin::Framework { .. }
                    | Origin::Absent
                    | Origin::Unknown { .. } => String::new(),
                };
                let shown = if decision.origin.is_chosen() {
                    decision.choice.clone()
                } else {
                    decision.origin.word().to_owned()
                };
                clean(&format!("{shown}{from}"))
            })
        };
        let text = format!(
            "{:<wide$}  {}; {}; {} packages, {} lines by hand",
            clip(&clean(name), wide),
            first("password-hash"),
            first("token-signing"),
            told.burden.direct,
            told.burden.hand_written
        );
        wrap(&mut out, "   ", &" ".repeat(wide + 5), &text);
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::decision::{Asked, Burden, Confidence, Span, Unread};

    fn told() -> Told {
        let decision = |id: &str, origin: Origin| Decision {
            decision: id.into(),
            choice: "bcrypt".into(),
            origin,
            parameters: [("cost".into(), "4\u{1b}[31m".into())].into(),
            below: Some("cost 4, OWASP's floor is 10".into()),
            confidence: Confidence::High,
            spans: vec![Span {
                file: "a|<b>.py".into(),
                line: 3,
                column: 1,
                end_line: 3,
                text: String::new(),
            }],
            lines: 0,
            notes: vec![],
        };
        let library = Origin::Library {
            name: "bcrypt".into(),
            version: Some("5.0.0".into()),
        };
        let whole = |decision, in_force| Decided {
            decision,
            step: "1-auth".into(),
            asked: None,
            reviewed: None,
            in_force,
            tests: vec![],
        };
        let mut absent = whole(
            decision("login-throttling", Origin::Absent),
            InForce::Absent,
        );
        absent.asked = Some(Asked {
            by: "CLAUDE.md".into(),
            words: "limit".into(),
        });
        Told {
            decisions: vec![
                whole(decision("password-hash", library), InForce::Enforced),
                absent,
            ],
            unread: vec![Unread {
                file: "x.py".into(),
                line: 2,
                why: "1 parts do not parse".into(),
            }],
            burden: Burden {
                direct: 5,
                transitive: Some(21),
                hand_written: 0,
            },
            files: 1,
            lines: 9,
            steps: Vec::new(),
        }
    }

    #[test]
    fn a_list_says_what_from_where_by_whom_and_is_safe_to_print() {
        let text = list(&told(), Paint(false));
        let expected = " DECIDED (1)
   password-hash         bcrypt, cost 4\\x1b[31m                        in force
                         library bcrypt 5.0.0   a|<b>.py:3   since 1-auth
                         asked by nobody, reviewed by nobody
                         cost 4, OWASP's floor is 10

 NOT DECIDED (1): all source was read, nothing does it
   login-throttling      asked by CLAUDE.md              absent

 1 files, 9 lines read
 review burden: 5 packages (21 more in the lock file), 0 lines of its own do security by hand
 not read: x.py:2: 1 parts do not parse
";
        assert_eq!(text, expected, "\n{text}");
    }

    #[test]
    fn columns_stay_within_the_width_and_markdown_within_its_table() {
        let told = told();
        let columns = [("imports-first", &told), ("runtime-first", &told)];
        let text = beside(&columns, Paint(false));
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        assert!(
            text.contains("[in force]") && text.contains("5 packages, 21 more"),
            "{text}"
        );
        let table = markdown(&columns[..1]);
        assert!(table.contains("a\\|&lt;b>.py:3"), "{table}");
        assert!(markdown(&columns).lines().all(|line| line.starts_with('|')));
    }
}
