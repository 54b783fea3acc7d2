const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = b"\xff\xd8\xff";
const PDF: &[u8] = b"%PDF-";
const MARKUP: [&str; 8] = [
    "<!doctype",
    "<html",
    "<script",
    "<svg",
    "<?xml",
    "<head",
    "<body",
    "<iframe",
];

/// Judged by the name's ending and by the content, never by what the client declares.
pub fn kind_of(filename: &str, content: &[u8]) -> Option<&'static str> {
    let (start, ending) = filename.rsplit_once('.')?;
    if start.is_empty() {
        return None;
    }
    let (kind, fits) = match ending.to_ascii_lowercase().as_str() {
        "png" => ("image/png", content.starts_with(PNG)),
        "jpg" | "jpeg" => ("image/jpeg", content.starts_with(JPEG)),
        "pdf" => ("application/pdf", content.starts_with(PDF)),
        "txt" => ("text/plain; charset=utf-8", is_plain_text(content)),
        _ => return None,
    };
    fits.then_some(kind)
}

fn is_plain_text(content: &[u8]) -> bool {
    if content.contains(&0)
        || [PNG, JPEG, PDF]
            .iter()
            .any(|start| content.starts_with(start))
    {
        return false;
    }
    let Ok(text) = std::str::from_utf8(content) else {
        return false;
    };
    let start: String = text
        .chars()
        .take(1024)
        .collect::<String>()
        .to_ascii_lowercase();
    !MARKUP.iter().any(|mark| start.contains(mark))
}
