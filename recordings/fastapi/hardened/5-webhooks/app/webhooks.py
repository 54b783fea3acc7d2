"""Events of the payment provider, told from others by their signature over the raw body."""

import hashlib
import hmac
import json

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from . import db, settings
from .admin import admin_only

router = APIRouter(prefix="/api")


class Event(BaseModel):
    id: str = Field(min_length=1, max_length=200)
    type: str = Field(min_length=1, max_length=200)
    data: dict


def signed(header: str | None, body: bytes) -> bool:
    expected = "sha256=" + hmac.new(settings.WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), (header or "").encode())


def store(event: Event, data: str):
    with db.connect() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO events (id, type, data) VALUES (?, ?, ?)",
            (event.id, event.type, data),
        )


@router.post("/webhooks/payments")
async def receive(request: Request):
    body = await request.body()
    if not signed(request.headers.get("X-Signature"), body):
        raise HTTPException(401, "the signature does not match")
    try:
        event = Event.model_validate_json(body)
        data = json.dumps(event.data, allow_nan=False)  # NaN could be stored, but never listed
    except ValueError:
        raise HTTPException(422, "not an event")
    await run_in_threadpool(store, event, data)
    return {"status": "ok"}


@router.get("/admin/webhook-events", dependencies=[Depends(admin_only)])
def list_events():
    with db.connect() as connection:
        rows = connection.execute("SELECT id, type, data FROM events ORDER BY rowid").fetchall()
    return {"events": [{"id": row["id"], "type": row["type"], "data": json.loads(row["data"])} for row in rows]}
