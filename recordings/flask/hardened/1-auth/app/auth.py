"""Accounts and tokens."""

import re
import sqlite3
from datetime import datetime, timedelta, timezone
from functools import wraps

import jwt
from flask import Blueprint, abort, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from . import db, passwords, settings
from .fields import json_object, text
from .limits import login_limit, register_limit

bp = Blueprint("auth", __name__, url_prefix="/api/auth")
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}\.[^@\s.]{2,63}")


def credentials() -> tuple[str, str]:
    content = json_object()
    return text(content, "email", longest=254).strip().lower(), text(content, "password", longest=200)


def issue_token(user_id: int) -> str:
    now = datetime.now(timezone.utc)
    claims = {"sub": str(user_id), "iat": now, "exp": now + timedelta(hours=settings.TOKEN_HOURS)}
    return jwt.encode(claims, settings.JWT_SECRET, algorithm="HS256")


def current_user() -> dict:
    refused = Unauthorized("not signed in", www_authenticate=WWWAuthenticate("bearer"))
    sent = request.authorization
    if sent is None or sent.type != "bearer" or not sent.token:
        raise refused
    try:
        claims = jwt.decode(sent.token, settings.JWT_SECRET, algorithms=["HS256"], options={"require": ["sub", "exp"]})
        user_id = int(claims["sub"])
    except (jwt.InvalidTokenError, ValueError):
        raise refused
    with db.connect() as connection:
        user = connection.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
    if user is None:
        raise refused
    return dict(user)


def signed_in(view):
    """Only for who is signed in: that is `g.user`."""

    @wraps(view)
    def asked(*args, **kwargs):
        g.user = current_user()
        return view(*args, **kwargs)

    return asked


@bp.post("/register")
@register_limit
def register():
    email, password = credentials()
    if not EMAIL.fullmatch(email):
        abort(422, "email: not an email address")
    problem = passwords.problem(password, email)
    if problem:
        abort(422, problem)
    kept = passwords.keep(password)
    try:
        with db.connect() as connection:
            cursor = connection.execute("INSERT INTO users (email, password) VALUES (?, ?)", (email, kept))
    except sqlite3.IntegrityError:
        abort(409, "this email is registered")
    return {"token": issue_token(cursor.lastrowid)}, 201


@bp.post("/login")
@login_limit
def login():
    email, password = credentials()
    with db.connect() as connection:
        user = connection.execute("SELECT id, password FROM users WHERE email = ?", (email,)).fetchone()
    if not passwords.matches(password, user["password"] if user else None):
        abort(401, "wrong email or password")
    return {"token": issue_token(user["id"])}


@bp.get("/me")
@signed_in
def me():
    return {"id": g.user["id"], "email": g.user["email"]}
