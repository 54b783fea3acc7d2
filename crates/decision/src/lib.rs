//! Source → decisions: what was chosen for each security matter, from where, with which parameters.
//!
//! Nothing is run. What could not be parsed or followed is said, and never makes a decision "absent".

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "of a tree's many kinds of nodes a reader wants one or two at a time"
)]

mod fold;
mod hints;
mod index;
mod lower;
mod manifest;
mod matter;
mod mentions;
mod modules;
mod project;
mod routes;
mod site;
mod source;
mod tree;

use std::path::Path;

use model::decision::{Burden, Decision, Reading};

use crate::index::Index;
use crate::project::Project;
use crate::source::Sources;

pub use crate::hints::{RouteHint, SourceHints, hints, hints_of};
pub use crate::matter::{Entry, Matter, all, find};
pub use crate::site::Site;

/// Reads the app in a folder.
pub fn read(root: &Path) -> Reading {
    of(source::read(root))
}

/// Reads an app that is held in memory: paths relative to it, with `/`, and texts.
pub fn read_files(files: &[(String, String)]) -> Reading {
    of(source::take(files))
}

/// A reading with the places of its decisions: as many lists as there are decisions, in their order.
#[derive(Debug, Clone, Default)]
pub struct Placed {
    pub reading: Reading,
    pub sites: Vec<Vec<Site>>,
}

/// [`read`], and where the decisions stand.
pub fn read_placed(root: &Path) -> Placed {
    placed(source::read(root))
}

/// [`read_files`], and where the decisions stand.
pub fn read_files_placed(files: &[(String, String)]) -> Placed {
    placed(source::take(files))
}

/// A text that is another when a file that is read may be another; nothing is opened.
pub fn stamp(root: &Path) -> String {
    source::stamp(root)
}

/// Whether the file with this path, relative to the app, is one that is read.
pub fn is_read(path: &str) -> bool {
    source::is_read(path)
}

/// One route of an app, for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub method: String,
    pub path: String,
    pub file: String,
    pub line: u32,
    /// What it is for, by its path and method: `login`, `upload`; `other` where these do not say.
    pub purpose: &'static str,
}

/// The routes of an app in a folder.
pub fn routes(root: &Path) -> Vec<Place> {
    let index = Index::new(Project::new(source::read(root)));
    let mut all: Vec<Place> = index
        .routes
        .iter()
        .map(|route| {
            let span = index.project.span(route.handler);
            Place {
                method: route.method.clone(),
                path: route.path.clone(),
                file: span.file,
                line: span.line,
                purpose: route.purpose().name(),
            }
        })
        .collect();
    all.sort();
    all
}

fn of(sources: Sources) -> Reading {
    let size = Size::of(&sources);
    let index = Index::new(Project::new(sources));
    let (decisions, hand_written) = matter::read(&index);
    reading(index, decisions, hand_written, size)
}

fn placed(sources: Sources) -> Placed {
    let size = Size::of(&sources);
    let index = Index::new(Project::new(sources));
    let (decisions, hand_written) = matter::read(&index);
    let sites = decisions
        .iter()
        .map(|decision| site::sites(&index, decision))
        .collect();
    Placed {
        reading: reading(index, decisions, hand_written, size),
        sites,
    }
}

struct Size {
    files: u32,
    lines: u32,
}

impl Size {
    fn of(sources: &Sources) -> Self {
        Self {
            files: sources.trees.len() as u32,
            lines: sources.trees.iter().map(tree::Tree::line_count).sum(),
        }
    }
}

fn reading(index: Index, decisions: Vec<Decision>, hand_written: u32, size: Size) -> Reading {
    let manifests = &index.project.manifests;
    let burden = Burden {
        direct: manifests.direct(),
        transitive: manifests.transitive(),
        hand_written,
    };
    Reading {
        decisions,
        unread: index.project.unread,
        burden,
        files: size.files,
        lines: size.lines,
    }
}
