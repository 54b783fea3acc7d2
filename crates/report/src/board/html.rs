//! One HTML page of a run that needs nothing else. Without its script every cell still opens: a cell is a link, and what it
//! opens is shown by being the link's target. The script adds arrow keys, and Esc to close.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::run::{Session, Tier};

use super::shares::{self, Figures};
use super::style::{BOARD, SCRIPT, SCRIPT_HASH};
use super::{
    Board, Prove, are_samples, cell, columns, decided, judged, names, sign, tier_words, troubled,
    word,
};
use crate::compare::{self, of_one_arm, probability, share};
use crate::html::{CSS, text};
use crate::statistics::Interval;
use crate::text::markup;

/// With more columns than these their names are written upwards.
const LEVEL: usize = 10;

pub fn render(board: &Board<'_>, prove: &mut Prove<'_>) -> String {
    let columns = columns(board.run);
    let mut main = String::new();
    heat(&mut main, board, &columns);
    standing_out(&mut main, board, &columns);
    factors(&mut main, &columns);
    apart(&mut main, &columns);
    arms(&mut main, &columns);
    decided::table(&mut main, &columns);
    decided::steps(&mut main, &columns);
    limits(&mut main, board);
    cell::exploits(&mut main, board, &columns);
    let mut out = String::new();
    head(&mut out, board, &columns);
    header(&mut out, board, &columns, &main);
    let _ = write!(out, "<main id=\"main\">\n{main}</main>\n");
    footer(&mut out, board);
    cell::all(&mut out, board, &columns, prove);
    let _ = write!(out, "<script>{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

fn head(out: &mut String, board: &Board<'_>, columns: &[&Session]) {
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src '{SCRIPT_HASH}'; base-uri 'none'; form-action 'none'\">\n\
         {}<title>unrequested: {}</title>\n<style>{CSS}{BOARD}</style>\n</head>\n<body class=\"board\">\n\
         <a class=\"skip\" href=\"#main\">To the verdicts</a>\n",
        super::runs::refresh(board.live),
        text(&title(board, columns)),
    );
}

fn title(board: &Board<'_>, columns: &[&Session]) -> String {
    let frameworks: Vec<String> = compare::sides(columns, |one| one.framework.clone())
        .into_iter()
        .map(|one| one.name)
        .collect();
    let what = match frameworks.len() {
        0 => "nothing was attacked".to_owned(),
        1..=6 => frameworks.join(", "),
        many => format!("{many} frameworks"),
    };
    let kind = if are_samples(columns) {
        "sample session"
    } else {
        "session"
    };
    format!("{} of {what}, {}", counted(columns.len(), kind), board.day)
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn header(out: &mut String, board: &Board<'_>, columns: &[&Session], main: &str) {
    let _ = writeln!(
        out,
        "<header>\n<p class=\"brand\">unrequested bench</p>\n<h1>{}</h1>",
        text(&title(board, columns))
    );
    if !columns.is_empty() {
        let shown = of_one_arm(columns);
        let figures = Figures::of(&shown, Tier::Requirement);
        let unasked = Figures::of(&shown, Tier::Hardening);
        let undecided = figures.undecided + unasked.undecided;
        let _ = writeln!(
            out,
            "<p class=\"lead\">{}Of what the prompt asked for, <strong>{}</strong> was resisted; of what nobody asked for, \
             <strong>{}</strong> was present. {} undecided.</p>",
            under(columns, &shown),
            text(&figures.words()),
            text(&unasked.words()),
            match undecided {
                0 => "None is".to_owned(),
                1 => "One verdict is".to_owned(),
                many => format!("{many} verdicts are"),
            }
        );
        tally(out, &shown);
    }
    if are_samples(columns) {
        out.push_str(
            "<p class=\"notice\">These sessions are hand-written samples. They show the instrument, and say nothing of any \
             agent.</p>\n",
        );
    }
    if !board.run.complete {
        out.push_str("<p class=\"notice\">This run is not complete: it was not finished, or the tool itself could not decide something.</p>\n");
    }
    for notice in &board.notices {
        let _ = writeln!(out, "<p class=\"notice\">{}</p>", text(notice));
    }
    for session in troubled(board.run) {
        let why = session.trouble.as_ref().map_or("", |one| one.why.as_str());
        let _ = writeln!(
            out,
            "<p class=\"notice\"><code>{}</code> was not attacked: <bdi>{}</bdi></p>",
            text(&session.id),
            text(why)
        );
    }
    out.push_str("<nav aria-label=\"Parts of this page\">");
    for section in main.split("<section id=\"").skip(1) {
        let name = section.split_once("\"><h2>");
        if let Some((id, rest)) = name
            && let Some((title, _)) = rest.split_once("</h2>")
        {
            let _ = write!(out, "<a href=\"#{id}\">{title}</a> ");
        }
    }
    out.push_str("</nav>\n</header>\n");
}

/// Which sessions of several arms are counted, since each arm was asked for other things.
fn under(columns: &[&Session], shown: &[&Session]) -> String {
    match shown.first() {
        Some(first) if shown.len() < columns.len() => {
            format!("Under the arm <code>{}</code>: ", text(&first.arm))
        }
        _ => String::new(),
    }
}

/// Each tier in its own row, never added up.
fn tally(out: &mut String, columns: &[&Session]) {
    out.push_str(
        "<div class=\"scroll\"><table class=\"tally\"><caption>Verdicts of these sessions</caption><thead><tr><td></td>\
         <th scope=\"col\">held</th><th scope=\"col\">of</th><th scope=\"col\">share [95 %]</th>\
         <th scope=\"col\">undecided</th><th scope=\"col\">at most</th></tr></thead><tbody>",
    );
    for tier in Tier::ALL {
        let figures = Figures::of(columns, tier);
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td class=\"{}\">{}</td><td>{:.1} %</td></tr>",
            tier_words(tier).0,
            figures.held,
            figures.of,
            text(&figures.words()),
            if figures.undecided == 0 {
                "none"
            } else {
                "odd"
            },
            figures.undecided,
            figures.most()
        );
    }
    let _ = writeln!(
        out,
        "</tbody></table></div><p class=\"faint\">Intervals: 95 %, over {}; the session is the unit. At most: if all that is \
         undecided had held.</p>",
        counted(columns.len(), "session")
    );
}

/// A column's class where a framework begins.
fn begins(columns: &[&Session], at: usize) -> &'static str {
    let other = |before: usize| columns[before].framework != columns[at].framework;
    if at > 0 && other(at - 1) {
        " class=\"begins\""
    } else {
        ""
    }
}

