//! What a cell opens: what was seen, the requests, what the exploit does, what decided it, how far to trust it.

use std::fmt::Write as _;

use model::Word;
use model::run::{Judged, Session, Tier};

use super::{Board, NAME, Prove, judged, names, tier_words, word};
use crate::finding::{Proof, Request, Rule, places, trust};
use crate::html::{pre, text};
use crate::text::{LONGEST, clip, markup};

/// What the page may weigh with all its cells: under 5 MB with the largest run.
const PAGE: usize = 4_700_000;
/// What a cell weighs with nothing but what was seen.
const PLAIN: usize = 450;
/// With less room than this no request fits: then none is read, and what succeeded has all the room.
const LEAST: usize = 700;
/// What the rest of one cell may weigh.
const MOST: usize = 24_000;
/// A command or an answer is there to be read; `replay` has the whole.
const COMMAND: usize = 900;
const ANSWER: usize = 200;
/// What is seen of a verdict in a run with many cells, and in one with few.
const SEEN: std::ops::RangeInclusive<usize> = 100..=LONGEST;
/// An exploit that succeeded has a part of the space as large as that of so many others.
const WEIGHT: usize = 8;

/// A cell's place in the table, and what stands there.
struct Cell<'a> {
    row: usize,
    column: usize,
    rule: &'a Rule,
    session: &'a Session,
    /// What tells the session apart.
    name: &'a str,
    judged: &'a Judged,
}

impl Cell<'_> {
    fn weight(&self, of_others: usize) -> usize {
        if self.judged.verdict == Word::Exploited {
            WEIGHT
        } else {
            of_others
        }
    }
}

pub(super) fn all(
    out: &mut String,
    board: &Board<'_>,
    columns: &[&Session],
    prove: &mut Prove<'_>,
) {
    let mut cells: Vec<Cell<'_>> = Vec::new();
    let names = names(columns);
    // Column by column: a session's evidence is read together.
    for (column, session) in columns.iter().enumerate() {
        for (row, rule) in board.rules.iter().enumerate() {
            for tier in Tier::ALL {
                cells.extend(judged(session, &rule.exploit, tier).map(|judged| Cell {
                    row,
                    column,
                    rule,
                    session,
                    name: &names[column],
                    judged,
                }));
            }
        }
    }
    let mut left = PAGE.saturating_sub(out.len() + PLAIN * cells.len());
    let all = |others| cells.iter().map(|one| one.weight(others)).sum::<usize>();
    let others = usize::from(left / all(1).max(1) >= LEAST);
    let mut weights = all(others).max(1);
    let seen = (600_000 / cells.len().max(1)).clamp(*SEEN.start(), *SEEN.end());
    out.push_str("<div class=\"cells\"><h2>Evidence of each cell</h2>\n");
    for cell in &cells {
        let weight = cell.weight(others);
        plainest(out, cell, seen, weight > 0);
        if weight > 0 {
            let share = (left * weight / weights).min(MOST);
            let proof = prove(cell.session, &cell.judged.exploit);
            let used = beyond(out, board, cell, proof.as_ref(), share);
            left -= used.min(left);
            weights = (weights - weight).max(1);
        }
        out.push_str("</article>\n");
    }
    out.push_str("</div>\n");
}

fn plainest(out: &mut String, cell: &Cell<'_>, longest: usize, titled: bool) {
    let title = if titled {
        text(&cell.rule.title) + " "
    } else {
        String::new()
    };
    let (at, judged) = (format!("{}-{}", cell.row, cell.column), cell.judged);
    let _ = write!(
        out,
        "<article class=\"cell\" id=\"c-{at}\" tabindex=\"-1\"><p class=\"close\"><a href=\"#l-{at}\">Close</a> \
         <kbd>Esc</kbd></p><h3>{id}: {}</h3><p class=\"about\">{}, <bdi>{}</bdi>. {}. {title}<a href=\"#x-{id}\">What it \
         does</a></p><h4>What was seen</h4><p><bdi>{}</bdi></p>",
        word(judged.verdict, judged.tier),
        text(&cell.session.framework),
        markup(cell.name),
        tier_words(judged.tier).0,
        markup(&clip(&judged.reason, longest)),
        id = text(&judged.exploit),
    );
    for note in judged.notes.iter().take(6) {
        let _ = write!(
            out,
            "<p class=\"faint\"><bdi>{}</bdi></p>",
            markup(&clip(note, longest))
        );
    }
}

