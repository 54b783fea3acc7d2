import sqlite3
from datetime import datetime, timedelta, timezone

import bcrypt
import jwt
from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from . import config, db

router = APIRouter(prefix="/api/auth", tags=["auth"])
bearer = HTTPBearer(auto_error=False)


class Credentials(BaseModel):
    email: str
    password: str


def hash_password(password: str) -> str:
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt()).decode()


def create_token(user_id: int) -> str:
    expires = datetime.now(timezone.utc) + timedelta(hours=config.TOKEN_HOURS)
    return jwt.encode({"sub": str(user_id), "exp": expires}, config.JWT_SECRET, algorithm="HS256")


def get_current_user(credentials: HTTPAuthorizationCredentials | None = Depends(bearer)) -> dict:
    if credentials is None:
        raise HTTPException(401, "Not authenticated")
    try:
        payload = jwt.decode(credentials.credentials, config.JWT_SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Invalid token")
    with db.connect() as conn:
        user = conn.execute("SELECT * FROM users WHERE id = ?", (payload["sub"],)).fetchone()
    if user is None:
        raise HTTPException(401, "User not found")
    return dict(user)


@router.post("/register", status_code=201)
def register(body: Credentials):
    try:
        with db.connect() as conn:
            cursor = conn.execute(
                "INSERT INTO users (email, password) VALUES (?, ?)", (body.email, hash_password(body.password))
            )
    except sqlite3.IntegrityError:
        raise HTTPException(409, "Email already registered")
    return {"token": create_token(cursor.lastrowid)}


@router.post("/login")
def login(body: Credentials):
    with db.connect() as conn:
        user = conn.execute("SELECT * FROM users WHERE email = ?", (body.email,)).fetchone()
    if user is None or not bcrypt.checkpw(body.password.encode()[:72], user["password"].encode()):
        raise HTTPException(401, "Invalid email or password")
    return {"token": create_token(user["id"])}


@router.get("/me")
def me(user: dict = Depends(get_current_user)):
    return {"id": user["id"], "email": user["email"]}
