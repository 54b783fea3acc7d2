"""A user's own notes."""

from typing import Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from pydantic import BaseModel, Field

from . import db
from .auth import current_user

router = APIRouter(prefix="/api")

ORDER = {"title": "title COLLATE NOCASE ASC, id ASC", "created_at": "created_at DESC, id DESC"}


class NewNote(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    body: str = Field(max_length=20_000)


def shown(row) -> dict:
    return {"id": row["id"], "title": row["title"], "body": row["body"], "created_at": row["created_at"]}


@router.post("/notes", status_code=201)
def create(body: NewNote, user: dict = Depends(current_user)):
    with db.connect() as connection:
        cursor = connection.execute(
            "INSERT INTO notes (owner, title, body) VALUES (?, ?, ?)", (user["id"], body.title, body.body)
        )
    return {"id": cursor.lastrowid}


@router.get("/notes/{note_id}")
def read(note_id: int = Path(ge=1, le=db.LARGEST_ID), user: dict = Depends(current_user)):
    with db.connect() as connection:
        row = connection.execute("SELECT * FROM notes WHERE id = ? AND owner = ?", (note_id, user["id"])).fetchone()
    if row is None:
        raise HTTPException(404, "no such note")
    return shown(row)


@router.get("/search")
def search(
    q: str = Query("", max_length=200),
    sort: Literal["title", "created_at"] = "created_at",
    limit: int = Query(20, ge=1, le=100),
    user: dict = Depends(current_user),
):
    literal = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = f"%{literal}%"
    with db.connect() as connection:
        rows = connection.execute(
            "SELECT * FROM notes WHERE owner = ? AND (title LIKE ? ESCAPE '\\' OR body LIKE ? ESCAPE '\\')"
            f" ORDER BY {ORDER[sort]} LIMIT ?",
            (user["id"], pattern, pattern, limit),
        ).fetchall()
    return {"results": [shown(row) for row in rows]}
