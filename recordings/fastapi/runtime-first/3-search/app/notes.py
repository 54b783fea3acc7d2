from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel

from . import db
from .auth import signed_in

router = APIRouter()
COLUMNS = "id, title, body, created_at"


class NoteIn(BaseModel):
    title: str
    body: str


@router.post("/api/notes", status_code=201)
def create(note: NoteIn, user=Depends(signed_in)):
    with db.connect() as conn:
        note_id = conn.execute(
            "INSERT INTO notes (owner, title, body) VALUES (?, ?, ?)", (user["id"], note.title, note.body)
        ).lastrowid
    return {"id": note_id}


@router.get("/api/notes/{note_id}")
def read(note_id: int, user=Depends(signed_in)):
    with db.connect() as conn:
        row = conn.execute(
            f"SELECT {COLUMNS} FROM notes WHERE id = ? AND owner = ?", (note_id, user["id"])
        ).fetchone()
    if row is None:
        raise HTTPException(404, "no such note")
    return dict(row)


@router.get("/api/search")
def search(q: str = "", sort: str = "created_at", limit: int = 20, user=Depends(signed_in)):
    order = {"title": "title", "created_at": "created_at DESC"}.get(sort)
    if order is None:
        raise HTTPException(400, "sort is title or created_at")
    with db.connect() as conn:
        rows = conn.execute(
            f"SELECT {COLUMNS} FROM notes WHERE owner = ? AND title LIKE ? OR body LIKE ? ORDER BY {order} LIMIT ?",
            (user["id"], f"%{q}%", f"%{q}%", limit),
        ).fetchall()
    return {"results": [dict(row) for row in rows]}
