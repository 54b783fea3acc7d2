//! Tokens, in one meaning for all vendors.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Tokens of one message, or summed over several. Vendors count in different ways; readers convert to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Read anew: neither from a cache nor written to one. (Anthropic's `input_tokens`; OpenAI's includes the cached.)
    pub input: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    /// All that was written, reasoning included.
    pub output: u64,
    /// The part of `output` that was reasoning, where the vendor tells.
    pub reasoning: u64,
}

impl Usage {
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// All that the model read: ATIF's `prompt_tokens`.
    pub fn all_input(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
    }

    /// Read and written: what a budget in tokens counts.
    pub fn all(&self) -> u64 {
        self.all_input().saturating_add(self.output)
    }

    /// What came on top of an earlier total of the same conversation. `None` when that total is no earlier one: a counter
    /// that went down was reset, and then nothing can be said.
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        Some(Self {
            input: self.input.checked_sub(earlier.input)?,
            cache_read: self.cache_read.checked_sub(earlier.cache_read)?,
            cache_write: self.cache_write.checked_sub(earlier.cache_write)?,
            output: self.output.checked_sub(earlier.output)?,
            reasoning: self.reasoning.checked_sub(earlier.reasoning)?,
        })
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_went_down_says_nothing() {
        let early = Usage {
            input: 5,
            output: 2,
            ..Usage::default()
        };
        let late = Usage {
            input: 8,
            output: 2,
            ..Usage::default()
        };
        assert_eq!(
            late.since(&early),
            Some(Usage {
                input: 3,
                ..Usage::default()
            })
        );
        assert_eq!(early.since(&late), None);
        assert_eq!([early, late].into_iter().sum::<Usage>().input, 13);
    }
}