/// Writes what there is room for, and says how much it weighs: the requests that show it before all else.
fn beyond(
    out: &mut String,
    board: &Board<'_>,
    cell: &Cell<'_>,
    proof: Option<&Proof>,
    share: usize,
) -> usize {
    let known = trust(
        &cell.judged.exploit,
        &cell.session.framework,
        &board.run.instrument,
    );
    let trusted = format!(
        "<h4>How far to trust it</h4><p>{}, revision {}.</p>",
        text(&known.words()),
        cell.judged.revision
    );
    let (decided, evidence) = (decided(cell), requests(proof));
    let shows = |at: &usize| proof.is_some_and(|proof| proof.requests[*at].shows);
    let mut used = 0;
    let mut fits = |size: usize| {
        let room = used + size <= share;
        used += if room { size } else { 0 };
        room
    };
    let mut picked: Vec<usize> = (0..evidence.len())
        .filter(shows)
        .filter(|at| fits(evidence[*at].len()))
        .collect();
    let with_trust = fits(trusted.len());
    let with_decided = fits(decided.len());
    picked.extend(
        (0..evidence.len())
            .filter(|at| !shows(at))
            .filter(|at| fits(evidence[*at].len())),
    );
    picked.sort_unstable();
    if with_decided {
        out.push_str(&decided);
    }
    if with_trust {
        out.push_str(&trusted);
    }
    out.push_str("<h4>Evidence</h4>");
    if !picked.is_empty() {
        out.push_str("<ol class=\"proof\">");
        for at in &picked {
            out.push_str(&evidence[*at]);
        }
        out.push_str("</ol>");
    }
    let left = proof.map_or(0, |proof| proof.left_out) + evidence.len() - picked.len();
    let all = match (proof, left) {
        (None, _) => "No request of it was kept. ".to_owned(),
        (Some(_), 0) => String::new(),
        (Some(_), many) => format!("{many} more requests were made. "),
    };
    let _ = write!(
        out,
        "<p class=\"faint\">{all}All: <code>{} replay {} --stored --run {} --session '{}'</code></p>",
        text(&board.called),
        text(&cell.judged.exploit),
        text(board.run.run.get(24..).unwrap_or(&board.run.run)),
        markup(&clip(&cell.session.id, 2 * NAME))
    );
    used
}

fn decided(cell: &Cell<'_>) -> String {
    let places = places(cell.session, std::slice::from_ref(&cell.judged.exploit));
    let mut out = String::new();
    if places.is_empty() {
        return out;
    }
    out.push_str("<h4>What the source decided</h4>");
    for place in places.iter().take(3) {
        let said = format!(
            "{}: {} ({}, {})",
            place.decision,
            clip(&place.choice, 160),
            clip(&place.origin, 80),
            place.in_force.name()
        );
        match &place.file {
            Some(file) => {
                let _ = write!(
                    out,
                    "<p class=\"place\"><code>{}:{}</code> <bdi>{}</bdi></p>{}",
                    text(file),
                    place.line,
                    markup(&said),
                    pre(&clip(&place.text, 160), "the deciding code")
                );
            }
            None => {
                let _ = write!(
                    out,
                    "<p class=\"place\">Nothing in the source decides it: all of it was read ({}).</p>",
                    text(&place.decision)
                );
            }
        }
    }
    out
}

