//! From verdicts to a score to a report. Pure: no files, no clock, no terminal.

/// Ids and texts of Markdown files, one of which is one remedy or one line of the checklist.
macro_rules! files {
    ($folder:literal: $($id:literal),* $(,)?) => {
        [$(($id, include_str!(concat!($folder, $id, ".md")))),*]
    };
}

pub mod bench;
pub mod board;
pub mod calibration;
pub mod check;
pub mod checklist;
pub mod compare;
pub mod curl;
pub mod decisions;
pub mod finding;
#[cfg(test)]
mod fixture;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
mod paint;
pub mod regrade;
pub mod remedy;
pub mod sarif;
pub mod scan;
mod score;
pub mod stages;
pub mod statistics;
pub mod strides;
mod text;

pub use finding::{App, Finding, Report};
pub use paint::{Paint, clean};
pub use score::{score, session_scores};