fn heat(out: &mut String, board: &Board<'_>, columns: &[&Session]) {
    out.push_str("<section id=\"verdicts\"><h2>Verdicts</h2>");
    if columns.is_empty() {
        out.push_str("<p>No app was attacked in this run.</p></section>\n");
        return;
    }
    let _ = write!(
        out,
        "<p class=\"about\">A row is an exploit, a column a session. A cell opens its evidence: Enter opens, Esc closes, \
         arrow keys move. Send its commands to a copy of your own: <code>BASE=http://127.0.0.1:8000</code>. All requests of a \
         cell, also where a large run leaves no room for them here: <code>{} replay EXPLOIT --stored --run {} --session \
         ID</code>.</p><p class=\"legend\">",
        text(&board.called),
        text(&board.run.run)
    );
    legend(out, columns);
    let upwards = if columns.len() > LEVEL {
        " upwards"
    } else {
        ""
    };
    let _ = write!(
        out,
        "</p><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Verdicts, exploits by sessions\">\
         <table class=\"heat{upwards}\" id=\"heat\"><caption>Verdicts, exploits by sessions</caption><thead><tr><td></td>"
    );
    let mut at = 0;
    while at < columns.len() {
        let same = columns[at..]
            .iter()
            .take_while(|one| one.framework == columns[at].framework)
            .count();
        let _ = write!(
            out,
            "<th scope=\"colgroup\" colspan=\"{same}\"{}>{}</th>",
            begins(columns, at),
            text(&columns[at].framework)
        );
        at += same;
    }
    out.push_str("</tr><tr><td></td>");
    for (at, name) in names(columns).iter().enumerate() {
        let _ = write!(
            out,
            "<th scope=\"col\"{}><span>{}</span></th>",
            begins(columns, at),
            text(name)
        );
    }
    out.push_str("</tr></thead>");
    for tier in Tier::ALL {
        tier_rows(out, board, columns, tier);
    }
    out.push_str("</table></div></section>\n");
}

