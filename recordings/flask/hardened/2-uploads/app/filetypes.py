"""What we take: judged by the name's ending and by the content, never by what the client declares."""

from pathlib import PurePosixPath

SIGNATURES = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "application/pdf": b"%PDF-",
}
ENDINGS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".pdf": "application/pdf", ".txt": "text/plain"}
MARKUP = (b"<!doctype", b"<html", b"<script", b"<svg", b"<?xml", b"<head", b"<body", b"<iframe")


def kind_of(filename: str, content: bytes) -> str | None:
    kind = ENDINGS.get(PurePosixPath(filename).suffix.lower())
    if kind is None:
        return None
    if kind != "text/plain":
        return kind if content.startswith(SIGNATURES[kind]) else None
    if b"\0" in content or any(content.startswith(signature) for signature in SIGNATURES.values()):
        return None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    start = content[:1024].lstrip().lower()
    return None if any(mark in start for mark in MARKUP) else kind
