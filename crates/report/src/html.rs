//! One HTML page that needs nothing else: no script, no request, no font. Words of the app are text, whatever they hold.

#[cfg(test)]
pub(crate) mod browser;
mod style;

use std::fmt::Write as _;

use model::Word;
use model::run::{Session, Tier};

use crate::decisions;
use crate::finding::{App, Finding, Proof, Report, State, prompt, too_little};
use crate::text::{LONGEST, clip, markup};

pub(crate) use style::CSS;

/// A command longer than this is cut: it is there to be read, `replay` sends the whole.
const COMMAND: usize = 1500;

pub fn render(report: &Report<'_>) -> String {
    let mut out = String::new();
    let shown = text(&report.shown);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         base-uri 'none'; form-action 'none'\">\n\
         <title>unrequested: {shown}</title>\n<style>{CSS}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">To the findings</a>\n"
    );
    for app in &report.apps {
        header(&mut out, report, app);
    }
    out.push_str("<main id=\"main\">\n");
    for app in &report.apps {
        body(&mut out, report, app);
    }
    out.push_str("</main>\n");
    footer(&mut out, report);
    out.push_str("</body>\n</html>\n");
    out
}

/// A word of the app or of ours, cut, as text.
pub(crate) fn text(words: &str) -> String {
    markup(&clip(words, LONGEST))
}

fn header(out: &mut String, report: &Report<'_>, app: &App<'_>) {
    let session = app.session;
    let _ = writeln!(
        out,
        "<header>\n<p class=\"brand\">unrequested</p>\n<h1><bdi>{}</bdi></h1>\n<p class=\"lead\">{}</p>",
        text(&report.shown),
        lead(app)
    );
    if session.trouble.is_none() {
        tallies(out, session);
    }
    let mut facts = vec![session.framework.clone()];
    if let Some(boot) = &session.boot {
        facts.push(format!("profile {}", boot.profile));
        facts.push(format!("box: {}", boot.level));
    }
    if let Some(cost) = &session.attack {
        facts.push(format!(
            "{} requests in {:.1} s",
            cost.requests,
            cost.wall_ms as f64 / 1000.0
        ));
    }
    let _ = writeln!(
        out,
        "<p class=\"facts\">{}</p>",
        facts
            .iter()
            .map(|one| format!("<span>{}</span>", text(one)))
            .collect::<Vec<_>>()
            .join(" ")
    );
    for notice in &report.notices {
        let _ = writeln!(out, "<p class=\"notice\">{}</p>", text(notice));
    }
    out.push_str("</header>\n");
}

fn lead(app: &App<'_>) -> String {
    if app.session.trouble.is_some() {
        return "Nothing was tested: the app could not be started.".to_owned();
    }
    let count = |tier| {
        app.findings
            .iter()
            .filter(|one| one.tier == tier && one.state.counts())
            .count()
    };
    let asked = match count(Tier::Requirement) {
        0 if too_little(app.session) => "Too little was decided to say anything".to_owned(),
        0 => "Nothing that was asked for was exploited".to_owned(),
        1 => "One thing that was asked for can be exploited".to_owned(),
        many => format!("{many} things that were asked for can be exploited"),
    };
    match count(Tier::Hardening) {
        0 => format!("{asked}."),
        1 => format!("{asked}; one protection that nobody asked for is absent."),
        many => format!("{asked}; {many} protections that nobody asked for are absent."),
    }
}

