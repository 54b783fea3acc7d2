//! From prompts to a session: what agents are given, and what they left.
//!
//! This version knows one agent: `recorded`, the hand-written sample sessions of `recordings/`. Nothing here attacks
//! or judges anything.

mod embedded;
mod prompt;
pub mod recorded;
mod study;

pub use embedded::{File, file, folder, write_folder};
pub use prompt::{BadPrompt, Prompt, prompts};
pub use study::{BadStudy, Cell, Study};

/// What went wrong with an agent's material.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no sample session `{name}` for {framework}; there are: {known}")]
    NoRecording {
        framework: String,
        name: String,
        known: String,
    },
    #[error("no starter for the framework `{0}`")]
    NoStarter(String),
    #[error("cannot write {0}: {1}")]
    Write(std::path::PathBuf, std::io::Error),
}
