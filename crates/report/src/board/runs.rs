//! All runs of a ledger, as a page that leads to theirs.

use std::fmt::Write as _;

use crate::html::{CSS, text};

/// A run as it is listed.
#[derive(Debug, Clone)]
pub struct Listed {
    pub id: String,
    pub command: String,
    pub day: String,
    pub running: bool,
    /// What was checked, or attacked again.
    pub what: String,
}

/// The page; it asks for itself again after so many seconds.
pub fn list(runs: &[Listed], live: Option<u32>) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
         form-action 'none'\">\n{}<title>unrequested: runs</title>\n<style>{CSS}</style>\n</head>\n<body>\n\
         <header><p class=\"brand\">unrequested</p><h1>Runs</h1></header>\n<main>",
        refresh(live)
    );
    if runs.is_empty() {
        out.push_str("<p>There is none yet: bench or check makes one.</p>");
    } else {
        out.push_str(
            "<div class=\"scroll\"><table><caption>Runs</caption><thead><tr><th scope=\"col\">run</th><th scope=\"col\">day</th>\
             <th scope=\"col\">command</th><th scope=\"col\">state</th><th scope=\"col\">of</th></tr></thead><tbody>",
        );
        for run in runs {
            let _ = write!(
                out,
                "<tr><th scope=\"row\"><a href=\"/run/{id}\"><code>{id}</code></a></th><td>{}</td><td>{}</td><td>{}</td>\
                 <td><bdi>{}</bdi></td></tr>",
                text(&run.day),
                text(&run.command),
                if run.running {
                    "unfinished"
                } else {
                    "finished"
                },
                text(&run.what),
                id = text(&run.id),
            );
        }
        out.push_str("</tbody></table></div>");
    }
    out.push_str("</main>\n<footer></footer>\n</body>\n</html>\n");
    out
}

/// Asks for the page again.
pub(super) fn refresh(live: Option<u32>) -> String {
    live.map_or(String::new(), |seconds| {
        format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">\n")
    })
}
