//! Where a report goes: `--format NAME` to stdout, `--format NAME=FILE` to a file, several from one run.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use report::{Paint, Report, junit};

use crate::exit::Fatal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Terminal,
    Json,
    Markdown,
    Sarif,
    Junit,
    Html,
    Atif,
    Csv,
    /// Nothing: the exit code says it.
    None,
}

impl Kind {
    const NAMES: [(&'static str, Self); 9] = [
        ("terminal", Self::Terminal),
        ("json", Self::Json),
        ("markdown", Self::Markdown),
        ("sarif", Self::Sarif),
        ("junit", Self::Junit),
        ("html", Self::Html),
        ("atif", Self::Atif),
        ("csv", Self::Csv),
        ("none", Self::None),
    ];
}

/// One `--format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) kind: Kind,
    /// `None` for stdout.
    pub(crate) file: Option<PathBuf>,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            Some((_, "")) => return Err("a file is missing after `=`".to_owned()),
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (text, None),
        };
        let known = Kind::NAMES.iter().find(|(known, _)| *known == name);
        let Some((_, kind)) = known else {
            let names: Vec<&str> = Kind::NAMES.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "there is no format `{name}`; there are {}, each but none with =FILE or not",
                names.join(", ")
            ));
        };
        if *kind == Kind::None && file.is_some() {
            return Err("`none` is for stdout, and writes no file".to_owned());
        }
        Ok(Self { kind: *kind, file })
    }
}

/// Whether agents' own words are asked for; they come alone, to stdout.
pub(crate) fn atif(outputs: &[Output]) -> Result<bool, Fatal> {
    match outputs {
        [one] if one.kind == Kind::Atif && one.file.is_none() => Ok(true),
        all if all.iter().any(|one| one.kind == Kind::Atif) => Err(Fatal::usage(
            "--format atif comes alone, and goes to stdout",
        )),
        _ => Ok(false),
    }
}

/// What is wrong with these outputs, before anything long is begun.
pub(crate) fn verify(outputs: &[Output]) -> Result<(), Fatal> {
    if outputs.iter().any(|one| one.kind == Kind::Atif) {
        return Err(Fatal::usage(
            "--format atif is what agents said: `unrequested report --format atif` of a `bench` with real agents",
        ));
    }
    if outputs.iter().any(|one| one.kind == Kind::Csv) {
        return Err(Fatal::usage(
            "--format csv is of a `bench`; of a `check` there are json, sarif and junit",
        ));
    }
    files(outputs)
}

/// The same of a run of sessions.
pub(crate) fn verify_sessions(outputs: &[Output]) -> Result<(), Fatal> {
    if outputs
        .iter()
        .any(|one| matches!(one.kind, Kind::Sarif | Kind::Junit))
    {
        return Err(Fatal::usage(
            "sarif and junit are of a `check`; of a `bench` there are terminal, json, html, markdown and csv",
        ));
    }
    if atif(outputs)? {
        return Err(Fatal::usage(
            "--format atif is of a finished `bench`: `unrequested report --format atif`",
        ));
    }
    files(outputs)
}

fn files(outputs: &[Output]) -> Result<(), Fatal> {
    if outputs.iter().filter(|one| one.file.is_none()).count() > 1 {
        return Err(Fatal::usage(
            "only one --format can go to stdout; give the others a file: --format html=report.html",
        ));
    }
    for (number, output) in outputs.iter().enumerate() {
        let Some(file) = &output.file else { continue };
        if outputs[..number]
            .iter()
            .any(|other| other.file.as_ref() == Some(file))
        {
            return Err(Fatal::usage(format!(
                "two formats would be written to {}",
                file.display()
            )));
        }
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(Fatal::usage(format!(
                "{}: there is no folder {}",
                file.display(),
                folder.display()
            )));
        }
        if file.is_dir() {
            return Err(Fatal::usage(format!("{} is a folder", file.display())));
        }
    }
    Ok(())
}

/// Writes the files and returns what goes to stdout: the terminal's screen where no format claims it.
pub(crate) fn write(
    outputs: &[Output],
    report: &Report<'_>,
    fails: junit::Fails,
    lines: &[String],
    paint: Paint,
) -> Result<String, Fatal> {
    write_each(outputs, paint, |kind, paint| {
        Ok(match kind {
            Kind::Terminal => report::check::render(report, lines, paint),
            Kind::Json => report::json::with_findings(report),
            Kind::Markdown => report::markdown::render(report),
            Kind::Sarif => report::sarif::render(report),
            Kind::Junit => report::junit::render(report, fails),
            Kind::Html => report::html::render(report),
            // Refused by `verify`.
            Kind::None | Kind::Atif | Kind::Csv => String::new(),
        })
    })
}

/// Writes the files that are asked for, each made by `text`, and returns what goes to stdout.
pub(crate) fn write_each(
    outputs: &[Output],
    paint: Paint,
    mut text: impl FnMut(Kind, Paint) -> Result<String, Fatal>,
) -> Result<String, Fatal> {
    for output in outputs {
        if let Some(file) = &output.file {
            std::fs::write(file, text(output.kind, Paint(false))?).map_err(|error| {
                Fatal::failed(format!("cannot write {}: {error}", file.display()))
            })?;
        }
    }
    let stdout = outputs.iter().find(|one| one.file.is_none());
    text(stdout.map_or(Kind::Terminal, |one| one.kind), paint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_a_name_with_or_without_a_file() {
        let html: Output = "html=a=b.html".parse().unwrap();
        assert_eq!(
            (html.kind, html.file),
            (Kind::Html, Some(PathBuf::from("a=b.html")))
        );
        assert_eq!("json".parse::<Output>().unwrap().file, None);
        assert!("pdf".parse::<Output>().unwrap_err().contains("sarif"));
        assert!("none=a".parse::<Output>().unwrap_err().contains("no file"));
        assert!("html=".parse::<Output>().unwrap_err().contains("missing"));
    }

    #[test]
    fn what_cannot_be_written_is_said_before_the_work() {
        let of = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| text.parse().unwrap())
                .collect::<Vec<Output>>()
        };
        assert!(
            verify(&of(&["terminal", "json"]))
                .unwrap_err()
                .why
                .contains("stdout")
        );
        assert!(
            verify(&of(&["json=x", "html=x"]))
                .unwrap_err()
                .why
                .contains("two formats")
        );
        assert!(
            verify(&of(&["json=/no/such/folder/x"]))
                .unwrap_err()
                .why
                .contains("no folder")
        );
        assert!(verify(&of(&["json=."])).unwrap_err().why.contains("folder"));
        assert!(verify(&of(&["json", "html=x.html", "sarif=y.sarif"])).is_ok());
    }
}
