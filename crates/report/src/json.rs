//! The machine output of `bench`, `check` and `report`.

use model::run::Run;

/// One object, pretty-printed, with a final newline.
pub fn render(run: &Run) -> String {
    let mut text = serde_json::to_string_pretty(run)
        .unwrap_or_else(|error| format!("{{\"error\": {:?}}}", error.to_string()));
    text.push('\n');
    text
}