fn legend(out: &mut String, columns: &[&Session]) {
    let mut seen: BTreeMap<(Tier, u8), (&str, &str)> = BTreeMap::new();
    for one in columns.iter().flat_map(|one| &one.verdicts) {
        let shown = (sign(one.verdict, one.tier), word(one.verdict, one.tier));
        seen.insert((one.tier, one.verdict as u8), shown);
    }
    let mut all: Vec<(&str, &str)> = Vec::new();
    for shown in seen.into_values() {
        if !all.contains(&shown) {
            all.push(shown);
        }
    }
    for (sign, word) in all {
        let _ = write!(
            out,
            "<span class=\"sign {}\" aria-hidden=\"true\">{sign}</span> {word} ",
            class(word)
        );
    }
}

fn class(word: &str) -> &'static str {
    match word {
        "exploited" => "v-x",
        "resisted" | "present" => "v-r",
        "absent" => "v-a",
        "undecided" => "v-u",
        _ => "v-n",
    }
}

fn tier_rows(out: &mut String, board: &Board<'_>, columns: &[&Session], tier: Tier) {
    let rules: Vec<(usize, &crate::finding::Rule)> = board
        .rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| {
            columns
                .iter()
                .any(|one| judged(one, &rule.exploit, tier).is_some())
        })
        .collect();
    if rules.is_empty() {
        return;
    }
    let (title, foot) = tier_words(tier);
    let names = names(columns);
    let _ = write!(
        out,
        "<tbody><tr class=\"tier\"><th scope=\"rowgroup\" colspan=\"{}\"><span>{title} ({})</span></th></tr>",
        columns.len() + 1,
        rules.len()
    );
    for (row, rule) in &rules {
        let _ = write!(
            out,
            "<tr><th scope=\"row\"><a href=\"#x-{id}\">{id}</a></th>",
            id = text(&rule.exploit)
        );
        for (column, session) in columns.iter().enumerate() {
            let begins = begins(columns, column);
            match judged(session, &rule.exploit, tier) {
                None => {
                    let _ = write!(out, "<td{begins}></td>");
                }
                Some(one) => {
                    let word = word(one.verdict, tier);
                    let _ = write!(
                        out,
                        "<td{begins}><a class=\"{}\" id=\"l-{row}-{column}\" href=\"#c-{row}-{column}\" aria-label=\"{word}: {}, {} \
                         {}\">{}</a></td>",
                        class(word),
                        text(&rule.exploit),
                        text(&session.framework),
                        markup(&names[column]),
                        sign(one.verdict, tier)
                    );
                }
            }
        }
        out.push_str("</tr>");
    }
    let _ = write!(out, "<tr class=\"foot\"><th scope=\"row\">{foot}</th>");
    for (column, session) in columns.iter().enumerate() {
        let figures = Figures::of(&[session], tier);
        let of = if figures.of as usize == rules.len() {
            String::new()
        } else {
            format!(" of {}", figures.of)
        };
        let begins = begins(columns, column);
        let _ = write!(out, "<td{begins}>{}{of}</td>", figures.held);
    }
    out.push_str("</tr></tbody>");
}

fn standing_out(out: &mut String, board: &Board<'_>, columns: &[&Session]) {
    let order: Vec<&str> = board.rules.iter().map(|one| one.exploit.as_str()).collect();
    let lines = shares::stands_out(columns, &order);
    if lines.is_empty() {
        return;
    }
    let where_ = if are_samples(columns) {
        "In these samples"
    } else {
        "In these sessions"
    };
    let _ = write!(out, "<section><h2>{where_}</h2><ul>");
    for line in lines {
        let _ = write!(out, "<li>{}</li>", text_long(&line));
    }
    out.push_str("</ul></section>\n");
}

/// Our own words and ids, which are longer than an app's may be.
fn text_long(words: &str) -> String {
    markup(&crate::clean(words))
}

