"""A diary in pages: forms that lead on by a redirect, and a wrong password that shows the form once more."""
import os
import sqlite3

from flask import Flask, abort, flash, g, jsonify, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]
app.config.update(SESSION_COOKIE_SAMESITE="Lax", MAX_CONTENT_LENGTH=1 << 20)
DATABASE = os.environ.get("DATABASE_PATH", "diary.db")

with sqlite3.connect(DATABASE) as connection:
    connection.executescript(
        """CREATE TABLE IF NOT EXISTS users (
             id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE NOT NULL, password_hash TEXT NOT NULL);
           CREATE TABLE IF NOT EXISTS notes (
             id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, title TEXT NOT NULL, content TEXT NOT NULL);"""
    )


def get_db():
    if "db" not in g:
        g.db = sqlite3.connect(DATABASE)
        g.db.row_factory = sqlite3.Row
    return g.db


@app.teardown_appcontext
def close_db(_):
    db = g.pop("db", None)
    if db is not None:
        db.close()


def current_user():
    if "user_id" not in session:
        return None
    return get_db().execute("SELECT * FROM users WHERE id = ?", (session["user_id"],)).fetchone()


@app.get("/")
def index():
    return render_template("index.html", user=current_user())


@app.route("/register", methods=["GET", "POST"])
def register():
    if request.method == "POST":
        name = request.form.get("name", "").strip()
        email = request.form.get("email", "").strip()
        password = request.form.get("password", "")
        error = None
        if not name:
            error = "Please tell us your name."
        elif "@" not in email:
            error = "Please enter a valid email address."
        elif len(password) < 8:
            error = "The password needs at least 8 characters."
        elif password != request.form.get("confirm_password"):
            error = "The passwords do not match."
        elif request.form.get("terms") != "on":
            error = "Please accept the terms."
        if error is None:
            db = get_db()
            try:
                db.execute(
                    "INSERT INTO users (name, email, password_hash) VALUES (?, ?, ?)",
                    (name, email, generate_password_hash(password)),
                )
                db.commit()
            except sqlite3.IntegrityError:
                error = "This email is already registered."
            else:
                flash("Welcome! Please sign in.")
                return redirect(url_for("login"))
        flash(error)
    return render_template("register.html")


@app.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        user = get_db().execute("SELECT * FROM users WHERE email = ?", (request.form.get("email", ""),)).fetchone()
        if user is not None and check_password_hash(user["password_hash"], request.form.get("password", "")):
            session.clear()
            session["user_id"] = user["id"]
            return redirect(url_for("index"))
        flash("Wrong email or password.")
    return render_template("login.html")


@app.post("/logout")
def logout():
    session.clear()
    return redirect(url_for("index"))


@app.get("/api/me")
def me():
    user = current_user()
    if user is None:
        abort(401)
    return jsonify(id=user["id"], name=user["name"], email=user["email"])


@app.post("/api/notes")
def create_note():
    user = current_user()
    if user is None:
        abort(401)
    data = request.get_json()
    db = get_db()
    cursor = db.execute(
        "INSERT INTO notes (user_id, title, content) VALUES (?, ?, ?)",
        (user["id"], str(data["title"]), str(data["content"])),
    )
    db.commit()
    return jsonify(id=cursor.lastrowid), 201


@app.get("/api/notes/<int:note_id>")
def read_note(note_id):
    user = current_user()
    if user is None:
        abort(401)
    row = get_db().execute(
        "SELECT * FROM notes WHERE id = ? AND user_id = ?", (note_id, user["id"])
    ).fetchone()
    if row is None:
        abort(404)
    return jsonify(id=row["id"], title=row["title"], content=row["content"])


if __name__ == "__main__":
    from waitress import serve

    serve(app, host="0.0.0.0", port=int(os.environ.get("PORT", 5000)))
