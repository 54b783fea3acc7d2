"""A user's own notes."""

from flask import Blueprint, abort, g, request

from . import db
from .auth import signed_in
from .fields import json_object, text, whole_number

bp = Blueprint("notes", __name__, url_prefix="/api")

ORDER = {"title": "title COLLATE NOCASE ASC, id ASC", "created_at": "created_at DESC, id DESC"}


def shown(row) -> dict:
    return {"id": row["id"], "title": row["title"], "body": row["body"], "created_at": row["created_at"]}


@bp.post("/notes")
@signed_in
def create():
    content = json_object()
    title, body = text(content, "title", shortest=1, longest=200), text(content, "body", longest=20_000)
    with db.connect() as connection:
        cursor = connection.execute(
            "INSERT INTO notes (owner, title, body) VALUES (?, ?, ?)", (g.user["id"], title, body)
        )
    return {"id": cursor.lastrowid}, 201


@bp.get(f"/notes/<int(min=1, max={db.LARGEST_ID}):note_id>")
@signed_in
def read(note_id: int):
    with db.connect() as connection:
        row = connection.execute("SELECT * FROM notes WHERE id = ? AND owner = ?", (note_id, g.user["id"])).fetchone()
    if row is None:
        abort(404, "no such note")
    return shown(row)


@bp.get("/search")
@signed_in
def search():
    q = text({"q": request.args.get("q", "")}, "q", longest=200)
    order = ORDER.get(request.args.get("sort", "created_at"))
    if order is None:
        abort(422, "sort: title or created_at")
    limit = whole_number("limit", least=1, most=100, otherwise=20)
    literal = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = f"%{literal}%"
    with db.connect() as connection:
        rows = connection.execute(
            "SELECT * FROM notes WHERE owner = ? AND (title LIKE ? ESCAPE '\\' OR body LIKE ? ESCAPE '\\')"
            f" ORDER BY {order} LIMIT ?",
            (g.user["id"], pattern, pattern, limit),
        ).fetchall()
    return {"results": [shown(row) for row in rows]}
