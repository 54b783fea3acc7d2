//! Small readings of the lines that agents print.

use serde_json::Value;

use crate::Transcript;

/// Reads what an agent printed, line by line: `one` says whether it knows a line's kind. Lines that are no JSON are none.
pub(crate) fn each(said: &str, one: impl Fn(&mut Transcript, &Value, u64) -> bool) -> Transcript {
    let mut transcript = Transcript::default();
    for (index, line) in said.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        transcript.lines += 1;
        let known = serde_json::from_str::<Value>(line)
            .is_ok_and(|value| one(&mut transcript, &value, index as u64));
        transcript.unknown += u64::from(!known);
    }
    transcript
}

pub(crate) fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// A string, or the texts of a list of blocks.
pub(crate) fn text_of(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let blocks = value.as_array().into_iter().flatten();
    let texts: Vec<&str> = blocks.filter_map(|block| block["text"].as_str()).collect();
    texts.join("\n")
}
