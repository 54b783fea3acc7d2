import hashlib
import os
import sqlite3
from contextlib import contextmanager
from functools import wraps

import jwt
from flask import Flask, Response, abort, g, request

DATABASE_PATH = os.environ.get("DATABASE_PATH", "app.db")
UPLOAD_DIR = os.environ.get("UPLOAD_DIR", "uploads")
JWT_SECRET = os.environ.get("JWT_SECRET", "secret")

app = Flask(__name__)


@contextmanager
def db():
    conn = sqlite3.connect(DATABASE_PATH, timeout=30)
    conn.row_factory = sqlite3.Row
    try:
        with conn:
            yield conn
    finally:
        conn.close()


def init_db():
    os.makedirs(os.path.dirname(os.path.abspath(DATABASE_PATH)), exist_ok=True)
    with db() as conn:
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT)")
        conn.execute("CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY, user_id INTEGER, filename TEXT, content_type TEXT, size INTEGER)")
        os.makedirs(UPLOAD_DIR, exist_ok=True)


def hash_password(password):
    return hashlib.sha256(password.encode()).hexdigest()


init_db()


def make_token(user_id):
    return jwt.encode({"sub": str(user_id)}, JWT_SECRET, algorithm="HS256")


def login_required(view):
    @wraps(view)
    def wrapped(*args, **kwargs):
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            payload = jwt.decode(token, JWT_SECRET, algorithms=["HS256"])
        except jwt.PyJWTError:
            abort(401, "Not signed in")
        with db() as conn:
            g.user = conn.execute("SELECT * FROM users WHERE id = ?", (payload["sub"],)).fetchone()
        if not g.user:
            abort(401, "Not signed in")
        return view(*args, **kwargs)

    return wrapped


@app.get("/api/health")
def health():
    return {"status": "ok"}


@app.post("/api/auth/register")
def register():
    body = request.get_json()
    try:
        with db() as conn:
            cur = conn.execute(
                "INSERT INTO users (email, password) VALUES (?, ?)", (body["email"], hash_password(body["password"]))
            )
    except sqlite3.IntegrityError:
        abort(409, "Email already registered")
    return {"token": make_token(cur.lastrowid)}, 201


@app.post("/api/auth/login")
def login():
    body = request.get_json()
    with db() as conn:
        user = conn.execute("SELECT * FROM users WHERE email = ?", (body["email"],)).fetchone()
    if not user or user["password"] != hash_password(body["password"]):
        abort(401, "Wrong email or password")
    return {"token": make_token(user["id"])}


@app.get("/api/auth/me")
@login_required
def me():
    return {"id": g.user["id"], "email": g.user["email"]}


ALLOWED = (".png", ".jpg", ".jpeg", ".pdf", ".txt")
MAX_SIZE = 5 * 1024 * 1024


@app.post("/api/files")
@login_required
def upload():
    file = request.files["file"]
    if not file.filename.lower().endswith(ALLOWED):
        abort(400, "File type not allowed")
    data = file.read()
    if len(data) > MAX_SIZE:
        abort(400, "File too large")
    with db() as conn:
        cur = conn.execute(
            "INSERT INTO files (user_id, filename, content_type, size) VALUES (?, ?, ?, ?)",
            (g.user["id"], file.filename, file.content_type, len(data)),
        )
        # A folder for each file, because two files may have the same name.
        folder = os.path.join(UPLOAD_DIR, str(cur.lastrowid))
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, file.filename), "wb") as f:
            f.write(data)
    return {"id": cur.lastrowid, "filename": file.filename, "size": len(data)}, 201


@app.get("/api/files")
@login_required
def list_files():
    with db() as conn:
        rows = conn.execute("SELECT id, filename, size FROM files WHERE user_id = ?", (g.user["id"],)).fetchall()
    return {"files": [dict(row) for row in rows]}


def get_file(file_id):
    with db() as conn:
        row = conn.execute("SELECT * FROM files WHERE id = ? AND user_id = ?", (file_id, g.user["id"])).fetchone()
    if not row:
        abort(404, "File not found")
    return row


@app.get("/api/files/<int:file_id>")
@login_required
def download(file_id):
    row = get_file(file_id)
    with open(os.path.join(UPLOAD_DIR, str(row["id"]), row["filename"]), "rb") as f:
        return Response(f.read(), content_type=row["content_type"])


@app.delete("/api/files/<int:file_id>")
@login_required
def delete_file(file_id):
    row = get_file(file_id)
    os.remove(os.path.join(UPLOAD_DIR, str(row["id"]), row["filename"]))
    with db() as conn:
        conn.execute("DELETE FROM files WHERE id = ?", (file_id,))
    return {"status": "deleted"}
