//! Before the first token: what would be run, what it would cost, and whether that is wanted.

use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use agent::proxy::Auth;
use agent::{Estimate, Prices};

use crate::exit::{Exit, Fatal};

/// Whoever can be asked.
pub(super) trait Person {
    /// Whether somebody sits there.
    fn is_there(&self) -> bool;
    fn answer(&mut self, question: &str) -> io::Result<String>;
}

/// The one at the terminal: a question on stderr, an answer from stdin.
pub(super) struct Terminal;

impl Person for Terminal {
    fn is_there(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    fn answer(&mut self, question: &str) -> io::Result<String> {
        let mut stderr = io::stderr();
        stderr.write_all(question.as_bytes())?;
        stderr.flush()?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(line)
    }
}

/// The user's table of prices, or the shipped one.
pub(super) fn prices(path: Option<&Path>) -> Result<Prices, Fatal> {
    let Some(path) = path else {
        return Prices::shipped().map_err(|error| Fatal::failed(error.to_string()));
    };
    let named = |error: String| Fatal::usage(format!("the prices {}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    Prices::parse(&text).map_err(|error| named(error.to_string()))
}

/// What the figures of an estimate are.
pub(super) fn bill(auth: Auth) -> &'static str {
    match auth {
        Auth::Key => "whose models are paid for",
        Auth::Subscription => {
            "on your subscription, which is not billed by token but has limits of use; the tokens would cost at list prices"
        }
    }
}

/// Only what costs is asked about. `yes` is the user's word on the command line.
pub(super) fn consent(
    estimate: &Estimate,
    auth: Auth,
    yes: bool,
    person: &mut dyn Person,
    mut say: impl FnMut(&str),
) -> Result<(), Fatal> {
    if estimate.sessions() == 0 {
        return Ok(());
    }
    let text = estimate.text();
    let bill = bill(auth);
    say(&format!(
        "This runs real agents, {bill}:\n{}",
        text.trim_end()
    ));
    if yes {
        return Ok(());
    }
    if !person.is_there() {
        return Err(Fatal::usage(
            "nothing was run: nobody is there to be asked whether that is wanted. Say --yes, or ask on a terminal; \
             --plan shows the plan alone",
        ));
    }
    let answer = person.answer("Go on? [y/N] ")?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Fatal {
        exit: Exit::Nothing,
        why: "nothing was run, as you wish".into(),
    })
}

#[cfg(test)]
mod tests {
    use agent::Planned;

    use super::*;

    struct Fake {
        there: bool,
        says: &'static str,
        asked: usize,
    }

    impl Person for Fake {
        fn is_there(&self) -> bool {
            self.there
        }

        fn answer(&mut self, _question: &str) -> io::Result<String> {
            self.asked += 1;
            Ok(self.says.to_owned())
        }
    }

    fn estimate(sessions: usize) -> Estimate {
        let one = Planned {
            agent: "claude-code".into(),
            model: "claude-opus-4-6".into(),
            steps: 6,
        };
        Estimate::of(&vec![one; sessions], &[], &Prices::shipped().unwrap())
    }

    fn ask(
        sessions: usize,
        yes: bool,
        there: bool,
        says: &'static str,
    ) -> (Option<u8>, usize, String) {
        let mut person = Fake {
            there,
            says,
            asked: 0,
        };
        let mut said = String::new();
        let answer = consent(&estimate(sessions), Auth::Key, yes, &mut person, |text| {
            said.push_str(text);
        });
        let code = answer.err().map(|fatal| {
            said.push_str(&fatal.why);
            fatal.exit as u8
        });
        (code, person.asked, said)
    }

    #[test]
    fn only_a_clear_yes_is_one() {
        for says in ["y\n", "yes\n", " Y \n"] {
            assert_eq!(ask(2, false, true, says).0, None, "{says:?}");
        }
        // An end of input is no yes.
        for says in ["", "\n", "n\n", "yep\n", "no\n"] {
            assert_eq!(ask(2, false, true, says).0, Some(12), "{says:?}");
        }
    }

    #[test]
    fn without_a_terminal_only_the_flag_is_a_yes() {
        let (code, asked, said) = ask(2, false, false, "y\n");
        assert_eq!((code, asked), (Some(2), 0));
        for words in ["--yes", "--plan", "2 sessions", "$", "nothing was run"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        let (code, asked, said) = ask(2, true, false, "");
        assert_eq!((code, asked), (None, 0));
        assert!(
            said.contains("2 sessions") && said.contains("assumed"),
            "{said}"
        );
    }

    #[test]
    fn a_subscription_is_asked_about_all_the_same() {
        let mut person = Fake {
            there: true,
            says: "n\n",
            asked: 0,
        };
        let mut said = String::new();
        let answer = consent(
            &estimate(2),
            Auth::Subscription,
            false,
            &mut person,
            |text| {
                said.push_str(text);
            },
        );
        assert!(answer.is_err() && person.asked == 1);
        for words in ["2 sessions", "$", "not billed by token", "list prices"] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }

    #[test]
    fn what_costs_nothing_is_not_asked_about() {
        assert_eq!(ask(0, false, false, ""), (None, 0, String::new()));
    }
}
