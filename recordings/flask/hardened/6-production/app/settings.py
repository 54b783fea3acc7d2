"""Settings, read once from the environment. In production nothing starts on a guess."""

import os
import secrets
import sys
from pathlib import Path

PRODUCTION = os.environ.get("APP_ENV") == "production"
PLACEHOLDERS = ("secret", "changeme", "change-me", "change_me", "example", "placeholder", "your-", "your_", "password")
FEWEST_CHARACTERS = 8  # different ones


def secret(name: str, shortest: int) -> str:
    value = os.environ.get(name, "")
    if not PRODUCTION:
        return value or secrets.token_hex(32)
    if not value:
        sys.exit(f"{name} is not set")
    placeholder = len(set(value)) < FEWEST_CHARACTERS or any(word in value.lower() for word in PLACEHOLDERS)
    if len(value) < shortest or placeholder:
        sys.exit(f"{name} is too short or a placeholder")
    return value


DATABASE_PATH = os.environ.get("DATABASE_PATH", "app.db")
UPLOAD_DIR = Path(os.environ.get("UPLOAD_DIR", "uploads")).absolute()
JWT_SECRET = secret("JWT_SECRET", shortest=32)
WEBHOOK_SECRET = secret("WEBHOOK_SECRET", shortest=16)  # the provider chooses it
TOKEN_HOURS = 24
ADMIN_EMAIL = os.environ.get("ADMIN_EMAIL", "").strip().lower()
ADMIN_PASSWORD = os.environ.get("ADMIN_PASSWORD", "")
CORS_ORIGINS = [origin.strip() for origin in os.environ.get("CORS_ORIGINS", "").split(",") if origin.strip()]
