"""Settings, read once from the environment."""

import os

DATABASE_PATH = os.environ.get("DATABASE_PATH", "app.db")
JWT_SECRET = os.environ["JWT_SECRET"]
TOKEN_HOURS = 24
