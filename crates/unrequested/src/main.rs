//! The command line of `unrequested`; the only crate that knows all others.

mod baseline;
mod bind;
mod bundle;
mod calibrate;
mod cli;
mod commands;
mod context;
mod decided;
mod drive;
mod exit;
mod feedback;
mod interrupt;
mod ledger;
mod output;
mod program;
mod progress;
mod proof;
mod scan;
mod serving;
mod session;
mod spent;
mod stages;
mod target;
mod unbooted;
mod view;
mod wanted;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // In the box this program is the holder, and never comes back from here.
    cell::holder_main_if_asked();
    interrupt::end_with_parent();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        // An agent takes the exit code 2, clap's, for "go on".
        Err(error) if error.use_stderr() && commands::hook::is_asked_for() => {
            return commands::hook::misused(&error).into();
        }
        Err(error) => error.exit(),
    };
    let exit = match commands::run(cli) {
        Ok(exit) => exit,
        Err(fatal) => {
            let _ = writeln!(
                std::io::stderr(),
                "unrequested: {}",
                report::clean(&fatal.why)
            );
            fatal.exit
        }
    };
    exit.into()
}
