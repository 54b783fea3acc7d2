//! Evidence that a person can send again: a curl command, or a line that writes the exact bytes.

use std::fmt::Write as _;

/// One stored request as a shell command against `$BASE` (`http://127.0.0.1:8000`). `secrets` are replaced by shell
/// variables. A request that curl would change is written byte by byte.
pub fn command(sent: &[u8], secrets: &[(String, String)]) -> String {
    curl(sent, secrets).unwrap_or_else(|| exact(sent, secrets))
}

fn curl(sent: &[u8], secrets: &[(String, String)]) -> Option<String> {
    let end = sent.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&sent[..end]).ok()?;
    let body = std::str::from_utf8(&sent[end + 4..]).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target, version) = (first.next()?, first.next()?, first.next()?);
    let plain = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if first.next().is_some() || version != "HTTP/1.1" || !plain(head.replace("\r\n", "").as_str())
    {
        return None;
    }
    if body.contains('\0') || body.len() > 16 * 1024 || target.contains(['#', '[', ']', '{', '}']) {
        return None;
    }
    let mut out = format!(
        "curl -sS -i --path-as-is -X {method} \"$BASE\"{}",
        quoted(target, secrets)
    );
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        match name.to_ascii_lowercase().as_str() {
            "host" | "connection" | "content-length" => {}
            "transfer-encoding" => return None,
            _ if value.is_empty() => {
                let _ = write!(out, " -H '{name};'");
            }
            _ => {
                let _ = write!(out, " -H {}", quoted(line, secrets));
            }
        }
    }
    if !body.is_empty() {
        let body = if body.contains(['\r', '\n']) {
            format!(
                "$'{}'",
                body.replace('\\', "\\\\")
                    .replace('\'', "\\'")
                    .replace('\r', "\\r")
                    .replace('\n', "\\n")
            )
        } else {
            quoted(body, secrets)
        };
        let _ = write!(out, " --data-binary {body}");
    }
    Some(out)
}

/// Single-quoted for a POSIX shell, with secrets as double-quoted variables.
fn quoted(text: &str, secrets: &[(String, String)]) -> String {
    let mut out = format!("'{}'", text.replace('\'', "'\\''"));
    for (secret, variable) in secrets {
        if secret.len() >= 8 {
            out = out.replace(secret.as_str(), &format!("'\"${variable}\"'"));
        }
    }
    out.replace("''\"", "\"").replace("\"''", "\"")
}

fn exact(sent: &[u8], secrets: &[(String, String)]) -> String {
    const SHOWN: usize = 4096;
    let mut text = String::new();
    let mut variables = String::new();
    let mut at = 0;
    while at < sent.len().min(SHOWN) {
        let rest = &sent[at..];
        let secret = secrets
            .iter()
            .find(|(secret, _)| secret.len() >= 8 && rest.starts_with(secret.as_bytes()));
        if let Some((secret, variable)) = secret {
            text.push_str("%s");
            let _ = write!(variables, " \"${variable}\"");
            at += secret.len();
            continue;
        }
        match rest[0] {
            b'\\' => text.push_str("\\\\"),
            b'%' => text.push_str("%%"),
            b'\'' => text.push_str("\\047"),
            byte @ 0x20..=0x7e => text.push(byte as char),
            other => {
                let _ = write!(text, "\\{other:03o}");
            }
        }
        at += 1;
    }
    let cut = if sent.len() > SHOWN {
        format!("  # the first {SHOWN} of {} bytes", sent.len())
    } else {
        String::new()
    };
    format!("printf '{text}'{variables} | nc \"$HOST\" \"$PORT\"{cut}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_request_is_a_curl_with_variables() {
        let sent = b"POST /api/notes?q=it's HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer aaaa.bbbb.cccc\r\nContent-Type: application/json\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{\"a\":\"b\"}";
        let shown = command(sent, &[("aaaa.bbbb.cccc".into(), "TOKEN_ALICE".into())]);
        assert_eq!(
            shown,
            "curl -sS -i --path-as-is -X POST \"$BASE\"'/api/notes?q=it'\\''s' -H 'Authorization: Bearer '\"$TOKEN_ALICE\" -H 'Content-Type: application/json' --data-binary '{\"a\":\"b\"}'"
        );
    }

    #[test]
    fn what_curl_would_change_is_written_byte_by_byte() {
        for sent in [
            &b"GET /x?q=a b HTTP/1.1\r\nHost: h\r\n\r\n"[..],
            b"POST / HTTP/1.1\r\nHost: h\r\n\r\na\0b",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
        ] {
            assert!(
                command(sent, &[]).starts_with("printf '"),
                "{}",
                command(sent, &[])
            );
        }
    }

    #[test]
    fn a_secret_is_a_variable_byte_by_byte_too() {
        let sent = b"GET /a#b HTTP/1.1\r\nAuthorization: Bearer aaaa.bbbb.cccc\r\n\r\n";
        let shown = command(sent, &[("aaaa.bbbb.cccc".into(), "TOKEN".into())]);
        assert_eq!(
            shown,
            r#"printf 'GET /a#b HTTP/1.1\015\012Authorization: Bearer %s\015\012\015\012' "$TOKEN" | nc "$HOST" "$PORT""#
        );
    }
}
