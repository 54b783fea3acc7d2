import mimetypes
import os
import uuid
from pathlib import Path

from fastapi import APIRouter, Depends, HTTPException, Request, Response, UploadFile

from . import db
from .auth import signed_in

router = APIRouter()
UPLOAD_DIR = Path(os.environ.get("UPLOAD_DIR", "uploads"))
MAX_BYTES = 5 * 1024 * 1024
# The form's own lines come on top of the file.
MAX_REQUEST = MAX_BYTES + 4096
EXTENSIONS = {".png", ".jpg", ".jpeg", ".pdf", ".txt"}


def size_limit(request: Request):
    """Refuse before the body is read."""
    if int(request.headers.get("Content-Length", 0)) > MAX_REQUEST:
        raise HTTPException(413, "files of up to 5 MB only")


@router.post("/api/files", status_code=201, dependencies=[Depends(size_limit)])
def upload(file: UploadFile, user=Depends(signed_in)):
    name = os.path.basename((file.filename or "").replace("\\", "/"))
    extension = os.path.splitext(name)[1].lower()
    if extension not in EXTENSIONS:
        raise HTTPException(415, "PNG, JPEG, PDF and text files only")
    UPLOAD_DIR.mkdir(parents=True, exist_ok=True)
    stored = uuid.uuid4().hex + extension
    content = file.file.read()
    (UPLOAD_DIR / stored).write_bytes(content)
    with db.connect() as conn:
        file_id = conn.execute(
            "INSERT INTO files (owner, filename, kind, size, stored) VALUES (?, ?, ?, ?, ?)",
            (user["id"], name, mimetypes.guess_type(name)[0], len(content), stored),
        ).lastrowid
    return {"id": file_id, "filename": name, "size": len(content)}


@router.get("/api/files")
def list_files(user=Depends(signed_in)):
    with db.connect() as conn:
        rows = conn.execute("SELECT id, filename, size FROM files WHERE owner = ?", (user["id"],)).fetchall()
    return {"files": [dict(row) for row in rows]}


def own(file_id: int, user):
    with db.connect() as conn:
        row = conn.execute("SELECT * FROM files WHERE id = ? AND owner = ?", (file_id, user["id"])).fetchone()
    if row is None:
        raise HTTPException(404, "no such file")
    return row


@router.get("/api/files/{file_id}")
def download(file_id: int, user=Depends(signed_in)):
    row = own(file_id, user)
    return Response((UPLOAD_DIR / row["stored"]).read_bytes(), media_type=row["kind"])


@router.delete("/api/files/{file_id}")
def delete(file_id: int, user=Depends(signed_in)):
    row = own(file_id, user)
    with db.connect() as conn:
        conn.execute("DELETE FROM files WHERE id = ?", (row["id"],))
    (UPLOAD_DIR / row["stored"]).unlink(missing_ok=True)
    return {"deleted": row["id"]}
