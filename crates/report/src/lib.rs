//! From verdicts to a score to a report. Pure: no files, no clock, no terminal.

pub mod bench;
pub mod calibration;
pub mod check;
pub mod compare;
pub mod curl;
pub mod decisions;
pub mod json;
mod paint;
pub mod regrade;
mod score;
pub mod statistics;
pub mod strides;

pub use paint::{Paint, clean};
pub use score::{score, session_scores};
