//! The nouns of `unrequested`, in the order of the path: binding, exchange, facts, verdict, run.
//!
//! No I/O, no clock, no randomness, no command line, no SQL. [`judge`] is the only maker of a [`Verdict`].

pub mod binding;
pub mod calibration;
pub mod decision;
pub mod facts;
pub mod run;
mod verdict;

pub use binding::{Binding, Body, Capability, Carrier, Route};
pub use facts::{Cause, Diff, Exchange, Facts, Fault, Observation, Sees, Step};
pub use verdict::{Reason, Verdict, Word, judge, repeated};
