//! What an exploit gathered. Facts are stored; verdicts are not.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::binding::Capability;

/// One request as its bytes were written, and what came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Who sent it: a user of the exploit (`alice`), or `anonymous`.
    pub who: String,
    /// What it was for, in words: `B reads A's note`.
    pub label: String,
    /// The address it came from.
    pub from: IpAddr,
    /// The bytes really written.
    pub sent: Vec<u8>,
    /// The bytes read; `None` when no whole reply came.
    pub got: Option<Vec<u8>>,
    /// Why there was no reply, or what was odd about it.
    pub trouble: Option<String>,
    pub took: Duration,
}

/// Whose fault it is that something could not be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The app did not do what its contract says.
    App,
    /// The tool or the machine.
    Harness,
}

impl Fault {
    pub const ALL: [Self; 2] = [Self::App, Self::Harness];

    pub fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Harness => "harness",
        }
    }
}

/// Where an exploit was when it had to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    Boot,
    Setup,
    Witness,
    Control,
    Attack,
    WitnessAgain,
}

impl Step {
    pub const ALL: [Self; 6] = [
        Self::Boot,
        Self::Setup,
        Self::Witness,
        Self::Control,
        Self::Attack,
        Self::WitnessAgain,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Setup => "setup",
            Self::Witness => "witness",
            Self::Control => "control",
            Self::Attack => "attack",
            Self::WitnessAgain => "witness-again",
        }
    }
}

/// Why an exploit stopped before it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    pub fault: Fault,
    pub step: Step,
    pub why: String,
}

/// A difference in state that was seen somewhere else than in the reply to the attack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// What was looked at: `files written`, `A's account`.
    pub of: String,
    /// What was found, in words; empty when nothing changed.
    pub found: String,
}

/// What a look is for. Data, so that anybody can look again at the stored bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sees {
    /// These bytes stand in the reply's body.
    Text(Vec<u8>),
    /// The JSON body has this value at this pointer.
    Json { at: String, is: String },
    /// The status is one of these.
    Status(Vec<u16>),
    /// The reply has no header of this name.
    NoHeader(String),
    /// State changed, seen elsewhere. Not recomputed from bytes.
    State(Diff),
    /// A measured value above its limit. Not recomputed from bytes.
    Measured {
        what: String,
        value: f64,
        limit: f64,
    },
    /// A reading of several replies at once, in words (a Boolean pair). Not recomputed from bytes.
    Told(String),
}

impl Sees {
    /// Whether a look of this kind says something although the attacking request got no reply: only where the
    /// effect is watched in another place.
    pub fn needs_no_reply(&self) -> bool {
        match self {
            Self::State(_) => true,
            Self::Text(_)
            | Self::Json { .. }
            | Self::Status(_)
            | Self::NoHeader(_)
            | Self::Measured { .. }
            | Self::Told(_) => false,
        }
    }
}

/// One look for the effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    pub label: String,
    pub sees: Sees,
    /// Whether the effect was seen.
    pub held: bool,
    /// Whether the exchange that was looked at has a whole reply.
    pub replied: bool,
    /// The index of that exchange.
    pub exchange: Option<u32>,
}

impl Observation {
    /// Whether this look can count towards "resisted".
    pub fn counts(&self) -> bool {
        self.replied || self.sees.needs_no_reply()
    }
}

/// Everything [`crate::judge`] may know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The feature that is absent, as its first route's answer to the honest request showed.
    pub missing: Option<Capability>,
    /// Why the test does not apply although the feature is there (an opaque token has no algorithm to forge).
    pub beside: Option<String>,
    /// The witness before the attack: the honest request worked.
    pub before: Option<bool>,
    /// Whether the effect showed without any attack.
    pub control: Option<bool>,
    /// How many looks the exploit meant to make.
    pub planned: u16,
    pub looked: Vec<Observation>,
    /// The witness after the attack.
    pub after: Option<bool>,
    pub stop: Option<Cause>,
    /// Milder things seen on the way, in words: reported, never counted.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What the exploit would have looked at as well, had the binding a route for it. Where the app has it all the same, not
    /// every look was made.
    #[serde(default)]
    pub without: BTreeSet<Capability>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_serdes() {
        for fault in Fault::ALL {
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.name());
        }
        for step in Step::ALL {
            assert_eq!(serde_json::to_value(step).unwrap(), step.name());
        }
    }

    #[test]
    fn only_state_counts_without_a_reply() {
        let state = Sees::State(Diff {
            of: "files".into(),
            found: String::new(),
        });
        let others = [
            Sees::Text(b"x".to_vec()),
            Sees::Json {
                at: "/a".into(),
                is: "b".into(),
            },
            Sees::Status(vec![200]),
            Sees::NoHeader("x".into()),
            Sees::Measured {
                what: "ms".into(),
                value: 1.0,
                limit: 2.0,
            },
            Sees::Told("x".into()),
        ];
        let look = |sees: &Sees, replied| Observation {
            label: String::new(),
            sees: sees.clone(),
            held: false,
            replied,
            exchange: None,
        };
        assert!(state.needs_no_reply() && look(&state, false).counts());
        for sees in &others {
            assert!(!sees.needs_no_reply() && !look(sees, false).counts());
            assert!(look(sees, true).counts());
        }
    }
}
