"""A user's own files."""

import secrets

from flask import Blueprint, abort, g, request, send_file

from . import db, settings
from .auth import signed_in
from .filetypes import kind_of

bp = Blueprint("files", __name__, url_prefix="/api/files")

LARGEST = 5 * 1024 * 1024
# The multipart form's own lines come on top.
LARGEST_BODY = LARGEST + 64 * 1024
LONGEST_NAME = 255

FILE_ID = f"<int(min=1, max={db.LARGEST_ID}):file_id>"


def shown(row) -> dict:
    return {"id": row["id"], "filename": row["filename"], "size": row["size"]}


def clean_name(name: str) -> str:
    """The client's name as data: no folders, nothing that a terminal or header could take as its own."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(c for c in name if c.isprintable() and c not in '"<>|:*?').strip(" .")
    return name[-LONGEST_NAME:]


def store(owner: int, name: str, kind: str, content: bytes) -> int:
    settings.UPLOAD_DIR.mkdir(parents=True, exist_ok=True)
    stored = secrets.token_hex(16)
    (settings.UPLOAD_DIR / stored).write_bytes(content)
    try:
        with db.connect() as connection:
            cursor = connection.execute(
                "INSERT INTO files (owner, filename, kind, size, stored) VALUES (?, ?, ?, ?, ?)",
                (owner, name, kind, len(content), stored),
            )
    except Exception:
        remove_stored([stored])
        raise
    return cursor.lastrowid


def own_file(file_id: int):
    with db.connect() as connection:
        row = connection.execute("SELECT * FROM files WHERE id = ? AND owner = ?", (file_id, g.user["id"])).fetchone()
    if row is None:
        abort(404, "no such file")
    return row


def remove_stored(names: list[str]):
    for name in names:
        (settings.UPLOAD_DIR / name).unlink(missing_ok=True)


@bp.post("")
@signed_in
def upload():
    # The form is parsed at the first look at it: after the token was looked at, and within these.
    request.max_content_length = LARGEST_BODY
    request.max_form_parts = 2
    file = request.files.get("file")
    if file is None:
        abort(422, "one field is needed: file")
    name = clean_name(file.filename or "")
    if not name:
        abort(422, "the file needs a name")
    content = file.stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        abort(413, "the file is larger than 5 MB")
    kind = kind_of(name, content)
    if kind is None:
        abort(415, "we take PNG, JPEG, PDF and plain-text files")
    return {"id": store(g.user["id"], name, kind, content), "filename": name, "size": len(content)}, 201


@bp.get("")
@signed_in
def list_files():
    with db.connect() as connection:
        rows = connection.execute("SELECT * FROM files WHERE owner = ? ORDER BY id", (g.user["id"],)).fetchall()
    return {"files": [shown(row) for row in rows]}


@bp.get(f"/{FILE_ID}")
@signed_in
def download(file_id: int):
    row = own_file(file_id)
    response = send_file(
        settings.UPLOAD_DIR / row["stored"], mimetype=row["kind"], as_attachment=True, download_name=row["filename"]
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'; sandbox"
    return response


@bp.delete(f"/{FILE_ID}")
@signed_in
def delete(file_id: int):
    row = own_file(file_id)
    with db.connect() as connection:
        connection.execute("DELETE FROM files WHERE id = ? AND owner = ?", (file_id, g.user["id"]))
    remove_stored([row["stored"]])
    return "", 204
