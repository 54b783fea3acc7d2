//! From prompts to a session: what agents are given, and what they left.
//!
//! Nothing here attacks or judges anything.

mod access;
mod arm;
pub mod atif;
mod claude_code;
mod cli;
mod codex;
mod command;
mod embedded;
mod ending;
mod estimate;
mod lines;
mod prices;
mod prompt;
pub mod proxy;
pub mod recorded;
pub mod session;
mod settle;
mod sign_in;
mod study;
mod transcript;
mod usage;

pub use access::{DUMMY_KEY, DUMMY_TOKEN};
pub use arm::{Arm, BadArm, Better, FINDINGS, Feedback, Number, SILENT, Wanted, Words};
pub use cli::{ALL, Cli, Evidence, Invocation, Package, Record, Sign, Step, Stopped, find};
pub use command::Line;
pub use command::template::{BadTemplate, Speaks, Template};
pub use embedded::{File, file, folder, write_folder};
pub use ending::Ending;
pub use estimate::{Basis, Estimate, Past, Planned};
pub use prices::{BadPrices, Cost, Prices};
pub use prompt::{BadPrompt, Prompt, prompts};
pub use settle::{Settled, Source, settle};
pub use sign_in::{BadSignIn, FindSignIn, Surroundings};
pub use study::{BadStudy, Budget, Cell, Choice, Driven, Study};
pub use transcript::{Call, CallResult, Close, Entry, Role, Transcript};
pub use usage::Usage;

/// What went wrong with an agent's material.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no sample session `{name}` for {framework}; there are: {known}")]
    NoRecording {
        framework: String,
        name: String,
        known: String,
    },
    #[error("the sample {sample} was not written for the arm `{arm}`; it was for: {known}")]
    NoArm {
        sample: String,
        arm: String,
        known: String,
    },
    #[error(transparent)]
    Arm(#[from] BadArm),
    #[error("{0}: {1}")]
    Recording(String, String),
    #[error("no starter for the framework `{0}`")]
    NoStarter(String),
    #[error("cannot write {0}: {1}")]
    Write(std::path::PathBuf, std::io::Error),
}