/// Each tier in its own row, never added up.
fn tallies(out: &mut String, session: &Session) {
    out.push_str("<div class=\"scroll\"><table class=\"tally\"><caption>Verdicts</caption><thead><tr><th scope=\"col\"></th>");
    for name in [
        "holes",
        "closed",
        "undecided",
        "<abbr title=\"not applicable\">n/a</abbr>",
    ] {
        let _ = write!(out, "<th scope=\"col\">{name}</th>");
    }
    out.push_str("</tr></thead><tbody>");
    for (tier, name) in [
        (Tier::Requirement, "Asked for"),
        (Tier::Hardening, "Nobody asked"),
    ] {
        let count = |word| {
            session
                .verdicts
                .iter()
                .filter(|one| one.verdict == word && one.tier == tier)
                .count()
        };
        let _ = write!(out, "<tr><th scope=\"row\">{name}</th>");
        for (word, class) in [
            (Word::Exploited, "bad"),
            (Word::Resisted, "good"),
            (Word::Inconclusive, "odd"),
            (Word::NotApplicable, "none"),
        ] {
            let number = count(word);
            let class = if number == 0 { "none" } else { class };
            let _ = write!(out, "<td class=\"{class}\">{number}</td>");
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>\n");
}

fn body(out: &mut String, report: &Report<'_>, app: &App<'_>) {
    if let Some(trouble) = &app.session.trouble {
        let log: Vec<String> = trouble
            .log
            .lines()
            .map(|line| clip(line, LONGEST))
            .collect();
        let _ = writeln!(
            out,
            "<section><h2>Why nothing was tested</h2><p>{}</p>{}</section>",
            text(&trouble.why),
            pre(&log.join("\n"), "the app's last words")
        );
    }
    let counting = |tier| {
        app.findings
            .iter()
            .filter(move |one| one.tier == tier && one.state.counts())
    };
    for (tier, title, about) in [
        (
            Tier::Requirement,
            "Exploited",
            "What the prompts asked for, and the running app did not hold.",
        ),
        (
            Tier::Hardening,
            "Absent",
            "Nobody asked for these protections, and nobody decided against them.",
        ),
    ] {
        if counting(tier).next().is_none() {
            continue;
        }
        let _ = writeln!(
            out,
            "<section><h2>{title}</h2><p class=\"about\">{about}</p>"
        );
        for finding in counting(tier) {
            if tier == Tier::Hardening && !report.hardening {
                let _ = write!(
                    out,
                    "<details class=\"finding quiet\" id=\"f-{}\"><summary>",
                    finding.number
                );
                heading(out, finding);
                out.push_str("</summary>");
                inside(out, report, app, finding);
                out.push_str("</details>\n");
            } else {
                let class = if tier == Tier::Requirement {
                    ""
                } else {
                    " quiet"
                };
                let _ = write!(
                    out,
                    "<article class=\"finding{class}\" id=\"f-{}\">",
                    finding.number
                );
                heading(out, finding);
                inside(out, report, app, finding);
                out.push_str("</article>\n");
            }
        }
        out.push_str("</section>\n");
    }
    set_aside(out, app);
    undecided(out, app);
    decided(out, app);
}

fn heading(out: &mut String, finding: &Finding) {
    let _ = writeln!(
        out,
        "<h3><span class=\"number\">{}</span> {}</h3>",
        finding.number,
        text(&finding.title)
    );
}

fn inside(out: &mut String, report: &Report<'_>, app: &App<'_>, finding: &Finding) {
    out.push_str("<h4>What was seen</h4><ul>");
    for seen in &finding.seen {
        let of = if finding.seen.len() > 1 {
            format!("<code>{}</code>: ", text(&seen.exploit))
        } else {
            String::new()
        };
        for effect in seen.effects.iter().take(6) {
            let _ = write!(out, "<li>{of}<bdi>{}</bdi></li>", text(effect));
        }
        if seen.effects.len() > 6 {
            let _ = write!(out, "<li>and {} more</li>", seen.effects.len() - 6);
        }
        for note in &seen.notes {
            let _ = write!(out, "<li class=\"faint\"><bdi>{}</bdi></li>", text(note));
        }
    }
    out.push_str("</ul>");
    if let State::Expired { reason, until } = &finding.state {
        let _ = write!(
            out,
            "<p class=\"notice\">It was accepted until {}: {}. It counts again.</p>",
            text(until),
            text(reason)
        );
    }
    if !finding.why.is_empty() {
        let _ = write!(out, "<h4>Why it matters</h4><p>{}</p>", text(&finding.why));
    }
    out.push_str("<h4>What decided it</h4>");
    for place in &finding.places {
        let said = format!(
            "{} ({}, {})",
            clip(&place.choice, 200),
            place.decision,
            clip(&place.origin, 100)
        );
        match &place.file {
            Some(file) => {
                let _ = write!(
                    out,
                    "<p class=\"place\"><code>{}:{}</code> <span class=\"faint\"><bdi>{}</bdi></span></p>{}",
                    text(file),
                    place.line,
                    markup(&said),
                    pre(&clip(&place.text, 200), "the deciding code")
                );
            }
            None => {
                let _ = write!(
                    out,
                    "<p class=\"place\">Nothing in the source: all of it was read ({}).</p>",
                    text(&place.decision)
                );
            }
        }
    }
    if finding.places.is_empty() {
        out.push_str(
            "<p class=\"place\">Not known: the source was not read, or says nothing about it.</p>",
        );
    }
    let _ = write!(out, "<h4>The fix</h4><p>{}</p>", text(&finding.fix));
    if let Some(idiom) = &finding.idiom {
        out.push_str(&pre(
            without_fence(idiom),
            &format!("the fix in {}", app.session.framework),
        ));
    }
    for proof in &finding.proofs {
        proved(out, proof, finding, &report.called);
    }
    let _ = write!(
        out,
        "<details><summary>For your agent</summary>{}</details>",
        pre(
            &prompt(finding, &app.session.framework, &report.called),
            "a prompt"
        )
    );
    let cwe: Vec<String> = finding.cwe.iter().map(|id| format!("CWE-{id}")).collect();
    let _ = write!(
        out,
        "<dl class=\"meta\"><dt>Finding</dt><dd><code>{}</code></dd><dt>Standards</dt><dd>{}; ASVS 5.0 {}</dd>",
        text(&finding.id),
        text(&cwe.join(", ")),
        text(&finding.asvs.join(", "))
    );
    for trust in &finding.trust {
        let _ = write!(
            out,
            "<dt><code>{}</code></dt><dd>{}</dd>",
            text(&trust.exploit),
            text(&trust.words())
        );
    }
    out.push_str("</dl>");
}

fn proved(out: &mut String, proof: &Proof, finding: &Finding, called: &str) {
    let _ = write!(
        out,
        "<details><summary>Proof: {} requests of <code>{}</code></summary><p class=\"faint\">Send them to your own copy: \
         <code>BASE=http://127.0.0.1:8000 HOST=127.0.0.1 PORT=8000</code>. Or let <code>{} replay {}</code> do it.</p><ol class=\"proof\">",
        proof.requests.len(),
        text(&proof.exploit),
        text(called),
        finding.number
    );
    for request in &proof.requests {
        let class = if request.shows {
            " class=\"shows\""
        } else {
            ""
        };
        let mark = if request.shows {
            " <strong>Here it shows.</strong>"
        } else {
            ""
        };
        let _ = write!(
            out,
            "<li{class}><p><bdi>{}</bdi>.{mark}</p>{}<p class=\"answer\"><bdi>{}</bdi></p></li>",
            text(&request.says),
            pre(&clip(&request.command, COMMAND), "a command"),
            text(&request.answer)
        );
    }
    out.push_str("</ol>");
    if proof.requests.iter().all(|request| !request.shows) {
        out.push_str("<p class=\"faint\">No single reply shows it: replay makes all requests and judges them together.</p>");
    }
    if proof.left_out > 0 {
        let _ = write!(
            out,
            "<p class=\"faint\">{} more requests were made.</p>",
            proof.left_out
        );
    }
    out.push_str("</details>");
}

/// Code that may be wider than the page: it scrolls, and the keyboard reaches it.
pub(crate) fn pre(code: &str, label: &str) -> String {
    let lines: Vec<String> = code
        .lines()
        .map(|line| markup(&crate::clean(line)))
        .collect();
    format!(
        "<pre tabindex=\"0\" role=\"region\" aria-label=\"{}\"><code>{}</code></pre>",
        text(label),
        lines.join("\n")
    )
}

fn without_fence(idiom: &str) -> &str {
    let inner = idiom.split_once('\n').map_or(idiom, |(_, rest)| rest);
    inner.strip_suffix("```").unwrap_or(inner).trim_end()
}

fn set_aside(out: &mut String, app: &App<'_>) {
    let aside: Vec<&Finding> = app
        .findings
        .iter()
        .filter(|one| !one.state.counts())
        .collect();
    if aside.is_empty() {
        return;
    }
    out.push_str("<section><h2>Not counted</h2><div class=\"scroll\"><table><thead><tr><th scope=\"col\">finding</th><th scope=\"col\">why</th></tr></thead><tbody>");
    for finding in aside {
        let why = finding.state.why();
        let _ = write!(
            out,
            "<tr><td>{}. {}</td><td><bdi>{}</bdi></td></tr>",
            finding.number,
            text(&finding.title),
            text(&why)
        );
    }
    out.push_str("</tbody></table></div></section>\n");
}

fn undecided(out: &mut String, app: &App<'_>) {
    if app.undecided.is_empty() {
        return;
    }
    out.push_str(
        "<section><h2>Not decided</h2><p class=\"about\">None of these counts as resisted.</p><div class=\"scroll\"><table>\
         <thead><tr><th scope=\"col\">exploit</th><th scope=\"col\">verdict</th><th scope=\"col\">why</th>\
         <th scope=\"col\">what would make it testable</th></tr></thead><tbody>",
    );
    for one in &app.undecided {
        let _ = write!(
            out,
            "<tr><td><code>{}</code></td><td>{}</td><td><bdi>{}</bdi></td><td>{}</td></tr>",
            text(&one.exploit),
            one.verdict.name(),
            text(&one.reason),
            text(one.way.as_deref().unwrap_or(""))
        );
    }
    out.push_str("</tbody></table></div></section>\n");
}

fn decided(out: &mut String, app: &App<'_>) {
    if app.session.decisions.is_empty() {
        return;
    }
    out.push_str(
        "<section><h2>Decided in the source</h2><div class=\"scroll\"><table><thead><tr><th scope=\"col\">matter</th>\
         <th scope=\"col\">choice</th><th scope=\"col\">origin</th><th scope=\"col\">place</th><th scope=\"col\">asked by</th>\
         <th scope=\"col\">in force</th></tr></thead><tbody>",
    );
    for one in &app.session.decisions {
        let place = one
            .decision
            .spans
            .first()
            .filter(|_| one.decision.origin.is_chosen());
        let place = place.map_or(String::new(), |span| format!("{}:{}", span.file, span.line));
        let asked = one
            .asked
            .as_ref()
            .map_or("nobody", |asked| asked.by.as_str());
        let _ = write!(
            out,
            "<tr><td>{}</td><td><bdi>{}</bdi></td><td><bdi>{}</bdi></td><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            text(&one.decision.decision),
            text(&decisions::choice(&one.decision)),
            text(&decisions::origin(&one.decision.origin)),
            text(&place),
            text(asked),
            one.in_force.name()
        );
    }
    out.push_str("</tbody></table></div></section>\n");
}

fn footer(out: &mut String, report: &Report<'_>) {
    out.push_str("<footer><ul>");
    for line in crate::calibration::foot(report.run) {
        let _ = write!(out, "<li>{}</li>", text(line.trim()));
    }
    let _ = writeln!(
        out,
        "<li>unrequested {}, run <code>{}</code></li></ul></footer>",
        text(&report.run.tool),
        text(&report.run.run)
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::{report, run};
    use crate::text::hostile;

    /// The names of all elements, in the order in which they open.
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

    #[test]
    fn hostile_words_add_no_element_and_no_megabyte() {
        let run = run();
        let page = render(&report(&run));
        assert!(page.len() < 100_000, "{}", page.len());
        let known = [
            "html", "head", "meta", "title", "style", "body", "a", "header", "p", "h1", "bdi",
            "span", "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "main",
            "section", "h2", "h3", "h4", "article", "ul", "ol", "li", "code", "pre", "details",
            "summary", "dl", "dt", "dd", "footer", "strong", "abbr",
        ];
        for name in elements(&page) {
            assert!(known.contains(&name.as_str()), "<{name}>");
        }
        assert!(!page.contains(['\u{1b}', '\u{202e}', '\u{0}', '\u{feff}']));
        assert_eq!(page.matches("</style>").count(), 1);
        assert_eq!(page.matches("</title>").count(), 1);
        assert!(
            page.contains("&lt;script&gt;pwned"),
            "the words themselves are shown"
        );
        assert!(hostile::SHORT.contains("<script>"));
    }

    #[test]
    fn it_asks_for_nothing_from_anywhere() {
        let run = run();
        let page = render(&report(&run));
        for word in [
            "src=",
            "url(",
            "@import",
            "<script",
            "<link",
            "<iframe",
            "javascript:p\"",
            "href=\"http",
        ] {
            let inside = page.matches(word).count();
            // The hostile words hold an `src=`: as text.
            let text = if word == "src=" {
                page.matches("&lt;img src=").count()
            } else {
                0
            };
            assert_eq!(inside, text, "{word}");
        }
        assert!(page.contains("default-src 'none'"));
    }

    #[test]
    fn all_of_a_finding_is_there() {
        let run = run();
        let page = render(&report(&run));
        for word in [
            "What was seen",
            "Why it matters",
            "What decided it",
            "The fix",
            "Proof: 1 requests",
            "For your agent",
            "CWE-89",
            "Not decided",
            "Nobody asked",
        ] {
            assert!(page.contains(word), "{word}");
        }
    }
}
