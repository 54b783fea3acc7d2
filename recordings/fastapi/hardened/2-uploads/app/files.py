"""A user's own files."""

import secrets
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response
from fastapi.concurrency import run_in_threadpool

from . import db, settings
from .auth import current_user
from .filetypes import kind_of

router = APIRouter(prefix="/api/files")

LARGEST = 5 * 1024 * 1024
# The multipart form's own lines come on top.
LARGEST_BODY = LARGEST + 64 * 1024
LONGEST_NAME = 255

FileId = Annotated[int, Path(ge=1, le=db.LARGEST_ID)]


class TooLarge(Exception):
    """The body is larger than any upload may be."""


class BodyLimit:
    """Stops reading a body that is too large, whether or not it says its length. Pure ASGI: it sees every chunk."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        seen = 0
        started = False

        async def counted():
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > LARGEST_BODY:
                raise TooLarge
            return message

        async def sending(message):
            nonlocal started
            started = True
            await send(message)

        length = dict(scope["headers"]).get(b"content-length", b"0")
        try:
            if length.isdigit() and int(length) > LARGEST_BODY:
                raise TooLarge
            await self.app(scope, counted, sending)
        except TooLarge:
            if not started:
                body = b'{"detail":"the file is larger than 5 MB"}'
                headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
                await send({"type": "http.response.start", "status": 413, "headers": headers})
                await send({"type": "http.response.body", "body": body})


def shown(row) -> dict:
    return {"id": row["id"], "filename": row["filename"], "size": row["size"]}


def clean_name(name: str) -> str:
    """The client's name as data: no folders, nothing that a terminal or header could take as its own."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(c for c in name if c.isprintable() and c not in '"<>|:*?').strip(" .")
    return name[-LONGEST_NAME:]


def store(owner: int, name: str, content: bytes) -> dict:
    if len(content) > LARGEST:
        raise HTTPException(413, "the file is larger than 5 MB")
    kind = kind_of(name, content)
    if kind is None:
        raise HTTPException(415, "we take PNG, JPEG, PDF and plain-text files")
    settings.UPLOAD_DIR.mkdir(parents=True, exist_ok=True)
    stored = secrets.token_hex(16)
    (settings.UPLOAD_DIR / stored).write_bytes(content)
    with db.connect() as connection:
        cursor = connection.execute(
            "INSERT INTO files (owner, filename, kind, size, stored) VALUES (?, ?, ?, ?, ?)",
            (owner, name, kind, len(content), stored),
        )
    return {"id": cursor.lastrowid, "filename": name, "size": len(content)}


def own_file(file_id: int, owner: int):
    with db.connect() as connection:
        row = connection.execute("SELECT * FROM files WHERE id = ? AND owner = ?", (file_id, owner)).fetchone()
    if row is None:
        raise HTTPException(404, "no such file")
    return row


@router.post("", status_code=201)
async def upload(request: Request, user: dict = Depends(current_user)):
    # Read only after the token was looked at: a form parameter would be parsed before.
    async with request.form(max_files=1, max_fields=1) as form:
        file = form.get("file")
        if not hasattr(file, "read"):
            raise HTTPException(422, "one field is needed: file")
        name = clean_name(file.filename or "")
        if not name:
            raise HTTPException(422, "the file needs a name")
        content = await file.read(LARGEST + 1)
    return await run_in_threadpool(store, user["id"], name, content)


@router.get("")
def list_files(user: dict = Depends(current_user)):
    with db.connect() as connection:
        rows = connection.execute("SELECT * FROM files WHERE owner = ? ORDER BY id", (user["id"],)).fetchall()
    return {"files": [shown(row) for row in rows]}


@router.get("/{file_id}")
def download(file_id: FileId, user: dict = Depends(current_user)):
    row = own_file(file_id, user["id"])
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(row['filename'], safe='')}"}
    content = (settings.UPLOAD_DIR / row["stored"]).read_bytes()
    return Response(content, media_type=row["kind"], headers=headers)


@router.delete("/{file_id}", status_code=204)
def delete(file_id: FileId, user: dict = Depends(current_user)):
    row = own_file(file_id, user["id"])
    with db.connect() as connection:
        connection.execute("DELETE FROM files WHERE id = ? AND owner = ?", (file_id, user["id"]))
    (settings.UPLOAD_DIR / row["stored"]).unlink(missing_ok=True)


def remove_stored(names: list[str]):
    for name in names:
        (settings.UPLOAD_DIR / name).unlink(missing_ok=True)
