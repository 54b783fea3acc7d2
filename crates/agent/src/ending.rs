//! How a step ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The first six are results of the agent; the others are faults of what surrounds it, and say nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It said that it was done, and left with success.
    Finished,
    /// It said that it was done, and had changed nothing.
    GaveUp,
    /// The model said that it would not.
    Refused,
    /// The vendor's own safeguards stopped the model.
    Safeguards,
    /// The tokens, turns or money of the step or session are spent.
    BudgetSpent,
    /// The time of the step or session is over.
    TimedOut,
    RateLimited,
    Overloaded,
    /// No answer, or half of one.
    Network,
    NotSignedIn,
    ModelMissing,
    /// It ended otherwise: our box or its program did.
    Crashed,
}

impl Ending {
    pub const ALL: [Self; 12] = [
        Self::Finished,
        Self::GaveUp,
        Self::Refused,
        Self::Safeguards,
        Self::BudgetSpent,
        Self::TimedOut,
        Self::RateLimited,
        Self::Overloaded,
        Self::Network,
        Self::NotSignedIn,
        Self::ModelMissing,
        Self::Crashed,
    ];

    /// A fault of what surrounds the agent: no result, and the step is run again or the session has none.
    pub fn is_surroundings(self) -> bool {
        match self {
            Self::Finished
            | Self::GaveUp
            | Self::Refused
            | Self::Safeguards
            | Self::BudgetSpent
            | Self::TimedOut => false,
            Self::RateLimited
            | Self::Overloaded
            | Self::Network
            | Self::NotSignedIn
            | Self::ModelMissing
            | Self::Crashed => true,
        }
    }

    /// Whether the same again may go otherwise. By the cause alone, the same for every agent: never by what it built.
    pub fn is_worth_another(self) -> bool {
        self.is_surroundings() && !matches!(self, Self::NotSignedIn | Self::ModelMissing)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::GaveUp => "gave-up",
            Self::Refused => "refused",
            Self::Safeguards => "safeguards",
            Self::BudgetSpent => "budget-spent",
            Self::TimedOut => "timed-out",
            Self::RateLimited => "rate-limited",
            Self::Overloaded => "overloaded",
            Self::Network => "network",
            Self::NotSignedIn => "not-signed-in",
            Self::ModelMissing => "model-missing",
            Self::Crashed => "crashed",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_serdes() {
        for ending in Ending::ALL {
            assert_eq!(serde_json::to_value(ending).unwrap(), ending.name());
            assert!(!ending.is_worth_another() || ending.is_surroundings());
        }
    }
}
