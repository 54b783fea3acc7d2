"""What only admins may do. The role comes from the database at each request, never from the token."""

import sqlite3

from flask import Blueprint, abort, g

from . import db, passwords, settings
from .auth import current_user
from .fields import json_object
from .files import remove_stored

bp = Blueprint("admin", __name__, url_prefix="/api/admin")

ROLES = ("user", "admin")
USER_ID = f"<int(min=1, max={db.LARGEST_ID}):user_id>"


@bp.before_request
def admins_only():
    g.user = current_user()
    if g.user["role"] != "admin":
        abort(403, "for admins only")


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
        pass  # another process was first


@bp.get("/users")
def list_users():
    with db.connect() as connection:
        rows = connection.execute("SELECT id, email, role FROM users ORDER BY id").fetchall()
    return {"users": [dict(row) for row in rows]}


@bp.patch(f"/users/{USER_ID}")
def change_role(user_id: int):
    role = json_object().get("role")
    if role not in ROLES:
        abort(422, "role: user or admin")
    with db.connect() as connection:
        cursor = connection.execute("UPDATE users SET role = ? WHERE id = ?", (role, user_id))
        row = connection.execute("SELECT id, email, role FROM users WHERE id = ?", (user_id,)).fetchone()
    if cursor.rowcount == 0:
        abort(404, "no such user")
    return dict(row)


@bp.delete(f"/users/{USER_ID}")
def delete_user(user_id: int):
    with db.connect() as connection:
        stored = [row["stored"] for row in connection.execute("SELECT stored FROM files WHERE owner = ?", (user_id,))]
        cursor = connection.execute("DELETE FROM users WHERE id = ?", (user_id,))
    if cursor.rowcount == 0:
        abort(404, "no such user")
    remove_stored(stored)
    return "", 204
