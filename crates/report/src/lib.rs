//! From verdicts to a score to a report. Pure: no files, no clock, no terminal.

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
mod score;
pub mod stages;
pub mod statistics;
pub mod strides;
mod text;

pub use finding::{App, Finding, Report};
pub use paint::{Paint, clean};
pub use score::{score, session_scores};
