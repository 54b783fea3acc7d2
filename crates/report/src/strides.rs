//! What each step of a session decided, and what there was to review after it.

use std::fmt::Write as _;

use model::decision::{Decision, Told, Turn};

use crate::Paint;
use crate::decisions::{ID, burden, choice, origin, wrap};
use crate::paint::clean;

/// One session, step by step. What no step has decided is not listed.
pub fn list(name: &str, told: &Told, paint: Paint) -> String {
    let mut out = format!(" {}\n", paint.head(&clean(name)));
    for stride in &told.steps {
        let _ = writeln!(out, "\n {}", paint.head(&clean(&stride.step)));
        let lines: Vec<String> = stride.changes.iter().filter_map(line).collect();
        if lines.is_empty() {
            out.push_str("   nothing decided otherwise\n");
        }
        for line in &lines {
            wrap(&mut out, "   ", &" ".repeat(ID + 5), line);
        }
        let _ = writeln!(out, "   {}", paint.faint(&burden(&stride.burden)));
    }
    out.push('\n');
    out
}

fn line(turn: &Turn) -> Option<String> {
    let chosen = |one: &Option<Decision>| one.clone().filter(|one| one.origin.is_chosen());
    let (sign, one, was) = match (chosen(&turn.before), chosen(&turn.after)) {
        (None, Some(new)) => ('+', new, None),
        (Some(old), Some(new)) => ('~', new, Some(old)),
        (Some(old), None) => ('-', old, None),
        (None, None) => return None,
    };
    let was = was.map_or(String::new(), |old| format!("; was: {}", choice(&old)));
    Some(format!(
        "{sign} {:<ID$}{} ({}){was}",
        one.decision,
        choice(&one),
        origin(&one.origin)
    ))
}
