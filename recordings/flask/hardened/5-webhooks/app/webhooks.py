"""Events of the payment provider, told from others by their signature over the raw body."""

import hashlib
import hmac
import json

from flask import Blueprint, abort, request

from . import admin, db, settings
from .fields import text

bp = Blueprint("webhooks", __name__, url_prefix="/api/webhooks")


def signed(header: str, body: bytes) -> bool:
    expected = "sha256=" + hmac.new(settings.WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), header.encode())


@bp.post("/payments")
def receive():
    body = request.get_data()
    if not signed(request.headers.get("X-Signature", ""), body):
        abort(401, "the signature does not match")
    try:
        event = json.loads(body)
        if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
            raise ValueError
        data = json.dumps(event["data"], allow_nan=False)  # NaN could be stored, but never listed
    except (ValueError, RecursionError):
        abort(422, "not an event")
    event_id, event_type = (text(event, name, shortest=1, longest=200) for name in ("id", "type"))
    with db.connect() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO events (id, type, data) VALUES (?, ?, ?)", (event_id, event_type, data)
        )
    return {"status": "ok"}


@admin.bp.get("/webhook-events")
def list_events():
    with db.connect() as connection:
        rows = connection.execute("SELECT id, type, data FROM events ORDER BY rowid").fetchall()
    return {"events": [{"id": row["id"], "type": row["type"], "data": json.loads(row["data"])} for row in rows]}
