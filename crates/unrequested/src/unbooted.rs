//! An app that cannot be booted here: what is missing, how to go on, and what its source decided all the same.

use std::path::Path;

use report::{Paint, decisions as shown};

use crate::cli::Check;
use crate::decided::{self, Lock};
use crate::exit::{Exit, Fatal};
use crate::output::{Kind, Output};
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
    let terminal = |one: &Output| one.file.is_some() || one.kind == Kind::Terminal;
    if reading.files > 0 && check.format.iter().all(terminal) {
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

/// What somebody may wonder about before their app is booted.
pub(crate) fn remarks(tree: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for folder in ["", "prisma", "data", "db", "instance"] {
        for entry in std::fs::read_dir(tree.join(folder))
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            if is_database(&path) && path.is_file() {
                let shown = path
                    .strip_prefix(tree)
                    .unwrap_or(&path)
                    .display()
                    .to_string();
                lines.push(format!(
                    " {}: a copy is used, yours is not touched.",
                    report::clean(&shown)
                ));
            }
        }
    }
    lines
}

/// By its name.
pub(crate) fn is_database(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end == "db" || end == "sqlite" || end == "sqlite3")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_is_said() {
        let folder = tempfile::tempdir().unwrap();
        assert!(remarks(folder.path()).is_empty());
        std::fs::create_dir(folder.path().join("prisma")).unwrap();
        for name in ["prisma/dev.db", "prisma/schema.prisma"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let lines = remarks(folder.path());
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with(" prisma/dev.db: a copy"));
    }
}
