"""What only admins may do. The role comes from the database at each request, never from the token."""

import sqlite3
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Path
from pydantic import BaseModel

from . import db, passwords, settings
from .auth import current_user
from .files import remove_stored


def admin_only(user: dict = Depends(current_user)) -> dict:
    if user["role"] != "admin":
        raise HTTPException(403, "for admins only")
    return user


router = APIRouter(prefix="/api/admin", dependencies=[Depends(admin_only)])


UserId = Annotated[int, Path(ge=1, le=db.LARGEST_ID)]


class NewRole(BaseModel):
    role: Literal["user", "admin"]


def create_admin():
    """The account of the environment, unless it exists."""
    if not settings.ADMIN_EMAIL or not settings.ADMIN_PASSWORD:
        return
    with db.connect() as connection:
        known = connection.execute("SELECT 1 FROM users WHERE email = ?", (settings.ADMIN_EMAIL,)).fetchone()
    if known:
        return
    try:
        with db.connect() as connection:
            connection.execute(
                "INSERT INTO users (email, password, role) VALUES (?, ?, 'admin')",
                (settings.ADMIN_EMAIL, passwords.keep(settings.ADMIN_PASSWORD)),
            )
    except sqlite3.IntegrityError:
        pass  # another worker was first


@router.get("/users")
def list_users():
    with db.connect() as connection:
        rows = connection.execute("SELECT id, email, role FROM users ORDER BY id").fetchall()
    return {"users": [dict(row) for row in rows]}


@router.patch("/users/{user_id}")
def change_role(user_id: UserId, body: NewRole):
    with db.connect() as connection:
        cursor = connection.execute("UPDATE users SET role = ? WHERE id = ?", (body.role, user_id))
        row = connection.execute("SELECT id, email, role FROM users WHERE id = ?", (user_id,)).fetchone()
    if cursor.rowcount == 0:
        raise HTTPException(404, "no such user")
    return dict(row)


@router.delete("/users/{user_id}", status_code=204)
def delete_user(user_id: UserId):
    with db.connect() as connection:
        stored = [row["stored"] for row in connection.execute("SELECT stored FROM files WHERE owner = ?", (user_id,))]
        cursor = connection.execute("DELETE FROM users WHERE id = ?", (user_id,))
    if cursor.rowcount == 0:
        raise HTTPException(404, "no such user")
    remove_stored(stored)
