"""A shop's back office: events signed as Stripe signs them, admins told by a flag, the webhooks' secret under Stripe's name."""
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import time

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel, Field

KEY = os.environ["JWT_SECRET"]
ENDPOINT_SECRET = os.environ["STRIPE_WEBHOOK_SECRET"]
db = sqlite3.connect(os.environ.get("DATABASE_PATH", "shop.db"), check_same_thread=False, isolation_level=None)
db.executescript(
    """CREATE TABLE IF NOT EXISTS accounts
         (id INTEGER PRIMARY KEY, email TEXT UNIQUE, salt TEXT, password TEXT, is_admin INTEGER NOT NULL DEFAULT 0);
       CREATE TABLE IF NOT EXISTS payments (n INTEGER PRIMARY KEY, id TEXT, type TEXT, data TEXT);"""
)
app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)


class NewAccount(BaseModel):
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=200)
    password: str = Field(min_length=10, max_length=200)
    is_admin: bool = False


class Credentials(BaseModel):
    email: str
    password: str


class Flag(BaseModel):
    is_admin: bool


def digest(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()


def add(email: str, password: str, is_admin: bool):
    salt = secrets.token_hex(16)
    row = (email, salt, digest(password, salt), int(is_admin))
    return db.execute("INSERT INTO accounts (email, salt, password, is_admin) VALUES (?, ?, ?, ?) RETURNING id", row).fetchone()[0]


if db.execute("SELECT 1 FROM accounts WHERE email = ?", (os.environ["ADMIN_EMAIL"],)).fetchone() is None:
    add(os.environ["ADMIN_EMAIL"], os.environ["ADMIN_PASSWORD"], True)


def current(authorization: str = Header("")):
    try:
        claims = jwt.decode(authorization.removeprefix("Bearer "), KEY, algorithms=["HS256"])
    except jwt.PyJWTError:
        raise HTTPException(401, "Sign in")
    row = db.execute("SELECT id, email, is_admin FROM accounts WHERE id = ?", (claims["sub"],)).fetchone()
    if row is None:
        raise HTTPException(401, "Sign in")
    return row


def admin(user=Depends(current)):
    if not user[2]:
        raise HTTPException(403, "Admins only")
    return user


def shown(row):
    return {"id": row[0], "email": row[1], "is_admin": bool(row[2])}


@app.post("/accounts", status_code=201)
def register(new: NewAccount):
    try:
        return shown((add(new.email, new.password, new.is_admin), new.email, new.is_admin))
    except sqlite3.IntegrityError:
        raise HTTPException(409, "Taken")


@app.post("/sessions")
def sign_in(given: Credentials):
    row = db.execute("SELECT id, salt, password FROM accounts WHERE email = ?", (given.email,)).fetchone()
    found = digest(given.password, row[1] if row else "00" * 16)
    if row is None or not hmac.compare_digest(found, row[2]):
        raise HTTPException(401, "Wrong email or password")
    return {"access_token": jwt.encode({"sub": str(row[0]), "exp": int(time.time()) + 3600}, KEY, "HS256")}


@app.get("/accounts/me")
def me(user=Depends(current)):
    return shown(user)


@app.get("/admin/accounts")
def accounts(_=Depends(admin)):
    return [shown(row) for row in db.execute("SELECT id, email, is_admin FROM accounts")]


@app.patch("/admin/accounts/{number}")
def change(number: int, flag: Flag, _=Depends(admin)):
    db.execute("UPDATE accounts SET is_admin = ? WHERE id = ?", (int(flag.is_admin), number))
    return {"ok": True}


@app.delete("/admin/accounts/{number}", status_code=204)
def remove(number: int, _=Depends(admin)):
    db.execute("DELETE FROM accounts WHERE id = ?", (number,))


@app.post("/stripe/webhook")
async def stripe(request: Request, stripe_signature: str = Header("")):
    body = await request.body()
    parts = dict(part.split("=", 1) for part in stripe_signature.split(",") if "=" in part)
    stamp = parts.get("t", "")
    if not stamp.isdigit() or abs(time.time() - int(stamp)) > 300:
        raise HTTPException(400, "Stale")
    wanted = hmac.new(ENDPOINT_SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, parts.get("v1", "")):
        raise HTTPException(400, "Bad signature")
    event = json.loads(body)
    db.execute("INSERT INTO payments (id, type, data) VALUES (?, ?, ?)", (event["id"], event["type"], json.dumps(event["data"])))
    return {"received": True}


@app.get("/admin/payments")
def payments(_=Depends(admin)):
    rows = db.execute("SELECT id, type, data FROM payments")
    return [{"id": row[0], "type": row[1], "data": json.loads(row[2])} for row in rows]
