"""Settings, read once from the environment."""

import os
from pathlib import Path

DATABASE_PATH = os.environ.get("DATABASE_PATH", "app.db")
UPLOAD_DIR = Path(os.environ.get("UPLOAD_DIR", "uploads")).absolute()
JWT_SECRET = os.environ["JWT_SECRET"]
TOKEN_HOURS = 24
WEBHOOK_SECRET = os.environ["WEBHOOK_SECRET"]
ADMIN_EMAIL = os.environ.get("ADMIN_EMAIL", "").strip().lower()
ADMIN_PASSWORD = os.environ.get("ADMIN_PASSWORD", "")
