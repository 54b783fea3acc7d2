from enum import Enum

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel

from . import db
from .auth import get_current_user

router = APIRouter(prefix="/api", tags=["notes"])


class NoteIn(BaseModel):
    title: str
    body: str


class Sort(str, Enum):
    title = "title"
    created_at = "created_at"


@router.post("/notes", status_code=201)
def create(note: NoteIn, user: dict = Depends(get_current_user)):
    with db.connect() as conn:
        cursor = conn.execute(
            "INSERT INTO notes (owner, title, body) VALUES (?, ?, ?)", (user["id"], note.title, note.body)
        )
    return {"id": cursor.lastrowid}


@router.get("/notes/{note_id}")
def read(note_id: int, user: dict = Depends(get_current_user)):
    with db.connect() as conn:
        row = conn.execute(
            "SELECT id, title, body, created_at FROM notes WHERE id = ? AND owner = ?", (note_id, user["id"])
        ).fetchone()
    if row is None:
        raise HTTPException(404, "Note not found")
    return dict(row)


@router.get("/search")
def search(q: str = "", sort: Sort = Sort.created_at, limit: int = 20, user: dict = Depends(get_current_user)):
    order = "title COLLATE NOCASE" if sort is Sort.title else "created_at DESC, id DESC"
    with db.connect() as conn:
        rows = conn.execute(
            f"""SELECT id, title, body, created_at FROM notes
                WHERE owner = ? AND (title LIKE ? OR body LIKE ?) ORDER BY {order} LIMIT ?""",
            (user["id"], f"%{q}%", f"%{q}%", limit),
        ).fetchall()
    return {"results": [dict(row) for row in rows]}
