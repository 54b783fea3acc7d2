"""A recipe box: a registration that wants a name, a username, the password twice and a ticked box."""
import base64
import hashlib
import hmac
import os
import secrets
import sqlite3
from datetime import datetime, timedelta, timezone

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field, field_validator, model_validator

JWT_SECRET = os.environ["JWT_SECRET"]
db = sqlite3.connect(os.environ.get("DATABASE_PATH", "recipes.db"), check_same_thread=False, isolation_level=None)
db.row_factory = sqlite3.Row
db.executescript(
    """CREATE TABLE IF NOT EXISTS users (
         id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, username TEXT UNIQUE NOT NULL,
         full_name TEXT NOT NULL, password_hash TEXT NOT NULL);
       CREATE TABLE IF NOT EXISTS recipes (
         id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, title TEXT NOT NULL, description TEXT NOT NULL);"""
)
app = FastAPI(title="Recipe box")
bearer = HTTPBearer()


class RegisterRequest(BaseModel):
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    username: str = Field(min_length=3, max_length=30, pattern=r"^[A-Za-z0-9_]+$")
    full_name: str = Field(min_length=1, max_length=100)
    password: str = Field(min_length=10, max_length=128)
    password_confirm: str
    accept_terms: bool

    @field_validator("accept_terms")
    @classmethod
    def accepted(cls, value):
        if not value:
            raise ValueError("You must accept the terms of service")
        return value

    @model_validator(mode="after")
    def same_password(self):
        if self.password != self.password_confirm:
            raise ValueError("Passwords do not match")
        return self


class LoginRequest(BaseModel):
    email: str
    password: str


class RecipeRequest(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    description: str = Field(max_length=5000)


def hash_password(password: str) -> str:
    salt = secrets.token_bytes(16)
    key = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
    return base64.b64encode(salt).decode() + "$" + base64.b64encode(key).decode()


def verify_password(password: str, stored: str) -> bool:
    salt, key = (base64.b64decode(part) for part in stored.split("$"))
    return hmac.compare_digest(hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1), key)


def get_current_user(credentials: HTTPAuthorizationCredentials = Depends(bearer)):
    try:
        payload = jwt.decode(credentials.credentials, JWT_SECRET, algorithms=["HS256"])
    except jwt.PyJWTError:
        raise HTTPException(401, "Invalid or expired token")
    user = db.execute("SELECT * FROM users WHERE id = ?", (payload["sub"],)).fetchone()
    if user is None:
        raise HTTPException(401, "Invalid or expired token")
    return user


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/auth/register", status_code=201)
def register(data: RegisterRequest):
    try:
        # `lastrowid` would be the connection's, and so another request's.
        key = db.execute(
            "INSERT INTO users (email, username, full_name, password_hash) VALUES (?, ?, ?, ?) RETURNING id",
            (data.email, data.username, data.full_name, hash_password(data.password)),
        ).fetchone()[0]
    except sqlite3.IntegrityError:
        raise HTTPException(409, "Email or username already taken")
    return {"id": key, "email": data.email, "username": data.username, "full_name": data.full_name}


@app.post("/auth/login")
def login(data: LoginRequest):
    user = db.execute("SELECT * FROM users WHERE email = ?", (data.email,)).fetchone()
    if user is None:
        raise HTTPException(404, "User not found")
    if not verify_password(data.password, user["password_hash"]):
        raise HTTPException(401, "Incorrect password")
    expires = datetime.now(timezone.utc) + timedelta(hours=12)
    token = jwt.encode({"sub": str(user["id"]), "exp": expires}, JWT_SECRET, algorithm="HS256")
    return {"access_token": token, "token_type": "bearer"}


@app.get("/auth/me")
def me(user=Depends(get_current_user)):
    return {"id": user["id"], "email": user["email"], "username": user["username"], "full_name": user["full_name"]}


@app.post("/recipes", status_code=201)
def create_recipe(data: RecipeRequest, user=Depends(get_current_user)):
    key = db.execute(
        "INSERT INTO recipes (user_id, title, description) VALUES (?, ?, ?) RETURNING id",
        (user["id"], data.title, data.description),
    ).fetchone()[0]
    return {"id": key, "title": data.title, "description": data.description}


@app.get("/recipes/search")
def search_recipes(q: str, user=Depends(get_current_user)):
    rows = db.execute(
        "SELECT * FROM recipes WHERE user_id = ? AND (title LIKE ? OR description LIKE ?)",
        (user["id"], f"%{q}%", f"%{q}%"),
    ).fetchall()
    return [{"id": row["id"], "title": row["title"], "description": row["description"]} for row in rows]


@app.get("/recipes/{recipe_id}")
def read_recipe(recipe_id: int, user=Depends(get_current_user)):
    row = db.execute("SELECT * FROM recipes WHERE id = ?", (recipe_id,)).fetchone()
    if row is None:
        raise HTTPException(404, "Recipe not found")
    return {"id": row["id"], "title": row["title"], "description": row["description"]}


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="0.0.0.0", port=int(os.environ.get("PORT", 8000)))
