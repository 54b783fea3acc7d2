import uuid

from fastapi import APIRouter, Depends, HTTPException, UploadFile
from fastapi.responses import FileResponse

from . import config, db
from .auth import get_current_user

router = APIRouter(prefix="/api/files", tags=["files"])

MAX_SIZE = 5 * 1024 * 1024
ALLOWED = {
    "image/png": {".png"},
    "image/jpeg": {".jpg", ".jpeg"},
    "application/pdf": {".pdf"},
    "text/plain": {".txt"},
}


@router.post("", status_code=201)
def upload(file: UploadFile, user: dict = Depends(get_current_user)):
    extension = "." + file.filename.rsplit(".", 1)[-1].lower() if "." in file.filename else ""
    if extension not in ALLOWED.get(file.content_type, set()):
        raise HTTPException(415, "Only PNG, JPEG, PDF and text files are accepted")
    content = file.file.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise HTTPException(413, "File too large")
    config.UPLOAD_DIR.mkdir(parents=True, exist_ok=True)
    stored = uuid.uuid4().hex
    (config.UPLOAD_DIR / stored).write_bytes(content)
    with db.connect() as conn:
        cursor = conn.execute(
            "INSERT INTO files (owner, filename, kind, size, stored) VALUES (?, ?, ?, ?, ?)",
            (user["id"], file.filename, file.content_type, len(content), stored),
        )
    return {"id": cursor.lastrowid, "filename": file.filename, "size": len(content)}


@router.get("")
def list_files(user: dict = Depends(get_current_user)):
    with db.connect() as conn:
        rows = conn.execute("SELECT id, filename, size FROM files WHERE owner = ?", (user["id"],)).fetchall()
    return {"files": [dict(row) for row in rows]}


def get_own_file(file_id: int, user: dict):
    with db.connect() as conn:
        row = conn.execute("SELECT * FROM files WHERE id = ? AND owner = ?", (file_id, user["id"])).fetchone()
    if row is None:
        raise HTTPException(404, "File not found")
    return row


@router.get("/{file_id}")
def download(file_id: int, user: dict = Depends(get_current_user)):
    row = get_own_file(file_id, user)
    return FileResponse(config.UPLOAD_DIR / row["stored"], media_type=row["kind"], filename=row["filename"])


@router.delete("/{file_id}", status_code=204)
def delete(file_id: int, user: dict = Depends(get_current_user)):
    row = get_own_file(file_id, user)
    with db.connect() as conn:
        conn.execute("DELETE FROM files WHERE id = ?", (row["id"],))
    (config.UPLOAD_DIR / row["stored"]).unlink(missing_ok=True)
