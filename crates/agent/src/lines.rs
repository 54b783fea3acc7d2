//! Small readings of the lines that agents print.

use serde_json::Value;

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
