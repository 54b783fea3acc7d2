//! `cases/<decision>.md`: a section a case, with sources and what must be read from them.
//!
//! A code block's info string is `<language> <path>`. A comment `#=> choice | origin | name=value, …` (or `//=>`) at the
//! end of a line stands where a decision's first place must be; origin may be `library bcrypt 5.0.0`, parameters that are
//! not named are free, `no <name>` says that one is not read, `below` and `above` whether a floor is missed. `Expect: absent`, `Expect: unknown`, `Expect:
//! nothing` in the prose stand for decisions without a place.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::BTreeMap;
use std::fs;

use model::decision::Decision;

struct Case {
    title: String,
    files: Vec<(String, String)>,
    /// By file and line.
    wanted: Vec<(String, u32, String)>,
    /// `absent`, `unknown` or `nothing`.
    without_place: Option<String>,
}

fn cases(text: &str) -> Vec<Case> {
    let mut all: Vec<Case> = Vec::new();
    let mut block: Option<(String, Vec<String>)> = None;
    for line in text.lines() {
        if let Some((path, lines)) = &mut block {
            if line == "```" {
                let case = all.last_mut().expect("a block before the first case");
                for (number, line) in lines.iter().enumerate() {
                    let mark = line.split_once("#=> ").or_else(|| line.split_once("//=> "));
                    if let Some((_, wanted)) = mark {
                        let line = number as u32 + 1;
                        case.wanted
                            .push((path.clone(), line, wanted.trim().to_owned()));
                    }
                }
                case.files.push((path.clone(), lines.join("\n") + "\n"));
                block = None;
            } else {
                lines.push(line.to_owned());
            }
        } else if let Some(info) = line.strip_prefix("```") {
            let (_, path) = info.split_once(' ').expect("a block without a path");
            block = Some((path.to_owned(), Vec::new()));
        } else if let Some(title) = line.strip_prefix("## ") {
            all.push(Case {
                title: title.to_owned(),
                files: Vec::new(),
                wanted: Vec::new(),
                without_place: None,
            });
        } else if let Some(word) = line.strip_prefix("Expect: ") {
            all.last_mut().expect("a case").without_place = Some(word.trim().to_owned());
        }
    }
    assert!(block.is_none(), "a block is not closed");
    all
}

fn origin(decision: &Decision) -> String {
    use model::decision::Origin;
    let version = |version: &Option<String>| {
        version
            .as_ref()
            .map_or(String::new(), |one| format!(" {one}"))
    };
    match &decision.origin {
        Origin::Library { name, version: one } => format!("library {name}{}", version(one)),
        Origin::Framework { name, version: one } => format!("framework {name}{}", version(one)),
        Origin::Runtime { module } => format!("runtime {module}"),
        other @ (Origin::HandWritten | Origin::Absent | Origin::Unknown { .. }) => {
            other.word().to_owned()
        }
    }
}

/// What of `wanted` a decision is not.
fn differs(decision: &Decision, wanted: &str) -> Option<String> {
    let parts: Vec<&str> = wanted.split(" | ").collect();
    let said = origin(decision);
    if decision.choice != parts[0] {
        return Some(format!("choice is {:?}", decision.choice));
    }
    if let Some(from) = parts.get(1)
        && !(said == *from || said.starts_with(&format!("{from} ")))
    {
        return Some(format!("origin is {said:?}"));
    }
    for parameter in parts.get(2).into_iter().flat_map(|list| list.split(", ")) {
        match parameter.split_once('=') {
            Some((name, value)) if decision.parameter(name) == Some(value) => {}
            None if parameter == "below" && decision.below.is_some() => {}
            None if parameter == "above" && decision.below.is_none() => {}
            None if parameter
                .strip_prefix("no ")
                .is_some_and(|name| decision.parameter(name).is_none()) => {}
            _ => {
                return Some(format!(
                    "{parameter} is not so: {:?}, below: {:?}",
                    decision.parameters, decision.below
                ));
            }
        }
    }
    None
}