/// A share with its interval, drawn on a line from 0 to 100 %, or from -100 to 100 points.
pub(super) fn bar(interval: Interval, from: f64, has_interval: bool) -> String {
    let x = |value: f64| 4.0 + (value - from) / (1.0 - from) * 192.0;
    let mut out = String::from(
        "<svg class=\"bar\" viewBox=\"0 0 200 18\" aria-hidden=\"true\" focusable=\"false\">",
    );
    for part in 0..=4 {
        let at = 4.0 + f64::from(part) * 48.0;
        let middle = if from < 0.0 && part == 2 { " zero" } else { "" };
        let _ = write!(
            out,
            "<line class=\"tick{middle}\" x1=\"{at}\" y1=\"2\" x2=\"{at}\" y2=\"16\"/>"
        );
    }
    if has_interval {
        let _ = write!(
            out,
            "<line class=\"range\" x1=\"{:.1}\" y1=\"9\" x2=\"{:.1}\" y2=\"9\"/>",
            x(interval.low),
            x(interval.high)
        );
    }
    let _ = write!(
        out,
        "<circle class=\"dot\" cx=\"{:.1}\" cy=\"9\" r=\"4\"/></svg>",
        x(interval.value)
    );
    out
}

fn factors(out: &mut String, columns: &[&Session]) {
    if columns.is_empty() {
        return;
    }
    out.push_str("<section id=\"factors\"><h2>Frameworks and agents</h2><p class=\"about\">");
    let shown = of_one_arm(columns);
    out.push_str(&under(columns, &shown));
    out.push_str(
        "Shares that held, with 95 % intervals over \
         sessions; the lines go from 0 to 100 %. Where a row has one session there is no interval.</p>\
         <div class=\"scroll\"><table class=\"chart\"><caption>Shares by framework and by agent</caption><thead><tr>\
         <td></td><th scope=\"col\">sessions</th>",
    );
    for tier in Tier::ALL {
        let (title, verb) = tier_words(tier);
        let _ = write!(out, "<th scope=\"col\" colspan=\"2\">{title}: {verb}</th>");
    }
    out.push_str("</tr></thead>");
    for (what, groups) in shares::factors(&shown) {
        let _ = write!(
            out,
            "<tbody><tr class=\"tier\"><th scope=\"rowgroup\" colspan=\"6\"><span>{what}</span></th></tr>"
        );
        for group in &groups {
            row(out, &group.name, &group.sessions);
        }
        out.push_str("</tbody>");
    }
    out.push_str("</table></div></section>\n");
}

fn row(out: &mut String, name: &str, sessions: &[&Session]) {
    let _ = write!(
        out,
        "<tr><th scope=\"row\"><bdi>{}</bdi></th><td>{}</td>",
        text(name),
        sessions.len()
    );
    for tier in Tier::ALL {
        let figures = Figures::of(sessions, tier);
        if figures.of == 0 {
            out.push_str("<td>-</td><td></td>");
            continue;
        }
        let undecided = match figures.undecided {
            0 => String::new(),
            many => format!("<br><span class=\"faint\">{many} undecided</span>"),
        };
        let _ = write!(
            out,
            "<td>{}{undecided}</td><td>{}</td>",
            text(&figures.words()),
            bar(figures.interval, 0.0, figures.sessions > 1)
        );
    }
    out.push_str("</tr>");
}

