"""What a password must be, and how it is kept."""

import bcrypt

ROUNDS = 12
SHORTEST = 10
# bcrypt reads no further than this; longer ones are refused, not cut.
LONGEST_BYTES = 72
COMMON = {
    "1234567890", "0123456789", "password12", "password123", "password1234", "qwertyuiop", "iloveyou12",
    "administrator", "letmein123", "welcome123", "changeme123", "passw0rd123", "qwerty12345", "12345678910",
}

# Checked when there is no such user, so that the answer takes as long.
NOBODY = bcrypt.hashpw(b"nobody has this password", bcrypt.gensalt(ROUNDS))


def problem(password: str, email: str) -> str | None:
    if len(password) < SHORTEST:
        return f"the password needs at least {SHORTEST} characters"
    if len(password.encode()) > LONGEST_BYTES:
        return f"the password is longer than {LONGEST_BYTES} bytes"
    if password.lower() in COMMON or password.lower() == email.lower() or len(set(password)) < 4:
        return "the password is too common"
    return None


def keep(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(ROUNDS)).decode()


def matches(password: str, kept: str | None) -> bool:
    candidate = password.encode()[:LONGEST_BYTES]
    right = bcrypt.checkpw(candidate, kept.encode() if kept else NOBODY)
    return right and kept is not None and len(password.encode()) <= LONGEST_BYTES
