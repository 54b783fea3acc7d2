from typing import Literal

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel

from . import config, db
from .auth import hash_password, require_admin

router = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[Depends(require_admin)])


class RoleIn(BaseModel):
    role: Literal["user", "admin"]


def seed_admin():
    if not config.ADMIN_EMAIL or not config.ADMIN_PASSWORD:
        return
    with db.connect() as conn:
        conn.execute(
            "INSERT OR IGNORE INTO users (email, password, role) VALUES (?, ?, 'admin')",
            (config.ADMIN_EMAIL, hash_password(config.ADMIN_PASSWORD)),
        )


@router.get("/users")
def list_users():
    with db.connect() as conn:
        rows = conn.execute("SELECT id, email, role FROM users").fetchall()
    return {"users": [dict(row) for row in rows]}


@router.patch("/users/{user_id}")
def change_role(user_id: int, body: RoleIn):
    with db.connect() as conn:
        updated = conn.execute("UPDATE users SET role = ? WHERE id = ?", (body.role, user_id)).rowcount
    if not updated:
        raise HTTPException(404, "User not found")
    return {"id": user_id, "role": body.role}


@router.delete("/users/{user_id}", status_code=204)
def delete_user(user_id: int):
    with db.connect() as conn:
        stored = [row["stored"] for row in conn.execute("SELECT stored FROM files WHERE owner = ?", (user_id,))]
        deleted = conn.execute("DELETE FROM users WHERE id = ?", (user_id,)).rowcount
    if not deleted:
        raise HTTPException(404, "User not found")
    for name in stored:
        (config.UPLOAD_DIR / name).unlink(missing_ok=True)
