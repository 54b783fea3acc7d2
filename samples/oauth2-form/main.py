"""A reading list: sign-in as FastAPI's tutorial has it (OAuth2 form at /token), HS384 tokens, UUIDs, a lock per account."""
import hashlib
import hmac
import os
import secrets
import sqlite3
import time
import uuid

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pydantic import BaseModel, Field

SECRET_KEY = os.environ["SECRET_KEY"]
db = sqlite3.connect(os.environ.get("DATABASE_PATH", "app.db"), check_same_thread=False, isolation_level=None)
db.executescript(
    """CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, email TEXT UNIQUE, salt TEXT, password TEXT);
       CREATE TABLE IF NOT EXISTS items (id TEXT PRIMARY KEY, owner TEXT, title TEXT, description TEXT);"""
)
app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
bearer = OAuth2PasswordBearer(tokenUrl="token")
failures: dict[str, list[float]] = {}


class NewUser(BaseModel):
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=200)
    password: str = Field(min_length=10, max_length=200)


class NewItem(BaseModel):
    title: str = Field(max_length=200)
    description: str = Field(max_length=5000)


def digest(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()


def current(token: str = Depends(bearer)):
    try:
        claims = jwt.decode(token, SECRET_KEY, algorithms=["HS384"])
    except jwt.PyJWTError:
        raise HTTPException(401, "Could not validate credentials")
    row = db.execute("SELECT id, email FROM users WHERE id = ?", (claims["sub"],)).fetchone()
    if row is None:
        raise HTTPException(401, "Could not validate credentials")
    return row


@app.post("/users", status_code=201)
def create_user(user: NewUser):
    salt = secrets.token_hex(16)
    key = str(uuid.uuid4())
    try:
        db.execute("INSERT INTO users VALUES (?, ?, ?, ?)", (key, user.email, salt, digest(user.password, salt)))
        db.commit()
    except sqlite3.IntegrityError:
        raise HTTPException(409, "Email already registered")
    return {"id": key, "email": user.email}


@app.post("/token")
def token(form: OAuth2PasswordRequestForm = Depends()):
    recent = [at for at in failures.get(form.username, []) if at > time.time() - 60]
    if len(recent) >= 10:
        raise HTTPException(403, "This account is locked for a minute")
    row = db.execute("SELECT id, salt, password FROM users WHERE email = ?", (form.username,)).fetchone()
    salt = row[1] if row else "00" * 16
    if not hmac.compare_digest(digest(form.password, salt), row[2] if row else ""):
        failures[form.username] = recent + [time.time()]
        raise HTTPException(400, "Incorrect username or password")
    claims = {"sub": row[0], "exp": int(time.time()) + 3600}
    return {"access_token": jwt.encode(claims, SECRET_KEY, algorithm="HS384"), "token_type": "bearer"}


@app.get("/users/me")
def me(user=Depends(current)):
    return {"id": user[0], "email": user[1]}


@app.post("/items", status_code=201)
def create_item(item: NewItem, user=Depends(current)):
    key = str(uuid.uuid4())
    db.execute("INSERT INTO items VALUES (?, ?, ?, ?)", (key, user[0], item.title, item.description))
    db.commit()
    return {"id": key, "title": item.title, "description": item.description}


@app.get("/items/{item_id}")
def read_item(item_id: str, user=Depends(current)):
    row = db.execute("SELECT id, title, description FROM items WHERE id = ?", (item_id,)).fetchone()
    if row is None:
        raise HTTPException(404, "Item not found")
    return {"id": row[0], "title": row[1], "description": row[2]}
