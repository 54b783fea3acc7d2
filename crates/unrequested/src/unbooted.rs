//! An app that cannot be booted here: what is missing, how to go on, and what its source decided all the same.

use std::path::Path;

use report::{Paint, decisions as shown};

use crate::cli::{Check, Format};
use crate::decided::{self, Lock};
use crate::exit::{Exit, Fatal};
use crate::progress::Progress;

/// What stops a boot before anything is installed; `None` where nothing is known to.
pub(crate) fn needs(tree: &Path, framework: &app::Framework) -> Option<Vec<String>> {
    let needs = app::needs(tree, framework.language);
    if needs.is_empty() || tree.join("start.sh").is_file() {
        return None;
    }
    let mut lines: Vec<String> = needs
        .iter()
        .map(|need| format!(" It needs {}: {}.", need.what, need.because))
        .collect();
    lines.push(
        " This tool starts no databases and signs in nowhere else. Either of these works:"
            .to_owned(),
    );
    lines.push(
        "   1  start it yourself, then  unrequested check http://127.0.0.1:PORT --source ."
            .to_owned(),
    );
    lines
        .push("   2  add a start.sh that serves on $PORT with SQLite at $DATABASE_PATH".to_owned());
    Some(lines)
}

/// Says why nothing was attacked and prints what the source decided.
pub(crate) fn tell(
    tree: &Path,
    lines: &[String],
    check: &Check,
    progress: &Progress,
    paint: Paint,
) -> Result<Exit, Fatal> {
    for line in lines {
        progress.warn(line);
    }
    let reading = decision::read(tree);
    if reading.files > 0 && check.format == Format::Terminal {
        progress.warn(" Nothing was attacked. What the source says:");
        let told = decided::told(
            vec![(String::new(), reading)],
            &decided::wishes(tree),
            &Lock::read(tree)?,
        );
        crate::commands::print(&shown::list(&told, paint))?;
    }
    Ok(Exit::Nothing)
}
