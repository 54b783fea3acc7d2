//! From verdicts to a score to a report. Pure: no files, no clock, no terminal.

pub mod bench;
pub mod calibration;
pub mod check;
pub mod curl;
pub mod decisions;
pub mod json;
mod paint;
pub mod regrade;
mod score;

pub use paint::{Paint, clean};
pub use score::{score, session_scores};
