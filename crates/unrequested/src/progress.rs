//! What is happening, on stderr: a line that is replaced on a terminal, whole lines elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;

pub(crate) struct Progress {
    quiet: bool,
    terminal: bool,
    live: Mutex<bool>,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            terminal: std::io::stderr().is_terminal(),
            live: Mutex::new(false),
        }
    }

    /// A line that stays.
    pub(crate) fn line(&self, text: &str) {
        if !self.quiet {
            self.write(&format!("{text}\n"), false);
        }
    }

    /// A line that the next one replaces; nothing where there is no terminal.
    pub(crate) fn live(&self, text: &str) {
        if !self.quiet && self.terminal {
            self.write(text, true);
        }
    }

    /// Makes room on a terminal for a result: the last live line goes.
    pub(crate) fn clear(&self) {
        if !self.quiet && self.terminal {
            self.write("\r\x1b[K", false);
        }
    }

    /// A line that is said even when quiet.
    pub(crate) fn warn(&self, text: &str) {
        self.write(&format!("{text}\n"), false);
    }

    fn write(&self, text: &str, live: bool) {
        let mut was_live = self
            .live
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let clear = if *was_live { "\r\x1b[K" } else { "" };
        // Nobody is helped by a failure to say how far we are.
        let _ = write!(std::io::stderr(), "{clear}{text}");
        let _ = std::io::stderr().flush();
        *was_live = live;
    }
}
