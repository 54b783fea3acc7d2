import os

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel

from . import auth, crypto, db, files

router = APIRouter(dependencies=[Depends(auth.admin)])


class RoleIn(BaseModel):
    role: str


def create_admin():
    email, password = os.environ.get("ADMIN_EMAIL"), os.environ.get("ADMIN_PASSWORD")
    if not email or not password:
        return
    with db.connect() as conn:
        conn.execute(
            "INSERT OR IGNORE INTO users (email, password, role) VALUES (?, ?, 'admin')",
            (email, crypto.hash_password(password)),
        )


@router.get("/api/admin/users")
def list_users():
    with db.connect() as conn:
        rows = conn.execute("SELECT id, email, role FROM users").fetchall()
    return {"users": [dict(row) for row in rows]}


@router.patch("/api/admin/users/{user_id}")
def change_role(user_id: int, body: RoleIn):
    if body.role not in {"user", "admin"}:
        raise HTTPException(400, "role is user or admin")
    with db.connect() as conn:
        conn.execute("UPDATE users SET role = ? WHERE id = ?", (body.role, user_id))
    return {"id": user_id, "role": body.role}


@router.delete("/api/admin/users/{user_id}")
def delete_user(user_id: int):
    with db.connect() as conn:
        names = [row["stored"] for row in conn.execute("SELECT stored FROM files WHERE owner = ?", (user_id,))]
        conn.execute("DELETE FROM users WHERE id = ?", (user_id,))
    for name in names:
        (files.UPLOAD_DIR / name).unlink(missing_ok=True)
    return {"deleted": user_id}