fn problems(id: &str, case: &Case) -> Vec<String> {
    let reading = decision::read_files(&case.files);
    let found: Vec<&Decision> = reading
        .decisions
        .iter()
        .filter(|one| one.decision == id)
        .collect();
    let mut problems = Vec::new();
    let mut left: Vec<&Decision> = found
        .iter()
        .copied()
        .filter(|one| !one.spans.is_empty())
        .collect();
    for (file, line, wanted) in &case.wanted {
        let place = |one: &&Decision| one.spans[0].file == *file && one.spans[0].line == *line;
        let at = left
            .iter()
            .position(|one| place(one) && differs(one, wanted).is_none());
        if let Some(at) = at {
            left.remove(at);
            continue;
        }
        let there = left.iter().find(|one| place(one));
        let why = there.and_then(|one| differs(one, wanted));
        problems.push(format!(
            "{file}:{line}: wanted `{wanted}`, {}",
            why.unwrap_or_else(|| "nothing is read there".to_owned())
        ));
    }
    for one in left {
        problems.push(format!(
            "{}:{}: read, but not wanted: {} | {} | {:?} below: {:?}",
            one.spans[0].file,
            one.spans[0].line,
            one.choice,
            origin(one),
            one.parameters,
            one.below
        ));
    }
    let without: Vec<&Decision> = found
        .iter()
        .copied()
        .filter(|one| one.spans.is_empty())
        .collect();
    let said = match without.first() {
        Some(one) => one.origin.word(),
        None if found.is_empty() => "nothing",
        None => "a place",
    };
    let wanted = case.without_place.as_deref().unwrap_or("a place");
    if said != wanted && !(wanted == "a place" && case.wanted.is_empty()) {
        problems.push(format!(
            "wanted {wanted}, it says {said}: {:?}",
            without.first().map(|one| &one.origin)
        ));
    }
    if case.wanted.is_empty() && case.without_place.is_none() {
        problems.push("the case expects nothing at all: say `Expect: nothing`".to_owned());
    }
    problems
}

#[test]
fn every_case_is_read_as_it_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let only = std::env::var("ONLY").unwrap_or_default();
    for entry in decision::all() {
        let path = format!("{folder}/{}.md", entry.id);
        let text = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{path} is missing"));
        if !only.is_empty() && !only.split(',').any(|one| one == entry.id) {
            continue;
        }
        for case in cases(&text) {
            *counts.entry(entry.id).or_default() += 1;
            for problem in problems(entry.id, &case) {
                wrong.push(format!("{} / {}\n    {problem}", entry.id, case.title));
            }
        }
    }
    println!("{counts:?} in all {}", counts.values().sum::<usize>());
    assert!(
        wrong.is_empty(),
        "{} problems\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_file_of_cases_is_a_decisions() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let id = name.strip_suffix(".md").unwrap();
        assert!(decision::find(id).is_some(), "{name} is no decision's");
    }
}

#[test]
fn a_wrong_expectation_is_seen() {
    let text = "## one\n```python a.py\nimport bcrypt\ndef register(password):\n    return bcrypt.hashpw(password, bcrypt.gensalt(12))  #=> bcrypt | library | cost=12\n```\n";
    let case = |text: &str| problems("password-hash", &cases(text)[0]);
    assert_eq!(case(text), Vec::<String>::new());
    for (from, to) in [
        ("cost=12", "cost=10"),
        ("cost=12", "no cost"),
        ("library", "runtime"),
        ("=> bcrypt", "=> scrypt"),
        ("  #=> bcrypt | library | cost=12", ""),
    ] {
        let broken = text
            .replace(from, to)
            .replace("## one\n", "## one\nExpect: nothing\n");
        assert!(!case(&broken).is_empty(), "{from}");
    }
}
