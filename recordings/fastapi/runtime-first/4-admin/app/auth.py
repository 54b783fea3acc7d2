import sqlite3

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel

from . import crypto, db

router = APIRouter()


class Credentials(BaseModel):
    email: str
    password: str


def signed_in(request: Request):
    header = request.headers.get("Authorization", "")
    user_id = crypto.read_token(header[7:]) if header.startswith("Bearer ") else None
    if user_id is None:
        raise HTTPException(401, "sign in first")
    with db.connect() as conn:
        user = conn.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
    if user is None:
        raise HTTPException(401, "sign in first")
    return user


@router.post("/api/auth/register", status_code=201)
def register(body: Credentials):
    if "@" not in body.email or not body.password:
        raise HTTPException(400, "email and password are required")
    stored = crypto.hash_password(body.password)
    try:
        with db.connect() as conn:
            user_id = conn.execute("INSERT INTO users (email, password) VALUES (?, ?)", (body.email, stored)).lastrowid
    except sqlite3.IntegrityError:
        raise HTTPException(409, "email already registered")
    return {"token": crypto.create_token(user_id)}


@router.post("/api/auth/login")
def login(body: Credentials):
    with db.connect() as conn:
        user = conn.execute("SELECT * FROM users WHERE email = ?", (body.email,)).fetchone()
    if user is None or not crypto.verify_password(body.password, user["password"]):
        raise HTTPException(401, "wrong email or password")
    return {"token": crypto.create_token(user["id"])}


@router.get("/api/auth/me")
def me(user=Depends(signed_in)):
    return {"id": user["id"], "email": user["email"], "role": user["role"]}


def admin(user=Depends(signed_in)):
    if user["role"] != "admin":
        raise HTTPException(403, "admins only")
    return user
