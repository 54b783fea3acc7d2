"""Settings, read once from the environment. In production nothing starts on a guess."""

import os
import secrets
import sys
from pathlib import Path

PRODUCTION = os.environ.get("APP_ENV") == "production"
PLACEHOLDERS = ("secret", "changeme", "change-me", "change_me", "example", "placeholder", "your-", "your_", "password")
SHORTEST_SECRET = 16


def secret(name: str) -> str:
    value = os.environ.get(name, "")
    if not PRODUCTION:
        return value or secrets.token_hex(32)
    if not value:
        sys.exit(f"{name} is not set")
    if len(value) < SHORTEST_SECRET or any(word in value.lower() for word in PLACEHOLDERS):
        sys.exit(f"{name} is too short or a placeholder")
    return value


DATABASE_PATH = os.environ.get("DATABASE_PATH", "app.db")
UPLOAD_DIR = Path(os.environ.get("UPLOAD_DIR", "uploads"))
JWT_SECRET = secret("JWT_SECRET")
WEBHOOK_SECRET = secret("WEBHOOK_SECRET")
TOKEN_HOURS = 24
ADMIN_EMAIL = os.environ.get("ADMIN_EMAIL", "").strip().lower()
ADMIN_PASSWORD = os.environ.get("ADMIN_PASSWORD", "")
CORS_ORIGINS = [origin.strip() for origin in os.environ.get("CORS_ORIGINS", "").split(",") if origin.strip()]
