"""Password and token helpers on the standard library."""

import base64
import hashlib
import hmac
import json
import os
import time

ITERATIONS = 210_000
TOKEN_SECONDS = 7 * 24 * 3600
SECRET = os.environ.get("JWT_SECRET", "dev-secret-key").encode()


def hash_password(password: str) -> str:
    salt = os.urandom(16)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    return f"{ITERATIONS}${salt.hex()}${digest.hex()}"


def verify_password(password: str, stored: str) -> bool:
    iterations, salt, digest = stored.split("$")
    candidate = hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), int(iterations))
    return hmac.compare_digest(candidate.hex(), digest)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _sign(text: str) -> str:
    return _encode(hmac.new(SECRET, text.encode(), hashlib.sha256).digest())


def create_token(user_id: int) -> str:
    header = _encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    payload = _encode(json.dumps({"sub": user_id, "exp": int(time.time()) + TOKEN_SECONDS}).encode())
    return f"{header}.{payload}.{_sign(f'{header}.{payload}')}"


def read_token(token: str) -> int | None:
    try:
        header, payload, signature = token.split(".")
        if not hmac.compare_digest(_sign(f"{header}.{payload}"), signature):
            return None
        claims = json.loads(_decode(payload))
        return claims["sub"] if claims["exp"] > time.time() else None
    except (ValueError, KeyError, TypeError):
        return None
