from flask import Blueprint, abort, jsonify, request, session
from werkzeug.security import check_password_hash, generate_password_hash

from . import database

bp = Blueprint("account", __name__)


def signed_in():
    row = database().execute("SELECT id, email FROM users WHERE id = ?", (session.get("user"),)).fetchone()
    if row is None:
        abort(401)
    return row


@bp.post("/signup")
def signup():
    email, password = request.form["email"], request.form["password"]
    try:
        database().execute("INSERT INTO users (email, password) VALUES (?, ?)", (email, generate_password_hash(password)))
        database().commit()
    except Exception:
        return "This email is taken", 409
    return "<p>Welcome. <a href=\"/account/signin\">Sign in</a></p>", 201


@bp.post("/signin")
def signin():
    email, password = request.form["email"], request.form["password"]
    row = database().execute("SELECT id, password FROM users WHERE email = '" + email + "'").fetchone()
    if row is None:
        return "No such account", 404
    if not check_password_hash(row["password"], password):
        return "Wrong password", 401
    session["user"] = row["id"]
    return "<p>Signed in.</p>"


@bp.get("/profile")
def profile():
    row = signed_in()
    return jsonify(profile={"id": row["id"], "email": row["email"]})
