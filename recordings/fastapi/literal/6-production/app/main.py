import hashlib
import hmac
import json
import os
import sqlite3
from contextlib import contextmanager

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response, UploadFile
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel

DATABASE_PATH = os.environ.get("DATABASE_PATH", "app.db")
UPLOAD_DIR = os.environ.get("UPLOAD_DIR", "uploads")
JWT_SECRET = os.environ.get("JWT_SECRET", "secret")
WEBHOOK_SECRET = os.environ.get("WEBHOOK_SECRET", "")

app = FastAPI()
app.add_middleware(
    CORSMiddleware,
    allow_origins=os.environ.get("CORS_ORIGINS", "").split(","),
    allow_methods=["*"],
    allow_headers=["*"],
)


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
        conn.execute("CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT, role TEXT)")
        conn.execute("CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY, user_id INTEGER, filename TEXT, content_type TEXT, size INTEGER)")
        os.makedirs(UPLOAD_DIR, exist_ok=True)
        conn.execute(
            "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT, body TEXT, created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')))"
        )
        conn.execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, type TEXT, data TEXT)")
        email, password = os.environ.get("ADMIN_EMAIL"), os.environ.get("ADMIN_PASSWORD")
        if email and password and not conn.execute("SELECT 1 FROM users WHERE email = ?", (email,)).fetchone():
            conn.execute(
                "INSERT INTO users (email, password, role) VALUES (?, ?, 'admin')", (email, hash_password(password))
            )


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
                "INSERT INTO users (email, password, role) VALUES (?, ?, 'user')", (body.email, hash_password(body.password))
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
    return {"id": user["id"], "email": user["email"], "role": user["role"]}


ALLOWED = (".png", ".jpg", ".jpeg", ".pdf", ".txt")
MAX_SIZE = 5 * 1024 * 1024


@app.post("/api/files", status_code=201)
def upload(file: UploadFile, user=Depends(current_user)):
    if not file.filename.lower().endswith(ALLOWED):
        raise HTTPException(400, "File type not allowed")
    data = file.file.read()
    if len(data) > MAX_SIZE:
        raise HTTPException(400, "File too large")
    with db() as conn:
        cur = conn.execute(
            "INSERT INTO files (user_id, filename, content_type, size) VALUES (?, ?, ?, ?)",
            (user["id"], file.filename, file.content_type, len(data)),
        )
        # A folder for each file, because two files may have the same name.
        folder = os.path.join(UPLOAD_DIR, str(cur.lastrowid))
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, file.filename), "wb") as f:
            f.write(data)
    return {"id": cur.lastrowid, "filename": file.filename, "size": len(data)}


@app.get("/api/files")
def list_files(user=Depends(current_user)):
    with db() as conn:
        rows = conn.execute("SELECT id, filename, size FROM files WHERE user_id = ?", (user["id"],)).fetchall()
    return {"files": [dict(row) for row in rows]}


def get_file(file_id, user):
    with db() as conn:
        row = conn.execute("SELECT * FROM files WHERE id = ? AND user_id = ?", (file_id, user["id"])).fetchone()
    if not row:
        raise HTTPException(404, "File not found")
    return row


@app.get("/api/files/{file_id}")
def download(file_id: int, user=Depends(current_user)):
    row = get_file(file_id, user)
    with open(os.path.join(UPLOAD_DIR, str(row["id"]), row["filename"]), "rb") as f:
        return Response(f.read(), media_type=row["content_type"])


@app.delete("/api/files/{file_id}")
def delete_file(file_id: int, user=Depends(current_user)):
    row = get_file(file_id, user)
    os.remove(os.path.join(UPLOAD_DIR, str(row["id"]), row["filename"]))
    with db() as conn:
        conn.execute("DELETE FROM files WHERE id = ?", (file_id,))
    return {"status": "deleted"}


class NoteIn(BaseModel):
    title: str
    body: str


@app.post("/api/notes", status_code=201)
def create_note(note: NoteIn, user=Depends(current_user)):
    with db() as conn:
        cur = conn.execute(
            "INSERT INTO notes (user_id, title, body) VALUES (?, ?, ?)", (user["id"], note.title, note.body)
        )
    return {"id": cur.lastrowid}


@app.get("/api/notes/{note_id}")
def read_note(note_id: int, user=Depends(current_user)):
    with db() as conn:
        row = conn.execute(
            "SELECT id, title, body, created_at FROM notes WHERE id = ? AND user_id = ?", (note_id, user["id"])
        ).fetchone()
    if not row:
        raise HTTPException(404, "Note not found")
    return dict(row)


@app.get("/api/search")
def search(q: str = "", sort: str = "created_at", limit: int = 20, user=Depends(current_user)):
    order = "created_at DESC" if sort == "created_at" else sort
    with db() as conn:
        rows = conn.execute(
            f"SELECT id, title, body, created_at FROM notes WHERE user_id = ? AND (title LIKE ? OR body LIKE ?) ORDER BY {order} LIMIT ?",
            (user["id"], f"%{q}%", f"%{q}%", limit),
        ).fetchall()
    return {"results": [dict(row) for row in rows]}


class RoleIn(BaseModel):
    role: str


def admin_user(user=Depends(current_user)):
    if user["role"] != "admin":
        raise HTTPException(403, "Admins only")
    return user


@app.get("/api/admin/users")
def list_users(admin=Depends(admin_user)):
    with db() as conn:
        rows = conn.execute("SELECT id, email, role FROM users").fetchall()
    return {"users": [dict(row) for row in rows]}


@app.patch("/api/admin/users/{user_id}")
def change_role(user_id: int, body: RoleIn, admin=Depends(admin_user)):
    if body.role not in ("user", "admin"):
        raise HTTPException(400, "Role must be user or admin")
    with db() as conn:
        conn.execute("UPDATE users SET role = ? WHERE id = ?", (body.role, user_id))
    return {"id": user_id, "role": body.role}


@app.delete("/api/admin/users/{user_id}")
def delete_user(user_id: int, admin=Depends(admin_user)):
    with db() as conn:
        for row in conn.execute("SELECT id, filename FROM files WHERE user_id = ?", (user_id,)).fetchall():
            path = os.path.join(UPLOAD_DIR, str(row["id"]), row["filename"])
            if os.path.exists(path):
                os.remove(path)
        conn.execute("DELETE FROM files WHERE user_id = ?", (user_id,))
        conn.execute("DELETE FROM notes WHERE user_id = ?", (user_id,))
        conn.execute("DELETE FROM users WHERE id = ?", (user_id,))
    return {"status": "deleted"}


@app.post("/api/webhooks/payments")
async def payments(request: Request, x_signature: str = Header("")):
    body = await request.body()
    expected = "sha256=" + hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    if x_signature != expected:
        raise HTTPException(400, "Bad signature")
    event = json.loads(body)
    with db() as conn:
        conn.execute(
            "INSERT OR IGNORE INTO events (id, type, data) VALUES (?, ?, ?)",
            (event["id"], event["type"], json.dumps(event["data"])),
        )
    return {"status": "ok"}


@app.get("/api/admin/webhook-events")
def list_events(admin=Depends(admin_user)):
    with db() as conn:
        rows = conn.execute("SELECT * FROM events").fetchall()
    return {"events": [{"id": r["id"], "type": r["type"], "data": json.loads(r["data"])} for r in rows]}
