//! What the process's exit code says. Stable; documented in docs/exit-codes.md.

use std::process::ExitCode;

/// Every way to end. `hook` has a contract of its own: always `Done`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; for `bench`, every session was attacked.
    Done = 0,
    /// Our own failure, or the machine's.
    Failed = 1,
    /// The command line or a file given to it is wrong.
    Usage = 2,
    /// Findings at or above `--fail-on`.
    Findings = 10,
    /// Too little could be decided, or the run is incomplete.
    Coverage = 11,
    /// There was nothing to test.
    Nothing = 12,
    /// Something needed is missing; the message names it and the command that installs it.
    Missing = 20,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends the process: what is wrong, the way out, the exit code.
#[derive(Debug)]
pub(crate) struct Fatal {
    pub(crate) exit: Exit,
    pub(crate) why: String,
}

impl Fatal {
    pub(crate) fn usage(why: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            why: why.into(),
        }
    }

    pub(crate) fn nothing(why: impl Into<String>) -> Self {
        Self {
            exit: Exit::Nothing,
            why: why.into(),
        }
    }

    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Self {
            exit: Exit::Failed,
            why: why.into(),
        }
    }
}

impl From<crate::ledger::LedgerError> for Fatal {
    fn from(error: crate::ledger::LedgerError) -> Self {
        let exit = match &error {
            crate::ledger::LedgerError::NoRun(_) => Exit::Usage,
            crate::ledger::LedgerError::Sqlite { .. }
            | crate::ledger::LedgerError::Folder(..)
            | crate::ledger::LedgerError::Newer(..)
            | crate::ledger::LedgerError::Facts(_) => Exit::Failed,
        };
        Self {
            exit,
            why: error.to_string(),
        }
    }
}

impl From<app::InstallError> for Fatal {
    fn from(error: app::InstallError) -> Self {
        let exit = if error.is_missing() {
            Exit::Missing
        } else {
            Exit::Failed
        };
        Self {
            exit,
            why: error.to_string(),
        }
    }
}

impl From<agent::Error> for Fatal {
    fn from(error: agent::Error) -> Self {
        let exit = match &error {
            agent::Error::NoRecording { .. }
            | agent::Error::NoArm { .. }
            | agent::Error::NoStarter(_) => Exit::Usage,
            agent::Error::Write(..) | agent::Error::Arm(_) | agent::Error::Recording(..) => {
                Exit::Failed
            }
        };
        Self {
            exit,
            why: error.to_string(),
        }
    }
}

impl From<std::io::Error> for Fatal {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error.to_string())
    }
}
