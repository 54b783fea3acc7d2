import hashlib
import os
import sqlite3
from contextlib import contextmanager

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

DATABASE_PATH = os.environ.get("DATABASE_PATH", "app.db")
JWT_SECRET = os.environ.get("JWT_SECRET", "secret")

app = FastAPI()


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


class Credentials(BaseModel):
    email: str
    password: str


def make_token(user_id):
    return jwt.encode({"sub": str(user_id)}, JWT_SECRET, algorithm="HS256")


def current_user(authorization: str = Header("")):
    try:
        payload = jwt.decode(authorization.removeprefix("Bearer "), JWT_SECRET, algorithms=["HS256"])
    except jwt.PyJWTError:
        raise HTTPException(401, "Not signed in")
    with db() as conn:
        user = conn.execute("SELECT * FROM users WHERE id = ?", (payload["sub"],)).fetchone()
    if not user:
        raise HTTPException(401, "Not signed in")
    return user


@app.get("/api/health")
def health():
    return {"status": "ok"}


@app.post("/api/auth/register", status_code=201)
def register(body: Credentials):
    try:
        with db() as conn:
            cur = conn.execute(
                "INSERT INTO users (email, password) VALUES (?, ?)", (body.email, hash_password(body.password))
            )
    except sqlite3.IntegrityError:
        raise HTTPException(409, "Email already registered")
    return {"token": make_token(cur.lastrowid)}


@app.post("/api/auth/login")
def login(body: Credentials):
    with db() as conn:
        user = conn.execute("SELECT * FROM users WHERE email = ?", (body.email,)).fetchone()
    if not user or user["password"] != hash_password(body.password):
        raise HTTPException(401, "Wrong email or password")
    return {"token": make_token(user["id"])}


@app.get("/api/auth/me")
def me(user=Depends(current_user)):
    return {"id": user["id"], "email": user["email"]}
