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
mod source;
mod tree;

use std::path::Path;

use model::decision::{Burden, Reading};

use crate::index::Index;
use crate::project::Project;
use crate::source::Sources;

pub use crate::hints::{RouteHint, SourceHints, hints, hints_of};
pub use crate::matter::{Entry, Matter, all, find};

/// Reads the app in a folder.
pub fn read(root: &Path) -> Reading {
    of(source::read(root))
}

/// Reads an app that is held in memory: paths relative to it, with `/`, and texts.
pub fn read_files(files: &[(String, String)]) -> Reading {
    of(source::take(files))
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
    let files = sources.trees.len() as u32;
    let lines = sources.trees.iter().map(tree::Tree::line_count).sum();
    let index = Index::new(Project::new(sources));
    let (decisions, hand_written) = matter::read(&index);
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
        files,
        lines,
    }
}