/// Framework, agent and arm, each beyond the others, and two of them together.
fn apart(out: &mut String, columns: &[&Session]) {
    let table = compare::within::tested(columns);
    if table.iter().all(|one| one.p.is_none()) {
        return;
    }
    out.push_str(
        "<section id=\"apart\"><h2>What made a difference</h2><p class=\"about\">Each of framework, agent and arm beyond the \
         others, in the tests that all sessions were asked for (<em>requirement</em>), some (<em>asked of some</em>), or none \
         (<em>hardening</em>). <em>Apart</em>: the highest share minus the lowest, in percentage points; of two together, how far \
         they are from adding up, where that is farthest. p: F ratios over permuted residuals of sessions, corrected by Holm over \
         this table.</p><div class=\"scroll\"><table class=\"chart\"><caption>What made a difference</caption><thead><tr><td></td>\
         <th scope=\"col\">shares</th><th scope=\"col\">apart</th><th scope=\"col\">p</th></tr></thead>",
    );
    let mut group = "";
    for one in &table {
        if one.group != group {
            let end = if group.is_empty() { "" } else { "</tbody>" };
            group = one.group;
            let _ = write!(
                out,
                "{end}<tbody><tr class=\"tier\"><th scope=\"rowgroup\" colspan=\"4\"><span>{group}</span></th></tr>"
            );
        }
        let levels: Vec<String> = one
            .levels
            .iter()
            .map(|(name, interval)| {
                format!("<bdi>{}</bdi> {}", text(name), text(&share(*interval)))
            })
            .collect();
        let shares = if levels.is_empty() {
            format!("<bdi>{}</bdi>", text(&one.place))
        } else {
            levels.join("<br>")
        };
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{shares}</td><td>{}</td><td>{}</td></tr>",
            text(&one.name),
            if levels.is_empty() {
                format!("{:+.1}", one.apart * 100.0)
            } else {
                format!("{:.1}", one.apart * 100.0)
            },
            one.p
                .map_or("no test".to_owned(), |p| text(&probability(p)))
        );
    }
    out.push_str("</tbody></table></div>");
    for line in compare::within::depends(&table) {
        let _ = write!(out, "<p class=\"about\">{}</p>", text(&line));
    }
    out.push_str("</section>\n");
}

fn arms(out: &mut String, columns: &[&Session]) {
    let (arms, uplifts) = compare::arms::uplifts(columns);
    let [base, others @ ..] = arms.as_slice() else {
        return;
    };
    if others.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<section id=\"arms\"><h2>Arms</h2><p class=\"about\">What each way of asking changed against <code>{0}</code>, in \
         percentage points with 95 % intervals; the lines go from -100 to 100. <em>requirement</em>: both were asked for it; \
         <em>asked in A</em>, <em>asked in B</em>: {0} alone, or the other alone; <em>hardening</em>: neither. p: permutations of \
         whole sessions, paired where each session has one counterpart, corrected by Holm over this table.</p>\
         <div class=\"scroll\"><table class=\"chart\"><caption>Arms</caption><thead><tr><td></td><th scope=\"col\">A: {0}</th>\
         <th scope=\"col\">B</th><th scope=\"col\">points more</th><td></td><th scope=\"col\">p</th></tr></thead>",
        text(&base.name)
    );
    for arm in others {
        let _ = write!(
            out,
            "<tbody><tr class=\"tier\"><th scope=\"rowgroup\" colspan=\"6\"><span>B: {} ({})</span></th></tr>",
            text(&arm.name),
            text(&compare::sessions(arm.sessions.len()))
        );
        for one in uplifts.iter().filter(|one| one.arm == arm.name) {
            let _ = write!(
                out,
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{:+.1} [{:+.0}, {:+.0}]</td><td>{}</td><td>{}{}</td></tr>",
                text(&one.row.name),
                text(&share(one.row.first)),
                text(&share(one.row.second)),
                one.difference.value * 100.0,
                one.difference.low * 100.0,
                one.difference.high * 100.0,
                bar(one.difference, -1.0, true),
                text(&probability(one.p)),
                if one.row.pairs { ", paired" } else { "" }
            );
        }
        out.push_str("</tbody>");
    }
    out.push_str("</table></div></section>\n");
}

fn limits(out: &mut String, board: &Board<'_>) {
    out.push_str("<section id=\"limits\"><h2>What may not be concluded</h2><ul>");
    for line in shares::limits(board.run) {
        let _ = write!(out, "<li>{}</li>", text(&line));
    }
    out.push_str("</ul></section>\n");
}

fn footer(out: &mut String, board: &Board<'_>) {
    out.push_str("<footer><ul>");
    for line in crate::calibration::foot(board.run) {
        let _ = write!(out, "<li>{}</li>", text(line.trim()));
    }
    let _ = writeln!(
        out,
        "<li>unrequested {}, run <code>{}</code>, suite <code>{}</code></li></ul></footer>",
        text(&board.run.tool),
        text(&board.run.run),
        text(&board.run.suite)
    );
}
