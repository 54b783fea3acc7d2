"""A market: whoever registers says whether to buy or to sell, and the admins were made by the same route."""
import hashlib
import hmac
import os
import secrets
import sqlite3
import time

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

JWT_SECRET = os.environ["JWT_SECRET"]
db = sqlite3.connect(os.environ.get("DATABASE_PATH", "market.db"), check_same_thread=False, isolation_level=None)
db.executescript(
    "CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, salt TEXT, password TEXT, role TEXT);"
)
app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
bearer = HTTPBearer()
failures: dict[str, list[float]] = {}


class Registration(BaseModel):
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=200)
    password: str = Field(min_length=10, max_length=200)
    role: str = Field(pattern="^(BUYER|SELLER|ADMIN)$")


class Login(BaseModel):
    email: str = Field(max_length=200)
    password: str = Field(max_length=200)


def digest(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()


def current(credentials: HTTPAuthorizationCredentials = Depends(bearer)):
    try:
        claims = jwt.decode(credentials.credentials, JWT_SECRET, algorithms=["HS256"])
    except jwt.PyJWTError:
        raise HTTPException(401, "Sign in first")
    row = db.execute("SELECT id, email, role FROM users WHERE id = ?", (int(claims["sub"]),)).fetchone()
    if row is None:
        raise HTTPException(401, "Sign in first")
    return row


@app.post("/signup", status_code=201)
def signup(user: Registration):
    salt = secrets.token_hex(16)
    try:
        db.execute(
            "INSERT INTO users (email, salt, password, role) VALUES (?, ?, ?, ?)",
            (user.email, salt, digest(user.password, salt), user.role),
        )
    except sqlite3.IntegrityError:
        raise HTTPException(409, "Email already registered")
    return {"email": user.email, "role": user.role}


@app.post("/signin")
def signin(login: Login):
    recent = [at for at in failures.get(login.email, []) if at > time.time() - 60]
    if len(recent) >= 10:
        raise HTTPException(429, "Too many attempts", {"Retry-After": "60"})
    row = db.execute("SELECT id, salt, password FROM users WHERE email = ?", (login.email,)).fetchone()
    if not hmac.compare_digest(digest(login.password, row[1] if row else "00" * 16), row[2] if row else ""):
        failures[login.email] = recent + [time.time()]
        raise HTTPException(401, "Wrong email or password")
    claims = {"sub": str(row[0]), "exp": int(time.time()) + 3600}
    return {"token": jwt.encode(claims, JWT_SECRET, algorithm="HS256")}


@app.get("/profile")
def profile(user=Depends(current)):
    return {"id": user[0], "email": user[1], "role": user[2]}
