from flask import Blueprint, abort, jsonify, request

from . import database
from .account import signed_in

bp = Blueprint("journal", __name__)


def shown(row):
    return {"id": row["id"], "subject": row["subject"], "content": row["content"]}


@bp.post("/entries")
def add():
    user = signed_in()
    cursor = database().execute(
        "INSERT INTO entries (user_id, subject, content) VALUES (?, ?, ?)",
        (user["id"], request.form["subject"], request.form["content"]),
    )
    database().commit()
    return jsonify(entry={"id": cursor.lastrowid}), 201


@bp.get("/entries/<int:entry>")
def one(entry):
    user = signed_in()
    row = database().execute("SELECT * FROM entries WHERE id = ? AND user_id = ?", (entry, user["id"])).fetchone()
    if row is None:
        abort(404)
    return jsonify(entry=shown(row))


@bp.get("/find")
def find():
    signed_in()
    term = request.args.get("term", "")
    rows = database().execute(
        "SELECT * FROM entries WHERE subject LIKE ? OR content LIKE ?", (f"%{term}%", f"%{term}%")
    ).fetchall()
    return jsonify(entries=[shown(row) for row in rows])
