"""Accounts and tokens."""

import re
import sqlite3
from datetime import datetime, timedelta, timezone

import jwt
from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field, field_validator

from . import db, passwords, settings
from .limits import login_limit, register_limit

router = APIRouter(prefix="/api/auth")
bearer = HTTPBearer(auto_error=False)
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}\.[^@\s.]{2,63}")


class Registration(BaseModel):
    email: str = Field(max_length=254)
    password: str = Field(max_length=200)

    @field_validator("email")
    @classmethod
    def is_email(cls, value: str) -> str:
        value = value.strip().lower()
        if not EMAIL.fullmatch(value):
            raise ValueError("not an email address")
        return value


class Credentials(BaseModel):
    email: str = Field(max_length=254)
    password: str = Field(max_length=200)


def issue_token(user_id: int) -> str:
    now = datetime.now(timezone.utc)
    claims = {"sub": str(user_id), "iat": now, "exp": now + timedelta(hours=settings.TOKEN_HOURS)}
    return jwt.encode(claims, settings.JWT_SECRET, algorithm="HS256")


def current_user(credentials: HTTPAuthorizationCredentials | None = Depends(bearer)) -> dict:
    refused = HTTPException(401, "not signed in", headers={"WWW-Authenticate": "Bearer"})
    if credentials is None:
        raise refused
    try:
        claims = jwt.decode(
            credentials.credentials, settings.JWT_SECRET, algorithms=["HS256"], options={"require": ["sub", "exp"]}
        )
        user_id = int(claims["sub"])
    except (jwt.InvalidTokenError, ValueError):
        raise refused
    with db.connect() as connection:
        user = connection.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
    if user is None:
        raise refused
    return dict(user)


@router.post("/register", status_code=201, dependencies=[Depends(register_limit)])
def register(body: Registration):
    problem = passwords.problem(body.password, body.email)
    if problem:
        raise HTTPException(422, problem)
    kept = passwords.keep(body.password)
    try:
        with db.connect() as connection:
            cursor = connection.execute("INSERT INTO users (email, password) VALUES (?, ?)", (body.email, kept))
    except sqlite3.IntegrityError:
        raise HTTPException(409, "this email is registered")
    return {"token": issue_token(cursor.lastrowid)}


@router.post("/login", dependencies=[Depends(login_limit)])
def login(body: Credentials):
    email = body.email.strip().lower()
    with db.connect() as connection:
        user = connection.execute("SELECT id, password FROM users WHERE email = ?", (email,)).fetchone()
    if not passwords.matches(body.password, user["password"] if user else None):
        raise HTTPException(401, "wrong email or password")
    return {"token": issue_token(user["id"])}


@router.get("/me")
def me(user: dict = Depends(current_user)):
    return {"id": user["id"], "email": user["email"]}