fn requests(proof: Option<&Proof>) -> Vec<String> {
    let all = proof.map_or(&[][..], |proof| &proof.requests);
    all.iter().map(request).collect()
}

fn request(request: &Request) -> String {
    let (class, mark) = if request.shows {
        (" class=\"shows\"", " <strong>Here it shows.</strong>")
    } else {
        ("", "")
    };
    format!(
        "<li{class}><p><bdi>{}</bdi>.{mark}</p>{}<p class=\"answer\"><bdi>{}</bdi></p></li>",
        text(&request.says),
        pre(&clip(&request.command, COMMAND), "a command"),
        markup(&clip(&request.answer, ANSWER))
    )
}

/// Each exploit once: what it does, how it did here, what is known of it.
pub(super) fn exploits(out: &mut String, board: &Board<'_>, columns: &[&Session]) {
    let mut frameworks: Vec<&str> = columns.iter().map(|one| one.framework.as_str()).collect();
    frameworks.sort_unstable();
    frameworks.dedup();
    out.push_str(
        "<section id=\"exploits\"><h2>Exploits</h2><p class=\"about\">What each does, and how it did on apps whose holes are \
         known.</p>",
    );
    for rule in board.rules {
        let met: Vec<&Judged> = columns
            .iter()
            .flat_map(|one| &one.verdicts)
            .filter(|one| one.exploit == rule.exploit)
            .collect();
        if met.is_empty() {
            continue;
        }
        let counts: Vec<String> = Tier::ALL
            .into_iter()
            .filter_map(|tier| {
                let those = met.iter().filter(|one| one.tier == tier);
                let held = those.clone().filter(|one| one.verdict == Word::Resisted);
                let (_, verb) = tier_words(tier);
                let of = those.count();
                (of > 0).then(|| format!("{verb} in {} of {of}", held.count()))
            })
            .collect();
        let _ = write!(
            out,
            "<details class=\"exploit\"><summary><h3><code>{id}</code></h3> <span class=\"faint\">{}</span>\
             </summary><div id=\"x-{id}\" tabindex=\"-1\"><p>{}</p>{}",
            counts.join(", "),
            text(&rule.title),
            page(board.pages.get(&rule.exploit).map_or("", String::as_str)),
            id = text(&rule.exploit),
        );
        out.push_str("<h4>How far to trust it</h4><ul>");
        for framework in &frameworks {
            let known = trust(&rule.exploit, framework, &board.run.instrument);
            let _ = write!(
                out,
                "<li>{}: {}</li>",
                text(framework),
                text(&known.words())
            );
        }
        let cwe: Vec<String> = rule.cwe.iter().map(|id| format!("CWE-{id}")).collect();
        let _ = writeln!(
            out,
            "</ul><h4>The fix</h4><p>{}</p><p class=\"faint\">{}; ASVS 5.0 {}; revision {}</p></div></details>",
            text(&rule.fix),
            text(&cwe.join(", ")),
            text(&rule.asvs.join(", ")),
            rule.revision
        );
    }
    out.push_str("</section>\n");
}

/// A page of ours: paragraphs and their headings.
fn page(text: &str) -> String {
    let (mut out, mut paragraph) = (String::new(), String::new());
    let end = |paragraph: &mut String, out: &mut String| {
        if !paragraph.is_empty() {
            let _ = write!(out, "<p>{}</p>", markup(paragraph.trim()));
            paragraph.clear();
        }
    };
    // The first paragraph is the title.
    for line in text.lines().skip_while(|line| !line.starts_with("## ")) {
        if let Some(title) = line.strip_prefix("## ") {
            end(&mut paragraph, &mut out);
            let _ = write!(out, "<h4>{}</h4>", markup(&clip(title, LONGEST)));
        } else if line.trim().is_empty() {
            end(&mut paragraph, &mut out);
        } else {
            paragraph.push_str(line.trim());
            paragraph.push(' ');
        }
    }
    end(&mut paragraph, &mut out);
    out
}
