//! Which files are taken: by their extension, and only when the content agrees.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Png,
    Jpeg,
    Pdf,
    Text,
}

impl Kind {
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        if stem.is_empty() {
            return None;
        }
        match extension.to_ascii_lowercase().as_str() {
            "png" => Some(Self::Png),
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "pdf" => Some(Self::Pdf),
            "txt" => Some(Self::Text),
            _ => None,
        }
    }

    pub(crate) fn agrees_with(self, bytes: &[u8]) -> bool {
        match self {
            Self::Png => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
            Self::Jpeg => bytes.starts_with(b"\xff\xd8\xff"),
            Self::Pdf => bytes.starts_with(b"%PDF-"),
            Self::Text => std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0')),
        }
    }

    /// What it is served as; with `attachment` and `nosniff`, so that it is kept rather than shown.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Pdf => "application/pdf",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

/// The types that a declared one may be, for the weak version that believes it.
pub(crate) fn is_declared_allowed(declared: &str) -> bool {
    let essence = declared.split(';').next().unwrap_or_default().trim();
    ["image/png", "image/jpeg", "application/pdf", "text/plain"]
        .iter()
        .any(|kind| essence.eq_ignore_ascii_case(kind))
}

/// What a web server makes of an extension, for the weak version that asks nothing else.
pub(crate) fn guessed(name: &str) -> &'static str {
    match name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase())
        .as_deref()
    {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("gif") => "image/gif",
        Some("zip") => "application/zip",
        _ => Kind::of_name(name).map_or("application/octet-stream", Kind::media_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_content_must_agree() {
        assert_eq!(Kind::of_name("a.b.PNG"), Some(Kind::Png));
        for name in ["png", ".png", "a.html", "a.png.exe", "a.txt ", "a."] {
            assert_eq!(Kind::of_name(name), None, "{name}");
        }
        assert!(Kind::Jpeg.agrees_with(b"\xff\xd8\xff\xe0"));
        assert!(!Kind::Png.agrees_with(b"<html>"));
        assert!(!Kind::Pdf.agrees_with(b""));
        assert!(Kind::Text.agrees_with("grüß\r\n".as_bytes()) && !Kind::Text.agrees_with(b"a\0b"));
    }
}
