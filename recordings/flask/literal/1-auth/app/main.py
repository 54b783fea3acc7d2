import hashlib
import os
import sqlite3
from contextlib import contextmanager
from functools import wraps

import jwt
from flask import Flask, abort, g, request

DATABASE_PATH = os.environ.get("DATABASE_PATH", "app.db")
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
